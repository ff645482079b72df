#include "worker_pool.h"

#include <algorithm>

namespace podkit::replica {
namespace {

// After so many failures in a row a pool without a worker lets nobody wait.
constexpr int kHopeless = 3;

}  // namespace

void WorkerPool::Submit(CallId call, absl::Time deadline, absl::Time now) {
  if (!idle_.empty()) {
    const WorkerId worker = idle_.back();
    idle_.pop_back();
    Assign(worker, call, now);
    return;
  }
  const bool hopeless = workers_.empty() && failures_ >= kHopeless && now < start_again_;
  if (hopeless || waiting_.size() >= options_.max_waiting) {
    actions_.push_back({Action::Kind::kRefuse, 0, call});
    return;
  }
  waiting_.push_back({call, deadline});
  StartWhatIsNeeded(now);
}

void WorkerPool::Started(WorkerId worker, absl::Time now) {
  const auto found = workers_.find(worker);
  if (found == workers_.end() || found->second.state != State::kStarting) return;
  GiveWork(worker, now);
}

void WorkerPool::Lost(WorkerId worker, absl::Time now) {
  const auto found = workers_.find(worker);
  if (found == workers_.end() || found->second.state == State::kBusy) return;
  Remove(worker);
  Failed(now);
}

void WorkerPool::Done(WorkerId worker, bool good, absl::Time now) {
  if (!workers_.contains(worker)) return;
  if (!good) {
    // The call's fault, perhaps: one bad chunk must not keep workers from all others.
    Remove(worker);
    StartWhatIsNeeded(now);
    return;
  }
  failures_ = 0;
  start_again_ = absl::InfinitePast();
  GiveWork(worker, now);
  StartWhatIsNeeded(now);
}

void WorkerPool::Tick(absl::Time now) {
  std::erase_if(waiting_, [&](const Call& call) {
    if (call.deadline > now) return false;
    actions_.push_back({Action::Kind::kExpire, 0, call.id});
    return true;
  });
  std::vector<WorkerId> late;
  for (const auto& [id, worker] : workers_) {
    if (worker.state == State::kStarting && worker.since + options_.start_timeout <= now) {
      late.push_back(id);
    }
  }
  for (const WorkerId worker : late) Lost(worker, now);
  // The first of the idle ones is the one that was not needed for the longest time.
  while (workers_.size() > static_cast<size_t>(options_.min_workers) && !idle_.empty() &&
         workers_[idle_.front()].since + options_.idle_timeout <= now) {
    Remove(idle_.front());
  }
  StartWhatIsNeeded(now);
}

absl::Time WorkerPool::NextTick() const {
  absl::Time next = absl::InfiniteFuture();
  for (const Call& call : waiting_) next = std::min(next, call.deadline);
  for (const auto& [id, worker] : workers_) {
    if (worker.state == State::kStarting)
      next = std::min(next, worker.since + options_.start_timeout);
  }
  if (workers_.size() > static_cast<size_t>(options_.min_workers) && !idle_.empty()) {
    next = std::min(next, workers_.at(idle_.front()).since + options_.idle_timeout);
  }
  if (workers_.size() < static_cast<size_t>(options_.min_workers) || !waiting_.empty()) {
    if (start_again_ != absl::InfinitePast()) next = std::min(next, start_again_);
  }
  return next;
}

void WorkerPool::Assign(WorkerId worker, CallId call, absl::Time now) {
  workers_[worker] = {State::kBusy, now};
  actions_.push_back({Action::Kind::kAssign, worker, call});
}

void WorkerPool::GiveWork(WorkerId worker, absl::Time now) {
  if (waiting_.empty()) {
    workers_[worker] = {State::kIdle, now};
    idle_.push_back(worker);
    return;
  }
  const CallId call = waiting_.front().id;
  waiting_.pop_front();
  Assign(worker, call, now);
}

void WorkerPool::Remove(WorkerId worker) {
  workers_.erase(worker);
  std::erase(idle_, worker);
  actions_.push_back({Action::Kind::kKill, worker, 0});
}

void WorkerPool::Failed(absl::Time now) {
  ++failures_;
  start_again_ = now;
  if (failures_ > 1) {
    const int doublings = std::min(failures_ - 2, 20);
    start_again_ = now + std::min(options_.max_backoff, options_.first_backoff * (1 << doublings));
  }
  StartWhatIsNeeded(now);
  if (!workers_.empty() || failures_ < kHopeless) return;
  for (const Call& call : std::exchange(waiting_, {})) {
    actions_.push_back({Action::Kind::kRefuse, 0, call.id});
  }
}

void WorkerPool::StartWhatIsNeeded(absl::Time now) {
  if (now < start_again_) return;
  const auto max = static_cast<size_t>(options_.max_workers);
  size_t starting = Count(State::kStarting);
  // After a failure one worker at a time: the next one shows whether it was the worker's fault.
  const size_t at_once = failures_ > 0 ? 1 : max;
  while (
      workers_.size() < max && starting < at_once &&
      (workers_.size() < static_cast<size_t>(options_.min_workers) || starting < waiting_.size())) {
    workers_[next_worker_] = {State::kStarting, now};
    actions_.push_back({Action::Kind::kStart, next_worker_, 0});
    ++next_worker_;
    ++starting;
  }
}

size_t WorkerPool::Count(State state) const {
  return static_cast<size_t>(std::count_if(workers_.begin(), workers_.end(), [&](const auto& one) {
    return one.second.state == state;
  }));
}

}  // namespace podkit::replica
