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
#pragma once

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
