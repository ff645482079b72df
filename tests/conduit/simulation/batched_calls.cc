// The calls of a schedule that travel in batches.
#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "calls.h"
#include "fmt/format.h"
#include "podkit/conduit/batch.h"

namespace podkit::conduit::simulation {
namespace {

constexpr size_t kKinds = 6;

// Number `index` of the batch: kinds take turns, so that batches are mixed.
PlannedCall ItemOf(const PlannedCall& call, size_t index) {
  PlannedCall item = call;
  item.kind = static_cast<Kind>((static_cast<size_t>(call.kind) + index) % kKinds);
  item.with_key = item.kind > Kind::kWrite || (item.kind == Kind::kWrite && call.with_key);
  if (index < call.batch_how) item.how = How::kOk;
  return item;
}

// Whether that call of it succeeds, or fails as its responder does, if nothing is in its way.
bool IsSureToEnd(const PlannedCall& call, size_t index) {
  if (call.how == How::kOk || index < call.batch_how) return true;
  // Where the whole batch is held elsewhere it goes there; else it stays where some of it was done.
  if (call.how == How::kHeldElsewhere) return call.batch_how == 0;
  return !call.chained || index == call.batch_how;
}

}  // namespace

struct Calls::BatchUnderWay {
  Batch batch;
  std::vector<int64_t> numbers;
  std::optional<LaterValue<int64_t>> last;  // The execution of the call that was added last.
  std::vector<std::function<void()>> ends;
};

template <Command C>
void Calls::AddTo(BatchUnderWay& under_way, const PlannedCall& item, CallRecord record) {
  const auto memory = std::make_shared<int>(0);
  record.memory = memory;
  record.operation = static_cast<int64_t>(around_.ledger.calls.size());
  const bool follows = item.chained && !under_way.numbers.empty();
  if (follows) record.follows = under_way.numbers.back();
  const int64_t number = around_.ledger.NewCall(std::move(record));
  BatchedOptions options;
  if (item.with_key) options.key = fmt::format("key of {}", number);
  const auto result = under_way.batch.Add<C>(ArgumentsOf(item, number), options);
  if (follows && under_way.last) result.Set(&Shape::Arguments::after, *under_way.last);
  under_way.last.emplace(result[&Shape::Response::execution]);
  under_way.numbers.push_back(number);
  under_way.ends.emplace_back([this, number, result, memory] { Ended(number, result.result()); });
}

void Calls::AddTo(BatchUnderWay& under_way, const PlannedCall& item, CallRecord record) {
  switch (item.kind) {
    case Kind::kPeek:
      return AddTo<Peek>(under_way, item, std::move(record));
    case Kind::kRead:
      return AddTo<Read>(under_way, item, std::move(record));
    case Kind::kSet:
      return AddTo<Set>(under_way, item, std::move(record));
    case Kind::kWrite:
      return AddTo<Write>(under_way, item, std::move(record));
    case Kind::kKeep:
      return AddTo<Keep>(under_way, item, std::move(record));
    case Kind::kKeepWell:
      return AddTo<KeepWell>(under_way, item, std::move(record));
  }
}

void Calls::StartBatch(Host& host, const std::string& pod, const PlannedCall& call,
                       bool must_succeed) {
  const auto under_way = std::make_shared<BatchUnderWay>();
  bool has_keys = false;
  for (size_t i = 0; i < call.batch; ++i) has_keys = has_keys || ItemOf(call, i).with_key;
  for (size_t i = 0; i < call.batch; ++i) {
    const PlannedCall item = ItemOf(call, i);
    CallRecord record = RecordOf(host, pod, item);
    // Where hosts are not met nobody knows whether a key may be used again.
    record.must_succeed =
        must_succeed && (around_.plan.meet_hosts || !has_keys) && IsSureToEnd(call, i);
    AddTo(*under_way, item, std::move(record));
  }
  CallOptions options{.timeout = call.timeout, .max_attempts = call.max_attempts};
  if (around_.plan.balance == Balance::kByKey) {
    options.balance_key = fmt::format("{}", under_way->numbers.front() % 3);
  }
  Cancel(call, under_way->numbers, options);
  around_.log.Add(around_.scheduler->Now(), "calls a batch", host.address(), pod,
                  under_way->numbers.front());
  host.conduit().Start(pod, under_way->batch, options, [under_way](const absl::Status&) {
    for (const auto& end : under_way->ends) end();
  });
}

}  // namespace podkit::conduit::simulation
