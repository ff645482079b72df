// A call as the requests that carry it to hosts, and what their replies say.
//
// Immutable, so thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "authenticator.h"
#include "envelope.h"
#include "peer_schemas.h"
#include "podkit/conduit/conduit.h"

namespace podkit::conduit::internal {

class CallRequest {
 public:
  struct Parts {
    std::shared_ptr<const Pod> pod;
    CommandInfo info;
    // As it is declared here; null for a command that every pod answers.
    std::shared_ptr<const PeerSchemas::Own> declared;
    std::string members;  // Of the command's own, a JSON object.
    CallOptions options;
    std::string id;  // "" if nobody can cancel the call, or the transport carries that.
  };
  struct Made {
    WireRequest request;
    std::optional<SignedExchange> exchange;  // If it had to be signed.
  };

  // `authenticator` is null for a transport that authenticates. Both must outlive this.
  CallRequest(Parts parts, Authenticator* authenticator, const ConduitOptions& limits)
      : parts_(std::move(parts)), authenticator_(authenticator), limits_(limits) {}

  const Pod& pod() const { return *parts_.pod; }
  const std::shared_ptr<const Pod>& shared_pod() const { return parts_.pod; }
  const CommandInfo& info() const { return parts_.info; }
  const std::shared_ptr<const PeerSchemas::Own>& declared() const { return parts_.declared; }
  const std::string& members() const { return parts_.members; }
  const CallOptions& options() const { return parts_.options; }
  const std::string& id() const { return parts_.id; }

  // The request as it is sent at `now`, counting on the answers of that id ("": on none). Errors
  // say that it cannot be sent to any host.
  absl::StatusOr<Made> Make(absl::Time now, absl::Time deadline, std::string_view answers) const;

  // The document of a reply whose result is "ok", or the error that it holds.
  absl::StatusOr<JsonDocument> Read(WireReply reply,
                                    const std::optional<SignedExchange>& exchange) const;

 private:
  // Checks the JSON and puts the payload beside it.
  absl::Status FillBody(std::string json, WireRequest& request) const;

  Parts parts_;
  Authenticator* authenticator_;
  const ConduitOptions& limits_;
};

}  // namespace podkit::conduit::internal
