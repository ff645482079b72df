// Remembers the greatest token of each store, so that a holder that lost its lock is refused.
//
// Thread-safe. Keeps the 65,536 stores heard of last, in memory: what a store itself records in its
// file is what lasts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/mutex.h"
#include "fmt/format.h"
#include "podkit/conduit/call.h"
#include "podkit/conduit/error.h"

namespace podkit::conduit::internal {

class TokenGuard {
 public:
  // StaleToken if a call with a greater token came before.
  absl::Status Check(const StoreToken& token) {
    MutexLock lock(&mutex_);
    const auto [entry, inserted] = seen_.try_emplace(token.store, token.token);
    if (inserted) {
      order_.push_back(token.store);
      if (order_.size() > kMaxStores) {
        seen_.erase(order_.front());
        order_.pop_front();
      }
      return absl::OkStatus();
    }
    if (token.token < entry->second) {
      return MakeError(StaleToken{token.store, token.token, entry->second},
                       fmt::format("store '{}': the write lock with token {} has gone to somebody "
                                   "else, who has token {}: stop writing",
                                   token.store, token.token, entry->second));
    }
    entry->second = token.token;
    return absl::OkStatus();
  }

 private:
  static constexpr size_t kMaxStores = 65'536;

  Mutex mutex_;
  std::map<std::string, int64_t> seen_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> order_ ABSL_GUARDED_BY(mutex_);  // As they were first heard of.
};

}  // namespace podkit::conduit::internal
