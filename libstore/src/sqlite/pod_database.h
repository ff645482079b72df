// The pod's own small database: which homes exist here, and whose outboxes may hold messages.
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "podkit/store/types.h"
#include "sqlite/store_file.h"

namespace podkit::store {

class PodDatabase {
 public:
  // kFailedPrecondition if the file is another pod's.
  static absl::StatusOr<std::unique_ptr<PodDatabase>> Open(const std::string& path,
                                                           const std::string& pod_id);
  ~PodDatabase();

  // Names the answers that the stores of this folder keep. Random, and as old as the folder: who
  // starts with an empty one has lost what was in it.
  const std::string& answers_id() const { return answers_id_; }

  bool HasHome(const std::string& uid) const;
  absl::Status AddHome(const std::string& uid, absl::Time created);
  absl::StatusOr<std::vector<HomeInfo>> ListHomes();
  std::vector<std::string> HomesAfter(const std::string& uid, size_t most) const;
  size_t CountHomes() const;

  // See UserStores.
  absl::Status MarkPurging(const std::string& uid, absl::Time now);
  bool IsPurging(const std::string& uid) const;
  std::vector<std::string> ListPurging() const;
  // Nothing of the home is here any more.
  absl::Status ForgetHome(const std::string& uid);

  // See UserStores.
  absl::Status MarkDisabled(const std::string& uid, absl::Time now);
  absl::Status ClearDisabled(const std::string& uid);
  bool IsDisabled(const std::string& uid) const;
  size_t CountDisabled() const;

  // See UserStores.
  absl::Status MarkPending(const std::string& uid);
  absl::Status ClearPending(const std::string& uid);
  std::vector<std::string> ListPending() const;
  absl::Status MarkGroupUser(const std::string& uid);
  absl::StatusOr<std::vector<std::string>> ListGroupUsers();

 private:
  explicit PodDatabase(std::string pod_id);
  absl::Status Prepare(Database& database);

  const std::string pod_id_;
  std::string answers_id_;  // Set by Prepare.
  std::unique_ptr<StoreFile> file_;
  mutable Mutex mutex_;
  // What the file is known to have. A failed ClearPending leaves a row there that does no harm.
  std::set<std::string> homes_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> pending_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> purging_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> disabled_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::store
