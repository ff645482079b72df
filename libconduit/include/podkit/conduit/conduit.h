// One pod's end of the conduit: calls commands on other pods and answers theirs.
//
//   conduit->Handle<EatCheez>([](const CallContext&, const EatCheez::Arguments& arguments)
//                                 -> absl::StatusOr<EatCheez::Response> { ... });
//   absl::StatusOr<EatCheez::Response> answer =
//       conduit->Call<EatCheez>("B", {.name = "gouda", .origin = "nl"});
//
// Thread-safe once all responders are registered: Handle comes before the first request.
// Ownership: shares `pods`; the transport must outlive the conduit. Destroying the conduit waits
// for the calls that it makes and answers to end. Opens no socket: mount Receive at kConduitPath
// of any HTTP server (POST), and pass the headers of WireRequest and WireReply on.
// Errors: every call ends once; OutcomeOf(status) says how. See error.h and
// docs/conduit-protocol.md.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "podkit/conduit/answers.h"
#include "podkit/conduit/balance.h"
#include "podkit/conduit/call.h"
#include "podkit/conduit/call_codec.h"
#include "podkit/conduit/call_stats.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/hosts.h"
#include "podkit/conduit/pods.h"
#include "podkit/conduit/scheduler.h"
#include "podkit/conduit/schema.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit {
class Batch;

namespace internal {
class OutgoingBatch;
struct GreeterOptions;
// An answer that does not fit the declaration.
absl::Status BadValue(std::string_view pod, const CommandInfo& info, const absl::Status& status);
}  // namespace internal

enum class LogLevel { kInfo, kWarning, kError };

struct ConduitOptions {
  std::string version = "0.1";  // Of this pod's software; told to callers of unknown commands.
  size_t max_body_bytes = size_t{32} << 20;  // Of a request and of a reply.
  int max_json_depth = 64;                   // At most 512.
  size_t max_batch_calls = 1000;             // In a batch that is sent or answered.
  // Between two pods; a request older than that is refused.
  absl::Duration max_clock_skew = absl::Seconds(60);
  // Calls of one pod that are answered at a time; the next one is refused with Overloaded.
  size_t max_calls_per_pod = 1024;
  // For calls of Answer that must not run on its thread: how many at a time, and how many wait.
  int worker_threads = 4;
  size_t max_waiting_calls = 1024;
  // Runs such calls in place of these threads. True: it took `work`, and runs it once, later and
  // not inside this call, but before the conduit is destroyed; false: it has too much to do, and
  // the call is refused with Overloaded.
  std::function<bool(std::function<void()> work)> executor = {};
  // Which host of a pod is called.
  Balance balance = Balance::kLeastLoaded;
  // A read that takes longer than 95 of 100 did of late is sent to a second host as well, and the
  // first answer counts. At most one in 20.
  bool hedge_reads = true;
  // Asks each host once a minute which commands it serves, before it is called: a call that it
  // cannot serve ends with kNotImplemented before it is sent.
  bool meet_hosts = true;
  // What the choice of hosts and the waits before repeats follow from; 0: a random one.
  uint64_t seed = 0;
  // The transport must go by the same clock.
  std::function<absl::Time()> now = [] { return absl::Now(); };
  // For what must happen later; null: the system's. Its clock counts in place of `now`.
  std::shared_ptr<Scheduler> scheduler = nullptr;
  // May be empty. Called from any thread, without locks held.
  std::function<void(LogLevel, std::string_view)> log = {};
  // What happens to the hosts of other pods, in its order for each pod. As `log`.
  std::function<void(const HostEvent&)> on_host_event = {};
};

// How a responder is run.
struct HandleOptions {
  // It only touches memory, for a few microseconds: Answer may run it on its own thread.
  bool quick = false;
  // At a time; the next one is refused with Overloaded. 0: no limit of its own.
  size_t max_in_flight = 0;
  // Keeps the answers of calls with keys, so that such a call is executed once; null: the keys are
  // only handed to the responder. Outlives the calls that the conduit answers, and its Keys().
  AnswerStore* answers = nullptr;
};

