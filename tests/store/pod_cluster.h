// A few pods in one process: each with a store in its own folder, hooked up to the others by an
// in-process network.
//
// Messages are delivered when the test says so, and time stands still until it moves it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "podkit/conduit/conduit.h"
#include "podkit/conduit/in_process.h"
#include "podkit/store/errors.h"
#include "podkit/store/store.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace podkit::testing {

// Users of the cluster: ann and abe live on pod A, bob and bea on B, cat on C.
class PodCluster {
 public:
  using Fault = conduit::InProcessNetwork::Fault;

  // The others let `trusted` pods act for users who do not live there.
  explicit PodCluster(std::vector<std::string> pods = {"A", "B"},
                      std::set<std::string> trusted = {});
  ~PodCluster();

  store::Store& store(const std::string& pod) { return *pods_.at(pod).store; }
  conduit::Conduit& conduit(const std::string& pod) { return *pods_.at(pod).conduit; }
  conduit::InProcessNetwork& network() { return network_; }
  FakeClock& clock() { return clock_; }
  // What stores are opened with from now on; folder and clock are the cluster's.
  store::StoreOptions& options() { return options_; }
  std::string FolderOf(const std::string& pod) const { return folder_.File(pod); }
  // The user's file, which need not be there.
  std::string FileOf(const std::string& uid) const;
  // Runs statements on it, behind the back of the pod.
  void Edit(const std::string& uid, const std::string& sql);

  // Puts these groups into the directory, in the place of those that are there, and has all pods
  // follow them.
  void SetGroups(std::vector<store::Group> groups);

  // The home of `uid` as he sees it himself through his own pod.
  std::unique_ptr<store::Home> HomeOf(const std::string& uid);
  // The home of `uid` through any pod, in the name of `actor`.
  std::unique_ptr<store::Home> HomeOn(const std::string& pod, const std::string& uid,
                                      const std::string& actor);
  std::unique_ptr<store::HomeChild> Child(const std::string& uid, const std::string& name);

  // Which collections were announced as changed on the pod since the last time, by id, sorted.
  std::vector<std::string> TakeChanges(const std::string& pod);

  // One attempt for every message that is due.
  void Deliver();
  // Attempts, with time passing, until no message waits. Fails the test if some never goes.
  void Settle();
  size_t PendingMessages();

  // Stops the pod's store and opens it again from its files.
  void Stop(const std::string& pod);
  void Start(const std::string& pod);
  // The same at once, as if its operator had written a pods file with these.
  void RestartWith(const std::string& pod, std::vector<conduit::Pod> known,
                   conduit::ConduitOptions options = {});
  // Has the others meet, in the pod's place, a conduit that answers as `serve` makes it.
  void Impersonate(const std::string& pod, const std::function<void(conduit::Conduit&)>& serve);

  // Shares `calendar` of `owner` with `viewer`, who accepts it as `name`.
  store::ShareInfo Share(const std::string& owner, const std::string& calendar,
                         const std::string& viewer, store::Access access, const std::string& name);

 private:
  struct Pod {
    std::shared_ptr<conduit::Pods> pods;
    std::unique_ptr<conduit::Conduit> conduit;
    std::unique_ptr<store::Store> store;
    std::vector<std::string> changes;  // Collections announced as changed.
  };

  void Launch(const std::string& pod, std::vector<conduit::Pod> known,
              conduit::ConduitOptions options);

  TempDir folder_;
  FakeClock clock_;
  store::StoreOptions options_;
  conduit::InProcessNetwork network_;
  std::shared_ptr<store::FileUserDirectory> directory_;
  std::vector<std::string> ids_;
  std::set<std::string> trusted_;
  std::map<std::string, Pod> pods_;
};

// A small event with this UID and summary.
std::string Event(std::string_view uid, std::string_view summary = "Meeting",
                  std::string_view start = "20260302T100000Z",
                  std::string_view end = "20260302T110000Z");

// True if `status` carries the named error E.
template <typename E>
bool IsError(const absl::Status& status) {
  return conduit::GetError<E>(status).has_value();
}
template <typename E, typename T>
bool IsError(const absl::StatusOr<T>& result) {
  return IsError<E>(result.status());
}

}  // namespace podkit::testing
