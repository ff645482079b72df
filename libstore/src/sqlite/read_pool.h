// Lets many threads read one database, each on a snapshot and on a connection of its own.
//
// Thread-safe. Connections are opened when they are needed; if all are in use, a read waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "sqlite/database.h"
#include "sqlite/transaction_body.h"

namespace podkit::store {

class ReadPool {
 public:
  // Reads the file of `uid` at `path`, which a connection that writes must keep open.
  ReadPool(std::string path, std::string uid);
  ~ReadPool();

  // Runs `body` on a snapshot. Its error is returned.
  absl::Status Run(const TransactionBody& body);

  int64_t reads() const;

 private:
  absl::StatusOr<std::unique_ptr<Database>> Acquire();
  void Release(std::unique_ptr<Database> database);

  const std::string path_;
  const std::string uid_;
  mutable Mutex mutex_;
  CondVar released_;
  std::vector<std::unique_ptr<Database>> idle_ ABSL_GUARDED_BY(mutex_);
  size_t in_use_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t reads_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace podkit::store
