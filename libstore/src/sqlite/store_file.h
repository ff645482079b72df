// One SQLite file that many threads read and write: a user store, or the pod's database.
//
// Thread-safe. Reads run beside each other and beside the writer, each on a snapshot. Writes queue
// and commit together: one sync carries all that waited.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sqlite/read_pool.h"
#include "sqlite/transaction_body.h"
#include "sqlite/write_queue.h"

namespace podkit::store {

class StoreFile {
 public:
  // Opens or creates the file of `uid` (empty: of the pod). `prepare` has it alone, outside of a
  // transaction, and brings its schema up to date.
  static absl::StatusOr<std::unique_ptr<StoreFile>> Open(const std::string& path,
                                                         const std::string& uid,
                                                         const TransactionBody& prepare);

  absl::Status Read(const TransactionBody& body) { return readers_.Run(body); }
  absl::Status Write(const TransactionBody& body) { return writer_.Run(body); }

  struct Counters {
    int64_t reads = 0;
    int64_t writes = 0;
    int64_t commits = 0;

    Counters& operator+=(const Counters& other);
  };
  Counters counters() const;

 private:
  StoreFile(const std::string& path, const std::string& uid, std::unique_ptr<Database> writer);

  WriteQueue writer_;  // Its connection is the last to close: only it can fold the WAL back.
  ReadPool readers_;
};

}  // namespace podkit::store
