#include "pod_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hash.h"
#include "sqlite/database.h"

namespace podkit::testing {
namespace {

std::string KeyOf(const std::string& a, const std::string& b) {
  return fmt::format("the key that only {} and {} share, 32+ bytes", std::min(a, b),
                     std::max(a, b));
}

std::vector<store::User> Users() {
  return {{"ann", "Ann", "A"},
          {"abe", "Abe", "A"},
          {"bob", "Bob", "B"},
          {"bea", "Bea", "B"},
          {"cat", "Cat", "C"}};
}

}  // namespace

PodCluster::PodCluster(std::vector<std::string> pods, std::set<std::string> trusted)
    : ids_(std::move(pods)), trusted_(std::move(trusted)) {
  directory_ = ValueOf(store::FileUserDirectory::Create(Users()));
  for (const std::string& id : ids_) Start(id);
}

PodCluster::~PodCluster() {
  for (const std::string& id : ids_) Stop(id);
}

void PodCluster::Start(const std::string& pod) {
  std::vector<conduit::Pod> known;
  for (const std::string& id : ids_) {
    conduit::Pod one = {.id = id, .hosts = {fmt::format("http://{}.example:80", id)}};
    if (id != pod) one.keys = {KeyOf(id, pod)};
    one.acts_for_any_user = trusted_.contains(id);
    known.push_back(std::move(one));
  }
  Launch(pod, std::move(known), {});
}

void PodCluster::RestartWith(const std::string& pod, std::vector<conduit::Pod> known,
                             conduit::ConduitOptions options) {
  Stop(pod);
  Launch(pod, std::move(known), std::move(options));
}

void PodCluster::Launch(const std::string& pod, std::vector<conduit::Pod> known,
                        conduit::ConduitOptions conduit_options) {
  Pod& started = pods_[pod];
  started.pods = ValueOf(conduit::Pods::Create(std::move(known), pod));
  conduit_options.now = clock_.function();
  started.conduit =
      std::make_unique<conduit::Conduit>(started.pods, &network_, std::move(conduit_options));
  store::StoreOptions options = options_;
  options.folder = folder_.File(pod);
  options.deliver_in_background = false;
  options.now = clock_.function();
  options.on_change = [&started](const store::CollectionChange& change) {
    started.changes.push_back(change.collection_id);
  };
  started.store = ValueOf(store::Store::Open(options, directory_, started.conduit.get(), pod));
  network_.Connect(pod, [conduit = started.conduit.get()](const conduit::WireRequest& request) {
    return conduit->Receive(request);
  });
}

void PodCluster::Stop(const std::string& pod) {
  network_.Connect(pod, nullptr);
  Pod& stopped = pods_[pod];
  stopped.store.reset();
  stopped.conduit.reset();
}

void PodCluster::Impersonate(const std::string& pod,
                             const std::function<void(conduit::Conduit&)>& serve) {
  Stop(pod);
  Pod& other = pods_[pod];
  other.conduit = std::make_unique<conduit::Conduit>(
      other.pods, &network_, conduit::ConduitOptions{.now = clock_.function()});
  serve(*other.conduit);
  network_.Connect(pod, [conduit = other.conduit.get()](const conduit::WireRequest& request) {
    return conduit->Receive(request);
  });
}

void PodCluster::SetGroups(std::vector<store::Group> groups) {
  const absl::Status replaced = directory_->Replace(Users(), std::move(groups));
  REQUIRE(replaced == absl::OkStatus());
  for (const auto& [id, pod] : pods_) {
    if (pod.store) REQUIRE(pod.store->FollowGroups() == absl::OkStatus());
  }
}

std::string PodCluster::FileOf(const std::string& uid) const {
  return fmt::format("{}/users/{}/{}.sqlite", FolderOf(ValueOf(directory_->Find(uid)).pod),
                     store::Sha256Hex(uid).substr(0, 2), uid);
}

void PodCluster::Edit(const std::string& uid, const std::string& sql) {
  const auto database =
      ValueOf(store::Database::Open(FileOf(uid), store::Database::Mode::kReadWrite, uid));
  REQUIRE(database->ExecuteScript(sql) == absl::OkStatus());
}

std::unique_ptr<store::Home> PodCluster::HomeOn(const std::string& pod, const std::string& uid,
                                                const std::string& actor) {
  return ValueOf(store(pod).HomeFor(uid, actor));
}

std::unique_ptr<store::Home> PodCluster::HomeOf(const std::string& uid) {
  return HomeOn(ValueOf(directory_->Find(uid)).pod, uid, uid);
}

std::unique_ptr<store::HomeChild> PodCluster::Child(const std::string& uid,
                                                    const std::string& name) {
  return ValueOf(HomeOf(uid)->ChildWith({.name = name}));
}

std::vector<std::string> PodCluster::TakeChanges(const std::string& pod) {
  std::vector<std::string> changes = std::exchange(pods_.at(pod).changes, {});
  std::sort(changes.begin(), changes.end());
  changes.erase(std::unique(changes.begin(), changes.end()), changes.end());
  return changes;
}

void PodCluster::Deliver() {
  for (const auto& [id, pod] : pods_) {
    if (pod.store) pod.store->DeliverMessages();
  }
}

size_t PodCluster::PendingMessages() {
  size_t pending = 0;
  for (const auto& [id, pod] : pods_) {
    if (pod.store) pending += ValueOf(pod.store->PendingMessages()).size();
  }
  return pending;
}

void PodCluster::Settle() {
  for (int round = 0; round < 20; ++round) {
    Deliver();
    if (PendingMessages() == 0) return;
    clock_.Advance(absl::Minutes(1));
  }
  FAIL("messages are still pending");
}

store::ShareInfo PodCluster::Share(const std::string& owner, const std::string& calendar,
                                   const std::string& viewer, store::Access access,
                                   const std::string& name) {
  const store::ShareInfo share = ValueOf(HomeOf(owner)->Invite(calendar, viewer, access, "Join"));
  Settle();
  ValueOf(HomeOf(viewer)->Accept(share.share_uid, name));
  Settle();
  return share;
}

std::string Event(std::string_view uid, std::string_view summary, std::string_view start,
                  std::string_view end) {
  return fmt::format(
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Podkit//Test//EN\r\nBEGIN:VEVENT\r\nUID:{}\r\n"
      "DTSTAMP:20260101T000000Z\r\nDTSTART:{}\r\nDTEND:{}\r\nSUMMARY:{}\r\nEND:VEVENT\r\n"
      "END:VCALENDAR\r\n",
      uid, start, end, summary);
}

}  // namespace podkit::testing
