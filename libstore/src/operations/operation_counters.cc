#include "operations/operation_counters.h"

#include <numeric>
#include <string>
#include <string_view>

#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

// What the operator of this pod has to mend, or to wait for.
constexpr std::array<std::string_view, 5> kFaults = {
    StoreDamaged::kClass, AttachmentDamaged::kClass, StoreBusy::kClass, PodUnavailable::kClass,
    conduit::InternalError::kClass};

template <typename... Actions>
std::vector<OperationStats> Named(ActionTable<Actions...>) {
  std::vector<OperationStats> stats;
  stats.reserve(sizeof...(Actions));
  (stats.push_back({.operation = std::string(Actions::kInfo.name)}), ...);
  return stats;
}

}  // namespace

OperationResult ResultOf(const absl::Status& status) {
  if (status.ok()) return OperationResult::kOk;
  // An object that is too long is refused; a disk without room is a fault.
  if (const auto full = GetError<StoreFull>(status)) {
    return full->object.empty() ? OperationResult::kFailed : OperationResult::kRefused;
  }
  const std::string name = conduit::ErrorClass(status);
  const bool fault =
      name.empty() || std::find(kFaults.begin(), kFaults.end(), name) != kFaults.end();
  return fault ? OperationResult::kFailed : OperationResult::kRefused;
}

void OperationCounters::Count(size_t operation, const absl::Status& status, absl::Duration took) {
  Counter& counter = counters_[operation];
  counter.durations.Add(took);
  // After that, and read before it: no error is seen whose call is not.
  switch (ResultOf(status)) {
    case OperationResult::kOk:
      break;
    case OperationResult::kRefused:
      counter.refused.fetch_add(1, std::memory_order_release);
      break;
    case OperationResult::kFailed:
      counter.failed.fetch_add(1, std::memory_order_release);
      break;
  }
}

std::vector<OperationStats> OperationCounters::Get() const {
  std::vector<OperationStats> all = Named(Operations());
  for (size_t i = 0; i < all.size(); ++i) {
    OperationStats& stats = all[i];
    stats.refused = counters_[i].refused.load(std::memory_order_acquire);
    stats.failed = counters_[i].failed.load(std::memory_order_acquire);
    stats.seconds = counters_[i].durations.seconds();
    stats.latencies = counters_[i].durations.counts();
    stats.calls = std::accumulate(stats.latencies.begin(), stats.latencies.end(), int64_t{0});
  }
  return all;
}

}  // namespace podkit::store
