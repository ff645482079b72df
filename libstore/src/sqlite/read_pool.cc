#include "sqlite/read_pool.h"

#include <utility>

#include "common/status_macros.h"

namespace podkit::store {
namespace {

constexpr size_t kMaxConnections = 4;

absl::Status RunOn(Database& database, const TransactionBody& body) {
  PODKIT_RETURN_IF_ERROR(database.Execute("BEGIN"));
  absl::Status status = CallBody(body, database);
  const absl::Status ended = database.in_transaction() ? database.Execute("COMMIT") : status;
  return status.ok() ? ended : status;
}

}  // namespace

ReadPool::ReadPool(std::string path, std::string uid)
    : path_(std::move(path)), uid_(std::move(uid)) {}
ReadPool::~ReadPool() = default;

absl::Status ReadPool::Run(const TransactionBody& body) {
  auto database = Acquire();
  absl::Status status = database.ok() ? RunOn(**database, body) : database.status();
  Release(database.ok() ? *std::move(database) : nullptr);
  return status;
}

absl::StatusOr<std::unique_ptr<Database>> ReadPool::Acquire() {
  {
    MutexLock lock(&mutex_);
    while (in_use_ == kMaxConnections) released_.Wait(&mutex_);
    ++in_use_;
    ++reads_;
    if (!idle_.empty()) {
      auto database = std::move(idle_.back());
      idle_.pop_back();
      return database;
    }
  }
  return Database::Open(path_, Database::Mode::kReadOnly, uid_);
}

void ReadPool::Release(std::unique_ptr<Database> database) {
  // One that is stuck in its transaction would show an old snapshot for ever.
  if (database != nullptr && database->in_transaction()) database.reset();
  MutexLock lock(&mutex_);
  if (database != nullptr) idle_.push_back(std::move(database));
  --in_use_;
  released_.Signal();
}

int64_t ReadPool::reads() const {
  MutexLock lock(&mutex_);
  return reads_;
}

}  // namespace podkit::store
