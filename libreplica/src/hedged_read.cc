#include "hedged_read.h"

#include <algorithm>
#include <stop_token>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "common/mutex.h"

namespace podkit::replica {
namespace {

// What the reader and those who ask for it share; the last one of them ends it.
class Race {
 public:
  Race(const ChunkName& name, const ChunkHash& hash, size_t lanes, absl::Time deadline)
      : name_(name), hash_(hash), deadline_(deadline), failures_(lanes) {}

  void Ask(GatewayLane* lane, size_t index) {
    const absl::Time began = absl::Now();
    ReplicaClient& client = lane->client();
    auto got = client.Get(name_, hash_, CallLimits(deadline_, stop_.get_token()));
    lane->NoteRead(got.status(), absl::Now() - began);
    if (!got.ok()) return Failed(index, got.status());
    MutexLock lock(&mutex_);
    if (!bytes_) bytes_ = *std::move(got);
    changed_.Signal();
  }

  void Failed(size_t index, const absl::Status& status) {
    MutexLock lock(&mutex_);
    failures_[index] = status;
    ++failed_;
    changed_.Signal();
  }

  // Waits until the chunk is there, or `asked` have failed, or until `until`. True if it is there.
  bool Await(size_t asked, absl::Time until) {
    MutexLock lock(&mutex_);
    while (!bytes_ && failed_ < asked) {
      const absl::Duration left = until - absl::Now();
      if (left <= absl::ZeroDuration()) break;
      changed_.WaitFor(&mutex_, std::min<absl::Duration>(left, absl::Hours(1)));
    }
    return bytes_.has_value();
  }

  HedgedRead End() {
    HedgedRead read = Take();  // First: who is stopped says no more what kept him.
    stop_.request_stop();
    return read;
  }

 private:
  HedgedRead Take() {
    MutexLock lock(&mutex_);
    return {.bytes = std::move(bytes_), .failures = failures_};
  }

  const ChunkName name_;
  const ChunkHash hash_;
  const absl::Time deadline_;
  std::stop_source stop_;
  Mutex mutex_;
  CondVar changed_;
  std::optional<std::string> bytes_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::Status> failures_ ABSL_GUARDED_BY(mutex_);
  size_t failed_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

HedgedRead ReadHedged(const std::vector<GatewayLane*>& lanes, const ChunkName& name,
                      const ChunkHash& hash, absl::Duration hedge_after, absl::Time deadline) {
  const auto race = std::make_shared<Race>(name, hash, lanes.size(), deadline);
  size_t asked = 0;
  while (asked < lanes.size() && absl::Now() < deadline) {
    GatewayLane* const lane = lanes[asked];
    const absl::Status runs =
        lane->Run({}, [race, lane, index = asked] { race->Ask(lane, index); });
    if (!runs.ok()) race->Failed(asked, runs);
    ++asked;
    if (race->Await(asked, std::min(deadline, absl::Now() + hedge_after))) break;
  }
  race->Await(asked, deadline);
  return race->End();
}

}  // namespace podkit::replica
