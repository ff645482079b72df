// Random histories of sharing between three pods that fail, lose answers and restart. When the dust
// settles both sides of every share agree, and every acknowledged write is there once. The seed is
// printed; set PODKIT_TEST_SEED to replay a history.
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::ShareInfo;
using store::ShareStatus;

using Side = std::map<std::string, std::tuple<std::string, Access, ShareStatus>>;

class History {
 public:
  explicit History(uint32_t seed) : random_(seed) {}

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) Step();
    for (const char* pod : kPods) cluster_.network().SetFault(pod, PodCluster::Fault::kNone);
    cluster_.Settle();
    CheckBothSidesAgree();
    CheckWrites();
  }

 private:
  static constexpr const char* kPods[] = {"A", "B", "C"};
  static constexpr const char* kViewers[] = {"abe", "bob", "bea", "cat"};

  int Random(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  std::string AnyViewer() { return kViewers[Random(4)]; }

  void Step() {
    switch (Random(10)) {
      case 0:
      case 1:
        return Invite();
      case 2:
        static_cast<void>(cluster_.HomeOf("ann")->Uninvite("calendar", AnyViewer()));
        return;
      case 3:
      case 4:
        return Answer();
      case 5:
      case 6:
        return Write();
      case 7:
        return cluster_.Deliver();
      case 8:
        return Break();
      default:
        return Restart();
    }
  }

  void Invite() {
    const Access access = Random(2) == 0 ? Access::kRead : Access::kReadWrite;
    ValueOf(cluster_.HomeOf("ann")->Invite("calendar", AnyViewer(), access, "Join"));
  }

  void Answer() {
    const auto home = cluster_.HomeOf(AnyViewer());
    for (const ShareInfo& share : ValueOf(home->ListInvitations())) {
      if (Random(3) == 0) {
        CHECK(home->Decline(share.share_uid) == absl::OkStatus());
      } else {
        ValueOf(home->Accept(share.share_uid, ""));
      }
    }
  }

  // Puts a new event through somebody's share, or as the owner.
  void Write() {
    const std::string writer = Random(3) == 0 ? "ann" : AnyViewer();
    const std::string uid = "event-" + std::to_string(++written_);
    const auto home = cluster_.HomeOf(writer);
    for (const auto& collection : ValueOf(home->LoadChildren())) {
      if (collection.owner_uid != "ann") continue;
      const auto child = ValueOf(home->ChildWith({.id = collection.id}));
      const auto put = child->PutObject(uid + ".ics", {Event(uid)}, {});
      if (put.ok()) {
        acknowledged_.insert(uid + ".ics");
      } else if (conduit::OutcomeOf(put.status()) == conduit::Outcome::kUnknown) {
        uncertain_.insert(uid + ".ics");
      }
    }
  }

  void Break() {
    constexpr PodCluster::Fault kFaults[] = {PodCluster::Fault::kNone, PodCluster::Fault::kRefuse,
                                             PodCluster::Fault::kLoseReply};
    cluster_.network().SetFault(kPods[Random(3)], kFaults[Random(3)]);
  }

  void Restart() {
    const std::string pod = kPods[Random(3)];
    cluster_.Stop(pod);
    cluster_.clock().Advance(absl::Seconds(Random(60)));
    cluster_.Start(pod);
  }

  void CheckBothSidesAgree() {
    Side owner_side;
    for (const ShareInfo& share : ValueOf(cluster_.HomeOf("ann")->ListShares("calendar"))) {
      owner_side[share.viewer_uid] = {share.share_uid, share.access, share.status};
    }
    Side viewer_side;
    for (const std::string viewer : kViewers) {
      const auto home = cluster_.HomeOf(viewer);
      const auto shares = ValueOf(home->ListInvitations());
      CHECK(shares.size() <= 1);
      for (const ShareInfo& share : shares) {
        viewer_side[viewer] = {share.share_uid, share.access, share.status};
        const bool shown = ValueOf(home->ListChildren()).size() == 2;
        CHECK(shown == (share.status == ShareStatus::kAccepted));
      }
    }
    CHECK(owner_side == viewer_side);
  }

  void CheckWrites() {
    const auto names = ValueOf(cluster_.Child("ann", "calendar")->ListObjects());
    const std::set<std::string> present(names.begin(), names.end());
    CHECK(present.size() == names.size());
    for (const std::string& name : acknowledged_) CHECK(present.contains(name));
    for (const std::string& name : present) {
      CHECK((acknowledged_.contains(name) || uncertain_.contains(name)));
    }
  }

  std::mt19937 random_;
  PodCluster cluster_{{"A", "B", "C"}};
  int written_ = 0;
  std::set<std::string> acknowledged_;
  std::set<std::string> uncertain_;
};

TEST_CASE("Whatever fails on the way, both sides of a share end in the same state",
          "[store][sharing][random]") {
  const char* const replay = std::getenv("PODKIT_TEST_SEED");
  std::random_device device;
  const char* const wanted = std::getenv("PODKIT_TEST_HISTORIES");
  const int histories = replay != nullptr ? 1 : wanted != nullptr ? std::atoi(wanted) : 6;
  for (int i = 0; i < histories; ++i) {
    const uint32_t seed =
        replay != nullptr ? static_cast<uint32_t>(std::strtoul(replay, nullptr, 10)) : device();
    fmt::print("PODKIT_TEST_SEED={} (random history {} of {})\n", seed, i + 1, histories);
    INFO("PODKIT_TEST_SEED=" << seed);
    History(seed).Run(120);
  }
}

}  // namespace
}  // namespace podkit::testing
