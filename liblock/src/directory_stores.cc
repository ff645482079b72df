// DirectoryState: stores, their heads, and what can be read of them.
#include <fmt/format.h>

#include <algorithm>

#include "common/status_macros.h"
#include "directory_state.h"

namespace podkit::lock {
namespace {

constexpr int64_t kMaxPage = 1000;
// Of an image, so that counting on from there never ends.
constexpr Revision kMaxRevision = int64_t{1} << 62;

}  // namespace

absl::StatusOr<DirectoryState::Session*> DirectoryState::FindSession(const std::string& id,
                                                                     const std::string& store) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) {
    return MakeLockError({.error = LockError::kSessionLost, .store = store});
  }
  return &found->second;
}

absl::StatusOr<DirectoryState::Store*> DirectoryState::FindStore(const std::string& name) {
  const auto found = stores_.find(name);
  if (found == stores_.end()) {
    return MakeLockError({.error = LockError::kNoSuchStore, .store = name});
  }
  return &found->second;
}

absl::StatusOr<DirectoryState::Store*> DirectoryState::AddStore(const std::string& name) {
  if (stores_.size() >= limits_.max_stores) {
    return MakeLockError({.error = LockError::kFull, .store = name}, "too many stores");
  }
  Store& store = stores_[name];
  store.row.store = name;
  // Greater than every token of a store that had this name before.
  store.row.token = NextRevision();
  store.wake_due = store.row.wake_at;
  Keep(store);
  AddEvent(LockEvent::Kind::kCreated, store.row, "");
  return &store;
}

// The store, if the grant is the present one.
absl::StatusOr<DirectoryState::Store*> DirectoryState::FindHeld(const Holding& holding) {
  PODKIT_ASSIGN_OR_RETURN(Store* const store, FindStore(holding.store));
  const StoreRow& row = store->row;
  if (row.token != holding.token) {
    const bool broken = row.session.empty() && row.end == GrantEnd::kBroken;
    return MakeLockError(DetailsOf(broken ? LockError::kLockLost : LockError::kStaleToken, *store));
  }
  if (row.session == holding.session && !row.session.empty()) return store;
  if (!row.session.empty()) return MakeLockError(DetailsOf(LockError::kStaleToken, *store));
  const bool released = row.end == GrantEnd::kReleased && sessions_.contains(holding.session);
  return MakeLockError(
      DetailsOf(released ? LockError::kAlreadyReleased : LockError::kLockLost, *store));
}

WaiterId DirectoryState::FindWait(const Store& store, const std::string& session,
                                  const std::string& request_id) {
  for (const WaiterId id : store.waiting) {
    const AcquireRequest& request = waiters_.at(id).request;
    if (request.session == session && request.request_id == request_id) return id;
  }
  return 0;
}

std::string DirectoryState::HostOf(const Store& store) const {
  const auto holder = sessions_.find(store.row.session);
  return holder == sessions_.end() ? "" : holder->second.row.host;
}

LockErrorDetails DirectoryState::DetailsOf(LockError error, const Store& store) const {
  const LockInfo info = InfoOf(store);
  return {.error = error,
          .store = info.store,
          .holder = info.host,
          .token = info.token,
          .remaining = info.remaining,
          .manifest = info.head.manifest};
}

LockInfo DirectoryState::InfoOf(const Store& store) const {
  LockInfo info = {.store = store.row.store,
                   .token = store.row.token,
                   .head = store.row.head,
                   .wake_at = store.row.wake_at,
                   .waiting = static_cast<int64_t>(store.waiting.size())};
  const auto holder = sessions_.find(store.row.session);
  if (holder == sessions_.end()) return info;
  info.host = holder->second.row.host;
  info.remaining = holder->second.deadline - now_.steady;
  info.since = now_.steady - store.since;
  return info;
}

absl::StatusOr<Head> DirectoryState::MoveHead(Moment now, const HeadChange& change) {
  Advance(now);
  PODKIT_RETURN_IF_ERROR(CheckName("the request's id", change.request_id));
  PODKIT_RETURN_IF_ERROR(CheckName("the manifest", change.manifest));
  const Holding& holding = change.holding;
  const auto found = FindStore(holding.store);
  if (found.ok()) {
    const StoreRow& row = (*found)->row;
    // The answer to the first try was lost. That holds even if the grant ended since.
    if (row.head_request == change.request_id && row.head.token == holding.token) return row.head;
  }
  PODKIT_ASSIGN_OR_RETURN(Store* const store, FindHeld(holding));
  if (store->row.head.manifest != change.parent) {
    return MakeLockError(DetailsOf(LockError::kParentMismatch, *store));
  }
  NextRevision();
  store->row.head = {
      .manifest = change.manifest, .position = change.position, .token = holding.token};
  store->row.head_request = change.request_id;
  ChangeWake(*store, change.wake_at);
  Keep(*store);
  AddEvent(LockEvent::Kind::kHeadMoved, store->row, HostOf(*store));
  return store->row.head;
}

