// The pods that know each other: their hosts, and the keys that each pair shares. From one JSON
// file:
//
//   {"pods": [
//     {"id": "A", "hosts": ["https://a1.example:8443", "https://a2.example:8443"]},
//     {"id": "B", "hosts": ["http://127.0.0.1:8202"],
//      "key_files": ["keys/ab-new.key", "keys/ab-old.key"]}
//   ]}
//
// `key_files` hold the keys that the own pod shares with that pod and with no other one: one key of
// at least 32 bytes each, readable by nobody but the owner; a line feed at the end does not count.
// The first one signs what this pod sends; all of them verify what it receives, so that a key can
// be rotated. Those of the own pod are not read. `ca_file` and `acts_for_any_user` (see Pod) are
// optional; names of files are relative to the pods file. A member of any other name is refused.
// `hosts` may be empty for a pod that opens links itself or whose hosts are found (discovery.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace podkit::conduit {

struct Pod {
  std::string id;                       // 1 to 64 letters, digits, '-', '_' and '.'.
  std::vector<std::string> hosts = {};  // scheme://host:port, http or https.
  std::vector<std::string> keys = {};   // The bytes; empty for the own pod.
  std::string ca_file = {};  // For https: PEM file to trust instead of the system's; may be empty.
  bool acts_for_any_user =
      false;  // May call in the name of users who do not live there: operators only.
};

// The hosts of one pod, as found at run time.
struct PodHosts {
  std::string pod;
  std::vector<std::string> hosts = {};
  friend bool operator==(const PodHosts&, const PodHosts&) = default;
};

// One thing that is different since the pods have changed.
struct PodsEvent {
  enum class Kind { kPodAdded, kPodRemoved, kHostAdded, kHostRemoved, kKeysChanged };
  Kind kind = Kind::kPodAdded;
  std::string pod;
  std::string host = {};  // Of kHostAdded and kHostRemoved.
  std::string reason = {};
  friend bool operator==(const PodsEvent&, const PodsEvent&) = default;
};

std::string_view PodsEventName(PodsEvent::Kind kind);

// Thread-safe.
class Pods {
 public:
  // Reads the file at `path`, in which `own_id` must be one of the pods. kNotFound,
  // kPermissionDenied (also for a key that others may read) and kInvalidArgument name the file, the
  // pod and the member at fault.
  static absl::StatusOr<std::shared_ptr<Pods>> Load(std::string path, std::string own_id);

  // The same without a file: Reload then changes nothing. For tests and embedders. A pod that is
  // only called in process needs no hosts.
  static absl::StatusOr<std::shared_ptr<Pods>> Create(std::vector<Pod> pods, std::string own_id);

  ~Pods();

  const std::string& own_id() const;

  // Reads the file again. On any error everything stays as it was. Calls in flight keep what they
  // started with.
  absl::Status Reload();

  // From now on each pod of `found` has those hosts and no others, if it is one that the file has
  // keys for; keys are never found. A pod that is not in `found` has the hosts of the file. Stays
  // through Reload. kInvalidArgument, and all stays as it was: an address is none, a pod is there
  // twice, or one to which the file speaks https alone (by its hosts or its ca_file) would be
  // called over http.
  absl::Status SetHosts(std::vector<PodHosts> found, std::string_view reason);

  // `changed` is called after each change, one at a time and in their order, until what is returned
  // is let go of: by whoever makes the change, without locks held, and perhaps one last time then.
  using Watcher = std::function<void(const std::vector<PodsEvent>&)>;
  [[nodiscard]] std::shared_ptr<void> Watch(Watcher changed) const;

  // Nothing if there is no such pod.
  std::shared_ptr<const Pod> Find(std::string_view id) const;

  // All pods, by id.
  std::vector<std::shared_ptr<const Pod>> All() const;

 private:
  struct State;
  explicit Pods(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace podkit::conduit
