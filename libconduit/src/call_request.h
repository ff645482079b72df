// A call as the requests that carry it to hosts, and what their replies say.
//
// Immutable but for what a batch in it says of itself; thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "authenticator.h"
#include "envelope.h"
#include "peer_schemas.h"
#include "podkit/conduit/conduit.h"

namespace podkit::conduit::internal {

class OutgoingBatch;

// Where the answers of a call's keyed writes are kept for a repeat: the ids, one for each write.
struct KeptAnswers {
  std::vector<std::string> ids;
  absl::Duration window = absl::InfiniteDuration();  // The least of them.
};

class CallRequest {
 public:
  struct Parts {
    std::shared_ptr<const Pod> pod;
    CommandInfo info;
    // As it is declared here; null for a command that every pod answers.
    std::shared_ptr<const PeerSchemas::Own> declared;
    std::string members;  // Of the command's own, a JSON object.
    CallOptions options;
    std::string id;  // "" if nobody can cancel the call, or every transport carries that.
    std::shared_ptr<OutgoingBatch> batch = nullptr;  // The calls in it, if it carries some.
  };
  struct Made {
    WireRequest request;
    std::optional<SignedExchange> exchange;  // If it had to be signed.
  };

  // `authenticator` may be null where no transport needs signatures. Both must outlive this.
  CallRequest(Parts parts, Authenticator* authenticator, const ConduitOptions& limits)
      : parts_(std::move(parts)), authenticator_(authenticator), limits_(limits) {}

  const Pod& pod() const { return *parts_.pod; }
  const std::shared_ptr<const Pod>& shared_pod() const { return parts_.pod; }
  const CommandInfo& info() const { return parts_.info; }
  const std::shared_ptr<const PeerSchemas::Own>& declared() const { return parts_.declared; }
  const std::string& members() const { return parts_.members; }
  const CallOptions& options() const { return parts_.options; }
  const std::string& id() const { return parts_.id; }
  OutgoingBatch* batch() const { return parts_.batch.get(); }

  // A write that its key makes safe to repeat; or a batch whose writes all are.
  bool keyed() const;
  // The answers that it then counts on, if all are kept; `answers_of` says so of a command.
  std::optional<KeptAnswers> FindKept(
      absl::FunctionRef<std::optional<PeerSchemas::Answers>(std::string_view)> answers_of) const;
  // A call in the batch was answered as by another host than the one that was met.
  bool met_another() const;
  // Tells the batch so, if it is one.
  void MayHaveBeenExecuted() const;

  // The request as it is sent at `now`, signed unless the transport proves by itself who calls, and
  // counting on the answers of these ids. Errors say that it cannot be sent to any host.
  absl::StatusOr<Made> Make(absl::Time now, absl::Time deadline, const TransportTraits& transport,
                            const std::vector<std::string>& answers) const;

  // The document of a reply whose result is "ok", or the error that it holds. Of a batch, what
  // concerns it as a whole; each call in it is told its own.
  absl::StatusOr<JsonDocument> Read(WireReply reply,
                                    const std::optional<SignedExchange>& exchange) const;

 private:
  // Checks the JSON and puts the bytes beside it.
  absl::Status FillBody(std::string json, std::string_view payload, WireRequest& request) const;

  Parts parts_;
  Authenticator* authenticator_;
  const ConduitOptions& limits_;
};

}  // namespace podkit::conduit::internal
