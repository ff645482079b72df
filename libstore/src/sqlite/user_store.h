// Everything that one user owns: one SQLite file. See docs/store-schema.md.
//
// Thread-safe. Reads run beside each other and beside the writer, each on a snapshot. Writes queue
// and commit together: one sync carries all that waited.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sqlite/database.h"
#include "sqlite/store_file.h"
#include "sqlite/transaction_body.h"

namespace podkit::store {

class UserStore {
 public:
  // Opens or creates the file of `uid` and brings its schema up to date. StoreDamaged if it is not
  // a user store or belongs to another user; kFailedPrecondition if a newer version of the software
  // wrote it.
  static absl::StatusOr<std::shared_ptr<UserStore>> Open(const std::string& path,
                                                         const std::string& uid, absl::Time now);
  ~UserStore();

  const std::string& uid() const;

  // Runs `body` on a snapshot. Its error is returned. NoSuchHome when the home is being
  // purged, HomeDisabled.
  absl::Status Read(const TransactionBody& body);

  // Runs `body` in a transaction: committed and synced when OK is returned; without any effect
  // otherwise. `body` may run on the thread of another writer, must not use this UserStore, and
  // must not wait for anything.
  // NoSuchHome when the home is being purged, HomeDisabled.
  absl::Status Write(const TransactionBody& body);

  // From now on Read and Write are refused, also writes that wait already: the home is being purged
  // or was disabled.
  enum class Retirement { kNone, kPurging, kDisabled };
  void Retire(Retirement why) { retired_ = why; }
  // As these, but also while the home is being purged: for what the purge does itself.
  absl::Status ReadWhilePurging(const TransactionBody& body);
  absl::Status WriteWhilePurging(const TransactionBody& body);

  using Counters = StoreFile::Counters;
  Counters counters() const;

 private:
  UserStore(std::string uid, std::unique_ptr<StoreFile> file);
  absl::Status CheckInUse() const;
  absl::Status CheckNotDisabled() const;

  const std::string uid_;
  const std::unique_ptr<StoreFile> file_;
  std::atomic<Retirement> retired_ = Retirement::kNone;
};

// NoSuchHome: the home is on its way out.
absl::Status BeingPurged(const std::string& uid);

// HomeDisabled.
absl::Status HomeDisabledError(const std::string& uid);

// Takes the next revision of the home: every change of anything in it has one, and they only grow.
// For use inside of Write.
absl::StatusOr<int64_t> NextRevision(Database& database);

}  // namespace podkit::store
