// Random histories of five users on three pods that fail, lose answers and restart, against a model
// in memory. Whenever the dust settles, every view is what the model says and what the others say;
// clients that followed by sync tokens have what is listed, and no token ever went back.
//
// The seed is printed; PODKIT_TEST_SEED replays a history, PODKIT_TEST_STEPS makes it longer,
// PODKIT_TEST_TRACE prints its steps.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "calendar_model.h"
#include "pod_cluster.h"
#include "sync_client.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::Bytes;
using store::CollectionInfo;
using store::ShareInfo;
using store::ShareStatus;

constexpr const char* kAllPods[] = {"A", "B", "C"};
const std::vector<std::string> kUsers = {"abe", "ann", "bea", "bob", "cat"};

class RandomHistory {
 public:
  explicit RandomHistory(uint32_t seed) : random_(seed) {
    for (const std::string& user : kUsers) {
      const CollectionInfo info = ValueOf(cluster_.HomeOf(user)->FindChild({.name = "calendar"}));
      collections_[info.id] = {.owner = user, .name = "calendar", .texts = {}, .shares = {}};
    }
  }

  void Run(int steps) {
    for (int i = 1; i <= steps; ++i) {
      INFO("step " << i);
      Note(fmt::format("\n{}: ", i));
      Step();
      if (i % 75 == 0 || i == steps) SettleAndCompare();
    }
  }

