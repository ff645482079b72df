#include "directory_state.h"

#include <algorithm>

namespace podkit::lock {

Grant GrantOf(const StoreRow& row) {
  return {.store = row.store,
          .token = row.token,
          .reason = row.reason,
          .head = row.head,
          .position = row.position,
          .wake_at = row.wake_at};
}

DirectoryState::DirectoryState(DirectoryLimits limits, std::string incarnation,
                               DurableState&& durable, Moment now)
    : limits_(limits),
      incarnation_(std::move(incarnation)),
      now_(now),
      revision_(durable.revision),
      audit_entries_(durable.audit_entries),
      events_from_(durable.revision) {
  for (auto& [id, row] : durable.sessions) {
    Session session;
    session.deadline = now.steady + row.term;
    session.opened = ++sessions_opened_;
    session_deadlines_.emplace(session.deadline, id);
    session.row = std::move(row);
    sessions_.emplace(id, std::move(session));
  }
  for (auto& [name, row] : durable.stores) {
    Store& store = stores_[name];
    store.row = std::move(row);
    store.since = now.steady;
    store.wake_due = store.row.wake_at;
    const auto holder = sessions_.find(store.row.session);
    if (holder != sessions_.end()) {
      holder->second.held.insert(name);
    } else {
      PlanWake(store);
    }
  }
}

void DirectoryState::Tick(Moment now) { Advance(now); }

absl::Duration DirectoryState::NextTick() const {
  absl::Duration next = absl::InfiniteDuration();
  if (!session_deadlines_.empty()) next = session_deadlines_.begin()->first;
  if (!waiter_deadlines_.empty()) next = std::min(next, waiter_deadlines_.begin()->first);
  if (!wakes_.empty()) {
    const absl::Duration until = wakes_.begin()->first - now_.wall;
    // What is overdue waits for a host, not for the time.
    if (until > absl::ZeroDuration()) next = std::min(next, now_.steady + until);
  }
  return next;
}

void DirectoryState::Advance(Moment now) {
  const absl::Duration gap = now.steady - now_.steady;
  now_.wall = now.wall;
  now_.steady = std::max(now.steady, now_.steady);
  if (gap > limits_.stall) ForgiveStall(gap);
  while (!session_deadlines_.empty() && session_deadlines_.begin()->first <= now_.steady) {
    const std::string id = session_deadlines_.begin()->second;
    EndSession(id, GrantEnd::kExpired, AuditEntry::Kind::kExpired, "the session was not renewed");
  }
  while (!waiter_deadlines_.empty() && waiter_deadlines_.begin()->first <= now_.steady) {
    const WaiterId id = waiter_deadlines_.begin()->second;
    const AcquireRequest& request = waiters_.at(id).request;
    const Store& store = stores_.find(request.store)->second;
    RememberEnd(sessions_.find(request.session)->second, request.store, request.request_id);
    FinishWait(id, MakeLockError(DetailsOf(LockError::kDeadlineExceeded, store)));
  }
  WakeStores();
}

// Nobody could renew while the directory stood still.
void DirectoryState::ForgiveStall(absl::Duration gap) {
  session_deadlines_.clear();
  for (auto& [id, session] : sessions_) {
    session.deadline += gap;
    session_deadlines_.emplace(session.deadline, id);
  }
}

void DirectoryState::EndSession(const std::string& id, GrantEnd end, AuditEntry::Kind kind,
                                const std::string& reason) {
  auto node = sessions_.extract(id);
  Session& session = node.mapped();
  session_deadlines_.erase({session.deadline, id});
  // Before its stores are granted to others, lest it gets them itself.
  for (const WaiterId wait : std::set<WaiterId>(session.waits)) {
    FinishWait(wait, MakeLockError({.error = LockError::kSessionLost,
                                    .store = waiters_.at(wait).request.store}));
  }
  effects_.changes.list.emplace_back(SessionGone{id});
  for (const std::string& name : session.held) {
    Store& store = stores_.find(name)->second;
    AddAudit(kind, store.row, session.row.host, "", reason);
    store.row.session.clear();
    store.row.end = end;
    NextRevision();
    AddEvent(end == GrantEnd::kExpired ? LockEvent::Kind::kExpired : LockEvent::Kind::kReleased,
             store.row, session.row.host);
    Keep(store);
    GrantNext(store);
  }
  effects_.notices = true;  // Whoever waits for its notices learns of the end.
}

void DirectoryState::WakeStores() {
  while (!wakes_.empty() && wakes_.begin()->first <= now_.wall) {
    Session* const host = WakeHost();
    if (host == nullptr) return;
    Store& store = stores_.find(wakes_.begin()->second)->second;
    const Grant grant = GrantTo(store, *host, "", GrantReason::kWokenUp, 0);
    store.wake_due = now_.wall + limits_.wake_retry;
    AddNotice(*host, {.kind = Notice::Kind::kGranted, .grant = grant});
  }
}

// The session that takes the next wake-up: of those that run them, one with the fewest stores.
DirectoryState::Session* DirectoryState::WakeHost() {
  Session* best = nullptr;
  const auto better = [](const Session& a, const Session& b) {
    return std::make_pair(a.held.size(), a.opened) < std::make_pair(b.held.size(), b.opened);
  };
  for (auto& [id, session] : sessions_) {
    if (!session.row.runs_wakeups) continue;
    if (best == nullptr || better(session, *best)) best = &session;
  }
  return best;
}

Grant DirectoryState::GrantTo(Store& store, Session& session, const std::string& request,
                              GrantReason reason, int64_t position) {
  UnplanWake(store);
  store.row.token = NextRevision();
  store.row.session = session.row.id;
  store.row.request = request;
  store.row.reason = reason;
  store.row.position = position;
  store.row.end = GrantEnd::kNone;
  store.row.refused = 0;
  store.since = now_.steady;
  session.held.insert(store.row.store);
  Keep(store);
  AddEvent(LockEvent::Kind::kGranted, store.row, session.row.host);
  return GrantOf(store.row);
}

// The caller decides who is next, and keeps the row.
void DirectoryState::EndGrant(Store& store, GrantEnd end, LockEvent::Kind event) {
  const auto holder = sessions_.find(store.row.session);
  NextRevision();
  if (end == GrantEnd::kBroken) store.row.token = revision_;
  AddEvent(event, store.row, holder->second.row.host);
  holder->second.held.erase(store.row.store);
  RememberEnd(holder->second, store.row.store, store.row.request);
  store.row.session.clear();
  store.row.end = end;
  Keep(store);
}

void DirectoryState::GrantNext(Store& store) {
  if (store.waiting.empty()) {
    PlanWake(store);
    return;
  }
  const WaiterId id = store.waiting.front();
  const AcquireRequest& request = waiters_.at(id).request;
  Session& session = sessions_.find(request.session)->second;
  FinishWait(id, GrantTo(store, session, request.request_id, GrantReason::kAcquired, 0));
}

void DirectoryState::FinishWait(WaiterId id, absl::StatusOr<Grant> answer) {
  auto node = waiters_.extract(id);
  const Waiter& waiter = node.mapped();
  waiter_deadlines_.erase({waiter.deadline, id});
  std::deque<WaiterId>& queue = stores_.find(waiter.request.store)->second.waiting;
  queue.erase(std::find(queue.begin(), queue.end(), id));
  const auto session = sessions_.find(waiter.request.session);
  if (session != sessions_.end()) session->second.waits.erase(id);
  effects_.finished.push_back({id, std::move(answer)});
}

void DirectoryState::AddNotice(Session& session, Notice notice) {
  if (session.notices.size() >= limits_.kept_notices) session.notices.pop_front();
  notice.number = ++session.last_notice;
  session.notices.push_back(std::move(notice));
  effects_.notices = true;
}

void DirectoryState::AddEvent(LockEvent::Kind kind, const StoreRow& row, const std::string& host) {
  if (events_.size() >= limits_.kept_events) {
    events_from_ = events_.front().revision;
    events_.pop_front();
  }
  events_.push_back(
      {.revision = revision_, .kind = kind, .store = row.store, .token = row.token, .host = host});
  effects_.events = true;
}

void DirectoryState::AddAudit(AuditEntry::Kind kind, const StoreRow& row, const std::string& host,
                              const std::string& by, const std::string& reason) {
  effects_.changes.list.emplace_back(AuditEntry{.number = ++audit_entries_,
                                                .at = now_.wall,
                                                .kind = kind,
                                                .store = row.store,
                                                .token = row.token,
                                                .host = host,
                                                .by = by,
                                                .reason = reason,
                                                .head = row.head});
}

void DirectoryState::Keep(const Store& store) { effects_.changes.list.emplace_back(store.row); }

void DirectoryState::PlanWake(Store& store) {
  if (store.wake_due < absl::InfiniteFuture()) wakes_.emplace(store.wake_due, store.row.store);
}

void DirectoryState::UnplanWake(const Store& store) {
  wakes_.erase({store.wake_due, store.row.store});
}

// For a held store: it is planned when the grant ends.
void DirectoryState::ChangeWake(Store& store, absl::Time wake_at) {
  if (store.row.wake_at == wake_at) return;
  store.row.wake_at = wake_at;
  store.wake_due = wake_at;
}

void DirectoryState::Count(LocalDirectory::Counters* counters) const {
  counters->revision = revision_;
  counters->sessions = static_cast<int64_t>(sessions_.size());
  counters->stores = static_cast<int64_t>(stores_.size());
  counters->waiting = static_cast<int64_t>(waiters_.size());
  for (const auto& [id, session] : sessions_) {
    counters->held += static_cast<int64_t>(session.held.size());
  }
}

DirectoryState::Effects DirectoryState::TakeEffects() {
  effects_.changes.revision = revision_;
  return std::exchange(effects_, {});
}

}  // namespace podkit::lock
