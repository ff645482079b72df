#include "method_workers.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "fmt/format.h"

namespace podkit::replica {
namespace {

constexpr int kMaxLeases = 3;  // Of workers that turn out to be gone before anything is asked.

WorkerPoolOptions PoolOptions(const WorkerLimits& limits) {
  return {.min_workers = std::max(limits.min_workers, 1),
          .max_workers = std::max({limits.max_workers, limits.min_workers, 1}),
          .max_waiting = limits.max_waiting,
          .start_timeout = limits.start_timeout,
          .idle_timeout = limits.idle_timeout};
}

}  // namespace

MethodWorkers::MethodWorkers(std::string program, HelloMessage hello, UniqueFd settings,
                             const WorkerLimits& limits, std::function<void()> wake)
    : program_(std::move(program)),
      hello_(std::move(hello)),
      settings_(std::move(settings)),
      wake_(std::move(wake)),
      pool_(PoolOptions(limits)) {}

MethodWorkers::~MethodWorkers() = default;

absl::StatusOr<bool> MethodWorkers::Start(absl::Time deadline) {
  MutexLock lock(&mutex_);
  while (!answered_) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(
          fmt::format("driver {}: its {} worker did not get ready in time", hello_.driver,
                      NameOf(hello_.method)));
    }
    ready_.WaitFor(&mutex_, left);
  }
  if (!start_error_.empty()) return absl::InvalidArgumentError(start_error_);
  return implemented_;
}

absl::StatusOr<int> MethodWorkers::Call(const DriverRequest& request, const FileBytes& input,
                                        int output_fd, absl::Time deadline) {
  const CallMessage call = {request, input.offset, input.size};
  for (int attempt = 0; attempt < kMaxLeases; ++attempt) {
    PODKIT_ASSIGN_OR_RETURN(const Leased leased, Lease(deadline));
    const auto exchanged =
        leased.process->Exchange(hello_.method, call, input.fd, output_fd, deadline);
    Return(leased, exchanged.outcome);
    const auto failed = [&](std::string_view how) {
      return fmt::format("driver {}: its {} worker {}", hello_.driver, NameOf(hello_.method), how);
    };
    switch (exchanged.outcome) {
      case WorkerProcess::Outcome::kAnswered:
        return exchanged.error;
      case WorkerProcess::Outcome::kNotSent:
        break;
      case WorkerProcess::Outcome::kCrashed:
        return absl::InternalError(failed("crashed"));
      case WorkerProcess::Outcome::kHung:
        return absl::DeadlineExceededError(failed("did not answer in time"));
      case WorkerProcess::Outcome::kGarbage:
        return absl::InternalError(failed("answered rubbish"));
    }
  }
  return absl::UnavailableError(fmt::format("driver {}: its {} workers end by themselves",
                                            hello_.driver, NameOf(hello_.method)));
}

absl::StatusOr<MethodWorkers::Leased> MethodWorkers::Lease(absl::Time deadline) {
  Waiter waiter;
  bool wake = false;
  {
    MutexLock lock(&mutex_);
    const WorkerPool::CallId call = next_call_++;
    waiters_[call] = &waiter;
    pool_.Submit(call, deadline, absl::Now());
    wake = Act();
  }
  if (wake) wake_();
  MutexLock lock(&mutex_);
  while (!waiter.done) {
    const absl::Duration left = deadline - absl::Now();
    if (left > absl::ZeroDuration()) {
      waiter.decided.WaitFor(&mutex_, left);
    } else {
      pool_.Tick(absl::Now());
      static_cast<void>(Act());  // What is to be started can wait for the next call.
    }
  }
  if (!waiter.refused.ok()) return waiter.refused;
  return Leased{waiter.worker, std::move(waiter.process)};
}

void MethodWorkers::Return(const Leased& leased, WorkerProcess::Outcome outcome) {
  using Outcome = WorkerProcess::Outcome;
  bool wake = false;
  {
    MutexLock lock(&mutex_);
    if (outcome != Outcome::kNotSent) ++counters_.calls;
    counters_.crashed += outcome == Outcome::kCrashed ? 1 : 0;
    counters_.hung += outcome == Outcome::kHung ? 1 : 0;
    counters_.garbage += outcome == Outcome::kGarbage ? 1 : 0;
    pool_.Done(leased.worker, outcome == Outcome::kAnswered, absl::Now());
    wake = Act();
  }
  if (wake) wake_();
}

