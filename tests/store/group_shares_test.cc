// Groups of the directory as viewers of a collection: everybody who is in them, on whatever pod, as
// membership has it now.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::Bytes;
using store::Group;
using store::ShareInfo;
using store::ShareStatus;

Group Of(const std::string& id, std::vector<std::string> members) {
  return {.id = id, .name = "", .members = std::move(members)};
}

class Groups : public PodCluster {
 public:
  explicit Groups(std::vector<Group> groups) : PodCluster({"A", "B", "C"}) {
    SetGroups(std::move(groups));
  }

  void Invite(const std::string& whom, Access access) {
    ValueOf(HomeOf("ann")->Invite("calendar", whom, access, "Join"));
    Settle();
  }
  // Everything offered to `user` is accepted, as "anns".
  void Accept(const std::string& user) {
    for (const ShareInfo& share : ValueOf(HomeOf(user)->ListInvitations())) {
      ValueOf(HomeOf(user)->Accept(share.share_uid, "anns"));
    }
    Settle();
  }
  absl::Status Put(const std::string& user) {
    return Child(user, "anns")->PutObject(user, Bytes{Event(user)}, {}).status();
  }
  // "abe read-write accepted, group staff read-write, ...", as ann has it.
  std::string Shares() {
    std::string text;
    for (const ShareInfo& share : ValueOf(HomeOf("ann")->ListShares("calendar"))) {
      if (!text.empty()) text += ", ";
      if (share.is_group) text += "group ";
      text += share.viewer_uid + " " + std::string(conduit::EnumName(share.access));
      if (!share.is_group) text += " " + std::string(conduit::EnumName(share.status));
      if (share.through_group) text += " through";
    }
    return text;
  }
  bool Shows(const std::string& user) {
    const auto names = ValueOf(HomeOf(user)->ListChildren());
    return std::find(names.begin(), names.end(), "anns") != names.end();
  }
};

TEST_CASE("Everybody in a group is invited with its access, on whatever pod",
          "[store][groups][sharing]") {
  const Access access = GENERATE(Access::kReadWrite, Access::kRead, Access::kBusy);
  Groups cluster({Of("staff", {"abe", "far", "ann"}), Of("far", {"bob", "cat"})});
  cluster.Invite("staff", access);
  for (const char* user : {"abe", "bob", "cat"}) {
    INFO(user);
    const auto invitations = ValueOf(cluster.HomeOf(user)->ListInvitations());
    REQUIRE(invitations.size() == 1);
    CHECK(invitations[0].access == access);
    CHECK(invitations[0].summary == "Join");
    CHECK(ValueOf(cluster.HomeOf(user)->Notifications()).size() == 1);
    cluster.Accept(user);
    CHECK(cluster.Child(user, "anns")->info().access == access);
    CHECK(cluster.Child(user, "anns")->ListObjects().ok());
    if (access == Access::kReadWrite) {
      CHECK(cluster.Put(user) == absl::OkStatus());
    } else {
      CHECK(IsError<store::AccessDenied>(cluster.Put(user)));
    }
  }
  const std::string how(conduit::EnumName(access));
  CHECK(cluster.Shares() == "abe " + how + " accepted through, bob " + how +
                                " accepted through, cat " + how +
                                " accepted through, group staff " + how);
  // Who is in no group is not.
  CHECK(ValueOf(cluster.HomeOf("bea")->ListInvitations()).empty());
  CHECK(ValueOf(cluster.HomeOf("ann")->ListInvitations()).empty());
}

TEST_CASE("A shared collection follows the membership of its groups", "[store][groups][sharing]") {
  Groups cluster({Of("staff", {"abe", "bob"})});
  cluster.Invite("staff", Access::kReadWrite);
  cluster.Accept("abe");
  cluster.Accept("bob");
  // bob leaves and cat comes. He has no right any more before his pod hears of it.
  cluster.SetGroups({Of("staff", {"abe", "cat"})});
  CHECK(cluster.Shows("bob"));
  CHECK(IsError<store::NoSuchShare>(cluster.Put("bob")));
  CHECK(IsError<store::NoSuchShare>(cluster.Child("bob", "anns")->ListObjects()));
  cluster.Settle();
  CHECK_FALSE(cluster.Shows("bob"));
  CHECK(ValueOf(cluster.HomeOf("bob")->ListInvitations()).empty());
  cluster.Accept("cat");
  CHECK(cluster.Put("cat") == absl::OkStatus());
  CHECK(cluster.Put("abe") == absl::OkStatus());
  CHECK(cluster.Shares() ==
        "abe read-write accepted through, cat read-write accepted through, group staff read-write");
  // Also what happened while the owner's pod was down, and a group that is gone altogether.
  cluster.Stop("A");
  cluster.SetGroups({});
  cluster.Start("A");
  cluster.Settle();
  CHECK_FALSE(cluster.Shows("cat"));
  CHECK_FALSE(cluster.Shows("abe"));
  CHECK(cluster.Shares() == "group staff read-write");
  CHECK(cluster.HomeOf("ann")->Uninvite("calendar", "staff") == absl::OkStatus());
  CHECK(cluster.Shares().empty());
}

