// Keeps the answers of remote writes in the user store that they change: what is done and what was
// answered commit together, so that a write whose answer is lost is not done again, whatever
// crashes. docs/remote-store-api.md has the story.
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "podkit/conduit/answers.h"
#include "sqlite/database.h"
#include "sqlite/user_stores.h"

namespace podkit::store {

class StoreAnswers final : public conduit::AnswerStore {
 public:
  // `stores` must outlive this. The limits are for each calling pod in each user store.
  StoreAnswers(UserStores* stores, const conduit::AnswerLimits& limits,
               std::function<absl::Time()> now);

  std::string Id() const override { return stores_->answers_id(); }
  absl::Duration Window() const override { return limits_.window; }
  absl::StatusOr<std::optional<conduit::WireReply>> Begin(const conduit::KeyedCall& call) override;
  absl::Status End(const conduit::KeyedCall& call, const conduit::WireReply* reply) override;
  // Those that this process keeps: what was in the files when it started is not counted.
  size_t Keys() const override;

  // Inside of UserStore::Write: keeps `reply` in the store that the call is for.
  absl::Status Keep(Database& database, const conduit::KeyedCall& call,
                    conduit::WireReply reply) const;

 private:
  absl::StatusOr<std::optional<conduit::WireReply>> LookUp(const conduit::KeyedCall& call) const;
  void CountKept();

  UserStores* const stores_;
  const conduit::AnswerLimits limits_;
  const std::function<absl::Time()> now_;
  // The calls that run, and those that were refused: they changed nothing, so that nothing is lost
  // when a restart forgets them.
  const std::unique_ptr<conduit::AnswerStore> memory_;
  mutable Mutex mutex_;
  // When answers expire that this process put into the stores, and how many, the soonest first.
  std::deque<std::pair<absl::Time, int64_t>> kept_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::store
