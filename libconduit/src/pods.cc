#include "podkit/conduit/pods.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "common/mutex.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "host_address.h"
#include "pods_diff.h"
#include "pods_file.h"
#include "watchers.h"

namespace podkit::conduit {
namespace {

using internal::PodMap;
using FoundHosts = std::map<std::string, std::vector<std::string>, std::less<>>;

constexpr size_t kMinKeyBytes = 32;

bool IsPodId(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

absl::Status BadMember(std::string_view pod, std::string_view member, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("pod '{}': {}: {}", pod, member, why));
}

absl::Status NormaliseHosts(std::string_view pod, std::vector<std::string>& hosts) {
  std::set<std::string> seen;
  for (size_t i = 0; i < hosts.size(); ++i) {
    const std::string member = fmt::format("$.hosts[{}]", i);
    auto host = internal::NormalHostAddress(hosts[i]);
    if (!host.ok()) return BadMember(pod, member, std::string(host.status().message()));
    if (!seen.insert(*host).second) {
      return BadMember(pod, member, fmt::format("'{}' is listed twice", *host));
    }
    hosts[i] = *std::move(host);
  }
  return absl::OkStatus();
}

absl::Status CheckKeys(const Pod& pod) {
  if (pod.keys.empty()) {
    return BadMember(pod.id, "$.key_files", "names no key; the two pods need one that both know");
  }
  for (size_t i = 0; i < pod.keys.size(); ++i) {
    if (pod.keys[i].size() < kMinKeyBytes) {
      return BadMember(pod.id, fmt::format("$.key_files[{}]", i),
                       fmt::format("the key has {} bytes; at least {} are needed",
                                   pod.keys[i].size(), kMinKeyBytes));
    }
  }
  return absl::OkStatus();
}

// Each pod that knows a key can act as any other pod that it belongs to.
absl::Status RefuseSharedKeys(const PodMap& pods) {
  std::map<std::string_view, const Pod*> owners;
  for (const auto& [id, pod] : pods) {
    for (const std::string& key : pod->keys) {
      const auto [owner, inserted] = owners.emplace(key, pod.get());
      if (!inserted && owner->second != pod.get()) {
        return BadMember(pod->id, "$.key_files",
                         fmt::format("holds a key of pod '{}'; each pair of pods needs its own",
                                     owner->second->id));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const PodMap>> CheckPods(std::vector<Pod> pods,
                                                        const std::string& own_id) {
  auto checked = std::make_shared<PodMap>();
  for (Pod& pod : pods) {
    if (!IsPodId(pod.id)) {
      return BadMember(pod.id, "$.id", "must be 1 to 64 letters, digits, '-', '_' and '.'");
    }
    PODKIT_RETURN_IF_ERROR(NormaliseHosts(pod.id, pod.hosts));
    if (pod.id == own_id) {
      pod.keys.clear();
    } else {
      PODKIT_RETURN_IF_ERROR(CheckKeys(pod));
    }
    std::string id = pod.id;
    if (!checked->emplace(id, std::make_shared<const Pod>(std::move(pod))).second) {
      return absl::InvalidArgumentError(fmt::format("pod '{}': $.id: is listed twice", id));
    }
  }
  if (!checked->contains(own_id)) {
    return absl::InvalidArgumentError(
        fmt::format("pod '{}': $.id: the own pod is not listed", own_id));
  }
  PODKIT_RETURN_IF_ERROR(RefuseSharedKeys(*checked));
  return checked;
}

absl::StatusOr<std::shared_ptr<const PodMap>> LoadPods(const std::string& path,
                                                       const std::string& own_id) {
  auto pods = internal::ReadPodsFile(path, own_id);
  absl::StatusOr<std::shared_ptr<const PodMap>> checked =
      pods.ok() ? CheckPods(*std::move(pods), own_id) : pods.status();
  if (checked.ok()) return checked;
  return absl::Status(
      checked.status().code(),
      fmt::format("pods file '{}': {}", path, std::string(checked.status().message())));
}

// Who holds the key of a directory can send callers anywhere; not out of TLS, though.
bool WouldLeaveTls(const Pod& pod, const std::vector<std::string>& hosts) {
  const auto plain = [](const std::string& host) { return host.starts_with("http://"); };
  const bool only_tls =
      !pod.ca_file.empty() ||
      (!pod.hosts.empty() && std::none_of(pod.hosts.begin(), pod.hosts.end(), plain));
  return only_tls && std::any_of(hosts.begin(), hosts.end(), plain);
}

absl::StatusOr<FoundHosts> CheckFound(std::vector<PodHosts> found, const PodMap& pods) {
  FoundHosts checked;
  for (PodHosts& one : found) {
    if (!IsPodId(one.pod)) {
      return BadMember(one.pod, "$.id", "must be 1 to 64 letters, digits, '-', '_' and '.'");
    }
    PODKIT_RETURN_IF_ERROR(NormaliseHosts(one.pod, one.hosts));
    const auto pod = pods.find(one.pod);
    if (pod != pods.end() && WouldLeaveTls(*pod->second, one.hosts)) {
      return BadMember(one.pod, "$.hosts",
                       "names an http:// host of a pod that is called over https");
    }
    if (!checked.emplace(one.pod, std::move(one.hosts)).second) {
      return BadMember(one.pod, "$.id", "is listed twice");
    }
  }
  return checked;
}

// The pods of the file with the hosts that were found. A pod that is as it was is the same object.
std::shared_ptr<const PodMap> Apply(const FoundHosts& found, const PodMap& pods,
                                    std::string_view own_id) {
  auto applied = std::make_shared<PodMap>(pods);
  for (auto& [id, pod] : *applied) {
    const auto hosts = found.find(id);
    if (hosts == found.end() || id == own_id || hosts->second == pod->hosts) continue;
    if (WouldLeaveTls(*pod, hosts->second)) continue;  // The file has changed since.
    auto changed = std::make_shared<Pod>(*pod);
    changed->hosts = hosts->second;
    pod = std::move(changed);
  }
  return applied;
}

}  // namespace

std::string_view PodsEventName(PodsEvent::Kind kind) {
  constexpr std::string_view kNames[] = {"pod added", "pod removed", "host added", "host removed",
                                         "keys changed"};
  return kNames[static_cast<int>(kind)];
}

struct Pods::State {
  const std::string own_id;
  const std::string path;  // Empty: made without a file.
  mutable Mutex mutex;
  std::shared_ptr<const PodMap> listed ABSL_GUARDED_BY(mutex);  // By the file.
  FoundHosts found ABSL_GUARDED_BY(mutex);
  std::shared_ptr<const PodMap> pods ABSL_GUARDED_BY(mutex);  // The former with the latter.
  internal::Watchers<std::vector<PodsEvent>> watchers;
  std::deque<std::vector<PodsEvent>> untold ABSL_GUARDED_BY(mutex);
  bool telling ABSL_GUARDED_BY(mutex) = false;

  State(std::string id, std::string file, std::shared_ptr<const PodMap> first)
      : own_id(std::move(id)), path(std::move(file)), listed(first), pods(std::move(first)) {}

  std::shared_ptr<const PodMap> Current() const {
    MutexLock lock(&mutex);
    return pods;
  }

  void Apply(std::string_view reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    auto applied = conduit::Apply(found, *listed, own_id);
    auto events = internal::DiffPods(*pods, *applied, reason);
    pods = std::move(applied);
    if (!events.empty()) untold.push_back(std::move(events));
  }

  // Tells the watchers what they have not been told. If another thread is at it, it does that too.
  void Tell() {
    for (bool mine = false;; mine = true) {
      std::vector<PodsEvent> events;
      {
        MutexLock lock(&mutex);
        if (!mine && telling) return;
        telling = !untold.empty();
        if (!telling) return;
        events = std::move(untold.front());
        untold.pop_front();
      }
      watchers.Tell(events);
    }
  }
};

Pods::Pods(std::unique_ptr<State> state) : state_(std::move(state)) {}
Pods::~Pods() = default;

absl::StatusOr<std::shared_ptr<Pods>> Pods::Load(std::string path, std::string own_id) {
  PODKIT_ASSIGN_OR_RETURN(auto pods, LoadPods(path, own_id));
  return std::shared_ptr<Pods>(
      new Pods(std::make_unique<State>(std::move(own_id), std::move(path), std::move(pods))));
}

absl::StatusOr<std::shared_ptr<Pods>> Pods::Create(std::vector<Pod> pods, std::string own_id) {
  PODKIT_ASSIGN_OR_RETURN(auto checked, CheckPods(std::move(pods), own_id));
  return std::shared_ptr<Pods>(
      new Pods(std::make_unique<State>(std::move(own_id), std::string(), std::move(checked))));
}

const std::string& Pods::own_id() const { return state_->own_id; }

absl::Status Pods::Reload() {
  if (state_->path.empty()) return absl::OkStatus();
  PODKIT_ASSIGN_OR_RETURN(auto pods, LoadPods(state_->path, state_->own_id));
  {
    MutexLock lock(&state_->mutex);
    state_->listed = std::move(pods);
    state_->Apply("the pods file was read again");
  }
  state_->Tell();
  return absl::OkStatus();
}

absl::Status Pods::SetHosts(std::vector<PodHosts> found, std::string_view reason) {
  {
    MutexLock lock(&state_->mutex);
    PODKIT_ASSIGN_OR_RETURN(state_->found, CheckFound(std::move(found), *state_->listed));
    state_->Apply(reason);
  }
  state_->Tell();
  return absl::OkStatus();
}

std::shared_ptr<void> Pods::Watch(Watcher changed) const {
  return state_->watchers.Add(std::move(changed));
}

std::shared_ptr<const Pod> Pods::Find(std::string_view id) const {
  const auto pods = state_->Current();
  const auto entry = pods->find(id);
  return entry == pods->end() ? nullptr : entry->second;
}

std::vector<std::shared_ptr<const Pod>> Pods::All() const {
  std::vector<std::shared_ptr<const Pod>> all;
  for (const auto& [id, pod] : *state_->Current()) all.push_back(pod);
  return all;
}

}  // namespace podkit::conduit
