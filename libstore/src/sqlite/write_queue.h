// Lets many threads write to one database: their writes queue, and all that wait commit together,
// so that one sync carries them.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/mutex.h"
#include "sqlite/database.h"
#include "sqlite/transaction_body.h"

namespace podkit::store {

class WriteQueue {
 public:
  explicit WriteQueue(std::unique_ptr<Database> database);
  ~WriteQueue();

  // Runs `body` in a transaction: committed and synced when OK is returned, without any effect
  // otherwise. An error of one body leaves the others of its commit alone; an error of the commit
  // itself is everybody's. `body` may run on the thread of another caller.
  absl::Status Run(const TransactionBody& body);

  int64_t writes() const;   // Bodies that were committed.
  int64_t commits() const;  // Commits that carried them.

 private:
  struct Writer;

  void RunGroup(std::span<Writer* const> group);
  size_t RunTransaction(std::span<Writer* const> group);
  absl::Status RunBodies(std::span<Writer* const> group, size_t* ran);
  absl::Status RunInSavepoint(const TransactionBody& body);
  void Count(std::span<Writer* const> committed);

  const std::unique_ptr<Database> database_;  // Of the thread whose writer is the first in queue_.
  mutable Mutex mutex_;
  std::deque<Writer*> queue_ ABSL_GUARDED_BY(mutex_);
  int64_t writes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t commits_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace podkit::store
