// Which worker process takes which call: the decisions alone. It is told what happens and the time,
// and says what to do; whoever does it tells the outcome.
//
// Thread-compatible.
//
// A worker has one call at a time. Calls wait in order of arrival, in a bounded queue and only to
// their deadline. A worker that fails in whatever way is never used again and costs the call that
// it had. Workers that fail to start, or end without a call, one after the other, are started again
// ever later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace podkit::replica {

struct WorkerPoolOptions {
  int min_workers = 1;  // At least 1.
  int max_workers = 4;
  size_t max_waiting = 256;  // Calls in the queue.
  absl::Duration start_timeout = absl::Seconds(10);
  absl::Duration idle_timeout = absl::Minutes(1);          // Of workers beyond min_workers.
  absl::Duration first_backoff = absl::Milliseconds(100);  // The second failure in a row waits so
  absl::Duration max_backoff = absl::Seconds(30);          // long, then twice as long, up to this.
};

class WorkerPool {
 public:
  using WorkerId = uint64_t;
  using CallId = uint64_t;

  struct Action {
    enum class Kind {
      kStart,   // Start process `worker`; then tell Started or Lost.
      kKill,    // End process `worker`; nothing more is told of it.
      kAssign,  // Let `worker` do `call`; then tell Done.
      kRefuse,  // `call` is not done: too much waits, or no worker can be had.
      kExpire,  // `call` is not done: its deadline came while it waited.
    };
    Kind kind;
    WorkerId worker = 0;
    CallId call = 0;
  };

  explicit WorkerPool(const WorkerPoolOptions& options) : options_(options) {}

  // Starts the least number of workers.
  void Begin(absl::Time now) { Tick(now); }

  // `call` is any new number.
  void Submit(CallId call, absl::Time deadline, absl::Time now);
  // The worker is ready for calls.
  void Started(WorkerId worker, absl::Time now);
  // The worker could not be started, or ended without a call. Unknown workers are ignored.
  void Lost(WorkerId worker, absl::Time now);
  // The call is over; unless `good`, the worker is killed.
  void Done(WorkerId worker, bool good, absl::Time now);
  // To be called at NextTick(), and may be called at any time.
  void Tick(absl::Time now);
  absl::Time NextTick() const;

  // What to do, in this order; each is told once.
  std::vector<Action> TakeActions() { return std::exchange(actions_, {}); }

  // True from kStart to kKill.
  bool Knows(WorkerId worker) const { return workers_.contains(worker); }
  size_t workers() const { return workers_.size(); }
  size_t waiting() const { return waiting_.size(); }
  int failures() const { return failures_; }  // In a row.

 private:
  enum class State { kStarting, kIdle, kBusy };
  struct Worker {
    State state = State::kStarting;
    absl::Time since;
  };
  struct Call {
    CallId id;
    absl::Time deadline;
  };

  void Assign(WorkerId worker, CallId call, absl::Time now);
  void GiveWork(WorkerId worker, absl::Time now);
  void Remove(WorkerId worker);
  void Failed(absl::Time now);
  void StartWhatIsNeeded(absl::Time now);
  size_t Count(State state) const;

  const WorkerPoolOptions options_;
  std::map<WorkerId, Worker> workers_;
  std::vector<WorkerId> idle_;  // The one used last is the last.
  std::deque<Call> waiting_;
  std::vector<Action> actions_;
  WorkerId next_worker_ = 1;
  int failures_ = 0;
  absl::Time start_again_ = absl::InfinitePast();
};

}  // namespace podkit::replica
