#include "purge/home_purge.h"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <vector>

#include "common/status_macros.h"
#include "internal/internal_home.h"
#include "podkit/store/errors.h"
#include "sharing/binds.h"
#include "sharing/delegates.h"
#include "sharing/invitations.h"

namespace podkit::store {
namespace {

absl::Status NothingBefore(Database& /*database*/) { return absl::OkStatus(); }

// What is left to say to whom nobody knows any more would wait for ever.
absl::Status DropUndeliverable(Database& database, const UserDirectory& directory) {
  std::set<std::string> receivers;
  PODKIT_RETURN_IF_ERROR(database.Query("SELECT DISTINCT to_uid FROM outbox", {},
                                        [&](const Row& row) { receivers.insert(row.Text(0)); }));
  for (const std::string& uid : receivers) {
    if (!GetError<NoSuchUser>(directory.Find(uid).status())) continue;
    PODKIT_RETURN_IF_ERROR(database.Execute("DELETE FROM outbox WHERE to_uid = ?", {uid}));
  }
  return absl::OkStatus();
}

// Tells everybody, once: a second time there is nothing to tell.
absl::Status SayFarewell(const Context& context, Database& database, const std::string& uid) {
  const absl::Time now = context.Now();
  PODKIT_RETURN_IF_ERROR(database.Execute("DELETE FROM group_share"));
  PODKIT_ASSIGN_OR_RETURN(const auto shown, ShownBinds(database));
  for (const Bind& bind : shown) {
    if (bind.own()) PODKIT_RETURN_IF_ERROR(UninviteAll(database, bind, now));
  }
  PODKIT_ASSIGN_OR_RETURN(const auto offered, BindsFromOthers(database, uid));
  for (const Bind& bind : offered) {
    PODKIT_RETURN_IF_ERROR(DeclineShare(database, uid, bind.share_uid, now));
  }
  PODKIT_RETURN_IF_ERROR(database.Execute("DELETE FROM delegate"));
  PODKIT_RETURN_IF_ERROR(TellDelegates(database, uid, *context.directory, now));
  PODKIT_RETURN_IF_ERROR(Resign(database, now));
  return DropUndeliverable(database, *context.directory);
}

absl::Status Post(const Context& context, const std::string& uid, const TransactionBody& before) {
  PODKIT_ASSIGN_OR_RETURN(const auto store, context.stores->GetUntilGone(uid));
  return context.postman->Post(uid, [&] {
    return store->WriteWhilePurging([&](Database& database) -> absl::Status {
      PODKIT_RETURN_IF_ERROR(before(database));
      return SayFarewell(context, database, uid);
    });
  });
}

// What stands between a home and its end.
struct LeftToTell {
  bool farewell = false;  // It could not be said yet.
  int64_t messages = 0;
};

absl::StatusOr<LeftToTell> FindLeftToTell(UserStore& store) {
  LeftToTell left;
  PODKIT_RETURN_IF_ERROR(store.ReadWhilePurging([&](Database& database) -> absl::Status {
    return database.Query(
        "SELECT (SELECT count(*) FROM outbox), EXISTS (SELECT 1 FROM bind, home"
        " WHERE viewer_uid <> owner_uid AND (owner_uid = uid OR status <> 'declined'))"
        " OR EXISTS (SELECT 1 FROM group_share) OR EXISTS (SELECT 1 FROM delegate)"
        " OR EXISTS (SELECT 1 FROM delegation) OR EXISTS (SELECT 1 FROM delegator)",
        {}, [&](const Row& row) {
          left = {.farewell = row.Integer(1) != 0, .messages = row.Integer(0)};
        });
  }));
  return left;
}

absl::Status RemoveChunks(const Context& context, const std::string& uid) {
  ChunkStore& chunks = *context.options.chunks;
  std::vector<std::string> names;
  PODKIT_RETURN_IF_ERROR(
      chunks.List(uid, [&](const ChunkStore::Entry& entry) { names.push_back(entry.name); }));
  for (const std::string& name : names) {
    PODKIT_RETURN_IF_ERROR(chunks.RemoveUnlessPutSince(uid, name, absl::InfiniteFuture()).status());
  }
  return absl::OkStatus();
}

// Removes the home if everybody is told and nobody holds it.
absl::StatusOr<PurgedHome> RemoveIfTold(const Context& context, const std::string& uid) {
  LeftToTell left;
  const auto is_told = [&left](UserStore& store) -> absl::StatusOr<bool> {
    PODKIT_ASSIGN_OR_RETURN(left, FindLeftToTell(store));
    return !left.farewell && left.messages == 0;
  };
  PurgedHome purged;
  PODKIT_ASSIGN_OR_RETURN(auto store, context.stores->GetUntilGone(uid));
  PODKIT_ASSIGN_OR_RETURN(const bool told, is_told(*store));
  store.reset();
  // A crash or a full disk came between.
  if (left.farewell) PODKIT_RETURN_IF_ERROR(Post(context, uid, NothingBefore));
  // Asked once more when nobody else has it: something may have come meanwhile.
  if (told) {
    PODKIT_ASSIGN_OR_RETURN(purged.gone, context.stores->RemoveHome(uid, is_told, [&] {
      return RemoveChunks(context, uid);
    }));
  }
  purged.messages = left.messages;
  return purged;
}

void Warn(const Context& context, const std::string& uid, const absl::Status& status) {
  if (status.ok() || !context.options.log) return;
  context.options.log(conduit::LogLevel::kWarning,
                      fmt::format("the purge of '{}' waits: {}", uid, status.ToString()));
}

}  // namespace

absl::StatusOr<PurgedHome> PurgeHome(const Context& context, const std::string& uid) {
  PODKIT_RETURN_IF_ERROR(CheckHomeIsHere(context, uid));
  if (!context.stores->IsPurging(uid)) {
    // A file that cannot be read cannot say who is to be told.
    PODKIT_RETURN_IF_ERROR(context.stores->GetExisting(uid).status());
    PODKIT_RETURN_IF_ERROR(context.stores->MarkPurging(uid));
  }
  PODKIT_RETURN_IF_ERROR(Post(context, uid, NothingBefore));
  auto purged = RemoveIfTold(context, uid);
  // The postman was quicker.
  if (GetError<NoSuchHome>(purged.status())) return PurgedHome{.gone = true};
  return purged;
}

void ResumePurges(const Context& context) {
  for (const std::string& uid : context.stores->ListPurging()) {
    Warn(context, uid, Post(context, uid, NothingBefore));
  }
}

bool FinishPurge(const Context& context, const std::string& uid) {
  if (!context.stores->IsPurging(uid)) return true;
  const auto purged = RemoveIfTold(context, uid);
  if (GetError<NoSuchHome>(purged.status())) return true;
  Warn(context, uid, purged.status());
  return purged.ok() && purged->gone;
}

absl::Status ReceiveWhilePurging(const Context& context, const Message& message) {
  return Post(context, message.to_uid,
              [&](Database& database) { return ReceiveOnce(database, context.Now(), message); });
}

}  // namespace podkit::store
