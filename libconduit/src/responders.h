// The commands that this pod answers, and how one request becomes one reply.
//
// Thread-safe once all responders are registered.
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "admission.h"
#include "call_counter.h"
#include "envelope.h"
#include "keyed_calls.h"
#include "podkit/conduit/conduit.h"
#include "running_calls.h"
#include "token_guard.h"

namespace podkit::conduit::internal {

class Responders {
 public:
  using Responder =
      std::function<absl::StatusOr<std::string>(const CallContext&, const JsonValue&)>;

  struct Command {
    std::vector<std::string_view> errors;
    HandleOptions options;
    Responder responder;
    CallCounter received;
    std::atomic<size_t> in_flight = 0;
  };

  // A request that was read and admitted. Counts until it is destroyed.
  class Opened {
   public:
    Opened(Responders* responders, std::shared_ptr<const Pod> caller, JsonDocument document);
    ~Opened();
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    bool quick() const { return command_->options.quick; }

   private:
    friend class Responders;
    Responders* const responders_;
    const std::shared_ptr<const Pod> caller_;
    const JsonDocument document_;
    std::string payload_;
    RequestHead head_;
    Command* command_ = nullptr;
    absl::Time received_;
    // Of the batch that it belongs to, which was admitted for all its calls.
    std::optional<absl::Time> batch_deadline_;
    bool admitted_ = false;
    std::optional<RunningCalls::Entry> running_;  // If only a command can cancel it.
    std::stop_token stop_;
  };

  // `options` must outlive this; `now` is the clock that counts.
  Responders(std::string own_pod, const ConduitOptions& options, std::function<absl::Time()> now);

  void Register(const CommandInfo& info, std::vector<std::string_view> errors,
                const HandleOptions& options, Responder responder);

  // Reads a request of `caller` and makes room for it. `stop` is the transport's, if it has one.
  absl::StatusOr<std::unique_ptr<Opened>> Open(std::shared_ptr<const Pod> caller,
                                               const WireRequest& request, std::stop_token stop);

  // A call within a batch, whose request came with these bytes; `batch` is the context of the
  // whole.
  absl::StatusOr<std::unique_ptr<Opened>> OpenInner(const CallContext& batch, JsonDocument document,
                                                    std::string_view payload);

  // A reply that is larger than `room` is replaced by BodyTooLarge, which says what was done.
  RunCall Run(Opened& opened, size_t room = std::numeric_limits<size_t>::max());
  WireReply RefuseBusy(const Opened& opened) const;

  RunningCalls& running() { return running_; }
  const std::map<std::string, Command, std::less<>>& commands() const { return commands_; }
  KeyStats Keys() const;

 private:
  using Answer = absl::StatusOr<std::string>;  // The value as JSON.

  absl::StatusOr<std::unique_ptr<Opened>> Open(std::unique_ptr<Opened> opened,
                                               std::string_view payload, std::stop_token stop);
  absl::Status Admit(Opened& opened);
  // Runs the responder, whatever key the call has.
  RunCall RunNow(const Opened& opened, const KeyedCall* keyed) const;
  // Runs it unless a call with the same key ran before.
  RunCall RunOnce(const Opened& opened, AnswerStore& answers);
  Answer AnswerCommand(const Opened& opened, const CallContext& context) const;
  // `error` as the caller may see it.
  absl::Status Declared(const Opened& opened, const absl::Status& error) const;
  Answer CallResponder(const Command& command, const CallContext& context,
                       const JsonValue& request) const;
  // The command was executed, and its answer cannot be sent.
  absl::Status TooLarge(std::string_view action, size_t size) const;
  static absl::Status NoRoom(std::string_view action, const RunCall& done, size_t room);
  // The error that stands for one which the caller must not see; the log gets the cause.
  absl::Status Conceal(const Opened& opened, const absl::Status& cause) const;

  const std::string own_pod_;
  const ConduitOptions& options_;
  const std::function<absl::Time()> now_;
  const JsonLimits json_limits_;
  std::map<std::string, Command, std::less<>> commands_;  // Complete before the first request.
  RunningCalls running_;
  Admission admission_;
  TokenGuard token_guard_;
  KeyedCalls keyed_calls_;
};

}  // namespace podkit::conduit::internal
