// What a conduit consists of; for the files that implement it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "authenticator.h"
#include "batch/batch_runner.h"
#include "call_counter.h"
#include "common/mutex.h"
#include "common/worker_pool.h"
#include "gate.h"
#include "greeter.h"
#include "hosts/called_pods.h"
#include "hosts/random.h"
#include "log_limiter.h"
#include "outgoing_call.h"
#include "podkit/conduit/conduit.h"
#include "responders.h"
#include "served_commands.h"

namespace podkit::conduit {
namespace internal {

inline constexpr size_t kMadeKeyBytes = 16;  // So many at random that no two keys are the same.

struct BatchState;

inline std::function<absl::Time()> ClockOf(const ConduitOptions& options) {
  if (options.scheduler == nullptr) return options.now;
  return [scheduler = options.scheduler] { return scheduler->Now(); };
}

inline HostSetOptions HostOptionsOf(const ConduitOptions& options, const Transport* transport,
                                    std::shared_ptr<Pods> pods) {
  HostSetOptions hosts;
  hosts.balance = options.balance;
  hosts.seed = options.seed != 0 ? options.seed : RandomSeed();
  hosts.link_to = [transport, pods = std::move(pods)](const std::string& pod,
                                                      const std::string& host) {
    const auto known = pods->Find(pod);
    return known == nullptr ? HostLink() : transport->LinkTo(*known, host);
  };
  hosts.on_event = options.on_host_event;
  return hosts;
}

}  // namespace internal

struct Conduit::Impl {
  const std::shared_ptr<Pods> pods;
  Transport* const transport;
  const ConduitOptions options;
  const std::function<absl::Time()> now;
  internal::Authenticator authenticator;
  const internal::HostSetOptions host_options;
  mutable internal::CalledPods called;
  internal::Responders responders;
  internal::BatchRunner batches;
  internal::ServedCommands served;
  std::optional<internal::Greeter> greeter;  // If hosts are met.
  internal::CallEnvironment environment;
  // What the transport tells of its connections.
  std::shared_ptr<internal::Gate<const HostEvent&>> link_news =
      std::make_shared<internal::Gate<const HostEvent&>>();
  std::shared_ptr<void> connections_watch;
  internal::LogLimiter refusal_log{10, absl::Minutes(1)};
  internal::LogLimiter failure_log{10, absl::Minutes(1)};

  mutable Mutex mutex;
  CondVar one_ended;
  std::map<std::string, internal::CallCounter, std::less<>> sent ABSL_GUARDED_BY(mutex);
  std::map<CommandSchema (*)(), std::shared_ptr<const internal::PeerSchemas::Own>> declared
      ABSL_GUARDED_BY(mutex);
  size_t in_flight ABSL_GUARDED_BY(mutex) = 0;  // Calls to others and calls being answered.
  std::unique_ptr<WorkerPool> pool ABSL_GUARDED_BY(mutex);      // Made when it is needed.
  std::shared_ptr<Scheduler> scheduler ABSL_GUARDED_BY(mutex);  // So is this.
  std::atomic<uint64_t> calls = 0;

  Impl(std::shared_ptr<Pods> the_pods, Transport* the_transport, ConduitOptions the_options)
      : pods(std::move(the_pods)),
        transport(the_transport),
        options(std::move(the_options)),
        now(internal::ClockOf(options)),
        authenticator(pods, options.max_clock_skew, now()),
        host_options(internal::HostOptionsOf(options, transport, pods)),
        called(host_options),
        responders(pods->own_id(), options, now),
        batches(&responders, options) {}

  void Log(LogLevel level, std::string_view line) const {
    if (options.log) options.log(level, line);
  }

  absl::Status CheckCall(std::string_view pod, const Pod* target, const CommandInfo& info,
                         const CallOptions& call) const;
  void WatchConnections();
  void Enter();
  void Leave();
  void CountSent(std::string_view command, bool ok, absl::Duration took);
  void LogFailure(std::string_view pod, std::string_view command, const absl::Status& why,
                  absl::Duration took);
  void LogRefusal(const WireRequest& request, const absl::Status& why);
  WorkerPool* Pool();
  Scheduler& TheScheduler();
  std::shared_ptr<const internal::PeerSchemas::Own> DeclaredHere(const CommandInfo& info,
                                                                 CommandSchema (*schema)());
  absl::Status CheckBatch(std::string_view pod, const internal::BatchState& batch,
                          const CallOptions& call) const;
  std::shared_ptr<internal::OutgoingBatch> MakeBatch(const std::shared_ptr<const Pod>& pod,
                                                     const internal::BatchState& batch,
                                                     const CallOptions& options);
  void CountBatch(std::string_view pod, const internal::BatchState& batch,
                  const std::vector<absl::StatusOr<JsonDocument>>& results, bool answered,
                  absl::Duration took);
  WireReply AnswerHere(std::shared_ptr<const Pod> caller, const WireRequest& request);
};

}  // namespace podkit::conduit
