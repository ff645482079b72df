// DirectoryState: sessions, their notices, and how grants are asked for and given back.
#include <fmt/format.h>

#include <algorithm>

#include "common/status_macros.h"
#include "directory_state.h"

namespace podkit::lock {
namespace {

constexpr size_t kMaxName = 255;
constexpr size_t kMaxReason = 1000;

absl::Status Invalid(std::string_view message) {
  return MakeLockError({.error = LockError::kInvalidRequest}, message);
}

std::string ShortReason(const std::string& reason) { return reason.substr(0, kMaxReason); }

// True if the grant was ended by this very request: it is being repeated.
bool WasEndedBy(const StoreRow& row, const Holding& holding, const std::string& request_id) {
  return row.end_token == holding.token && row.end_request == request_id && !request_id.empty();
}

}  // namespace

absl::Status CheckName(std::string_view what, std::string_view text) {
  if (text.empty()) return Invalid(fmt::format("{} is empty", what));
  if (text.size() > kMaxName) {
    return Invalid(fmt::format("{} is longer than {} bytes", what, kMaxName));
  }
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (control) return Invalid(fmt::format("{} has control characters in it", what));
  return absl::OkStatus();
}

absl::StatusOr<SessionGrant> DirectoryState::OpenSession(Moment now,
                                                         const SessionRequest& request) {
  Advance(now);
  PODKIT_RETURN_IF_ERROR(CheckName("the session's id", request.id));
  PODKIT_RETURN_IF_ERROR(CheckName("the host's name", request.host));
  const auto found = sessions_.find(request.id);
  if (found != sessions_.end()) {
    if (found->second.row.host != request.host) {
      return Invalid(fmt::format("the session is not host '{}''s: use another id", request.host));
    }
    PODKIT_ASSIGN_OR_RETURN(const absl::Duration term, Renew(now, request.id));
    return SessionGrant{.term = term, .resumed = true};
  }
  if (sessions_.size() >= limits_.max_sessions) {
    return MakeLockError({.error = LockError::kFull}, "too many sessions are open");
  }
  Session session;
  session.row = {.id = request.id,
                 .host = request.host,
                 .term = std::clamp(request.term, limits_.min_term, limits_.max_term),
                 .runs_wakeups = request.runs_wakeups};
  session.deadline = now_.steady + session.row.term;
  session.opened = ++sessions_opened_;
  session_deadlines_.emplace(session.deadline, request.id);
  effects_.changes.list.emplace_back(session.row);
  const absl::Duration term = session.row.term;
  sessions_.emplace(request.id, std::move(session));
  WakeStores();
  return SessionGrant{.term = term, .resumed = false};
}

absl::StatusOr<absl::Duration> DirectoryState::Renew(Moment now, const std::string& session) {
  Advance(now);
  PODKIT_ASSIGN_OR_RETURN(Session* const found, FindSession(session));
  session_deadlines_.erase({found->deadline, session});
  // A deadline never comes nearer: after a stall it may be further away.
  found->deadline = std::max(found->deadline, now_.steady + found->row.term);
  session_deadlines_.emplace(found->deadline, session);
  return found->row.term;
}

absl::Status DirectoryState::CloseSession(Moment now, const std::string& session) {
  Advance(now);
  if (!sessions_.contains(session)) return absl::OkStatus();
  EndSession(session, GrantEnd::kReleased, AuditEntry::Kind::kAbandoned, "the session was closed");
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Grant>> DirectoryState::GrantsOf(Moment now,
                                                            const std::string& session) {
  Advance(now);
  PODKIT_ASSIGN_OR_RETURN(const Session* const found, FindSession(session));
  std::vector<Grant> grants;
  grants.reserve(found->held.size());
  for (const std::string& name : found->held) {
    grants.push_back(GrantOf(stores_.find(name)->second.row));
  }
  return grants;
}

absl::StatusOr<NoticePage> DirectoryState::ReadNotices(Moment now, const std::string& session,
                                                       const NoticeCursor& cursor) {
  Advance(now);
  PODKIT_ASSIGN_OR_RETURN(Session* const found, FindSession(session));
  std::deque<Notice>& notices = found->notices;
  if (cursor.incarnation == incarnation_) {
    while (!notices.empty() && notices.front().number <= cursor.after) notices.pop_front();
  }
  return NoticePage{.next = {.incarnation = incarnation_, .after = found->last_notice},
                    .notices = {notices.begin(), notices.end()}};
}

absl::StatusOr<DirectoryState::AcquireAnswer> DirectoryState::Acquire(
    Moment now, const AcquireRequest& request) {
  Advance(now);
  PODKIT_RETURN_IF_ERROR(CheckName("the store's name", request.store));
  PODKIT_RETURN_IF_ERROR(CheckName("the request's id", request.request_id));
  PODKIT_ASSIGN_OR_RETURN(Session* const session, FindSession(request.session, request.store));
  auto answer = Answer(*session, request);
  if (!answer.ok()) RememberEnd(*session, request.store, request.request_id);
  return answer;
}

absl::StatusOr<DirectoryState::AcquireAnswer> DirectoryState::Answer(
    Session& session, const AcquireRequest& request) {
  if (session.ended_keys.contains(EndedKey(request.store, request.request_id))) {
    return MakeLockError({.error = LockError::kAlreadyReleased, .store = request.store},
                         "the request ended before, and a new one needs a new id");
  }
  auto found = FindStore(request.store);
  if (!found.ok() && request.create) found = AddStore(request.store);
  if (!found.ok()) return found.status();
  Store& store = **found;
  const StoreRow& row = store.row;
  if (row.session == request.session && row.request == request.request_id) {
    return AcquireAnswer{.grant = GrantOf(row)};
  }
  if (row.session == request.session && (row.request.empty() || row.token == request.take_over)) {
    // A new token: what the host sent about the old one may still be on its way.
    return AcquireAnswer{.grant =
                             GrantTo(store, session, request.request_id, row.reason, row.position)};
  }
  if (row.session.empty()) {
    return AcquireAnswer{
        .grant = GrantTo(store, session, request.request_id, GrantReason::kAcquired, 0)};
  }
  if (request.wait <= absl::ZeroDuration()) {
    return MakeLockError(DetailsOf(LockError::kAlreadyAcquired, store));
  }
  return Enqueue(store, session, request);
}

std::string DirectoryState::EndedKey(const std::string& store, const std::string& request_id) {
  return store + '\n' + request_id;
}

void DirectoryState::RememberEnd(Session& session, const std::string& store,
                                 const std::string& request_id) {
  if (request_id.empty()) return;
  const auto [key, added] = session.ended_keys.insert(EndedKey(store, request_id));
  if (!added) return;
  session.ended.push_back(*key);
  if (session.ended.size() <= limits_.kept_requests) return;
  session.ended_keys.erase(session.ended.front());
  session.ended.pop_front();
}

absl::StatusOr<DirectoryState::AcquireAnswer> DirectoryState::Enqueue(
    Store& store, Session& session, const AcquireRequest& request) {
  std::deque<WaiterId>& queue = store.waiting;
  const WaiterId id = ++last_waiter_;
  const WaiterId before = FindWait(store, request.session, request.request_id);
  if (before != 0) {
    // The same request again: it takes the place of the first, which nobody listens to any more.
    *std::find(queue.begin(), queue.end(), before) = id;
    queue.push_back(before);
    FinishWait(before, MakeLockError({.error = LockError::kCancelled, .store = request.store},
                                     "the request was repeated"));
  } else {
    if (queue.size() >= limits_.max_waiting) {
      return MakeLockError(DetailsOf(LockError::kFull, store), "too many wait for it");
    }
    const auto place = std::find_if(queue.begin(), queue.end(), [this, &request](WaiterId waiting) {
      return waiters_.at(waiting).request.priority < request.priority;
    });
    queue.insert(place, id);
  }
  const absl::Duration deadline = now_.steady + request.wait;
  waiters_.emplace(id, Waiter{request, deadline});
  waiter_deadlines_.emplace(deadline, id);
  session.waits.insert(id);
  if (request.ask_holder) AskHolder(store, session.row.host, "it waits for the store");
  return AcquireAnswer{.waiter = id};
}

absl::Status DirectoryState::CancelAcquire(Moment now, const std::string& session,
                                           const std::string& request_id,
                                           const std::string& store) {
  Advance(now);
  const auto of = sessions_.find(session);
  if (of != sessions_.end()) RememberEnd(of->second, store, request_id);
  const auto found = FindStore(store);
  if (!found.ok() || request_id.empty()) return absl::OkStatus();
  const WaiterId wait = FindWait(**found, session, request_id);
  if (wait != 0) {
    FinishWait(wait, MakeLockError({.error = LockError::kCancelled, .store = store}));
  }
  const StoreRow& row = (*found)->row;
  if (!session.empty() && row.session == session && row.request == request_id) {
    EndGrant(**found, GrantEnd::kReleased, LockEvent::Kind::kReleased);
    GrantNext(**found);
  }
  return absl::OkStatus();
}

absl::Status DirectoryState::Release(Moment now, const ReleaseRequest& request) {
  Advance(now);
  const Holding& holding = request.holding;
  const auto store = FindStore(holding.store);
  // The answer to the first try was lost.
  if (store.ok() && WasEndedBy((*store)->row, holding, request.request_id)) {
    return absl::OkStatus();
  }
  PODKIT_ASSIGN_OR_RETURN(Store* const held, FindHeld(holding));
  PODKIT_RETURN_IF_ERROR(CheckName("the request's id", request.request_id));
  if (request.kind == ReleaseKind::kAbandoned) {
    const std::string host = HostOf(*held);
    AddAudit(AuditEntry::Kind::kAbandoned, held->row, host, host, ShortReason(request.reason));
  }
  held->row.end_request = request.request_id;
  held->row.end_token = held->row.token;
  EndGrant(*held, GrantEnd::kReleased, LockEvent::Kind::kReleased);
  GrantNext(*held);
  return absl::OkStatus();
}

absl::StatusOr<Token> DirectoryState::HandOver(Moment now, const HandOverRequest& request) {
  Advance(now);
  const auto store = FindStore(request.holding.store);
  if (store.ok() && WasEndedBy((*store)->row, request.holding, request.request_id)) {
    return (*store)->row.token;
  }
  PODKIT_ASSIGN_OR_RETURN(Store* const held, FindHeld(request.holding));
  PODKIT_RETURN_IF_ERROR(CheckName("the request's id", request.request_id));
  WaiterId wait = 0;
  const bool refused = request.attempt != 0 && request.attempt <= held->row.refused;
  Session* const to = refused ? nullptr : HandOverTarget(*held, request.to_host, &wait);
  if (to == nullptr) {
    if (request.attempt > held->row.refused) {
      held->row.refused = request.attempt;
      Keep(*held);
    }
    return MakeLockError({.error = LockError::kNoSuchHost,
                          .store = request.holding.store,
                          .holder = request.to_host});
  }
  const std::string from = HostOf(*held);
  AddAudit(AuditEntry::Kind::kHandedOver, held->row, from, from,
           fmt::format("to host '{}'", request.to_host));
  held->row.end_request = request.request_id;
  held->row.end_token = held->row.token;
  EndGrant(*held, GrantEnd::kReleased, LockEvent::Kind::kReleased);
  const std::string waiting = wait == 0 ? "" : waiters_.at(wait).request.request_id;
  const Grant grant = GrantTo(*held, *to, waiting, GrantReason::kHandedOver, request.position);
  if (wait != 0) {
    FinishWait(wait, grant);
  } else {
    AddNotice(*to, {.kind = Notice::Kind::kGranted, .grant = grant});
  }
  return grant.token;
}

// The session of the host that waits for the store, else its youngest; never the holder.
DirectoryState::Session* DirectoryState::HandOverTarget(const Store& store, const std::string& host,
                                                        WaiterId* wait) {
  for (const WaiterId waiting : store.waiting) {
    Session& session = sessions_.find(waiters_.at(waiting).request.session)->second;
    if (session.row.host != host || session.row.id == store.row.session) continue;
    *wait = waiting;
    return &session;
  }
  Session* youngest = nullptr;
  for (auto& [id, session] : sessions_) {
    if (session.row.host != host || id == store.row.session) continue;
    if (youngest == nullptr || session.opened > youngest->opened) youngest = &session;
  }
  return youngest;
}

absl::Status DirectoryState::AskToHandOver(Moment now, const std::string& store,
                                           const std::string& from, const std::string& reason) {
  Advance(now);
  PODKIT_ASSIGN_OR_RETURN(Store* const found, FindStore(store));
  AskHolder(*found, from, ShortReason(reason));
  return absl::OkStatus();
}

void DirectoryState::AskHolder(Store& store, const std::string& from, const std::string& reason) {
  const auto holder = sessions_.find(store.row.session);
  if (holder == sessions_.end()) return;
  std::deque<Notice>& notices = holder->second.notices;
  // One unread request for each store says enough.
  const auto same = std::find_if(notices.begin(), notices.end(), [&store](const Notice& notice) {
    return notice.kind == Notice::Kind::kAskedToHandOver && notice.grant.token == store.row.token;
  });
  if (same != notices.end()) notices.erase(same);
  AddNotice(holder->second, {.kind = Notice::Kind::kAskedToHandOver,
                             .grant = GrantOf(store.row),
                             .from = from,
                             .reason = reason});
}

absl::StatusOr<Token> DirectoryState::Break(Moment now, const std::string& store,
                                            const std::string& by, const std::string& reason) {
  Advance(now);
  PODKIT_RETURN_IF_ERROR(CheckName("who breaks the lock", by));
  PODKIT_ASSIGN_OR_RETURN(Store* const found, FindStore(store));
  if (found->row.session.empty()) {
    return MakeLockError(DetailsOf(LockError::kAlreadyReleased, *found), "nobody holds it");
  }
  AddAudit(AuditEntry::Kind::kBroken, found->row, HostOf(*found), by, ShortReason(reason));
  Session& holder = sessions_.find(found->row.session)->second;
  AddNotice(holder, {.kind = Notice::Kind::kLost,
                     .grant = GrantOf(found->row),
                     .from = by,
                     .reason = ShortReason(reason)});
  EndGrant(*found, GrantEnd::kBroken, LockEvent::Kind::kBroken);
  const Token token = found->row.token;
  GrantNext(*found);
  return token;
}

}  // namespace podkit::lock
