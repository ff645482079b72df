#include "podkit/conduit/pods.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/mutex.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "host_address.h"
#include "pods_file.h"

namespace podkit::conduit {
namespace {

using PodMap = std::map<std::string, std::shared_ptr<const Pod>, std::less<>>;

constexpr size_t kMinKeyBytes = 32;

bool IsPodId(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

absl::Status BadMember(const Pod& pod, std::string_view member, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("pod '{}': {}: {}", pod.id, member, why));
}

absl::Status NormaliseHosts(Pod& pod) {
  std::set<std::string> seen;
  for (size_t i = 0; i < pod.hosts.size(); ++i) {
    const std::string member = fmt::format("$.hosts[{}]", i);
    auto host = internal::NormalHostAddress(pod.hosts[i]);
    if (!host.ok()) return BadMember(pod, member, std::string(host.status().message()));
    if (!seen.insert(*host).second) {
      return BadMember(pod, member, fmt::format("'{}' is listed twice", *host));
    }
    pod.hosts[i] = *std::move(host);
  }
  return absl::OkStatus();
}

absl::Status CheckKeys(const Pod& pod) {
  if (pod.keys.empty()) {
    return BadMember(pod, "$.key_files", "names no key; the two pods need one that both know");
  }
  for (size_t i = 0; i < pod.keys.size(); ++i) {
    if (pod.keys[i].size() < kMinKeyBytes) {
      return BadMember(pod, fmt::format("$.key_files[{}]", i),
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
        return BadMember(*pod, "$.key_files",
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
      return BadMember(pod, "$.id", "must be 1 to 64 letters, digits, '-', '_' and '.'");
    }
    PODKIT_RETURN_IF_ERROR(NormaliseHosts(pod));
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

}  // namespace

struct Pods::State {
  const std::string own_id;
  const std::string path;  // Empty: made without a file.
  mutable Mutex mutex;
  std::shared_ptr<const PodMap> pods ABSL_GUARDED_BY(mutex);

  State(std::string id, std::string file, std::shared_ptr<const PodMap> first)
      : own_id(std::move(id)), path(std::move(file)), pods(std::move(first)) {}

  std::shared_ptr<const PodMap> Current() const {
    MutexLock lock(&mutex);
    return pods;
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
  MutexLock lock(&state_->mutex);
  state_->pods = std::move(pods);
  return absl::OkStatus();
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