absl::Status DirectoryState::SetWakeUp(Moment now, const Holding& holding, absl::Time wake_at) {
  Advance(now);
  PODKIT_ASSIGN_OR_RETURN(Store* const store, FindHeld(holding));
  ChangeWake(*store, wake_at);
  Keep(*store);
  return absl::OkStatus();
}

absl::Status DirectoryState::CreateStore(Moment now, const std::string& store) {
  Advance(now);
  PODKIT_RETURN_IF_ERROR(CheckName("the store's name", store));
  if (stores_.contains(store)) {
    return MakeLockError({.error = LockError::kStoreExists, .store = store});
  }
  return AddStore(store).status();
}

absl::Status DirectoryState::DeleteStore(Moment now, const std::string& store,
                                         const std::string& by, const std::string& reason) {
  Advance(now);
  PODKIT_ASSIGN_OR_RETURN(Store* const found, FindStore(store));
  if (!found->row.session.empty()) {
    return MakeLockError(DetailsOf(LockError::kAlreadyAcquired, *found));
  }
  AddAudit(AuditEntry::Kind::kDeleted, found->row, "", by, reason);
  NextRevision();
  AddEvent(LockEvent::Kind::kDeleted, found->row, "");
  effects_.changes.list.emplace_back(StoreGone{store});
  UnplanWake(*found);
  stores_.erase(store);
  return absl::OkStatus();
}

absl::StatusOr<LockInfo> DirectoryState::Find(Moment now, const std::string& store) {
  Advance(now);
  PODKIT_ASSIGN_OR_RETURN(const Store* const found, FindStore(store));
  return InfoOf(*found);
}

absl::StatusOr<ListPage> DirectoryState::List(Moment now, const ListQuery& query) {
  Advance(now);
  const auto limit = static_cast<size_t>(std::clamp<int64_t>(query.limit, 1, kMaxPage));
  ListPage page;
  page.revision = revision_;
  const bool from_prefix = query.after < query.prefix;
  auto at = from_prefix ? stores_.lower_bound(query.prefix) : stores_.upper_bound(query.after);
  for (; at != stores_.end() && at->first.starts_with(query.prefix); ++at) {
    if (!query.host.empty() && HostOf(at->second) != query.host) continue;
    if (page.locks.size() == limit) {
      page.more = true;
      break;
    }
    page.locks.push_back(InfoOf(at->second));
  }
  return page;
}

absl::StatusOr<WatchPage> DirectoryState::ReadEvents(Moment now, const std::string& prefix,
                                                     Revision after) {
  Advance(now);
  if (after < events_from_ || after > revision_) {
    return MakeLockError({.error = LockError::kTooOld});
  }
  WatchPage page;
  page.revision = revision_;
  const auto first = std::upper_bound(
      events_.begin(), events_.end(), after,
      [](Revision revision, const LockEvent& event) { return revision < event.revision; });
  std::copy_if(first, events_.end(), std::back_inserter(page.events),
               [&prefix](const LockEvent& event) { return event.store.starts_with(prefix); });
  return page;
}

absl::StatusOr<DirectoryImage> DirectoryState::Export(Moment now) {
  Advance(now);
  DirectoryImage image;
  image.revision = revision_;
  for (const auto& [name, store] : stores_) {
    image.stores.push_back({.store = name,
                            .token = store.row.token,
                            .head = store.row.head,
                            .wake_at = store.row.wake_at});
  }
  return image;
}

absl::Status DirectoryState::Import(Moment now, const DirectoryImage& image) {
  Advance(now);
  if (image.revision < 0 || image.revision > kMaxRevision) {
    return MakeLockError({.error = LockError::kInvalidRequest}, "the image has no such revision");
  }
  if (image.stores.size() > limits_.max_stores - stores_.size()) {
    return MakeLockError({.error = LockError::kFull}, "the image has too many stores");
  }
  std::set<std::string_view> names;
  for (const DirectoryImage::Store& store : image.stores) {
    PODKIT_RETURN_IF_ERROR(CheckName("the store's name", store.store));
    if (stores_.contains(store.store) || !names.insert(store.store).second) {
      return MakeLockError({.error = LockError::kStoreExists, .store = store.store});
    }
    if (store.token > image.revision || store.head.token > image.revision) {
      return MakeLockError({.error = LockError::kInvalidRequest, .store = store.store},
                           "its token is beyond the revision of the image");
    }
  }
  revision_ = std::max(revision_, image.revision);
  for (const DirectoryImage::Store& imported : image.stores) {
    NextRevision();
    Store& store = stores_[imported.store];
    store.row.store = imported.store;
    store.row.token = imported.token;
    store.row.head = imported.head;
    store.row.wake_at = imported.wake_at;
    store.wake_due = imported.wake_at;
    AddEvent(LockEvent::Kind::kCreated, store.row, "");
    Keep(store);
    PlanWake(store);
  }
  AddAudit(AuditEntry::Kind::kImported, {}, "", "",
           fmt::format("{} stores, at revision {}", image.stores.size(), image.revision));
  WakeStores();
  return absl::OkStatus();
}

}  // namespace podkit::lock
