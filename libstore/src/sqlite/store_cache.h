// Keeps user stores open while they are used, and the last used ones a while longer.
//
// Thread-safe. Opening or closing a file holds up those who ask for the same one, nobody else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "sqlite/user_store.h"

namespace podkit::store {

class StoreCache {
 public:
  using Opener = std::function<absl::StatusOr<std::shared_ptr<UserStore>>(const std::string& uid,
                                                                          bool may_create)>;

  // When more than `max_open` are open, those are closed that nobody holds, the longest unused
  // first. `open` is called from any thread, once at a time for the same uid.
  StoreCache(size_t max_open, Opener open);
  ~StoreCache();

  // The store of `uid`, opened if it is not; it stays open at least as long as the pointer is held.
  // It may have gone since the caller looked: whether it is made anew then is up to him.
  absl::StatusOr<std::shared_ptr<UserStore>> Get(const std::string& uid, bool may_create);

  // Closes the store and has `remove` take its file away, while nobody can open it, if nobody else
  // holds it and `ready` says so. False if it was left as it is.
  absl::StatusOr<bool> Remove(const std::string& uid,
                              const std::function<absl::StatusOr<bool>(UserStore&)>& ready,
                              const std::function<absl::Status()>& remove);

  // The store of `uid` if it is open; waits for one that is being opened or closed.
  std::shared_ptr<UserStore> GetIfOpen(const std::string& uid);
  // Closes it if nobody holds it. False: somebody does.
  bool CloseIfIdle(const std::string& uid);

  size_t open_files() const;
  UserStore::Counters counters() const;  // Over all files since the start.

 private:
  struct Slot;
  using Stores = std::vector<std::shared_ptr<UserStore>>;

  absl::StatusOr<std::shared_ptr<UserStore>> OpenInto(Slot& slot, const std::string& uid,
                                                      bool may_create);
  Slot* AwaitOpen(const std::string& uid) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Stores TakeIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Close(Stores stores);

  const size_t max_open_;
  const Opener open_;
  mutable Mutex mutex_;
  CondVar changed_;  // A slot ended opening or closing.
  std::map<std::string, std::shared_ptr<Slot>> slots_ ABSL_GUARDED_BY(mutex_);
  size_t open_count_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
  UserStore::Counters closed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::store
