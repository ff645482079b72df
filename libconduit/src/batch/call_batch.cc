// Conduit's calls of whole batches.
#include <future>
#include <utility>

#include "batch/batch_command.h"
#include "batch/outgoing_batch.h"
#include "batch/references.h"
#include "conduit_impl.h"
#include "fmt/format.h"
#include "hmac.h"
#include "outcome.h"
#include "podkit/conduit/batch.h"

namespace podkit::conduit {
namespace internal {
namespace {

// A call that cannot be made as it was put together.
void SetProblem(BatchedCall& call, std::string_view why) {
  if (!call.problem.ok()) return;  // The first one says most.
  call.problem = WithOutcome(
      absl::InvalidArgumentError(fmt::format("'{}' in a batch: {}", call.info.name, why)),
      Outcome::kNotExecuted);
}

// The members with the references.
std::string MembersOf(const BatchedCall& call) {
  if (call.uses.empty()) return call.members;
  References references;
  for (const auto& [at, from] : call.uses) {
    references[at] = {.call = static_cast<int64_t>(from.first), .path = from.second};
  }
  std::string members = call.members;
  members.pop_back();
  members.append(fmt::format(R"(,"{}":{}}})", kUseMember, ToJson(references)));
  return members;
}

CallOptions OptionsOf(const BatchedCall& call, const CallOptions& batch) {
  CallOptions options{.timeout = batch.timeout,
                      .actor = call.options.actor.empty() ? batch.actor : call.options.actor,
                      .key = call.options.key,
                      .trace = batch.trace,
                      .store_token = call.options.store_token,
                      .payload = call.options.payload,
                      .reply_payload = call.options.reply_payload};
  if (!options.store_token) options.store_token = batch.store_token;
  if (batch.make_key && options.key.empty() && call.info.effect == Effect::kWrite) {
    options.key = RandomHex(kMadeKeyBytes);
  }
  return options;
}

// Hands out the results, and gives the first error.
absl::Status TakeAll(BatchState& batch, std::string_view pod,
                     std::vector<absl::StatusOr<JsonDocument>> results) {
  absl::Status first;
  for (size_t i = 0; i < results.size(); ++i) {
    const absl::Status status = batch.calls[i].take(pod, std::move(results[i]));
    if (first.ok()) first = status;
  }
  return first;
}

}  // namespace

std::string PointerStep(std::string_view name) {
  std::string step = "/";
  for (const char c : name) {
    if (c == '~' || c == '/') {
      step.append(c == '~' ? "~0" : "~1");
    } else {
      step.push_back(c);
    }
  }
  return step;
}

absl::Status NotCalled(std::string_view command) {
  return absl::FailedPreconditionError(
      fmt::format("'{}' is in a batch that has not ended: call it first", command));
}

void NotListed(BatchedCall& call, std::string_view where) {
  SetProblem(call, fmt::format("a member of its {} is not listed in Fields()",
                               where.empty() ? "target" : "arguments"));
}

void AddUse(BatchState& batch, size_t call, std::string at, const BatchState* of, size_t from,
            const std::optional<std::string>& path) {
  BatchedCall& one = batch.calls[call];
  if (of != &batch || from >= call) {
    return SetProblem(one, fmt::format("'{}' is set from no earlier call of this batch", at));
  }
  if (!path) {
    return SetProblem(one,
                      fmt::format("'{}' is set from a member that is not listed in Fields()", at));
  }
  one.uses[std::move(at)] = {from, *path};
}

}  // namespace internal

std::shared_ptr<internal::OutgoingBatch> Conduit::Impl::MakeBatch(
    const std::shared_ptr<const Pod>& pod, const internal::BatchState& batch,
    const CallOptions& whole) {
  std::vector<internal::OutgoingBatch::Call> made;
  for (const internal::BatchedCall& call : batch.calls) {
    CallOptions own = internal::OptionsOf(call, whole);
    absl::Status problem = call.problem;
    if (problem.ok()) {
      problem = internal::CheckOptions(call.info, own);
      if (!problem.ok()) problem = WithOutcome(problem, Outcome::kNotExecuted);
    }
    made.push_back(
        {.request = internal::CallRequest({.pod = pod,
                                           .info = call.info,
                                           .declared = DeclaredHere(call.info, call.schema),
                                           .members = internal::MembersOf(call),
                                           .options = std::move(own),
                                           .id = {}},
                                          /*authenticator=*/nullptr, options),
         .problem = std::move(problem)});
  }
  return std::make_shared<internal::OutgoingBatch>(std::move(made));
}

absl::Status Conduit::Impl::CheckBatch(std::string_view pod, const internal::BatchState& batch,
                                       const CallOptions& call) const {
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(
        fmt::format("a batch of {} calls for pod '{}': {}", batch.calls.size(), pod, why));
  };
  if (batch.called) return refuse("it was called before: make a new one");
  if (!call.key.empty()) return refuse("a key is that of one call: give it to Add");
  if (call.payload != nullptr || call.reply_payload != nullptr) {
    return refuse("a payload is that of one call: give it to Add");
  }
  if (batch.calls.size() <= options.max_batch_calls) return absl::OkStatus();
  return refuse(fmt::format("more than {}: make several", options.max_batch_calls));
}

void Conduit::Impl::CountBatch(std::string_view pod, const internal::BatchState& batch,
                               const std::vector<absl::StatusOr<JsonDocument>>& results,
                               bool answered, absl::Duration took) {
  for (size_t i = 0; i < results.size(); ++i) {
    CountSent(batch.calls[i].info.name, results[i].ok(), took);
    // What became of the batch as a whole is in its own line.
    if (answered && !results[i].ok()) {
      LogFailure(pod, batch.calls[i].info.name, results[i].status(), took);
    }
  }
}

absl::Status Conduit::Call(std::string_view pod, Batch& batch, const CallOptions& options) {
  const auto promise = std::make_shared<std::promise<absl::Status>>();
  auto result = promise->get_future();
  Start(pod, batch, options,
        [promise](absl::Status status) { promise->set_value(std::move(status)); });
  return result.get();
}

void Conduit::Start(std::string_view pod, Batch& batch, const CallOptions& options,
                    std::function<void(absl::Status)> done) {
  using Command = internal::BatchCommand;
  const std::shared_ptr<internal::BatchState> state = batch.state_;
  const absl::Status bad = impl_->CheckBatch(pod, *state, options);
  if (!bad.ok()) return done(WithOutcome(bad, Outcome::kNotExecuted));
  state->called = true;
  if (state->calls.empty()) return done(absl::OkStatus());
  const auto calls = impl_->MakeBatch(impl_->pods->Find(pod), *state, options);
  if (calls->nothing_to_send()) {
    return done(internal::TakeAll(*state, pod, calls->TakeResults(absl::OkStatus())));
  }
  CommandInfo info = Command::kInfo;
  info.effect = calls->effect();
  CallOptions whole = options;
  whole.actor.clear();  // Each call has its own.
  whole.make_key = false;
  whole.store_token.reset();
  Exchange(pod, {info, &SchemaOf<Command>, internal::EncodeCall<Command>({}, {}), calls}, whole,
           [impl = impl_.get(), pod = std::string(pod), state, calls, start = impl_->now(),
            done = std::move(done)](const absl::StatusOr<JsonDocument>& reply) {
             auto results = calls->TakeResults(reply.status());
             impl->CountBatch(pod, *state, results, reply.ok(), impl->now() - start);
             done(internal::TakeAll(*state, pod, std::move(results)));
           });
}

}  // namespace podkit::conduit
