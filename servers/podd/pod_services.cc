#include "servers/podd/pod_services.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "servers/common/version.h"
#include "servers/podd/host_discovery.h"

namespace podkit::servers {
namespace {

constexpr absl::Duration kPingTimeout = absl::Seconds(3);
constexpr size_t kPingsAtATime = 8;

// Writes a file without a name and lets it go.
absl::Status TryToWrite(const std::string& folder) {
  const int fd = open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  const char byte = '.';
  const bool written = fd >= 0 && write(fd, &byte, 1) == 1 && fdatasync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (written || error == EOPNOTSUPP) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("cannot write to the data folder '{}': {}", folder, std::strerror(error)));
}

}  // namespace

std::vector<std::string> Problems(const PodServices& pod) {
  std::vector<std::string> problems;
  const auto add = [&](const absl::Status& status) {
    if (!status.ok()) problems.emplace_back(status.message());
  };
  add(TryToWrite(pod.data_folder));
  add(pod.store->ListHomes().status());
  return problems;
}

absl::StatusOr<PodStatus> StatusOf(const PodServices& pod) {
  PODKIT_ASSIGN_OR_RETURN(const auto homes, pod.store->ListHomes());
  PODKIT_ASSIGN_OR_RETURN(const auto pending, pod.store->PendingMessages());
  const auto users = pod.store->directory().All();
  return PodStatus{
      .pod = pod.store->pod_id(),
      .version = std::string(kVersion),
      .started = pod.started,
      .users = std::ranges::count(users, pod.store->pod_id(), &store::User::pod),
      .homes = static_cast<int64_t>(homes.size()),
      .pending_messages = static_cast<int64_t>(pending.size()),
      .problems = Problems(pod),
      .hosts_from = pod.discovery == nullptr ? std::string() : HostsFrom(*pod.discovery),
  };
}

PingResult Ping(conduit::Conduit* conduit, const std::string& pod) {
  PingResult result{.pod = pod};
  const absl::Time start = absl::Now();
  const absl::Status status =
      conduit->Call<conduit::Ping>(pod, {}, {.timeout = kPingTimeout}).status();
  result.reachable = status.ok();
  result.milliseconds = absl::ToDoubleMilliseconds(absl::Now() - start);
  if (!status.ok()) result.problem = std::string(status.message());
  return result;
}

std::vector<PingResult> PingAll(conduit::Conduit* conduit) {
  std::vector<std::string> ids;
  for (const auto& pod : conduit->pods().All()) {
    if (pod->id != conduit->pods().own_id()) ids.push_back(pod->id);
  }
  std::vector<PingResult> results(ids.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < ids.size(); i = next++) results[i] = Ping(conduit, ids[i]);
  };
  std::vector<std::jthread> threads;
  for (size_t i = 1; i < std::min(ids.size(), kPingsAtATime); ++i) threads.emplace_back(work);
  work();
  threads.clear();
  return results;
}

}  // namespace podkit::servers
