// Threads around DirectoryState: callers that block, one clerk that commits and does what is due.
//
// A caller applies its request under the mutex, in memory, and then waits until the clerk has made
// everything that was applied so far durable. While the clerk waits for the disk, others go on
// applying: what they gather is the next commit. So one sync carries all that came meanwhile, and
// no answer shows anything that a crash could take back. Renewals do not wait at all.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "common/mutex.h"
#include "directory_state.h"
#include "journal.h"
#include "podkit/lock/local_directory.h"

namespace podkit::lock {

class JournaledDirectory final : public LocalDirectory {
 public:
  // With `volatile_journal` callers commit themselves, under the mutex: it must not wait for a
  // disk.
  static absl::StatusOr<std::unique_ptr<LocalDirectory>> Open(LocalDirectoryOptions options,
                                                              std::unique_ptr<Journal> journal,
                                                              bool volatile_journal);
  ~JournaledDirectory() override;

  absl::StatusOr<SessionGrant> OpenSession(const SessionRequest& request) override;
  absl::StatusOr<absl::Duration> Renew(const std::string& session) override;
  absl::Status CloseSession(const std::string& session) override;
  absl::StatusOr<std::vector<Grant>> GrantsOf(const std::string& session) override;
  absl::StatusOr<NoticePage> WaitForNotices(const std::string& session, const NoticeCursor& cursor,
                                            absl::Duration wait) override;
  absl::StatusOr<Grant> Acquire(const AcquireRequest& request) override;
  absl::Status CancelAcquire(const std::string& session, const std::string& request_id,
                             const std::string& store) override;
  absl::StatusOr<Head> MoveHead(const HeadChange& change) override;
  absl::Status SetWakeUp(const Holding& holding, absl::Time wake_at) override;
  absl::Status Release(const ReleaseRequest& request) override;
  absl::StatusOr<Token> HandOver(const HandOverRequest& request) override;
  absl::Status CreateStore(const std::string& store) override;
  absl::Status DeleteStore(const std::string& store, const std::string& by,
                           const std::string& reason) override;
  absl::StatusOr<LockInfo> Find(const std::string& store) override;
  absl::StatusOr<ListPage> List(const ListQuery& query) override;
  absl::StatusOr<WatchPage> Watch(const std::string& prefix, Revision after,
                                  absl::Duration wait) override;
  absl::Status AskToHandOver(const std::string& store, const std::string& from,
                             const std::string& reason) override;
  absl::StatusOr<Token> Break(const std::string& store, const std::string& by,
                              const std::string& reason) override;
  absl::StatusOr<std::vector<AuditEntry>> ReadAudit(int64_t after) override;
  absl::StatusOr<DirectoryImage> Export() override;
  absl::Status Import(const DirectoryImage& image) override;

  void Tick() override;
  void Close() override;
  Counters counters() const override;

 private:
  // A call that waits, on the stack of its thread.
  struct Caller {
    bool done = false;
    absl::Status status = {};         // Of the commit, or of a wait in vain.
    std::optional<Grant> grant = {};  // Of an Acquire that stood in the queue.
    CondVar wake = {};
  };
  // What is answered together, when the changes before it are durable.
  struct Answers {
    std::vector<DirectoryState::FinishedWait> finished;
    std::vector<Caller*> callers;
    bool notices = false;
    bool events = false;
  };

  JournaledDirectory(LocalDirectoryOptions options, std::unique_ptr<Journal> journal,
                     bool volatile_journal);

  Moment Now() const { return {options_.steady_clock(), options_.wall_clock()}; }
  // Loads what the journal has.
  absl::Status Load();

  // What every call does: enter, ask the state, wait until that is durable, leave.
  template <typename Request>
  auto Run(const Request& request) -> decltype(request(std::declval<DirectoryState&>(), Moment()));
  template <typename Read>
  auto AwaitPage(CondVar& changed, absl::Duration wait, const Read& read)
      -> decltype(read(std::declval<DirectoryState&>(), Moment()));
  absl::Status Enter() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Leave() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Gather() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Gathered() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AwaitDurable() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Grant> AwaitAnswer(absl::StatusOr<DirectoryState::AcquireAnswer> answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answer(Answers answers, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FailWaits(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The clerk's thread.
  void Work();
  void AwaitWork(Moment now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False if it failed.
  bool Commit(const Changes& changes);
  void Recover();

  LocalDirectoryOptions options_;
  const std::unique_ptr<Journal> journal_;
  const bool volatile_journal_;
  mutable Mutex mutex_;
  CondVar work_;     // For the clerk.
  CondVar notices_;  // For WaitForNotices.
  CondVar events_;   // For Watch.
  CondVar left_;     // For the destructor.
  std::unique_ptr<DirectoryState> state_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);  // While the journal cannot be read.
  Changes gathered_ ABSL_GUARDED_BY(mutex_);      // For the next commit,
  Answers waiting_ ABSL_GUARDED_BY(mutex_);       // and what to answer after it.
  Answers committing_answers_ ABSL_GUARDED_BY(mutex_);
  bool committing_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<WaiterId, Caller*> queued_ ABSL_GUARDED_BY(mutex_);
  Counters counters_ ABSL_GUARDED_BY(mutex_);
  absl::Duration clerk_wakes_at_ ABSL_GUARDED_BY(mutex_);  // By the steady clock.
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread clerk_;
};

}  // namespace podkit::lock
