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

void AddCalls(const conduit::HostStatus& status, HostEntry* entry) {
  entry->state = status.state;
  entry->in_flight = status.in_flight;
  entry->calls = status.calls;
  entry->failures = status.failures;
  entry->milliseconds = absl::ToDoubleMilliseconds(status.latency);
}

void AddLinks(const conduit::MuxHostLinks& links, HostEntry* entry) {
  entry->version = links.software_version;
  entry->links = static_cast<int64_t>(links.dialled + links.accepted);
  if (links.link.connection == conduit::HostConnection::kNotKept) return;
  entry->link = links.link.connection;
  entry->link_since = links.link.since;
  if (entry->link == conduit::HostConnection::kDisconnected) entry->reason = links.link.reason;
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

std::vector<HostEntry> ListHosts(const PodServices& pod) {
  const conduit::Pods& pods = pod.conduit->pods();
  const auto links =
      pod.links == nullptr ? std::vector<conduit::MuxHostLinks>() : pod.links->Status();
  std::vector<HostEntry> entries;
  for (const auto& other : pods.All()) {
    if (other->id == pods.own_id()) continue;
    const auto called = pod.conduit->Hosts(other->id);
    for (const std::string& host :
         pod.links == nullptr ? other->hosts : pod.links->HostsOf(*other)) {
      HostEntry& entry = entries.emplace_back(HostEntry{.pod = other->id, .host = host});
      const auto status = std::ranges::find(called, host, &conduit::HostStatus::host);
      if (status != called.end()) AddCalls(*status, &entry);
      const auto link = std::ranges::find_if(
          links, [&](const auto& one) { return one.pod == other->id && one.host == host; });
      if (link != links.end()) AddLinks(*link, &entry);
    }
  }
  return entries;
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