class Conduit {
 public:
  Conduit(std::shared_ptr<Pods> pods, Transport* transport, ConduitOptions options = {});
  ~Conduit();
  Conduit(const Conduit&) = delete;
  Conduit& operator=(const Conduit&) = delete;

  const Pods& pods() const;
  Transport& transport() const;
  absl::Time Now() const;  // What deadlines are compared with.

  // Makes `responder` answer command C: called as responder(context, [target,] arguments), from the
  // threads that call Receive or on the conduit's own; returns absl::StatusOr<C::Response>, or
  // absl::Status where the response is Nothing. An error that C does not declare reaches the caller
  // as InternalError with a reference to this pod's log. Must not call back into the network while
  // it answers.
  template <Command C, typename Responder>
  void Handle(Responder responder, const HandleOptions& options = {});

  // Calls C on `pod` and waits, at most options.timeout. Holds no lock meanwhile.
  template <Command C>
  absl::StatusOr<typename C::Response> Call(std::string_view pod,
                                            const typename C::Arguments& arguments = {},
                                            const CallOptions& options = {}) {
    return CallTarget<C>(pod, {}, arguments, options);
  }
  template <Command C>
  absl::StatusOr<typename C::Response> CallTarget(std::string_view pod, const TargetOf<C>& target,
                                                  const typename C::Arguments& arguments = {},
                                                  const CallOptions& options = {}) {
    return CallAsync<C>(pod, target, arguments, options).get();
  }

  // The same without waiting: the result comes through a future.
  template <Command C>
  std::future<absl::StatusOr<typename C::Response>> CallAsync(
      std::string_view pod, const TargetOf<C>& target, const typename C::Arguments& arguments = {},
      const CallOptions& options = {});

  // The same without waiting: `done` gets the result once, from any thread and perhaps before Start
  // returns. It must not block, for other results wait behind it.
  template <Command C>
  void Start(std::string_view pod, const TargetOf<C>& target,
             const typename C::Arguments& arguments, const CallOptions& options,
             std::function<void(absl::StatusOr<typename C::Response>)> done);

  // Calls all of a batch (batch.h) in one round trip and waits; each call has its own result. The
  // status is the first error among these, or why the batch cannot be called. Of the options,
  // `key` and the payloads belong to single calls; `make_key` gives a key to each write without
  // one. Repeated where that is safe for every call in it.
  absl::Status Call(std::string_view pod, Batch& batch, const CallOptions& options = {});
  // The same without waiting, as the Start of a single call.
  void Start(std::string_view pod, Batch& batch, const CallOptions& options,
             std::function<void(absl::Status)> done);

  // Answers one request of another pod on this thread. Never fails: a refusal is a reply too.
  WireReply Receive(const WireRequest& request);

  // Answers a call whose transport knows who calls; on this thread if the responder is quick, else
  // on one of the conduit's own.
  void Answer(ReceivedCall call);

  std::vector<CommandStats> Stats() const;
  KeyStats Keys() const;

  // Calls to other pods that have not ended, and calls that Answer took and that are not answered.
  size_t InFlight() const;

  // The hosts of a pod as its calls found them, by name; none before the first call.
  std::vector<HostStatus> Hosts(std::string_view pod) const;

 private:
  // Decodes what concerns one command, runs the responder and encodes its answer; empty for
  // Nothing.
  using Responder = std::function<absl::StatusOr<std::string>(const CallContext& context,
                                                              const JsonValue& request)>;
  struct Impl;

