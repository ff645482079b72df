// Meets a host before a call goes to it: asks what it serves, once for all the calls that wait for
// the answer, and refuses calls that it cannot serve before they are sent.
//
// Thread-safe. What it asks with is given to it, and must answer each question once. Outlives the
// calls that it was told of, and the questions.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "meeting.h"
#include "peer_schemas.h"
#include "podkit/conduit/error.h"
#include "podkit/conduit/scheduler.h"

namespace podkit::conduit::internal {

struct GreeterOptions {
  using Peer = PeerSchemas::Peer;
  template <typename Answer>
  using Done = std::function<void(absl::StatusOr<Answer>)>;

  // Call the host, without waiting; with a deadline of their own, since many calls may wait for it.
  // Called without locks held.
  std::function<void(const Peer&, Done<Hello::Response>)> hello;
  std::function<void(const Peer&, const std::string& command, Done<DescribeCommands::Response>)>
      describe;
  std::function<absl::Time()> now;
  std::function<Scheduler&()> scheduler;  // For calls that wait.
};

class Greeter {
 public:
  struct Call {
    PeerSchemas::Peer peer;
    std::shared_ptr<const PeerSchemas::Own> command;
    std::string request;  // Its members as JSON.
    absl::Time deadline;
    std::stop_token stop = {};
    // Once, from any thread and perhaps before Before returns, without locks held. OK: send it.
    // Else it ends with that status, and was not executed: kNotImplemented if the host does not
    // serve it, kCancelled, or kNotExecuted if the host could not be asked in time.
    std::function<void(absl::Status)> ready;
  };

  explicit Greeter(GreeterOptions options) : options_(std::move(options)) {}

  // Whether such a call can be sent at once; else it goes through Before.
  bool Knows(PeerSchemas::PeerName peer, const PeerSchemas::Own& command, std::string_view request,
             absl::Time now) {
    return peers_.Decide(peer, command, request, now).step == Step::kSend;
  }

  // OK or the refusal, if it is known whether the host serves such a call; else Before asks it.
  std::optional<absl::Status> Look(PeerSchemas::PeerName peer, const PeerSchemas::Own& command,
                                   std::string_view request, absl::Time now) {
    auto decision = peers_.Decide(peer, command, request, now);
    if (decision.step == Step::kSend) return absl::OkStatus();
    if (decision.step == Step::kRefuse) return std::move(decision.refusal);
    return std::nullopt;
  }

  // Whether the call is to be sent.
  void Before(Call call);

  // As PeerSchemas.
  std::optional<PeerSchemas::Answers> AnswersOf(PeerSchemas::PeerName peer,
                                                std::string_view command) {
    return peers_.AnswersOf(peer, command);
  }

  // The host turned out to be another than was met: it is asked anew before the next call.
  void Forget(const PeerSchemas::Peer& peer) { peers_.Forget(peer); }

 private:
  using Peer = PeerSchemas::Peer;
  using Step = PeerSchemas::Step;

  // A host and the command to describe; "": what it serves.
  using Question = std::pair<Peer, std::string>;

  // A call that waits; ends once: by the answer, its deadline or its stop.
  struct Waiting {
    Call call;
    int questions = 0;  // That it has waited for.
    uint64_t timer = 0;
    std::atomic<bool> ended = false;
    std::optional<std::stop_callback<std::function<void()>>> on_stop;

    // Without an answer: kNotExecuted at its deadline, or kCancelled.
    void GiveUp(Outcome outcome);
  };

  void Go(Call call, int questions);
  void Wait(const Question& question, Call call, int questions);
  void Watch(const std::shared_ptr<Waiting>& waiting);
  void Ask(const Question& question);
  // OK: the calls that wait go on; else they end with that.
  void Answered(const Question& question, const absl::Status& status);

  const GreeterOptions options_;
  PeerSchemas peers_;
  Mutex mutex_;
  std::map<Question, std::vector<std::shared_ptr<Waiting>>> asked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
