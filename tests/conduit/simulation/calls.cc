#include "calls.h"

#include <stop_token>
#include <utility>

#include "fmt/format.h"
#include "podkit/conduit/client.h"
#include "podkit/conduit/gather.h"

namespace podkit::conduit::simulation {

Shape::Arguments ArgumentsOf(const PlannedCall& call, int64_t operation) {
  return {.operation = operation,
          .how = static_cast<int64_t>(call.how),
          .takes = call.takes,
          .reply_bytes = static_cast<int64_t>(call.bytes)};
}

CallRecord Calls::RecordOf(const Host& host, const std::string& pod, const PlannedCall& call) {
  return {.from = host.pod(),
          .to = pod,
          .kind = call.kind,
          .how = call.how,
          .with_key = call.with_key,
          .stranger = host.identity().impostor,
          .waits_for_reply = host.identity().wire != Wire::kInProcess,
          .began = around_.scheduler->Now(),
          .timeout = call.timeout};
}

CallOptions Calls::OptionsOf(const PlannedCall& call, int64_t number, int64_t operation) {
  CallOptions options{.timeout = call.timeout,
                      .trace = fmt::format("{}", number),
                      .max_attempts = call.max_attempts};
  if (call.with_key) options.key = fmt::format("key of {}", operation);
  if (around_.plan.balance == Balance::kByKey) {
    options.balance_key = fmt::format("{}", operation % 3);
  }
  if (call.bytes > 0) {
    options.payload = std::make_shared<const std::string>(call.bytes, 'p');
    options.reply_payload = std::make_shared<std::string>();
  }
  return options;
}

void Calls::Cancel(const PlannedCall& call, std::vector<int64_t> numbers, CallOptions& options) {
  if (call.cancel_after == absl::InfiniteDuration()) return;
  std::stop_source stop;
  options.stop = stop.get_token();
  around_.scheduler->At(
      around_.scheduler->Now() + call.cancel_after, [this, numbers = std::move(numbers), stop] {
        if (around_.ledger.call(numbers.front()).ends > 0) return;
        for (const int64_t number : numbers) {
          CallRecord& record = around_.ledger.call(number);
          record.stopped = around_.scheduler->Now();
          around_.log.Add(record.stopped, "cancels", record.from, record.to, number);
        }
        std::stop_source(stop).request_stop();
      });
}

template <Command C>
void Calls::Start(Host& host, const std::string& pod, const PlannedCall& call, CallRecord record) {
  const auto memory = std::make_shared<int>(0);
  record.memory = memory;
  const int64_t operation = record.operation;
  const int64_t number = around_.ledger.NewCall(std::move(record));
  around_.log.Add(around_.scheduler->Now(), "calls", host.address(), pod, number);
  CallOptions options = OptionsOf(call, number, operation);
  Cancel(call, {number}, options);
  const auto payload = options.reply_payload;
  host.conduit().Start<C>(pod, {}, ArgumentsOf(call, operation), options,
                          [this, number, memory, payload,
                           bytes = call.bytes](const absl::StatusOr<Shape::Response>& result) {
                            if (payload != nullptr && result.ok() && payload->size() != bytes) {
                              around_.ledger.problems.push_back(fmt::format(
                                  "the answer of call {} has {} bytes of payload in place of {}",
                                  number, payload->size(), bytes));
                            }
                            Ended(number, result);
                          });
}

void Calls::Make(Host& host, size_t planned, bool must_succeed) {
  const PlannedCall& call = around_.plan.calls[planned];
  const auto& pods = around_.plan.pods;
  std::string pod = pods[call.pod].id;
  if (pod == host.pod()) {
    pod = pods[(call.pod + 1) % pods.size()].id;
    must_succeed = false;  // That one may be out of reach.
  }
  const bool stranger = host.identity().impostor;
  if (call.fan_out > 0 && !stranger) return StartGather(host, call, must_succeed);
  if (call.batch > 0 && !stranger) return StartBatch(host, pod, call, must_succeed);
  CallRecord record = RecordOf(host, pod, call);
  // Where hosts are not met nobody knows whether a key may be used again while its call runs.
  record.must_succeed = must_succeed && (around_.plan.meet_hosts || !call.with_key);
  record.operation = static_cast<int64_t>(around_.ledger.calls.size());
  if (call.repeats && !stranger) {
    const auto first = operations_.find(*call.repeats);
    if (first == operations_.end()) return;
    record.operation = first->second;
  }
  if (!stranger) operations_[planned] = record.operation;
  switch (call.kind) {
    case Kind::kPeek:
      return Start<Peek>(host, pod, call, std::move(record));
    case Kind::kRead:
      return Start<Read>(host, pod, call, std::move(record));
    case Kind::kSet:
      return Start<Set>(host, pod, call, std::move(record));
    case Kind::kWrite:
      return Start<Write>(host, pod, call, std::move(record));
    case Kind::kKeep:
      return Start<Keep>(host, pod, call, std::move(record));
    case Kind::kKeepWell:
      return Start<KeepWell>(host, pod, call, std::move(record));
  }
}

void Calls::StartGather(Host& host, const PlannedCall& call, bool must_succeed) {
  const auto& pods = around_.plan.pods;
  std::vector<GatherCall<Read>> all;
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < call.fan_out; ++i) {
    const std::string& pod = pods[(call.pod + i) % pods.size()].id;
    if (pod == host.pod()) continue;
    CallRecord record = RecordOf(host, pod, call);
    record.in_gather = call.first > 0;
    // The first one is the one that was asked about; the others may be out of reach.
    record.must_succeed = must_succeed && i == 0;
    record.operation = static_cast<int64_t>(around_.ledger.calls.size());
    const int64_t number = around_.ledger.NewCall(std::move(record));
    numbers.push_back(number);
    all.push_back({.client = Client(&host.conduit(), pod),
                   .arguments = ArgumentsOf(call, number),
                   .target = {}});
  }
  const auto record = std::make_shared<GatherRecord>(GatherRecord{.calls = all.size()});
  gathers_.push_back(record);
  GatherOptions options{.call = {.timeout = call.timeout, .max_attempts = call.max_attempts},
                        .first = call.first};
  Gather<Read>::Start(
      std::move(all), std::move(options),
      [this, record, numbers](const Gathered<Read>& one) {
        ++record->ended;
        if (record->done > 0)
          around_.ledger.problems.emplace_back("a gather went on when it was done");
        Ended(numbers.at(one.index), one.result);
      },
      [record] { ++record->done; });
}