  void Register(const CommandInfo& info, std::vector<std::string_view> errors,
                CommandSchema (*schema)(), const HandleOptions& options, Responder responder);
  struct Asked {
    CommandInfo info;
    CommandSchema (*schema)();
    std::string members;                                       // The call's own ones, as an object.
    std::shared_ptr<internal::OutgoingBatch> batch = nullptr;  // The calls that go with it, if any.
  };
  // `done` gets the document of a reply whose result is "ok", or the error that it holds.
  void Exchange(std::string_view pod, Asked asked, const CallOptions& options,
                std::function<void(absl::StatusOr<JsonDocument>)> done);
  internal::GreeterOptions HowToMeet();
  template <Command C>
  static absl::StatusOr<typename C::Response> DecodeReply(std::string_view pod,
                                                          absl::StatusOr<JsonDocument> reply);

  std::unique_ptr<Impl> impl_;
};

template <Command C, typename R>
void Conduit::Handle(R responder, const HandleOptions& options) {
  CheckCommand<C>();
  using Target = TargetOf<C>;
  using Arguments = typename C::Arguments;
  using Response = typename C::Response;
  constexpr bool kTargeted = !std::is_same_v<Target, Nothing>;
  if constexpr (kTargeted) {
    static_assert(std::is_invocable_v<R, const CallContext&, const Target&, const Arguments&>,
                  "a responder takes (const CallContext&, const Target&, const Arguments&)");
  } else {
    static_assert(std::is_invocable_v<R, const CallContext&, const Arguments&>,
                  "a responder takes (const CallContext&, const Arguments&)");
  }
  Register(
      C::kInfo, C::Errors::Classes(), &SchemaOf<C>, options,
      [responder = std::move(responder)](const CallContext& context,
                                         const JsonValue& request) -> absl::StatusOr<std::string> {
        Target target{};
        Arguments arguments{};
        const absl::Status status = internal::DecodeCall<C>(request, &target, &arguments);
        if (!status.ok()) return MakeError(InvalidArguments{}, std::string(status.message()));
        auto answer = [&] {
          if constexpr (kTargeted) {
            return responder(context, target, arguments);
          } else {
            return responder(context, arguments);
          }
        }();
        if constexpr (std::is_same_v<decltype(answer), absl::Status>) {
          static_assert(std::is_same_v<Response, Nothing>,
                        "a responder returns absl::StatusOr of the declared response");
          if (!answer.ok()) return answer;
          return std::string();
        } else {
          static_assert(std::is_same_v<decltype(answer), absl::StatusOr<Response>>,
                        "a responder returns absl::StatusOr of the declared response");
          if (!answer.ok()) return std::move(answer).status();
          if constexpr (std::is_same_v<Response, Nothing>) {
            return std::string();
          } else {
            return ToJson(*answer);
          }
        }
      });
}

template <Command C>
absl::StatusOr<typename C::Response> Conduit::DecodeReply(std::string_view pod,
                                                          absl::StatusOr<JsonDocument> reply) {
  if (!reply.ok()) return std::move(reply).status();
  typename C::Response response{};
  const absl::Status status = internal::DecodeResponse<C>(reply->root(), &response);
  if (!status.ok()) return internal::BadValue(pod, C::kInfo, status);
  return response;
}

template <Command C>
void Conduit::Start(std::string_view pod, const TargetOf<C>& target,
                    const typename C::Arguments& arguments, const CallOptions& options,
                    std::function<void(absl::StatusOr<typename C::Response>)> done) {
  CheckCommand<C>();
  Exchange(pod, {C::kInfo, &SchemaOf<C>, internal::EncodeCall<C>(target, arguments)}, options,
           [pod = std::string(pod), done = std::move(done)](absl::StatusOr<JsonDocument> reply) {
             done(DecodeReply<C>(pod, std::move(reply)));
           });
}

template <Command C>
std::future<absl::StatusOr<typename C::Response>> Conduit::CallAsync(
    std::string_view pod, const TargetOf<C>& target, const typename C::Arguments& arguments,
    const CallOptions& options) {
  using Result = absl::StatusOr<typename C::Response>;
  const auto promise = std::make_shared<std::promise<Result>>();
  auto result = promise->get_future();
  Start<C>(pod, target, arguments, options,
           [promise](Result answer) { promise->set_value(std::move(answer)); });
  return result;
}

}  // namespace podkit::conduit
