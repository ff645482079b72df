#include "sqlite/write_queue.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/status_macros.h"

namespace podkit::store {
namespace {

// Keeps a transaction, and so the time that its first writer waits, within bounds.
constexpr size_t kMaxGroup = 256;

}  // namespace

// A caller that waits in Run, on its stack.
struct WriteQueue::Writer {
  const TransactionBody& body;
  absl::Status status = {};
  bool done = false;  // Guarded by the queue's mutex.
  CondVar wake = {};
};

WriteQueue::WriteQueue(std::unique_ptr<Database> database) : database_(std::move(database)) {}
WriteQueue::~WriteQueue() = default;

absl::Status WriteQueue::Run(const TransactionBody& body) {
  Writer self{.body = body};
  std::vector<Writer*> group;
  {
    MutexLock lock(&mutex_);
    queue_.push_back(&self);
    while (!self.done && queue_.front() != &self) self.wake.Wait(&mutex_);
    if (self.done) return self.status;
    const size_t size = std::min(queue_.size(), kMaxGroup);
    group.assign(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(size));
  }
  // This thread leads: the others of the group wait until it has done their work.
  RunGroup(group);
  MutexLock lock(&mutex_);
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(group.size()));
  for (Writer* const writer : group) {
    writer->done = true;
    writer->wake.Signal();
  }
  if (!queue_.empty()) queue_.front()->wake.Signal();
  return self.status;
}

void WriteQueue::RunGroup(std::span<Writer* const> group) {
  while (!group.empty()) group = group.subspan(RunTransaction(group));
}

// Decides the status of one or more writers at the front of `group`, and returns of how many.
size_t WriteQueue::RunTransaction(std::span<Writer* const> group) {
  size_t ran = group.size();
  absl::Status status = database_->Execute("BEGIN IMMEDIATE");
  if (status.ok()) status = RunBodies(group, &ran);
  const auto decided = group.first(ran);
  if (status.ok()) {
    Count(decided);
    return ran;
  }
  if (database_->in_transaction()) database_->Execute("ROLLBACK").IgnoreError();
  for (Writer* const writer : decided) {
    if (writer->status.ok()) writer->status = status;
  }
  return ran;
}

// Runs the bodies and commits those that succeed. On an error, none of the first `ran` has an
// effect.
absl::Status WriteQueue::RunBodies(std::span<Writer* const> group, size_t* ran) {
  const bool alone = group.size() == 1;
  bool any = false;
  *ran = 0;
  for (Writer* const writer : group) {
    writer->status = alone ? CallBody(writer->body, *database_) : RunInSavepoint(writer->body);
    ++*ran;
    any = any || writer->status.ok();
    // Some errors make SQLite roll back everything: those who come later get a new transaction.
    if (!database_->in_transaction()) {
      if (!writer->status.ok()) return writer->status;
      return absl::InternalError("a write ended the transaction that it is a part of");
    }
  }
  return database_->Execute(any ? "COMMIT" : "ROLLBACK");
}

absl::Status WriteQueue::RunInSavepoint(const TransactionBody& body) {
  PODKIT_RETURN_IF_ERROR(database_->Execute("SAVEPOINT one_write"));
  absl::Status status = CallBody(body, *database_);
  if (!database_->in_transaction()) return status;
  if (status.ok()) return database_->Execute("RELEASE one_write");
  absl::Status undone = database_->Execute("ROLLBACK TO one_write");
  if (undone.ok()) undone = database_->Execute("RELEASE one_write");
  // What cannot be undone alone is undone with the others.
  if (!undone.ok() && database_->in_transaction()) database_->Execute("ROLLBACK").IgnoreError();
  return status;
}

void WriteQueue::Count(std::span<Writer* const> committed) {
  const int64_t good = std::count_if(committed.begin(), committed.end(),
                                     [](const Writer* writer) { return writer->status.ok(); });
  if (good == 0) return;
  MutexLock lock(&mutex_);
  writes_ += good;
  ++commits_;
}

int64_t WriteQueue::writes() const {
  MutexLock lock(&mutex_);
  return writes_;
}

int64_t WriteQueue::commits() const {
  MutexLock lock(&mutex_);
  return commits_;
}

}  // namespace podkit::store
