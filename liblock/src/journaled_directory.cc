#include "journaled_directory.h"

#include <algorithm>
#include <iterator>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "memory_journal.h"
#include "sqlite_journal.h"
#include "system_clock.h"

namespace podkit::lock {
namespace {

absl::Status Stopping() {
  return MakeLockError({.error = LockError::kDirectoryUnavailable}, "it is being closed");
}

LocalDirectoryOptions WithDefaults(LocalDirectoryOptions options) {
  if (!options.steady_clock) options.steady_clock = SteadyNow;
  if (!options.wall_clock) options.wall_clock = [] { return absl::Now(); };
  if (!options.random) options.random = RandomBytes;
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalDirectory>> JournaledDirectory::Open(
    LocalDirectoryOptions options, std::unique_ptr<Journal> journal, bool volatile_journal) {
  std::unique_ptr<JournaledDirectory> directory(
      new JournaledDirectory(std::move(options), std::move(journal), volatile_journal));
  PODKIT_RETURN_IF_ERROR(directory->Load());
  directory->clerk_ = std::thread([clerk = directory.get()] { clerk->Work(); });
  return directory;
}

JournaledDirectory::JournaledDirectory(LocalDirectoryOptions options,
                                       std::unique_ptr<Journal> journal, bool volatile_journal)
    : options_(WithDefaults(std::move(options))),
      journal_(std::move(journal)),
      volatile_journal_(volatile_journal) {}

JournaledDirectory::~JournaledDirectory() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    FailWaits(Stopping());
    while (calls_ > 0) left_.Wait(&mutex_);
    stopped_ = true;
    work_.Signal();
  }
  if (clerk_.joinable()) clerk_.join();
}

absl::Status JournaledDirectory::Load() {
  PODKIT_ASSIGN_OR_RETURN(DurableState durable, journal_->Load());
  const Moment now = Now();
  const std::string incarnation = HexEncode(options_.random());
  MutexLock lock(&mutex_);
  // What a failed commit contained may or may not be there: its numbers are not used again.
  if (state_ != nullptr) durable.revision = std::max(durable.revision, state_->revision());
  state_ = std::make_unique<DirectoryState>(options_.limits, incarnation, std::move(durable), now);
  failure_ = absl::OkStatus();
  return absl::OkStatus();
}

absl::Status JournaledDirectory::Enter() {
  if (stopping_) return Stopping();
  PODKIT_RETURN_IF_ERROR(failure_);
  ++calls_;
  return absl::OkStatus();
}

void JournaledDirectory::Leave() {
  --calls_;
  if (stopping_ && calls_ == 0) left_.Signal();
}

template <typename Request>
auto JournaledDirectory::Run(const Request& request)
    -> decltype(request(std::declval<DirectoryState&>(), Moment())) {
  const Moment now = Now();
  MutexLock lock(&mutex_);
  PODKIT_RETURN_IF_ERROR(Enter());
  auto result = request(*state_, now);
  Gather();
  const absl::Status durable = AwaitDurable();
  Leave();
  if (!durable.ok()) return durable;
  return result;
}

// Takes over what the last request did.
void JournaledDirectory::Gather() {
  DirectoryState::Effects effects = state_->TakeEffects();
  gathered_.revision = effects.changes.revision;
  if (!effects.changes.list.empty()) ++counters_.requests;
  std::move(effects.changes.list.begin(), effects.changes.list.end(),
            std::back_inserter(gathered_.list));
  std::move(effects.finished.begin(), effects.finished.end(),
            std::back_inserter(waiting_.finished));
  waiting_.notices = waiting_.notices || effects.notices;
  waiting_.events = waiting_.events || effects.events;
  // The clerk sleeps until what was due first; now something may be due before.
  if (options_.timer && state_->NextTick() < clerk_wakes_at_) work_.Signal();
  if (!Gathered()) return;
  if (!volatile_journal_) {
    work_.Signal();
    return;
  }
  const absl::Status status = journal_->Commit(std::exchange(gathered_, {}));
  ++counters_.commits;
  Answer(std::exchange(waiting_, {}), status);
}

bool JournaledDirectory::Gathered() const {
  return !gathered_.list.empty() || !waiting_.finished.empty() || !waiting_.callers.empty() ||
         waiting_.notices || waiting_.events;
}

// Waits until everything that was applied so far is durable.
absl::Status JournaledDirectory::AwaitDurable() {
  Caller self;
  if (Gathered()) {
    waiting_.callers.push_back(&self);
  } else if (committing_) {
    committing_answers_.callers.push_back(&self);
  } else {
    return absl::OkStatus();
  }
  while (!self.done) self.wake.Wait(&mutex_);
  return self.status;
}

absl::StatusOr<Grant> JournaledDirectory::AwaitAnswer(
    absl::StatusOr<DirectoryState::AcquireAnswer> answer) {
  if (!answer.ok()) {
    PODKIT_RETURN_IF_ERROR(AwaitDurable());
    return std::move(answer).status();
  }
  if (std::optional<Grant>& grant = answer->grant; grant) {
    PODKIT_RETURN_IF_ERROR(AwaitDurable());
    return *std::move(grant);
  }
  Caller self;
  queued_.emplace(answer->waiter, &self);
  while (!self.done) self.wake.Wait(&mutex_);
  if (self.status.ok() && self.grant) return *std::move(self.grant);
  return self.status;
}

void JournaledDirectory::Answer(Answers answers, const absl::Status& status) {
  for (DirectoryState::FinishedWait& wait : answers.finished) {
    auto node = queued_.extract(wait.waiter);
    if (node.empty()) continue;
    Caller& caller = *node.mapped();
    caller.status = status.ok() ? wait.answer.status() : status;
    if (caller.status.ok()) caller.grant = *std::move(wait.answer);
    caller.done = true;
    caller.wake.Signal();
  }
  for (Caller* const caller : answers.callers) {
    caller->status = status;
    caller->done = true;
    caller->wake.Signal();
  }
  if (answers.notices) notices_.SignalAll();
  if (answers.events) events_.SignalAll();
}

// Ends what waits for something other than the disk.
void JournaledDirectory::FailWaits(const absl::Status& status) {
  notices_.SignalAll();
  events_.SignalAll();
  for (auto& [waiter, caller] : queued_) {
    caller->status = status;
    caller->done = true;
    caller->wake.Signal();
  }
  queued_.clear();
}

template <typename Read>
auto JournaledDirectory::AwaitPage(CondVar& changed, absl::Duration wait, const Read& read)
    -> decltype(read(std::declval<DirectoryState&>(), Moment())) {
  const absl::Time end = absl::Now() + wait;
  for (;;) {
    const Moment now = Now();
    const absl::Duration left = end - absl::Now();
    MutexLock lock(&mutex_);
    PODKIT_RETURN_IF_ERROR(Enter());
    auto page = read(*state_, now);
    Gather();
    if (!page.ok() || !page->empty() || left <= absl::ZeroDuration()) {
      const absl::Status durable = AwaitDurable();
      Leave();
      if (!durable.ok()) return durable;
      return page;
    }
    if (!stopping_) changed.WaitFor(&mutex_, left);
    Leave();
  }
}

void JournaledDirectory::Work() {
  for (;;) {
    const Moment now = Now();
    Changes changes;
    {
      MutexLock lock(&mutex_);
      if (options_.timer) {
        state_->Tick(now);
        Gather();
      }
      if (!Gathered()) {
        if (stopped_) return;
        AwaitWork(now);
        if (!Gathered()) continue;
      }
      changes = std::exchange(gathered_, {});
      committing_answers_ = std::exchange(waiting_, {});
      committing_ = true;
    }
    if (!Commit(changes)) Recover();
  }
}

// Waits for something to commit, or until something is due.
void JournaledDirectory::AwaitWork(Moment now) {
  if (!options_.timer) {
    work_.Wait(&mutex_);
    return;
  }
  // Often enough that a longer pause can only be a standstill of the whole process.
  const absl::Duration due = state_->NextTick() - now.steady;
  const absl::Duration pause =
      std::max(std::min(due, options_.limits.stall / 4), absl::Milliseconds(1));
  clerk_wakes_at_ = now.steady + pause;
  work_.WaitFor(&mutex_, pause);
  clerk_wakes_at_ = absl::ZeroDuration();  // It looks before it sleeps again.
}

bool JournaledDirectory::Commit(const Changes& changes) {
  const absl::Status status = changes.list.empty() ? absl::OkStatus() : journal_->Commit(changes);
  MutexLock lock(&mutex_);
  committing_ = false;
  if (!changes.list.empty()) ++counters_.commits;
  Answer(std::exchange(committing_answers_, {}), status);
  if (status.ok()) return true;
  // The state is ahead of the journal: nothing may be answered from it any more.
  failure_ = status;
  gathered_ = {};
  Answer(std::exchange(waiting_, {}), status);
  FailWaits(status);
  return false;
}

// After a failed commit: starts from what the journal has, as a restart of the process would.
void JournaledDirectory::Recover() {
  while (!Load().ok()) {
    MutexLock lock(&mutex_);
    if (stopped_) return;
    work_.WaitFor(&mutex_, absl::Seconds(1));
  }
}

void JournaledDirectory::Tick() {
  Run([](DirectoryState& state, Moment now) {
    state.Tick(now);
    return absl::OkStatus();
  }).IgnoreError();
}

LocalDirectory::Counters JournaledDirectory::counters() const {
  MutexLock lock(&mutex_);
  Counters all = counters_;
  state_->Count(&all);
  return all;
}

void JournaledDirectory::Close() {
  MutexLock lock(&mutex_);
  stopping_ = true;
  FailWaits(Stopping());
}

absl::StatusOr<SessionGrant> JournaledDirectory::OpenSession(const SessionRequest& request) {
  return Run([&](DirectoryState& state, Moment now) { return state.OpenSession(now, request); });
}

// Shows nothing that is not durable, so it does not wait for the disk: a slow one must not end
// sessions.
absl::StatusOr<absl::Duration> JournaledDirectory::Renew(const std::string& session) {
  const Moment now = Now();
  MutexLock lock(&mutex_);
  PODKIT_RETURN_IF_ERROR(Enter());
  auto term = state_->Renew(now, session);
  Gather();
  Leave();
  return term;
}

absl::Status JournaledDirectory::CloseSession(const std::string& session) {
  return Run([&](DirectoryState& state, Moment now) { return state.CloseSession(now, session); });
}

absl::StatusOr<std::vector<Grant>> JournaledDirectory::GrantsOf(const std::string& session) {
  return Run([&](DirectoryState& state, Moment now) { return state.GrantsOf(now, session); });
}

absl::StatusOr<NoticePage> JournaledDirectory::WaitForNotices(const std::string& session,
                                                              const NoticeCursor& cursor,
                                                              absl::Duration wait) {
  return AwaitPage(notices_, wait, [&](DirectoryState& state, Moment now) {
    return state.ReadNotices(now, session, cursor);
  });
}

absl::StatusOr<Grant> JournaledDirectory::Acquire(const AcquireRequest& request) {
  const Moment now = Now();
  MutexLock lock(&mutex_);
  PODKIT_RETURN_IF_ERROR(Enter());
  auto answer = state_->Acquire(now, request);
  Gather();
  auto result = AwaitAnswer(std::move(answer));
  Leave();
  return result;
}

absl::Status JournaledDirectory::CancelAcquire(const std::string& session,
                                               const std::string& request_id,
                                               const std::string& store) {
  return Run([&](DirectoryState& state, Moment now) {
    return state.CancelAcquire(now, session, request_id, store);
  });
}

absl::StatusOr<Head> JournaledDirectory::MoveHead(const HeadChange& change) {
  return Run([&](DirectoryState& state, Moment now) { return state.MoveHead(now, change); });
}

absl::Status JournaledDirectory::SetWakeUp(const Holding& holding, absl::Time wake_at) {
  return Run(
      [&](DirectoryState& state, Moment now) { return state.SetWakeUp(now, holding, wake_at); });
}

absl::Status JournaledDirectory::Release(const ReleaseRequest& request) {
  return Run([&](DirectoryState& state, Moment now) { return state.Release(now, request); });
}

absl::StatusOr<Token> JournaledDirectory::HandOver(const HandOverRequest& request) {
  return Run([&](DirectoryState& state, Moment now) { return state.HandOver(now, request); });
}

absl::Status JournaledDirectory::CreateStore(const std::string& store) {
  return Run([&](DirectoryState& state, Moment now) { return state.CreateStore(now, store); });
}

absl::Status JournaledDirectory::DeleteStore(const std::string& store, const std::string& by,
                                             const std::string& reason) {
  return Run(
      [&](DirectoryState& state, Moment now) { return state.DeleteStore(now, store, by, reason); });
}

absl::StatusOr<LockInfo> JournaledDirectory::Find(const std::string& store) {
  return Run([&](DirectoryState& state, Moment now) { return state.Find(now, store); });
}

absl::StatusOr<ListPage> JournaledDirectory::List(const ListQuery& query) {
  return Run([&](DirectoryState& state, Moment now) { return state.List(now, query); });
}

absl::StatusOr<WatchPage> JournaledDirectory::Watch(const std::string& prefix, Revision after,
                                                    absl::Duration wait) {
  return AwaitPage(events_, wait, [&](DirectoryState& state, Moment now) {
    auto page = state.ReadEvents(now, prefix, after);
    // Events of other stores do not make the place of this watch too old.
    if (page.ok()) after = page->revision;
    return page;
  });
}

absl::Status JournaledDirectory::AskToHandOver(const std::string& store, const std::string& from,
                                               const std::string& reason) {
  return Run([&](DirectoryState& state, Moment now) {
    return state.AskToHandOver(now, store, from, reason);
  });
}

absl::StatusOr<Token> JournaledDirectory::Break(const std::string& store, const std::string& by,
                                                const std::string& reason) {
  return Run(
      [&](DirectoryState& state, Moment now) { return state.Break(now, store, by, reason); });
}

absl::StatusOr<std::vector<AuditEntry>> JournaledDirectory::ReadAudit(int64_t after) {
  return journal_->ReadAudit(after);
}

absl::StatusOr<DirectoryImage> JournaledDirectory::Export() {
  return Run([](DirectoryState& state, Moment now) { return state.Export(now); });
}

absl::Status JournaledDirectory::Import(const DirectoryImage& image) {
  return Run([&](DirectoryState& state, Moment now) { return state.Import(now, image); });
}

absl::StatusOr<std::unique_ptr<LocalDirectory>> OpenMemoryDirectory(LocalDirectoryOptions options) {
  return JournaledDirectory::Open(std::move(options), std::make_unique<MemoryJournal>(), true);
}

absl::StatusOr<std::unique_ptr<LocalDirectory>> OpenSqliteDirectory(const std::string& path,
                                                                    LocalDirectoryOptions options) {
  PODKIT_ASSIGN_OR_RETURN(std::unique_ptr<Journal> journal, OpenSqliteJournal(path));
  return JournaledDirectory::Open(std::move(options), std::move(journal), false);
}

}  // namespace podkit::lock