 private:
  int Random(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  template <typename T>
  const T& Any(const std::vector<T>& all) {
    return all[static_cast<size_t>(Random(static_cast<int>(all.size())))];
  }
  void Note(const std::string& text) const {
    if (traced_) fmt::print("{}", text);
  }

  void Step() {
    using Operation = void (RandomHistory::*)();
    static constexpr std::pair<int, Operation> kOperations[] = {
        {24, &RandomHistory::Put},      {8, &RandomHistory::Remove},
        {4, &RandomHistory::Move},      {4, &RandomHistory::Create},
        {4, &RandomHistory::Rename},    {2, &RandomHistory::Drop},
        {2, &RandomHistory::Color},     {12, &RandomHistory::Invite},
        {3, &RandomHistory::Uninvite},  {12, &RandomHistory::AnswerInvitation},
        {8, &RandomHistory::Sync},      {6, &RandomHistory::Deliver},
        {4, &RandomHistory::Break},     {2, &RandomHistory::Restart},
        {2, &RandomHistory::Reconcile},
    };
    int all = 0;
    for (const auto& [weight, operation] : kOperations) all += weight;
    int chosen = Random(all);
    for (const auto& [weight, operation] : kOperations) {
      chosen -= weight;
      if (chosen < 0) return (this->*operation)();
    }
  }

  std::vector<CollectionInfo> Children(const std::string& user) {
    return ValueOf(cluster_.HomeOf(user)->LoadChildren());
  }
  bool HasChild(const std::string& user, const std::string& name) {
    const auto children = Children(user);
    return std::ranges::find(children, name, &CollectionInfo::name) != children.end();
  }
  std::optional<CollectionInfo> AnyOwn(const std::string& user) {
    auto children = Children(user);
    std::erase_if(children, [&](const CollectionInfo& one) { return one.owner_uid != user; });
    if (children.empty()) return std::nullopt;
    return Any(children);
  }
  ModelShare* ShareOf(const std::string& collection_id, const std::string& viewer) {
    const auto collection = collections_.find(collection_id);
    if (collection == collections_.end()) return nullptr;
    const auto share = collection->second.shares.find(viewer);
    return share == collection->second.shares.end() ? nullptr : &share->second;
  }

  // Objects.

  std::string AnyObject() { return fmt::format("o{}.ics", Random(6)); }

  // Has `user` change an object of any collection that shows in his home; `text` is what it will
  // be, nothing if it will be gone.
  void Change(const std::string& user, const std::optional<std::string>& text,
              const std::string& object,
              const std::function<absl::Status(store::HomeChild&)>& write) {
    const auto children = Children(user);
    if (children.empty()) return;
    const CollectionInfo info = Any(children);
    Note(fmt::format("{} of {} by {}", object, info.name, user));
    const auto child = ValueOf(cluster_.HomeOf(user)->ChildWith({.id = info.id}));
    const auto before = TextOf(info.id, object);
    const Fate fate = FateOf(write(*child));
    CheckMayWrite(user, info, before != text, fate);
    const auto collection = collections_.find(info.id);
    if (collection == collections_.end()) return;
    if (fate == Fate::kDone) {
      SetText(&collection->second, object, text);
    } else if (fate == Fate::kUncertain) {
      const auto truth = TruthOf(collection->second, object);
      CHECK((truth == before || truth == text));
      SetText(&collection->second, object, truth);
    }
  }

  // That the write ended as the rights have it; one that changes nothing may be refused.
  void CheckMayWrite(const std::string& user, const CollectionInfo& info, bool changes, Fate fate) {
    const bool reached = fate == Fate::kDone || fate == Fate::kRefused;
    if (info.owner_uid == user)
      CHECK((fate == Fate::kDone || (fate == Fate::kRefused && !changes)));
    if (info.owner_uid == user || !reached) return;
    const ModelShare* const share = ShareOf(info.id, user);
    const bool may = share != nullptr && share->share_uid == info.share_uid &&
                     share->access == Access::kReadWrite;
    if (!may) CHECK(fate == Fate::kRefused);
    // Who declined meanwhile, or before the owner heard that he accepted again.
    const bool surely = may && !share->status.contains(ShareStatus::kDeclined) && changes;
    if (surely && !declined_once_.contains(info.share_uid)) CHECK(fate == Fate::kDone);
  }

  std::optional<std::string> TextOf(const std::string& collection_id, const std::string& object) {
    const auto collection = collections_.find(collection_id);
    if (collection == collections_.end()) return std::nullopt;
    const auto text = collection->second.texts.find(object);
    if (text == collection->second.texts.end()) return std::nullopt;
    return text->second;
  }
  std::optional<std::string> TruthOf(const ModelCollection& collection, const std::string& object) {
    const auto texts = ValueOf(cluster_.Child(collection.owner, collection.name)->Texts({object}));
    const auto text = texts.find(object);
    if (text == texts.end()) return std::nullopt;
    return text->second.data;
  }
  static void SetText(ModelCollection* collection, const std::string& object,
                      const std::optional<std::string>& text) {
    if (text) {
      collection->texts[object] = *text;
    } else {
      collection->texts.erase(object);
    }
  }

  void Put() {
    const std::string object = AnyObject();
    const std::string text = Event(object, fmt::format("version {}", ++versions_));
    Note("put ");
    Change(Any(kUsers), text, object, [&](store::HomeChild& child) {
      return child.PutObject(object, Bytes{text}, {}).status();
    });
  }
  void Remove() {
    const std::string object = AnyObject();
    Note("remove ");
    Change(Any(kUsers), std::nullopt, object,
           [&](store::HomeChild& child) { return child.RemoveObject(object, {}); });
  }

  void Move() {
    const std::string user = Any(kUsers);
    const auto from = AnyOwn(user);
    const auto to = AnyOwn(user);
    if (!from || !to || from->id == to->id) return;
    const std::string object = AnyObject();
    Note(fmt::format("{} moves {} from {} to {}", user, object, from->name, to->name));
    const auto child = ValueOf(cluster_.HomeOf(user)->ChildWith({.id = from->id}));
    const bool moved = child->MoveObject(object, to->id, object).ok();
    auto& source = collections_.at(from->id).texts;
    auto& target = collections_.at(to->id).texts;
    CHECK(moved == (source.contains(object) && !target.contains(object)));
    if (moved) target[object] = source.extract(object).mapped();
  }

  // Collections.

  std::string AnyName() { return fmt::format("c{}", Random(7)); }

  void Create() {
    const std::string user = Any(kUsers);
    const std::string name = AnyName();
    Note(fmt::format("{} creates {}", user, name));
    const bool taken = HasChild(user, name);
    const auto created = cluster_.HomeOf(user)->CreateChild(name, {});
    CHECK(created.ok() != taken);
    if (created.ok()) {
      collections_[created->id] = {.owner = user, .name = name, .texts = {}, .shares = {}};
    }
  }

  void Rename() {
    const std::string user = Any(kUsers);
    const auto children = Children(user);
    if (children.empty()) return;
    const CollectionInfo info = Any(children);
    const std::string name = AnyName();
    Note(fmt::format("{} renames {} to {}", user, info.name, name));
    const bool taken = info.name != name && HasChild(user, name);
    const auto renamed = cluster_.HomeOf(user)->RenameChild(info.name, name);
    CHECK(renamed.ok() != taken);
    if (!renamed.ok()) return;
    if (info.owner_uid == user) {
      collections_.at(info.id).name = name;
    } else if (ModelShare* const share = ShareOf(info.id, user)) {
      share->name = name;
    }
  }

  void Drop() {
    const std::string user = Any(kUsers);
    const auto children = Children(user);
    if (children.empty()) return;
    const CollectionInfo info = Any(children);
    Note(fmt::format("{} drops {}", user, info.name));
    REQUIRE(cluster_.HomeOf(user)->RemoveChild(info.name) == absl::OkStatus());
    if (info.owner_uid == user) {
      collections_.erase(info.id);
    } else {
      Answered(info.id, user, info.share_uid, ShareStatus::kDeclined, "");
    }
  }

  void Color() {
    const std::string user = Any(kUsers);
    const auto children = Children(user);
    if (children.empty()) return;
    const std::string name = Any(children).name;
    Note(fmt::format("{} paints {}", user, name));
    ValueOf(cluster_.HomeOf(user)->SetProperties(name, {.color = fmt::format("#{}", Random(9))}));
  }

  // Shares.

  void Invite() {
    const std::string owner = Any(kUsers);
    const auto own = AnyOwn(owner);
    const std::string viewer = Any(kUsers);
    if (!own || viewer == owner) return;
    const Access access = Random(2) == 0 ? Access::kRead : Access::kReadWrite;
    Note(fmt::format("{} invites {} to {}", owner, viewer, own->name));
    const auto home = cluster_.HomeOf(owner);
    bool declined = false;
    for (const ShareInfo& share : ValueOf(home->ListShares(own->name))) {
      if (share.viewer_uid == viewer) declined = share.status == ShareStatus::kDeclined;
    }
    // The text tells invitations apart, in an order that a replay has too.
    const auto invited = ValueOf(
        home->Invite(own->name, viewer, access, fmt::format("invitation {:05}", ++invitations_)));
    ModelShare& share = collections_.at(own->id).shares[viewer];
    CHECK((share.share_uid.empty() || share.share_uid == invited.share_uid));
    share.share_uid = invited.share_uid;
    share.access = access;
    if (declined) {
      share.status.insert(ShareStatus::kInvited);
      share.asked_anew = true;
    }
  }

  void Uninvite() {
    const std::string owner = Any(kUsers);
    const auto own = AnyOwn(owner);
    if (!own) return;
    const std::string viewer = Any(kUsers);
    Note(fmt::format("{} uninvites {} from {}", owner, viewer, own->name));
    auto& shares = collections_.at(own->id).shares;
    const bool shared = shares.erase(viewer) > 0;
    CHECK(cluster_.HomeOf(owner)->Uninvite(own->name, viewer).ok() == shared);
  }

  void AnswerInvitation() {
    const std::string viewer = Any(kUsers);
    const auto home = cluster_.HomeOf(viewer);
    auto invitations = ValueOf(home->ListInvitations());
    if (invitations.empty()) return;
    std::ranges::sort(invitations, {}, &ShareInfo::summary);
    const ShareInfo share = Any(invitations);
    if (Random(3) == 0) {
      Note(fmt::format("{} declines {}", viewer, share.summary));
      REQUIRE(home->Decline(share.share_uid) == absl::OkStatus());
      return Answered(share.collection_id, viewer, share.share_uid, ShareStatus::kDeclined, "");
    }
    const std::string name = Random(2) == 0 ? "" : AnyName();
    Note(fmt::format("{} accepts {} as '{}'", viewer, share.summary, name));
    const bool shown = share.status == ShareStatus::kAccepted;
    const bool taken = !name.empty() && !shown && HasChild(viewer, name);
    const auto accepted = home->Accept(share.share_uid, name);
    CHECK(accepted.ok() != taken);
    if (!accepted.ok()) return;
    Answered(share.collection_id, viewer, share.share_uid, ShareStatus::kAccepted, accepted->name);
  }

  void Answered(const std::string& collection_id, const std::string& viewer,
                const std::string& share_uid, ShareStatus status, const std::string& name) {
    if (status == ShareStatus::kDeclined) declined_once_.insert(share_uid);
    ModelShare* const share = ShareOf(collection_id, viewer);
    if (share == nullptr || share->share_uid != share_uid) return;
    share->status = {status};
    if (share->asked_anew) share->status.insert(ShareStatus::kInvited);
    share->name = name;
  }

  // The world.

  void Sync() {
    const std::string user = Any(kUsers);
    Note(user + " syncs");
    clients_[user].Sync(*cluster_.HomeOf(user));
  }
  void Deliver() {
    Note("deliver");
    cluster_.clock().Advance(absl::Seconds(Random(40)));
    cluster_.Deliver();
  }
  void Break() {
    constexpr PodCluster::Fault kFaults[] = {PodCluster::Fault::kNone, PodCluster::Fault::kRefuse,
                                             PodCluster::Fault::kLoseReply};
    const std::string pod = kAllPods[Random(3)];
    const int fault = Random(3);
    Note(fmt::format("fault {} of {}", fault, pod));
    cluster_.network().SetFault(pod, kFaults[fault]);
  }
  void Restart() {
    const std::string pod = kAllPods[Random(3)];
    Note("restart of " + pod);
    cluster_.Stop(pod);
    cluster_.Start(pod);
  }
  // Nothing is lost, so whatever is on its way there is nothing to heal.
  void Reconcile() {
    const std::string pod = kAllPods[Random(3)];
    Note("reconcile on " + pod);
    ValueOf(cluster_.store(pod).ReconcileShares());
    CheckNothingHealed();
  }
  void CheckNothingHealed() {
    for (const char* const pod : kAllPods) {
      const store::HealedShares healed = cluster_.store(pod).Stats().shares_healed;
      CHECK(healed.invited_again + healed.asked_anew + healed.replied_again + healed.removed +
                healed.withdrawn ==
            0);
    }
  }

  // When the dust has settled.

  void SettleAndCompare() {
    for (const char* const pod : kAllPods) {
      cluster_.network().SetFault(pod, PodCluster::Fault::kNone);
    }
    cluster_.Settle();
    for (const char* const pod : kAllPods) {
      CHECK(ValueOf(cluster_.store(pod).ReconcileShares()).in_flight == 0);
    }
    CheckNothingHealed();
    CHECK(cluster_.PendingMessages() == 0);
    // Of owners' sides nothing is expected but what viewers have.
    for (const std::string& user : kUsers) CompareInvitations(user);
    for (const std::string& user : kUsers) {
      INFO("home of " << user);
      CompareHome(user);
      clients_[user].Sync(*cluster_.HomeOf(user));
      clients_[user].Compare(*cluster_.HomeOf(user));
    }
    for (const char* const pod : kAllPods) {
      for (const auto& home : ValueOf(cluster_.store(pod).ListHomes())) {
        CHECK(ValueOf(cluster_.store(pod).CheckHome(home.uid)).problems ==
              std::vector<std::string>());
      }
    }
  }

  // Takes what the viewer has for the truth, if it may be.
  void CompareInvitations(const std::string& viewer) {
    std::map<std::string, ShareInfo> offered;  // By share.
    for (ShareInfo& share : ValueOf(cluster_.HomeOf(viewer)->ListInvitations())) {
      offered[share.share_uid] = share;
    }
    size_t expected = 0;
    for (auto& [id, collection] : collections_) {
      const auto found = collection.shares.find(viewer);
      if (found == collection.shares.end()) continue;
      ModelShare& share = found->second;
      ++expected;
      const auto his = offered.find(share.share_uid);
      REQUIRE(his != offered.end());
      CHECK(his->second.access == share.access);
      CHECK(share.status.contains(his->second.status));
      share.status = {his->second.status};
      share.asked_anew = false;
    }
    CHECK(offered.size() == expected);
  }

  void CompareHome(const std::string& user) {
    std::map<std::string, std::string> expected;  // Collections by name.
    for (const auto& [id, collection] : collections_) {
      if (collection.owner == user) {
        expected[collection.name] = id;
        CompareShares(collection);
      }
      const auto share = collection.shares.find(user);
      if (share != collection.shares.end() &&
          share->second.status.contains(ShareStatus::kAccepted)) {
        expected[share->second.name] = id;
      }
    }
    std::map<std::string, std::string> shown;
    for (const CollectionInfo& info : Children(user)) {
      shown[info.name] = info.id;
      if (collections_.contains(info.id)) CompareMembers(user, info);
    }
    CHECK(shown == expected);
  }

  void CompareShares(const ModelCollection& collection) {
    const auto shares = ValueOf(cluster_.HomeOf(collection.owner)->ListShares(collection.name));
    CHECK(shares.size() == collection.shares.size());
    for (const ShareInfo& share : shares) {
      const auto expected = collection.shares.find(share.viewer_uid);
      REQUIRE(expected != collection.shares.end());
      CHECK(share.share_uid == expected->second.share_uid);
      CHECK(share.access == expected->second.access);
      CHECK(expected->second.status == std::set{share.status});
    }
  }

  void CompareMembers(const std::string& user, const CollectionInfo& info) {
    const auto child = ValueOf(cluster_.HomeOf(user)->ChildWith({.id = info.id}));
    std::map<std::string, std::string> texts;
    for (const auto& [name, text] : ValueOf(child->Texts(ValueOf(child->ListObjects())))) {
      texts[name] = text.data;
    }
    INFO("collection " << info.name);
    CHECK(texts == collections_.at(info.id).texts);
  }

  std::mt19937 random_;
  PodCluster cluster_{{"A", "B", "C"}};
  const bool traced_ = std::getenv("PODKIT_TEST_TRACE") != nullptr;
  int versions_ = 0;
  int invitations_ = 0;
  std::map<std::string, ModelCollection> collections_;  // By id.
  std::set<std::string> declined_once_;                 // Shares.
  std::map<std::string, SyncClient> clients_;           // By user.
};

int NumberOr(const char* name, int otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

TEST_CASE("Whatever users do and pods suffer, all views agree with the model in the end",
          "[store][random]") {
  const char* const replay = std::getenv("PODKIT_TEST_SEED");
  std::random_device device;
  const int histories = replay != nullptr ? 1 : NumberOr("PODKIT_TEST_HISTORIES", 4);
  for (int i = 0; i < histories; ++i) {
    const uint32_t seed =
        replay != nullptr ? static_cast<uint32_t>(std::strtoul(replay, nullptr, 10)) : device();
    fmt::print("PODKIT_TEST_SEED={} (random history {} of {})\n", seed, i + 1, histories);
    INFO("PODKIT_TEST_SEED=" << seed);
    RandomHistory(seed).Run(NumberOr("PODKIT_TEST_STEPS", 600));
  }
}

}  // namespace
}  // namespace podkit::testing
