#include "session_core.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/status_macros.h"
#include "common/text.h"
#include "system_clock.h"

namespace podkit::lock {
namespace {

// How long the directory is asked to hold a question for notices.
constexpr absl::Duration kNoticeWait = absl::Seconds(2);
constexpr absl::Duration kFirstRetry = absl::Milliseconds(10);
constexpr absl::Duration kLongestRetry = absl::Seconds(1);

SessionOptions WithDefaults(SessionOptions options) {
  if (!options.steady_clock) options.steady_clock = SteadyNow;
  if (!options.random) options.random = RandomBytes;
  if (!options.on_event) options.on_event = [](const SessionEvent&) {};
  if (options.id.empty()) options.id = HexEncode(options.random());
  return options;
}

Session::State ToPublic(SessionClock::State state) {
  switch (state) {
    case SessionClock::State::kSafe:
      return Session::State::kSafe;
    case SessionClock::State::kJeopardy:
      return Session::State::kJeopardy;
    case SessionClock::State::kLost:
      break;
  }
  return Session::State::kLost;
}

SessionEvent::Kind EventFor(Session::State state) {
  switch (state) {
    case Session::State::kSafe:
      return SessionEvent::Kind::kSafe;
    case Session::State::kJeopardy:
      return SessionEvent::Kind::kJeopardy;
    case Session::State::kLost:
      break;
  }
  return SessionEvent::Kind::kSessionLost;
}

bool Answered(const absl::Status& status) {
  return GetLockError(status).error != LockError::kDirectoryUnavailable;
}

}  // namespace

Session::Core::Core(std::shared_ptr<WriteLockDirectory> directory, SessionOptions options)
    : directory_(std::move(directory)),
      options_(WithDefaults(std::move(options))),
      clock_(options_.steady_clock(), options_.term),
      request_prefix_(HexEncode(options_.random()).substr(0, 16)) {}

absl::Status Session::Core::Open() {
  const absl::Duration sent = options_.steady_clock();
  PODKIT_ASSIGN_OR_RETURN(const SessionGrant session,
                          directory_->OpenSession({.id = options_.id,
                                                   .host = options_.host,
                                                   .term = options_.term,
                                                   .runs_wakeups = options_.runs_wakeups}));
  {
    MutexLock lock(&mutex_);
    clock_ = SessionClock(sent, session.term);
  }
  if (session.resumed) {
    PODKIT_ASSIGN_OR_RETURN(const std::vector<Grant> grants, directory_->GrantsOf(options_.id));
    MutexLock lock(&mutex_);
    for (const Grant& grant : grants) Offer(grant);
  }
  return absl::OkStatus();
}

void Session::Core::StartThreads() {
  if (!options_.threads) return;
  threads_.emplace_back([this] { RenewLoop(); });
  threads_.emplace_back([this] { ListenLoop(); });
  threads_.emplace_back([this] { WatchLoop(); });
}

void Session::Core::StopThreads() {
  {
    MutexLock lock(&mutex_);
    closing_ = true;
    clock_.End();
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

absl::Status Session::Core::Close() {
  const absl::Status closed = Retry([this] { return directory_->CloseSession(options_.id); });
  StopThreads();
  return closed;
}

Session::State Session::Core::StateNow() {
  const absl::Duration now = options_.steady_clock();
  MutexLock lock(&mutex_);
  return ToPublic(clock_.StateAt(now));
}

absl::Duration Session::Core::Left() {
  const absl::Duration now = options_.steady_clock();
  MutexLock lock(&mutex_);
  return std::max(clock_.lost_at() - now, absl::ZeroDuration());
}

std::string Session::Core::NewRequestId() {
  MutexLock lock(&mutex_);
  return fmt::format("{}-{}", request_prefix_, ++requests_);
}

bool Session::Core::AwaitRetry(int attempt, absl::Duration* waited) {
  if (*waited >= options_.retry_for || StateNow() == Session::State::kLost) return false;
  const absl::Duration delay =
      std::min(kFirstRetry * (int64_t{1} << std::min(attempt, 10)), kLongestRetry);
  const absl::Time end = absl::Now() + delay;
  MutexLock lock(&mutex_);
  while (!closing_ && absl::Now() < end) changed_.WaitFor(&mutex_, end - absl::Now());
  *waited += delay;
  return !closing_;
}

absl::Status Session::Core::Heed(absl::Status status) {
  if (GetLockError(status).error == LockError::kSessionLost) {
    MutexLock lock(&mutex_);
    clock_.End();
    changed_.SignalAll();
  }
  return status;
}

absl::StatusOr<std::unique_ptr<WriteLock>> Session::Core::Acquire(const std::string& store,
                                                                  const AcquireOptions& options) {
  const std::string request_id = NewRequestId();
  const auto name = std::make_pair(store, options.cancel_name);
  if (!options.cancel_name.empty()) {
    MutexLock lock(&mutex_);
    if (!cancellable_.emplace(name, request_id).second) {
      return MakeLockError({.error = LockError::kInvalidRequest, .store = store},
                           "an acquire of this cancel name is running");
    }
  }
  auto lock = Acquire({.session = options_.id,
                       .request_id = request_id,
                       .store = store,
                       .wait = options.wait,
                       .priority = options.priority,
                       .ask_holder = options.ask_holder,
                       .create = options.create});
  if (!options.cancel_name.empty()) {
    MutexLock guard(&mutex_);
    cancellable_.erase(name);
  }
  return lock;
}

absl::StatusOr<std::unique_ptr<WriteLock>> Session::Core::Acquire(const AcquireRequest& request) {
  if (StateNow() == Session::State::kLost) {
    return MakeLockError({.error = LockError::kSessionLost, .store = request.store});
  }
  {
    MutexLock lock(&mutex_);
    acquiring_.insert(request.store);
  }
  const auto grant = Retry([&] { return directory_->Acquire(request); });
  std::unique_ptr<WriteLock> made;
  if (grant.ok()) made = MakeLock(*grant);
  FinishAcquire(request.store);
  if (made != nullptr) return made;
  if (!Answered(grant.status())) {
    MutexLock lock(&mutex_);
    leftovers_.emplace_back(request.store, request.request_id);
  }
  return grant.status();
}

void Session::Core::FinishAcquire(const std::string& store) {
  MutexLock lock(&mutex_);
  acquiring_.erase(acquiring_.find(store));
  if (!acquiring_.contains(store)) broken_.erase(store);
}

absl::Status Session::Core::Cancel(const std::string& store, const std::string& cancel_name) {
  std::string request_id;
  {
    MutexLock lock(&mutex_);
    const auto found = cancellable_.find({store, cancel_name});
    if (found == cancellable_.end()) return absl::OkStatus();
    request_id = found->second;
  }
  return Retry([&] { return directory_->CancelAcquire(options_.id, request_id, store); });
}

absl::StatusOr<std::unique_ptr<WriteLock>> Session::Core::Claim(const std::string& store) {
  Token granted = 0;
  {
    MutexLock lock(&mutex_);
    const auto found = granted_.find(store);
    if (found != granted_.end()) granted = found->second.token;
  }
  if (granted == 0) {
    return MakeLockError({.error = LockError::kLockLost, .store = store}, "no grant");
  }
  auto lock = Acquire(
      {.session = options_.id, .request_id = NewRequestId(), .store = store, .take_over = granted});
  if (GetLockError(lock.status()).error != LockError::kAlreadyAcquired) return lock;
  return MakeLockError({.error = LockError::kLockLost, .store = store},
                       "another host has it since");
}

std::unique_ptr<WriteLock> Session::Core::MakeLock(const Grant& grant) {
  auto core = std::make_shared<WriteLock::Core>(shared_from_this(), grant);
  bool broken = false;
  {
    MutexLock lock(&mutex_);
    locks_[grant.store] = core;
    granted_.erase(grant.store);
    const auto found = broken_.find(grant.store);
    broken = found != broken_.end() && found->second >= grant.token;
  }
  if (broken) core->Lose();
  return std::make_unique<WriteLock>(std::move(core));
}

void Session::Core::Forget(const std::string& store, Token token) {
  MutexLock lock(&mutex_);
  const auto found = locks_.find(store);
  if (found == locks_.end()) return;
  const auto core = found->second.lock();
  if (core == nullptr || core->grant.token == token) locks_.erase(found);
}

void Session::Core::RenewOnce() {
  const absl::Duration sent = options_.steady_clock();
  const auto term = directory_->Renew(options_.id);
  if (!term.ok()) {
    Heed(term.status()).IgnoreError();
    return;
  }
  const absl::Duration now = options_.steady_clock();
  {
    MutexLock lock(&mutex_);
    clock_.Renewed(now, sent, *term);
    changed_.SignalAll();
  }
  CancelLeftovers();
}

void Session::Core::CancelLeftovers() {
  std::vector<std::pair<std::string, std::string>> leftovers;
  {
    MutexLock lock(&mutex_);
    leftovers.swap(leftovers_);
  }
  for (auto& [store, request_id] : leftovers) {
    if (Answered(directory_->CancelAcquire(options_.id, request_id, store))) continue;
    MutexLock lock(&mutex_);
    leftovers_.emplace_back(store, request_id);
  }
}

bool Session::Core::ReadNotices(absl::Duration wait) {
  NoticeCursor cursor;
  {
    MutexLock lock(&mutex_);
    cursor = cursor_;
  }
  const auto page = directory_->WaitForNotices(options_.id, cursor, wait);
  if (!page.ok()) {
    Heed(page.status()).IgnoreError();
    return Answered(page.status());
  }
  {
    MutexLock lock(&mutex_);
    cursor_ = page->next;
    for (const Notice& notice : page->notices) Take(notice);
  }
  // The directory started anew and has forgotten what it did not say yet; perhaps it did so before
  // this session read its first page.
  if (cursor.incarnation != page->next.incarnation) Reconcile();
  return true;
}

void Session::Core::Take(const Notice& notice) {
  switch (notice.kind) {
    case Notice::Kind::kGranted:
      Offer(notice.grant);
      return;
    case Notice::Kind::kAskedToHandOver:
      events_.push_back({.kind = SessionEvent::Kind::kAskedToHandOver,
                         .grant = notice.grant,
                         .from = notice.from,
                         .reason = notice.reason});
      return;
    case Notice::Kind::kLost:
      LoseLock(notice.grant.store, notice.grant.token);
      events_.push_back({.kind = SessionEvent::Kind::kLockLost,
                         .grant = notice.grant,
                         .from = notice.from,
                         .reason = notice.reason});
      return;
  }
}

// Of one grant the directory may tell twice: in its list and in a notice.
void Session::Core::Offer(const Grant& grant) {
  const auto held = locks_.find(grant.store);
  const auto core = held == locks_.end() ? nullptr : held->second.lock();
  if (core != nullptr && core->grant.token >= grant.token) return;
  const auto offered = granted_.find(grant.store);
  if (offered != granted_.end() && offered->second.token >= grant.token) return;
  granted_[grant.store] = grant;
  events_.push_back({.kind = SessionEvent::Kind::kGranted, .grant = grant});
}

bool Session::Core::LoseLock(const std::string& store, Token token) {
  if (acquiring_.contains(store)) broken_[store] = std::max(broken_[store], token);
  const auto granted = granted_.find(store);
  if (granted != granted_.end() && granted->second.token <= token) granted_.erase(granted);
  const auto found = locks_.find(store);
  if (found == locks_.end()) return false;
  const auto core = found->second.lock();
  if (core == nullptr || core->grant.token > token) return false;
  core->Lose();
  locks_.erase(found);
  return true;
}

// Compares what this host believes to hold with what the directory says.
void Session::Core::Reconcile() {
  std::map<std::string, Token> believed;
  {
    MutexLock lock(&mutex_);
    for (const auto& [store, weak] : locks_) {
      if (const auto core = weak.lock()) believed[store] = core->grant.token;
    }
  }
  const auto grants = directory_->GrantsOf(options_.id);
  if (!grants.ok()) {
    MutexLock lock(&mutex_);
    cursor_.incarnation = "unknown";  // Tried again with the next page.
    return;
  }
  MutexLock lock(&mutex_);
  for (const Grant& grant : *grants) {
    const auto known = believed.find(grant.store);
    if (known != believed.end() && known->second == grant.token) believed.erase(known);
    const bool asked_for = grant.reason == GrantReason::kAcquired;
    if (!asked_for && !acquiring_.contains(grant.store)) Offer(grant);
  }
  for (const auto& [store, token] : believed) {
    if (!LoseLock(store, token)) continue;  // Given back meanwhile.
    // Not in one expression, which g++ 12 takes for uninitialized when it optimises.
    SessionEvent event;
    event.kind = SessionEvent::Kind::kLockLost;
    event.grant.store = store;
    event.grant.token = token;
    event.reason = "the directory does not know of the grant";
    events_.push_back(std::move(event));
  }
}

void Session::Core::AnnounceState() {
  const absl::Duration now = options_.steady_clock();
  {
    MutexLock lock(&mutex_);
    const Session::State state = ToPublic(clock_.StateAt(now));
    if (state != told_ && !closing_) events_.push_back({.kind = EventFor(state)});
    told_ = state;
  }
  Deliver();
}

void Session::Core::Deliver() {
  for (;;) {
    SessionEvent event;
    {
      MutexLock lock(&mutex_);
      if (delivering_ || events_.empty() || closing_) return;
      delivering_ = true;
      event = std::move(events_.front());
      events_.pop_front();
    }
    options_.on_event(event);
    MutexLock lock(&mutex_);
    delivering_ = false;
  }
}

void Session::Core::Step() {
  const absl::Duration now = options_.steady_clock();
  bool due = false;
  {
    MutexLock lock(&mutex_);
    due = clock_.StateAt(now) != SessionClock::State::kLost && now >= clock_.renew_at();
  }
  AnnounceState();
  if (due) RenewOnce();
  if (StateNow() != Session::State::kLost) ReadNotices(absl::ZeroDuration());
  AnnounceState();
}

void Session::Core::RenewLoop() {
  for (;;) {
    const absl::Duration now = options_.steady_clock();
    {
      MutexLock lock(&mutex_);
      if (clock_.StateAt(now) == SessionClock::State::kLost) return;
      const absl::Duration left = clock_.renew_at() - now;
      if (left > absl::ZeroDuration()) {
        changed_.WaitFor(&mutex_, left);
        continue;
      }
    }
    RenewOnce();
    AnnounceState();
    const absl::Duration after = options_.steady_clock();
    MutexLock lock(&mutex_);
    // No answer: not at once again.
    if (clock_.renew_at() <= after && !closing_) {
      changed_.WaitFor(&mutex_, std::min(options_.term / 20, kLongestRetry));
    }
  }
}

void Session::Core::ListenLoop() {
  for (int failures = 0;;) {
    if (StateNow() == Session::State::kLost) break;
    failures = ReadNotices(kNoticeWait) ? 0 : failures + 1;
    AnnounceState();
    if (failures == 0) continue;
    MutexLock lock(&mutex_);
    if (!closing_) {
      changed_.WaitFor(&mutex_,
                       std::min(kFirstRetry * (1 << std::min(failures, 10)), kLongestRetry));
    }
  }
  AnnounceState();
}

void Session::Core::WatchLoop() {
  for (;;) {
    AnnounceState();
    const absl::Duration now = options_.steady_clock();
    MutexLock lock(&mutex_);
    if (clock_.StateAt(now) == SessionClock::State::kLost && told_ == Session::State::kLost) return;
    changed_.WaitFor(&mutex_, std::max(clock_.LeftAt(now), absl::Milliseconds(1)));
  }
}

}  // namespace podkit::lock
