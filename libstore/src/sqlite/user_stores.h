// The files of all users of a pod: opened when asked for, closed when idle and too many. And the
// pod's own small database beside them.
//
// Folder: <folder>/pod.sqlite, <folder>/lock, <folder>/users/<first two hex digits of SHA-256 of
// the uid>/<uid>.sqlite. An open file takes about five descriptors. Thread-safe. Opening a file
// holds up those who ask for the same one, nobody else.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/store/types.h"
#include "sqlite/user_store.h"

namespace podkit::store {

struct UserStoresOptions {
  std::string folder;
  std::string pod_id;  // Kept in pod.sqlite at the first start; another pod's folder is refused.
  // While idle. Fewer if the process may have few descriptors (RLIMIT_NOFILE): idle files take no
  // more than half of them, about five each.
  size_t max_open_files = 256;
  std::function<absl::Time()> now;
};

class UserStores {
 public:
  // Takes a lock on the folder; kFailedPrecondition if another process has it.
  static absl::StatusOr<std::unique_ptr<UserStores>> Open(UserStoresOptions options);
  ~UserStores();

  // The file of `uid`; created with its home if there is none yet. The file stays open at least as
  // long as the pointer is held. StoreDamaged if the file of a known home is gone; InvalidRequest
  // if `uid` is none.
  absl::StatusOr<std::shared_ptr<UserStore>> Get(const std::string& uid);
  // The same, but never creates: NoSuchHome.
  absl::StatusOr<std::shared_ptr<UserStore>> GetExisting(const std::string& uid);

  // A purge: marked durably before it begins; from then on the home is NoSuchHome for everybody but
  // who asks for it by GetUntilGone.
  absl::Status MarkPurging(const std::string& uid);
  bool IsPurging(const std::string& uid) const;
  std::vector<std::string> ListPurging() const;
  // The same as GetExisting, also while the home is being purged.
  absl::StatusOr<std::shared_ptr<UserStore>> GetUntilGone(const std::string& uid);
  // Removes the file of a home that is being purged and all that is known of it here, `remove_rest`
  // first, if nobody uses it and `ready` says so. False if it stays for now. May be repeated
  // whatever happened.
  absl::StatusOr<bool> RemoveHome(const std::string& uid,
                                  const std::function<absl::StatusOr<bool>(UserStore&)>& ready,
                                  const std::function<absl::Status()>& remove_rest);
  bool HasHome(const std::string& uid) const;

  // From now on, durably, the home is HomeDisabled for everybody, whatever he holds. True: its file
  // is closed; false: somebody holds it still, call it again.
  absl::StatusOr<bool> Disable(const std::string& uid);
  // StoreBusy while somebody holds the file from before.
  absl::Status Enable(const std::string& uid);
  size_t CountDisabled() const;

  absl::StatusOr<std::vector<HomeInfo>> ListHomes();
  // The next homes by uid, at most `most`; none that is being purged or disabled.
  std::vector<std::string> HomesAfter(const std::string& uid, size_t most) const;
  size_t CountHomes() const;

  // Names the answers that these files keep: see conduit::AnswerStore::Id.
  const std::string& answers_id() const;

  // Which users' outboxes may hold messages. Marked durably before the message is committed,
  // cleared after the last is gone; so a restart finds all. Marking again is free. The caller sees
  // to it that nobody clears between another's mark and commit.
  absl::Status MarkPending(const std::string& uid);
  absl::Status ClearPending(const std::string& uid);
  absl::StatusOr<std::vector<std::string>> ListPending();

  // Whose files may name groups of the directory. Marked durably before that is committed.
  absl::Status MarkGroupUser(const std::string& uid);
  absl::StatusOr<std::vector<std::string>> ListGroupUsers();

  size_t open_files() const;
  UserStore::Counters counters() const;  // Over all files since the start.

 private:
  struct State;
  explicit UserStores(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace podkit::store
