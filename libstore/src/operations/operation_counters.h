// Counts the operations on the homes of this pod, whoever asks for them: see
// podkit/store/operation_stats.h.
//
// It is done at the two doors of the internal family, not in it: by CountingCaller for the front
// ends of this pod, and by the responder for those of others.
//
// Thread-safe, without a lock.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/duration_counter.h"
#include "external/remote_actions.h"
#include "operations/attachment_counters.h"
#include "podkit/conduit/call_stats.h"
#include "podkit/store/operation_stats.h"
#include "podkit/store/store.h"

namespace podkit::store {

// How an operation ended, as OperationStats has it.
enum class OperationResult { kOk, kRefused, kFailed };
OperationResult ResultOf(const absl::Status& status);

// What is no remote action: other pods have a home opened with each of theirs.
using OpenHome = Action<"home-open", &Store::HomeFor, kRepeatable>;

namespace internal {

template <typename More, typename... Actions>
ActionTable<Actions..., More> Append(ActionTable<Actions...>);

template <typename... Actions>
constexpr size_t CountActions(ActionTable<Actions...>) {
  return sizeof...(Actions);
}

template <typename TheAction, typename... Actions>
constexpr size_t IndexOfAction(ActionTable<Actions...>) {
  static_assert((std::is_same_v<TheAction, Actions> || ...), "this action is not in Operations");
  const std::array same = {std::is_same_v<TheAction, Actions>...};
  return static_cast<size_t>(std::find(same.begin(), same.end(), true) - same.begin());
}

inline const absl::Status& StatusIn(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusIn(const absl::StatusOr<T>& answer) {
  return answer.status();
}

}  // namespace internal

// All that is counted.
using Operations = decltype(internal::Append<OpenHome>(RemoteActions()));

class OperationCounters {
 public:
  explicit OperationCounters(std::function<absl::Time()> now) : now_(std::move(now)) {}

  // Calls `body` and counts what it returns, a Status or StatusOr, as how TheAction ended.
  template <typename TheAction, typename Body>
  std::invoke_result_t<Body> Run(const Body& body) {
    const absl::Time begun = now_();
    std::invoke_result_t<Body> answer = body();
    constexpr size_t kOperation = internal::IndexOfAction<TheAction>(Operations());
    Count(kOperation, internal::StatusIn(answer), now_() - begun);
    return answer;
  }

  // Calls the method that TheAction stands for and counts the bytes that go through it. For use in
  // Run.
  template <typename TheAction, typename... Arguments>
  auto Call(typename TheAction::Class& object, const Arguments&... arguments) {
    auto answer = (object.*TheAction::kMethod)(arguments...);
    attachments_.Note(answer, arguments...);
    return answer;
  }

  // All operations that there are, in the order of the table.
  std::vector<OperationStats> Get() const;
  AttachmentStats Attachments() const { return attachments_.Get(); }

 private:
  // Of one operation; on cache lines of its own.
  struct alignas(64) Counter {
    std::atomic<int64_t> refused{0};
    std::atomic<int64_t> failed{0};
    DurationCounter<conduit::kLatencyBounds> durations;
  };

  void Count(size_t operation, const absl::Status& status, absl::Duration took);

  std::array<Counter, internal::CountActions(Operations())> counters_;
  const std::function<absl::Time()> now_;
  AttachmentCounters attachments_;
};

}  // namespace podkit::store
