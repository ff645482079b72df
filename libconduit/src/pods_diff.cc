#include "pods_diff.h"

#include <algorithm>

namespace podkit::conduit::internal {
namespace {

using Kind = PodsEvent::Kind;

class Diff {
 public:
  explicit Diff(std::string_view reason) : reason_(reason) {}

  void Removed(const Pod& pod) {
    for (const std::string& host : pod.hosts) Add(Kind::kHostRemoved, pod, host);
    Add(Kind::kPodRemoved, pod);
  }
  void Added(const Pod& pod) {
    Add(Kind::kPodAdded, pod);
    for (const std::string& host : pod.hosts) Add(Kind::kHostAdded, pod, host);
  }
  void Kept(const Pod& before, const Pod& after) {
    if (before.keys != after.keys) Add(Kind::kKeysChanged, after);
    AddMissing(Kind::kHostRemoved, before, after);
    AddMissing(Kind::kHostAdded, after, before);
  }

  std::vector<PodsEvent> Take() { return std::move(events_); }

 private:
  // The hosts of `pod` that `other` has not.
  void AddMissing(Kind kind, const Pod& pod, const Pod& other) {
    std::vector<std::string_view> known(other.hosts.begin(), other.hosts.end());
    std::sort(known.begin(), known.end());
    for (const std::string& host : pod.hosts) {
      if (!std::binary_search(known.begin(), known.end(), host)) Add(kind, pod, host);
    }
  }
  void Add(Kind kind, const Pod& pod, std::string host = {}) {
    events_.push_back({kind, pod.id, std::move(host), std::string(reason_)});
  }

  const std::string_view reason_;
  std::vector<PodsEvent> events_;
};

}  // namespace

std::vector<PodsEvent> DiffPods(const PodMap& before, const PodMap& after,
                                std::string_view reason) {
  Diff diff(reason);
  auto old = before.begin();
  auto now = after.begin();
  while (old != before.end() || now != after.end()) {
    if (now == after.end() || (old != before.end() && old->first < now->first)) {
      diff.Removed(*(old++)->second);
    } else if (old == before.end() || now->first < old->first) {
      diff.Added(*(now++)->second);
    } else {
      if (old->second != now->second) diff.Kept(*old->second, *now->second);
      ++old;
      ++now;
    }
  }
  return diff.Take();
}

}  // namespace podkit::conduit::internal