void Calls::Probe(Host& host, const std::string& pod) {
  const PlannedCall call{.kind = Kind::kRead, .timeout = absl::Seconds(15)};
  CallRecord record = RecordOf(host, pod, call);
  record.must_succeed = true;
  record.operation = static_cast<int64_t>(around_.ledger.calls.size());
  Start<Read>(host, pod, call, std::move(record));
}

void Calls::Ended(int64_t number, const absl::StatusOr<Shape::Response>& result) {
  CallRecord& record = around_.ledger.call(number);
  const Outcome outcome = OutcomeOf(result.status());
  around_.log.Add(around_.scheduler->Now(), OutcomeName(outcome), record.from, record.to, number);
  if (++record.ends > 1) return;
  record.ended = around_.scheduler->Now();
  record.outcome = outcome;
  record.status = result.status();
  if (result.ok()) record.execution = result->execution;
}

void Calls::CheckForgotten() {
  std::vector<std::string>& problems = around_.ledger.problems;
  for (size_t i = 0; i < around_.ledger.calls.size(); ++i) {
    if (around_.ledger.calls[i].memory.expired()) continue;
    problems.push_back("somebody still holds " + CallText(around_.ledger, i));
  }
  for (const auto& gather : gathers_) {
    if (gather->done == 1 && gather->ended == gather->calls) continue;
    problems.push_back(fmt::format("a gather of {} calls ended {} times, with {} results",
                                   gather->calls, gather->done, gather->ended));
  }
}

}  // namespace podkit::conduit::simulation
