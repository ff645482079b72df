// Transactions on one collection in the name of one actor, whose rights are checked inside of each.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "answers/answer_keeper.h"
#include "common/status_macros.h"
#include "internal/object_table.h"
#include "internal/object_view.h"
#include "internal/rights.h"
#include "podkit/store/store.h"
#include "podkit/store/types.h"
#include "sqlite/user_store.h"

namespace podkit::store {

class CollectionAccess {
 public:
  // `options` must outlive this and all its copies. `keeper` keeps what the first write returns.
  CollectionAccess(std::shared_ptr<UserStore> owner_store, CollectionInfo info, Actor actor,
                   const StoreOptions& options, AnswerKeeper keeper = {})
      : store_(std::move(owner_store)),
        info_(std::move(info)),
        actor_(std::move(actor)),
        options_(&options),
        keeper_(keeper) {}

  const CollectionInfo& info() const { return info_; }
  const Actor& actor() const { return actor_; }
  const StoreOptions& options() const { return *options_; }
  absl::Time Now() const { return options_->now(); }

  // Calls `body` with the ObjectView& of the actor and returns its StatusOr, if he has any right.
  template <typename Body>
  std::invoke_result_t<Body, ObjectView&> Read(const Body& body) const {
    return ReadIf([](auto&&...) { return absl::OkStatus(); }, body);
  }

  // The same if he may know more than when time is taken, or may write.
  template <typename Body>
  std::invoke_result_t<Body, ObjectView&> ReadAll(const Body& body) const {
    return ReadIf(CheckReadAll, body);
  }
  template <typename Body>
  std::invoke_result_t<Body, ObjectView&> ReadToWrite(const Body& body) const {
    return ReadIf(CheckWrite, body);
  }

  // The same in a transaction that writes, if the actor may write. What `body` returns must be the
  // answer of the method that writes: it is kept with what was written.
  template <typename Body>
  std::invoke_result_t<Body, ObjectView&> Write(const Body& body) const {
    return WriteIf(CheckWrite, body);
  }

  // The same if he may write at least what is his own: the view refuses the rest.
  template <typename Body>
  std::invoke_result_t<Body, ObjectView&> WriteOwn(const Body& body) const {
    return WriteIf(CheckWriteOwn, body);
  }

  // Says that a collection of the same owner has changed.
  void Announce(const std::string& collection_id) const {
    if (options_->on_change) options_->on_change({store_->uid(), collection_id});
  }

  // Valid as long as this.
  PutOptions put_options() const { return {.store = options_, .actor = &actor_, .now = Now()}; }

  // What a write answers that fails for `reason` before it begins: who has no right to it learns
  // nothing else.
  absl::Status RefuseWrite(const absl::Status& reason) const {
    return store_->Read([&](Database& database) -> absl::Status {
      PODKIT_RETURN_IF_ERROR(CheckWrite(database, info_.id, actor_));
      return reason;
    });
  }

  // Changes what nobody sees. Checks nothing, and keeps no answer.
  absl::Status WriteUnseen(const TransactionBody& body) const { return store_->Write(body); }

 private:
  template <typename Check, typename Body>
  std::invoke_result_t<Body, ObjectView&> ReadIf(const Check& check, const Body& body) const {
    std::invoke_result_t<Body, ObjectView&> result = absl::UnknownError("");
    absl::Status status = store_->Read([&](Database& database) -> absl::Status {
      PODKIT_RETURN_IF_ERROR(check(database, info_.id, actor_));
      PODKIT_ASSIGN_OR_RETURN(const Grant grant, GrantOf(database, info_.id, actor_));
      ObjectTable table(database, info_.id, info_.name);
      result = body(*MakeObjectView(grant, actor_, table));
      return result.status();
    });
    if (!status.ok()) return status;
    return result;
  }

  template <typename Check, typename Body>
  std::invoke_result_t<Body, ObjectView&> WriteIf(const Check& check, const Body& body) const {
    std::invoke_result_t<Body, ObjectView&> result = absl::UnknownError("");
    absl::Status status = store_->Write([&](Database& database) -> absl::Status {
      PODKIT_RETURN_IF_ERROR(check(database, info_.id, actor_));
      PODKIT_ASSIGN_OR_RETURN(const Grant grant, GrantOf(database, info_.id, actor_));
      ObjectTable table(database, info_.id, info_.name);
      result = body(*MakeObjectView(grant, actor_, table));
      PODKIT_RETURN_IF_ERROR(result.status());
      return keeper_.Keep(database, *result);
    });
    if (!status.ok()) return status;
    Announce(info_.id);
    return result;
  }

  std::shared_ptr<UserStore> store_;
  CollectionInfo info_;
  Actor actor_;
  const StoreOptions* options_;
  AnswerKeeper keeper_;
};

}  // namespace podkit::store
