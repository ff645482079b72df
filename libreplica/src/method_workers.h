// The worker processes of one method, and the calls that wait for them.
//
// Thread-safe. Calls run on their callers' threads, which talk to the worker themselves; starting,
// watching and ending processes is for one thread that calls Minder again and again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "common/unique_fd.h"
#include "podkit/replica/driver_processes.h"
#include "worker_pool.h"
#include "worker_process.h"

namespace podkit::replica {

class MethodWorkers {
 public:
  // `program` and `settings` as for WorkerProcess::Start; `wake` makes the minding thread call Mind
  // soon.
  MethodWorkers(std::string program, HelloMessage hello, UniqueFd settings,
                const WorkerLimits& limits, std::function<void()> wake);
  ~MethodWorkers();

  // Starts the first workers and waits until one is ready. False if the driver has no such method.
  absl::StatusOr<bool> Start(absl::Time deadline);

  absl::StatusOr<int> Call(const DriverRequest& request, const FileBytes& input, int output_fd,
                           absl::Time deadline);

  // What the minding thread does between two waits: starts and ends processes, and reads what they
  // printed. Adds what to wait for to `fds` and returns when to come back at the latest.
  absl::Time Mind(std::vector<int>* fds, const std::function<void(std::string_view)>& log);

  WorkerCounters counters() const;

 private:
  using Workers = std::map<WorkerPool::WorkerId, std::shared_ptr<WorkerProcess>>;
  struct Waiter {
    CondVar decided;
    std::shared_ptr<WorkerProcess> process;
    WorkerPool::WorkerId worker = 0;
    absl::Status refused;
    bool done = false;
  };
  struct Leased {
    WorkerPool::WorkerId worker = 0;
    std::shared_ptr<WorkerProcess> process;
  };

  absl::StatusOr<Leased> Lease(absl::Time deadline);
  void Return(const Leased& leased, WorkerProcess::Outcome outcome);
  // Does what the pool decided, as far as memory goes; true if the minding thread has to do more.
  [[nodiscard]] bool Act() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Settle(WorkerPool::CallId call, absl::Status refused, WorkerPool::WorkerId worker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartProcess(WorkerPool::WorkerId id);
  void HearFrom(WorkerPool::WorkerId id, const WorkerProcess& process);
  void Reap();

  const std::string program_;
  const HelloMessage hello_;
  const UniqueFd settings_;
  const std::function<void()> wake_;

  mutable Mutex mutex_;
  CondVar ready_;
  WorkerPool pool_ ABSL_GUARDED_BY(mutex_);
  Workers workers_ ABSL_GUARDED_BY(mutex_);
  Workers starting_ ABSL_GUARDED_BY(mutex_);  // Those of workers_ whose answer to the hello is due.
  std::vector<WorkerPool::WorkerId> to_start_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<WorkerProcess>> ended_ ABSL_GUARDED_BY(mutex_);
  std::map<WorkerPool::CallId, Waiter*> waiters_ ABSL_GUARDED_BY(mutex_);
  WorkerPool::CallId next_call_ ABSL_GUARDED_BY(mutex_) = 1;
  WorkerCounters counters_ ABSL_GUARDED_BY(mutex_);
  // How the first start went. Without the method no worker is started again.
  bool answered_ ABSL_GUARDED_BY(mutex_) = false;
  bool implemented_ ABSL_GUARDED_BY(mutex_) = false;
  std::string start_error_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::replica
