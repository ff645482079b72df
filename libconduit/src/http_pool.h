// The connections to all hosts: lends each to one caller at a time and keeps it for the next.
//
// Thread-safe. Leases must not outlive the pool.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "http_connection.h"

namespace podkit::conduit::internal {

class HttpPool {
 private:
  struct Idle {
    std::unique_ptr<HttpConnection> connection;
    absl::Time since;
  };
  struct Host {
    size_t lent = 0;
    std::vector<Idle> idle;  // The one used last is at the back.
  };
  using HostKey = std::pair<std::string, std::string>;  // The host and its ca_file.

 public:
  class Lease {
   public:
    Lease(HttpPool* pool, HostKey key, std::unique_ptr<HttpConnection> connection)
        : pool_(pool), key_(std::move(key)), connection_(std::move(connection)) {}
    ~Lease() { pool_->Return(key_, std::move(connection_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    HttpConnection& connection() const { return *connection_; }

   private:
    HttpPool* const pool_;
    const HostKey key_;
    std::unique_ptr<HttpConnection> connection_;
  };

  explicit HttpPool(HttpTransportOptions options) : options_(std::move(options)) {}

  // Waits for a turn until `deadline`. Fails with the outcome kNotExecuted.
  absl::StatusOr<std::unique_ptr<Lease>> Borrow(const std::string& host, const std::string& ca_file,
                                                absl::Time deadline);

 private:
  absl::Status WaitForTurn(const HostKey& key, absl::Time deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Return(const HostKey& key, std::unique_ptr<HttpConnection> connection);
  // Takes what was idle for too long, of all hosts; the caller closes it without the lock.
  std::vector<Idle> TakeStale(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const HttpTransportOptions options_;
  Mutex mutex_;
  CondVar returned_;
  std::map<HostKey, Host> hosts_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_sweep_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace podkit::conduit::internal
