// Writes down what other pods ask and what they are answered; and asks it again.
//
//   auto recorder = Recorder::Open("calls.rec", {});
//   WireReply reply = (*recorder)->Receive(conduit, request);        // In place of the conduit's.
//   ...
//   absl::StatusOr<Replayed> replayed = Replay("calls.rec", other_conduit, {});
//
// The file has one line of JSON for each request that was authenticated, and is bounded: see
// docs/conduit-recordings.md. Signatures and keys of pods never get into it, nor do the members
// that RecorderOptions names; what is asked for does, so that the file is for its owner's eyes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit {

struct RecorderOptions {
  // A body that is larger is recorded as its size and its SHA-256, and cannot be replayed.
  size_t max_body_bytes = size_t{16} << 10;
  // The file is set aside as <path>.1 before it grows beyond that, <path>.1 as <path>.2, and so on;
  // of so many in all, the oldest one goes.
  size_t max_file_bytes = size_t{64} << 20;
  int max_files = 4;
  // Exchanges that wait to be written; beyond that they are left out, and counted.
  size_t max_waiting = 1024;
  // What members of these names hold, at any depth and in either direction, is left out; case does
  // not count. An exchange whose request had one cannot be replayed.
  std::vector<std::string> secrets = {"password", "passphrase",  "secret",        "credential",
                                      "api_key",  "private_key", "authorization", "cookie"};
  std::function<absl::Time()> now = [] { return absl::Now(); };
  // Told once when writing fails, and once when it goes on. From a thread of the recorder's own.
  std::function<void(LogLevel, std::string_view)> log = {};
};

struct RecorderStats {
  int64_t written = 0;
  int64_t left_out = 0;  // Since too many waited, or could not be written.
};

// Thread-safe. What is recorded must not outlive it: stop what calls Receive and Answer first.
class Recorder {
 public:
  // Goes on with a file that is there. kPermissionDenied, kNotFound, kUnavailable: it cannot be
  // written. The file is for its owner only.
  static absl::StatusOr<std::unique_ptr<Recorder>> Open(std::string path, RecorderOptions options);
  // Writes what waits.
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // As those of the conduit, which they call.
  WireReply Receive(Conduit& conduit, const WireRequest& request);
  void Answer(Conduit& conduit, ReceivedCall call);

  // Returns when everything so far is written.
  void Flush();
  RecorderStats stats() const;

 private:
  struct State;
  explicit Recorder(std::shared_ptr<State> state);
  const std::shared_ptr<State> state_;
};

struct ReplayOptions {
  // Members of replies that may differ: what people read, and what is made up anew each time.
  std::vector<std::string> ignored = {"details", "reference"};
  // What `secrets` was when it was recorded: such members are not compared.
  std::vector<std::string> secrets = RecorderOptions().secrets;
  size_t max_differences = 100;  // That are described; all are counted.
};

// One place where a reply is another than it was.
struct ReplayDifference {
  int64_t line = 0;  // Of the file, from 1.
  std::string command;
  std::string place;  // JSONPath in the reply; "status", "payload" or "call 3" before it.
  std::string recorded;
  std::string replayed;
};

struct Replayed {
  int64_t same = 0;
  int64_t different = 0;
  int64_t skipped = 0;  // Not recorded whole, or of a pod that is not known now.
  std::vector<ReplayDifference> differences;
};

// Sends the recorded requests to `conduit`, one after the other, as the pods that sent them, and
// holds the replies against the recorded ones. It executes them: give it a conduit that answers
// from a copy. kNotFound: the file cannot be read; kInvalidArgument: it is no recording.
absl::StatusOr<Replayed> Replay(const std::string& path, Conduit& conduit,
                                const ReplayOptions& options = {});

}  // namespace podkit::conduit
