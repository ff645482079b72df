#include "http_pool.h"

#include <algorithm>
#include <iterator>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "outcome.h"

namespace podkit::conduit::internal {

absl::StatusOr<std::unique_ptr<HttpPool::Lease>> HttpPool::Borrow(const std::string& host,
                                                                  const std::string& ca_file,
                                                                  absl::Time deadline) {
  HostKey key(host, ca_file);
  std::unique_ptr<HttpConnection> connection;
  std::vector<Idle> stale;
  {
    MutexLock lock(&mutex_);
    stale = TakeStale(options_.now());
    PODKIT_RETURN_IF_ERROR(WaitForTurn(key, deadline));
    Host& entry = hosts_[key];
    ++entry.lent;
    if (!entry.idle.empty()) {
      connection = std::move(entry.idle.back().connection);
      entry.idle.pop_back();
    }
  }
  if (connection == nullptr) connection = HttpConnection::Create(host, ca_file, options_);
  const bool good = connection != nullptr;
  auto lease = std::make_unique<Lease>(this, std::move(key), std::move(connection));
  if (!good) return TransportError(Outcome::kNotExecuted, "libcurl has no memory");
  return lease;
}

absl::Status HttpPool::WaitForTurn(const HostKey& key, absl::Time deadline) {
  while (hosts_[key].lent >= options_.max_connections) {
    const absl::Duration left = deadline - options_.now();
    if (left <= absl::ZeroDuration()) {
      return WithOutcome(
          absl::DeadlineExceededError(fmt::format("{}: all {} connections stayed busy", key.first,
                                                  options_.max_connections)),
          Outcome::kNotExecuted);
    }
    returned_.WaitFor(&mutex_, std::min(left, absl::Seconds(1)));
  }
  return absl::OkStatus();
}

void HttpPool::Return(const HostKey& key, std::unique_ptr<HttpConnection> connection) {
  {
    MutexLock lock(&mutex_);
    Host& entry = hosts_[key];
    --entry.lent;
    if (connection != nullptr) entry.idle.push_back({std::move(connection), options_.now()});
  }
  returned_.SignalAll();
}

std::vector<HttpPool::Idle> HttpPool::TakeStale(absl::Time now) {
  std::vector<Idle> stale;
  if (now < next_sweep_) return stale;
  next_sweep_ = now + options_.max_idle;
  for (auto& [key, host] : hosts_) {
    const auto fresh = std::find_if(host.idle.begin(), host.idle.end(), [&](const Idle& idle) {
      return idle.since + options_.max_idle > now;
    });
    std::move(host.idle.begin(), fresh, std::back_inserter(stale));
    host.idle.erase(host.idle.begin(), fresh);
  }
  std::erase_if(hosts_,
                [](const auto& host) { return host.second.lent == 0 && host.second.idle.empty(); });
  return stale;
}

}  // namespace podkit::conduit::internal
