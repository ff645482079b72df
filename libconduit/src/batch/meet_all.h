// Meets a host for all calls of a batch: which of them it cannot serve.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "greeter.h"
#include "peer_schemas.h"

namespace podkit::conduit::internal {

struct MeetAll {
  struct Asked {
    std::shared_ptr<const PeerSchemas::Own> command;  // Null: every pod serves it.
    std::string request;                              // Its members as JSON.
  };
  Greeter* greeter;
  PeerSchemas::Peer peer;
  std::vector<Asked> asked;
  absl::Time deadline;
  std::stop_token stop;
  std::function<absl::Time()> now;
  // Once, as Greeter::Call::ready: for each of the calls OK or the refusal; or why the host could
  // not be met.
  std::function<void(absl::StatusOr<std::vector<absl::Status>>)> done;

  static void Start(MeetAll meeting);
};

}  // namespace podkit::conduit::internal
