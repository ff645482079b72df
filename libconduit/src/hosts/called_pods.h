// What a conduit knows of the hosts of each pod that it calls, and what it may still spend on
// calling them a second time.
//
// Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "hosts/hedge.h"
#include "hosts/host_set.h"
#include "hosts/retry_budget.h"
#include "hosts/routes.h"

namespace podkit::conduit::internal {

// Of one pod.
class CalledPod {
 public:
  CalledPod(std::string pod, const HostSetOptions& options) : hosts_(std::move(pod), options) {}

  HostSet& hosts() { return hosts_; }
  RetryBudget& repeats() { return repeats_; }
  RetryBudget& hedges() { return hedges_; }
  Routes& routes() { return routes_; }

  // Of the reads that go by that name; lives as long as this.
  HedgeDelay& DelayOf(std::string_view command) {
    MutexLock lock(&mutex_);
    auto entry = delays_.find(command);
    if (entry == delays_.end()) {
      entry = delays_.emplace(command, std::make_unique<HedgeDelay>(HedgeOptions{})).first;
    }
    return *entry->second;
  }

 private:
  HostSet hosts_;
  RetryBudget repeats_{{}};
  // A read that is sent twice is late, not lost: it may cost less than one that is repeated.
  RetryBudget hedges_{{.share = 0.05, .floor_per_second = 1}};
  Routes routes_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<HedgeDelay>, std::less<>> delays_ ABSL_GUARDED_BY(mutex_);
};

class CalledPods {
 public:
  explicit CalledPods(HostSetOptions options) : options_(std::move(options)) {}

  // Lives as long as this.
  CalledPod& Of(const std::string& pod) {
    MutexLock lock(&mutex_);
    auto& entry = pods_[pod];
    if (entry == nullptr) {
      HostSetOptions options = options_;
      options.seed = MixBits(options_.seed + pods_.size());
      entry = std::make_unique<CalledPod>(pod, options);
    }
    return *entry;
  }

  // Null for a pod that was not called yet.
  CalledPod* Find(std::string_view pod) {
    MutexLock lock(&mutex_);
    const auto entry = pods_.find(pod);
    return entry == pods_.end() ? nullptr : entry->second.get();
  }

 private:
  const HostSetOptions options_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<CalledPod>, std::less<>> pods_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