bool MethodWorkers::Act() {
  using Kind = WorkerPool::Action::Kind;
  bool wake = false;
  for (const WorkerPool::Action& action : pool_.TakeActions()) {
    switch (action.kind) {
      case Kind::kStart:
        to_start_.push_back(action.worker);
        wake = true;
        break;
      case Kind::kKill:
        std::erase(to_start_, action.worker);
        starting_.erase(action.worker);
        if (auto worker = workers_.extract(action.worker)) {
          ended_.push_back(std::move(worker.mapped()));
        }
        wake = true;
        break;
      case Kind::kAssign:
        Settle(action.call, absl::OkStatus(), action.worker);
        break;
      case Kind::kRefuse:
        ++counters_.refused;
        Settle(action.call,
               absl::UnavailableError(fmt::format("driver {}: no {} worker is free", hello_.driver,
                                                  NameOf(hello_.method))),
               0);
        break;
      case Kind::kExpire:
        ++counters_.refused;
        Settle(action.call,
               absl::UnavailableError(fmt::format("driver {}: no {} worker was free in time",
                                                  hello_.driver, NameOf(hello_.method))),
               0);
        break;
    }
  }
  return wake;
}

void MethodWorkers::Settle(WorkerPool::CallId call, absl::Status refused,
                           WorkerPool::WorkerId worker) {
  Waiter& waiter = *waiters_.extract(call).mapped();
  waiter.refused = std::move(refused);
  waiter.worker = worker;
  if (waiter.refused.ok()) waiter.process = workers_.at(worker);
  waiter.done = true;
  waiter.decided.Signal();
}

absl::Time MethodWorkers::Mind(std::vector<int>* fds,
                               const std::function<void(std::string_view)>& log) {
  std::vector<WorkerPool::WorkerId> to_start;
  {
    MutexLock lock(&mutex_);
    if (!answered_ || implemented_) pool_.Tick(absl::Now());
    static_cast<void>(Act());
    to_start.swap(to_start_);
    if (answered_ && !implemented_) to_start.clear();
  }
  for (const WorkerPool::WorkerId id : to_start) StartProcess(id);
  Workers workers;
  Workers starting;
  {
    MutexLock lock(&mutex_);
    workers = workers_;
    starting = starting_;
  }
  for (const auto& [id, process] : starting) HearFrom(id, *process);
  for (const auto& [id, process] : workers) {
    std::string lines;
    const bool listening = process->output() >= 0;
    if (!process->ReadOutput(&lines) && listening) {
      // It ended, or wants to say nothing more. A call that it has sees that for itself.
      MutexLock lock(&mutex_);
      pool_.Lost(id, absl::Now());
      static_cast<void>(Act());
    }
    for (const std::string_view line : SplitText(lines, '\n')) {
      if (line.empty()) continue;
      log(fmt::format("rg-driver {}[{}]: {}", NameOf(hello_.method), process->pid(), line));
    }
    if (process->output() >= 0) fds->push_back(process->output());
  }
  Reap();
  MutexLock lock(&mutex_);
  for (const auto& [id, process] : starting_) fds->push_back(process->socket());
  if (!ended_.empty()) return absl::Now() + absl::Milliseconds(5);
  if (!to_start_.empty()) return absl::InfinitePast();
  return pool_.NextTick();
}

void MethodWorkers::StartProcess(WorkerPool::WorkerId id) {
  auto started = WorkerProcess::Start(program_, hello_, settings_.get());
  MutexLock lock(&mutex_);
  ++counters_.started;
  if (!started.ok()) {
    if (!answered_) start_error_ = std::string(started.status().message());
    answered_ = true;
    ready_.SignalAll();
    pool_.Lost(id, absl::Now());
  } else if (!pool_.Knows(id)) {
    ended_.push_back(*std::move(started));
  } else {
    workers_[id] = *std::move(started);
    starting_[id] = workers_[id];
  }
  static_cast<void>(Act());
}

void MethodWorkers::HearFrom(WorkerPool::WorkerId id, const WorkerProcess& process) {
  const auto ready = process.ReceiveReady(absl::InfinitePast());
  if (absl::IsDeadlineExceeded(ready.status())) return;
  MutexLock lock(&mutex_);
  const bool good = ready.ok() && ready->error.empty() && ready->implemented;
  if (!answered_) {
    answered_ = true;
    implemented_ = good;
    if (!ready.ok()) {
      start_error_ = fmt::format("driver {}: its {} worker ended before it was ready",
                                 hello_.driver, NameOf(hello_.method));
    } else {
      start_error_ = ready->error;
    }
    ready_.SignalAll();
  }
  starting_.erase(id);
  if (good) {
    pool_.Started(id, absl::Now());
  } else {
    pool_.Lost(id, absl::Now());
  }
  static_cast<void>(Act());
}

void MethodWorkers::Reap() {
  std::vector<std::shared_ptr<WorkerProcess>> ended;
  {
    MutexLock lock(&mutex_);
    ended.swap(ended_);
  }
  for (const auto& process : ended) process->Kill();
  std::erase_if(ended, [](const auto& process) { return process->HasEnded(); });
  MutexLock lock(&mutex_);
  for (auto& process : ended) ended_.push_back(std::move(process));
}

WorkerCounters MethodWorkers::counters() const {
  MutexLock lock(&mutex_);
  return counters_;
}

}  // namespace podkit::replica
