#include "answers/store_answers.h"

#include "answers/answer_keeper.h"
#include "answers/answer_table.h"
#include "common/status_macros.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

constexpr int kGoodReply = 200;
// So fine is the time by which kept answers are counted.
constexpr int kCountsPerWindow = 64;

}  // namespace

absl::Status AnswerKeeper::KeepReply(Database& database, conduit::WireReply reply) const {
  return answers_->Keep(database, *call_, std::move(reply));
}

StoreAnswers::StoreAnswers(UserStores* stores, const conduit::AnswerLimits& limits,
                           std::function<absl::Time()> now)
    : stores_(stores),
      limits_(limits),
      now_(std::move(now)),
      memory_(conduit::MakeMemoryAnswers(limits, now_)) {}

absl::StatusOr<std::optional<conduit::WireReply>> StoreAnswers::Begin(
    const conduit::KeyedCall& call) {
  // First, so that of two calls with one key only one goes on: the other sees that it runs, or,
  // once it has ended, what it left in the store.
  PODKIT_ASSIGN_OR_RETURN(auto refused, memory_->Begin(call));
  if (refused) return refused;
  auto kept = LookUp(call);
  if (!kept.ok() || kept->has_value()) PODKIT_RETURN_IF_ERROR(memory_->End(call, nullptr));
  return kept;
}

absl::StatusOr<std::optional<conduit::WireReply>> StoreAnswers::LookUp(
    const conduit::KeyedCall& call) const {
  const auto member = call.request.Member("homeUID");
  const auto uid = member ? member->AsString() : std::nullopt;
  // Who names no home, or none of this pod, is told so by the command.
  if (!uid) return std::nullopt;
  const auto store = stores_->GetExisting(std::string(*uid));
  if (GetError<NoSuchHome>(store.status())) return std::nullopt;
  if (!store.ok()) return store.status();
  std::optional<conduit::WireReply> reply;
  const absl::Time now = now_();
  PODKIT_RETURN_IF_ERROR((*store)->Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(auto kept, FindAnswer(database, call, now));
    if (kept && (kept->command != call.command || kept->digest != call.digest)) {
      return conduit::KeyReusedError(call, kept->command, kept->digest);
    }
    if (kept) {
      reply = std::move(kept->reply);
      return absl::OkStatus();
    }
    PODKIT_ASSIGN_OR_RETURN(const absl::Duration wait,
                            UntilRoom(database, call.caller, limits_, now));
    return wait > absl::ZeroDuration() ? conduit::NoRoomForKeyError(call, wait) : absl::OkStatus();
  }));
  return reply;
}

absl::Status StoreAnswers::Keep(Database& database, const conduit::KeyedCall& call,
                                conduit::WireReply reply) const {
  if (reply.body.size() > limits_.max_answer_bytes) {
    reply = conduit::TooLargeToKeep(call, reply.body.size(), limits_.max_answer_bytes);
  }
  return KeepAnswer(database, call, reply, limits_, now_());
}

absl::Status StoreAnswers::End(const conduit::KeyedCall& call, const conduit::WireReply* reply) {
  const bool in_store = reply != nullptr && reply->status == kGoodReply;
  if (in_store) CountKept();
  return memory_->End(call, in_store ? nullptr : reply);
}

void StoreAnswers::CountKept() {
  const absl::Time now = now_();
  MutexLock lock(&mutex_);
  while (!kept_.empty() && kept_.front().first <= now) kept_.pop_front();
  const absl::Duration step = limits_.window / kCountsPerWindow;
  const absl::Time expires = now + limits_.window;
  if (kept_.empty() || kept_.back().first + step <= expires) kept_.emplace_back(expires, 0);
  ++kept_.back().second;
}

size_t StoreAnswers::Keys() const {
  const absl::Time now = now_();
  size_t keys = memory_->Keys();
  MutexLock lock(&mutex_);
  for (const auto& [expires, count] : kept_) {
    if (expires > now) keys += static_cast<size_t>(count);
  }
  return keys;
}

}  // namespace podkit::store