TEST_CASE("Who is invited himself and through groups has the most of it",
          "[store][groups][sharing]") {
  Groups cluster({Of("staff", {"bob"}), Of("chiefs", {"bob"})});
  cluster.Invite("bob", Access::kRead);
  cluster.Accept("bob");
  cluster.Invite("staff", Access::kBusy);
  CHECK(cluster.Shares() == "bob read accepted, group staff busy");
  CHECK(IsError<store::AccessDenied>(cluster.Put("bob")));
  cluster.Invite("chiefs", Access::kReadWrite);
  CHECK(cluster.Shares() == "bob read-write accepted, group chiefs read-write, group staff busy");
  CHECK(cluster.Put("bob") == absl::OkStatus());
  CHECK(cluster.Child("bob", "anns")->info().access == Access::kReadWrite);
  // What he was given himself is taken back: the groups' stays.
  REQUIRE(cluster.HomeOf("ann")->Uninvite("calendar", "bob") == absl::OkStatus());
  CHECK(cluster.Put("bob") == absl::OkStatus());
  CHECK(cluster.Shares() ==
        "bob read-write accepted through, group chiefs read-write, group staff busy");
  const auto refused = cluster.HomeOf("ann")->Uninvite("calendar", "bob");
  CHECK(IsError<store::NoSuchShare>(refused));
  CHECK(std::string(refused.message()).find("member of a group") != std::string::npos);
  // Less holds at once.
  REQUIRE(cluster.HomeOf("ann")->Uninvite("calendar", "chiefs") == absl::OkStatus());
  CHECK(IsError<store::AccessDenied>(cluster.Put("bob")));
  cluster.Settle();
  CHECK(cluster.Child("bob", "anns")->info().access == Access::kBusy);
  // And given himself again, without the groups.
  cluster.Invite("bob", Access::kRead);
  REQUIRE(cluster.HomeOf("ann")->Uninvite("calendar", "staff") == absl::OkStatus());
  cluster.Settle();
  CHECK(cluster.Shares() == "bob read accepted");
  CHECK(IsError<store::NoSuchShare>(cluster.HomeOf("ann")->Uninvite("calendar", "staff")));
}

TEST_CASE("Who declined what a group was offered is not asked again by its changes",
          "[store][groups][sharing]") {
  Groups cluster({Of("staff", {"abe", "bob"})});
  cluster.Invite("staff", Access::kRead);
  cluster.Accept("abe");
  const ShareInfo share = ValueOf(cluster.HomeOf("bob")->ListInvitations()).at(0);
  REQUIRE(cluster.HomeOf("bob")->Decline(share.share_uid) == absl::OkStatus());
  cluster.Settle();
  cluster.Invite("staff", Access::kReadWrite);
  CHECK(cluster.Shares() ==
        "abe read-write accepted through, bob read-write declined through, group staff read-write");
  CHECK(ValueOf(cluster.HomeOf("bob")->Notifications()).empty());
  CHECK(cluster.Put("abe") == absl::OkStatus());
  // But by an invitation of his own.
  cluster.Invite("bob", Access::kRead);
  CHECK(ValueOf(cluster.HomeOf("bob")->ListInvitations()).at(0).status == ShareStatus::kInvited);
  cluster.Accept("bob");
  CHECK(cluster.Put("bob") == absl::OkStatus());
}

TEST_CASE("A collection that is deleted is gone for all members of its groups",
          "[store][groups][sharing]") {
  Groups cluster({Of("staff", {"abe", "bob", "cat"})});
  cluster.Invite("staff", Access::kRead);
  for (const char* user : {"abe", "bob", "cat"}) cluster.Accept(user);
  REQUIRE(cluster.HomeOf("ann")->RemoveChild("calendar") == absl::OkStatus());
  cluster.Settle();
  for (const char* user : {"abe", "bob", "cat"}) CHECK_FALSE(cluster.Shows(user));
  cluster.SetGroups({Of("staff", {"abe", "bea"})});
  CHECK(cluster.PendingMessages() == 0);
  CHECK(IsError<store::NoSuchUser>(
      cluster.HomeOf("bob")->Invite("calendar", "nobody", Access::kRead, "")));
}

}  // namespace
}  // namespace podkit::testing
