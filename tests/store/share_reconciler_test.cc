// Either side of a share loses something: the reconciler finds it and heals it, on one pod and on
// two, and leaves alone what is only on its way.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "pod_cluster.h"
#include "sharing/share_sides.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::CompareShares;
using store::HealedShares;
using store::NotificationKind;
using store::Party;
using store::Presence;
using store::ReconciledShares;
using store::Remedy;
using store::ShareFacts;
using store::ShareInfo;
using store::ShareSide;
using store::ShareStatus;
using Names = std::vector<std::string>;

std::string Text(const HealedShares& healed) {
  return fmt::format("invited {} asked {} replied {} removed {} withdrawn {}", healed.invited_again,
                     healed.asked_anew, healed.replied_again, healed.removed, healed.withdrawn);
}

constexpr char kNothing[] = "invited 0 asked 0 replied 0 removed 0 withdrawn 0";

// ann's calendar, shared read-write with somebody who has accepted it as "anns".
class SharedCalendar {
 public:
  explicit SharedCalendar(const std::string& viewer)
      : viewer_(viewer),
        share_(cluster.Share("ann", "calendar", viewer, Access::kReadWrite, "anns")) {}

  const ShareInfo& share() const { return share_; }

  // What every pod healed, until there was nothing left.
  std::string HealAll() {
    const std::string before = Text(Total());
    CHECK(before == kNothing);
    for (int round = 0; round < 5; ++round) {
      const std::string so_far = Text(Total());
      for (const std::string pod : {"A", "B"}) {
        const auto result = ValueOf(cluster.store(pod).ReconcileShares());
        CHECK(result.problems == Names());
        CHECK(result.unknown == 0);
        CHECK(result.next.empty());
      }
      cluster.Settle();
      if (Text(Total()) == so_far) return so_far;
    }
    FAIL("it goes on healing for ever");
    return "";
  }

  // "<access> <status> <generation>" of a side; "none".
  std::string Side(const std::string& uid) {
    std::string text = "none";
    const auto database =
        ValueOf(store::Database::Open(cluster.FileOf(uid), store::Database::Mode::kReadOnly, uid));
    CHECK(database->Query("SELECT access, status, generation FROM bind WHERE share_uid = ?",
                          {share_.share_uid}, [&](const store::Row& row) {
                            text =
                                fmt::format("{} {} {}", row.Text(0), row.Text(1), row.Integer(2));
                          }) == absl::OkStatus());
    return text;
  }
  std::string OwnersSide() { return Side("ann"); }
  std::string ViewersSide() { return Side(viewer_); }
  Names ViewersChildren() { return ValueOf(cluster.HomeOf(viewer_)->ListChildren()); }
  std::vector<NotificationKind> Told(const std::string& uid) {
    std::vector<NotificationKind> kinds;
    for (const auto& one : ValueOf(cluster.HomeOf(uid)->Notifications())) kinds.push_back(one.kind);
    return kinds;
  }
  std::string Tokens() {
    std::string tokens;
    for (const std::string& uid : {std::string("ann"), viewer_}) {
      tokens += ValueOf(cluster.HomeOf(uid)->SyncToken()) + '\n';
    }
    return tokens;
  }
  HealedShares Total() {
    HealedShares healed = cluster.store("A").Stats().shares_healed;
    healed += cluster.store("B").Stats().shares_healed;
    return healed;
  }

  PodCluster cluster;

 private:
  const std::string viewer_;
  const ShareInfo share_;
};

TEST_CASE("Whatever one side of a share has lost, both sides agree again", "[store][reconcile]") {
  struct Case {
    const char* what;
    bool of_owner;
    const char* edit;
    const char* healed;
    const char* side;  // Of both, in the end.
    bool shown;
  };
  const auto test = GENERATE(values<Case>({
      {"the viewer's row is gone", false, "DELETE FROM bind WHERE owner_uid = 'ann'",
       "invited 0 asked 1 replied 0 removed 0 withdrawn 0", "read-write invited 2", false},
      {"the viewer has other rights", false,
       "UPDATE bind SET access = 'busy' WHERE owner_uid = 'ann'",
       "invited 1 asked 0 replied 0 removed 0 withdrawn 0", "read-write accepted 1", true},
      {"the viewer has not answered", false,
       "UPDATE bind SET status = 'invited', name = NULL WHERE owner_uid = 'ann'",
       "invited 0 asked 1 replied 0 removed 0 withdrawn 0", "read-write invited 2", false},
      {"the viewer has heard of a question that the owner forgot", false,
       "UPDATE bind SET generation = 7 WHERE owner_uid = 'ann'",
       "invited 1 asked 0 replied 0 removed 0 withdrawn 0", "read-write accepted 7", true},
      {"the owner has other rights", true,
       "UPDATE bind SET access = 'read' WHERE viewer_uid <> 'ann'",
       "invited 1 asked 0 replied 0 removed 0 withdrawn 0", "read accepted 1", true},
      {"the owner has another answer", true,
       "UPDATE bind SET status = 'declined' WHERE viewer_uid <> 'ann'",
       "invited 0 asked 0 replied 1 removed 0 withdrawn 0", "read-write accepted 1", true},
      {"the owner has no answer", true,
       "UPDATE bind SET status = 'invited' WHERE viewer_uid <> 'ann'",
       "invited 0 asked 0 replied 1 removed 0 withdrawn 0", "read-write accepted 1", true},
      {"the owner has asked more often than the viewer heard", true,
       "UPDATE bind SET generation = 5 WHERE viewer_uid <> 'ann'",
       "invited 0 asked 1 replied 0 removed 0 withdrawn 0", "read-write invited 6", false},
      {"the owner asks, and the viewer has not heard", true,
       "UPDATE bind SET generation = 5, status = 'invited' WHERE viewer_uid <> 'ann'",
       "invited 1 asked 0 replied 0 removed 0 withdrawn 0", "read-write invited 5", false},
      {"the owner's row is gone", true, "DELETE FROM bind WHERE viewer_uid <> 'ann'",
       "invited 0 asked 0 replied 0 removed 1 withdrawn 0", "none", false},
      {"the collection is gone", true,
       "DELETE FROM collection; DELETE FROM bind WHERE viewer_uid = 'ann'",
       "invited 0 asked 0 replied 0 removed 0 withdrawn 1", "none", false},
  }));
  const std::string viewer = GENERATE("abe", "bob");
  INFO(test.what << ", of " << viewer);
  SharedCalendar bed(viewer);
  bed.cluster.Edit(test.of_owner ? "ann" : viewer, test.edit);
  CHECK(bed.HealAll() == test.healed);
  CHECK(bed.OwnersSide() == test.side);
  CHECK(bed.ViewersSide() == test.side);
  CHECK(bed.ViewersChildren() == (test.shown ? Names{"anns", "calendar"} : Names{"calendar"}));
  const std::string tokens = bed.Tokens();
  for (const std::string pod : {"A", "B"}) {
    CHECK(Text(ValueOf(bed.cluster.store(pod).ReconcileShares()).healed) == kNothing);
  }
  CHECK(bed.cluster.PendingMessages() == 0);
  CHECK(bed.Tokens() == tokens);
}

TEST_CASE("Who loses a share by it is told so, and who is asked anew can accept",
          "[store][reconcile]") {
  SharedCalendar removed("bob");
  removed.cluster.Edit("ann", "DELETE FROM bind WHERE viewer_uid = 'bob'");
  removed.HealAll();
  CHECK(removed.Told("bob") == std::vector{NotificationKind::kRemoved});

  SharedCalendar lost("bob");
  lost.cluster.Edit("bob", "DELETE FROM bind WHERE owner_uid = 'ann'");
  lost.HealAll();
  CHECK(lost.Told("bob") == std::vector{NotificationKind::kInvite});
  ValueOf(lost.cluster.HomeOf("bob")->Accept(lost.share().share_uid, "again"));
  lost.cluster.Settle();
  CHECK(lost.OwnersSide() == "read-write accepted 2");
  ValueOf(lost.cluster.Child("bob", "again")->PutObject("1.ics", {Event("1")}, {}));
}

TEST_CASE("Who declined is not asked again because his pod forgot it", "[store][reconcile]") {
  SharedCalendar bed("bob");
  REQUIRE(bed.cluster.HomeOf("bob")->Decline(bed.share().share_uid) == absl::OkStatus());
  bed.cluster.Settle();
  bed.cluster.Edit("bob", "DELETE FROM bind WHERE owner_uid = 'ann'");
  CHECK(bed.HealAll() == kNothing);
  CHECK(bed.OwnersSide() == "read-write declined 1");
  CHECK(bed.ViewersSide() == "none");
}

TEST_CASE("What a message that waits explains is left alone", "[store][reconcile]") {
  const std::string viewer = GENERATE("abe", "bob");
  const int kind = GENERATE(0, 1, 2, 3);
  INFO(viewer << ", message " << kind);
  SharedCalendar bed(viewer);
  const auto ann = bed.cluster.HomeOf("ann");
  const auto his = bed.cluster.HomeOf(viewer);
  if (kind == 0) ValueOf(ann->Invite("calendar", viewer, Access::kRead, ""));
  if (kind == 1) REQUIRE(ann->Uninvite("calendar", viewer) == absl::OkStatus());
  if (kind == 2) REQUIRE(his->Decline(bed.share().share_uid) == absl::OkStatus());
  if (kind == 3) {
    // The owner's side is broken beside it: that waits too.
    REQUIRE(his->Decline(bed.share().share_uid) == absl::OkStatus());
    bed.cluster.Edit("ann", "DELETE FROM bind WHERE viewer_uid <> 'ann'");
  }
  const std::string before = bed.OwnersSide() + bed.ViewersSide() + bed.Tokens();
  int64_t in_flight = 0;
  for (const std::string pod : {"A", "B"}) {
    in_flight += ValueOf(bed.cluster.store(pod).ReconcileShares()).in_flight;
  }
  CHECK(Text(bed.Total()) == kNothing);
  CHECK(in_flight == (kind == 1 || kind == 3 ? 1 : 2));  // For each side that is there.
  CHECK(bed.cluster.PendingMessages() == 1);
  CHECK(bed.OwnersSide() + bed.ViewersSide() + bed.Tokens() == before);
  bed.cluster.Settle();
  CHECK(bed.HealAll() ==
        (kind == 3 ? "invited 0 asked 0 replied 0 removed 1 withdrawn 0" : std::string(kNothing)));
  CHECK(bed.OwnersSide() == bed.ViewersSide());
}

TEST_CASE("A pod or a home that cannot be asked says nothing", "[store][reconcile]") {
  SharedCalendar bed("bob");
  bed.cluster.Edit("bob", "UPDATE bind SET access = 'busy' WHERE owner_uid = 'ann'");
  const std::string before = bed.OwnersSide() + bed.ViewersSide();
  bed.cluster.network().SetFault("A", PodCluster::Fault::kRefuse);
  auto result = ValueOf(bed.cluster.store("B").ReconcileShares());
  CHECK(result.unknown == 1);
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].starts_with("pod 'A': "));
  CHECK(bed.OwnersSide() + bed.ViewersSide() == before);
  // An empty folder, until the backup is put in its place.
  bed.cluster.network().SetFault("A", PodCluster::Fault::kNone);
  const std::string folder = bed.cluster.FolderOf("A");
  bed.cluster.Stop("A");
  std::filesystem::rename(folder, folder + ".old");
  bed.cluster.Start("A");
  result = ValueOf(bed.cluster.store("B").ReconcileShares());
  CHECK(result.unknown == 1);
  CHECK(result.problems == Names());
  CHECK(bed.ViewersSide() == "busy accepted 1");
  bed.cluster.Stop("A");
  std::filesystem::remove_all(folder);
  std::filesystem::rename(folder + ".old", folder);
  bed.cluster.Start("A");
  CHECK(bed.HealAll() == "invited 1 asked 0 replied 0 removed 0 withdrawn 0");
}

TEST_CASE("Many shares cost one call to each pod and page, and homes go page by page",
          "[store][reconcile]") {
  SharedCalendar bed("bob");
  // 450 more that bob has declined and forgotten.
  bed.cluster.Edit(
      "ann",
      "CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c"
      " WHERE i < 450) SELECT i FROM c;"
      "INSERT INTO collection SELECT 'c' || i, '', 1, 1, 1 FROM n;"
      "INSERT INTO bind SELECT 's' || i, 'c' || i, 'ann', 'bob', NULL, 'read', 'declined', 1, '',"
      " '', '', '', '', 0, 1, 1, 1, 0, 'read' FROM n");
  const auto whole = ValueOf(bed.cluster.store("A").ReconcileShares());
  CHECK(whole.homes == 1);
  CHECK(whole.shares == 451);
  CHECK(whole.calls == 3);
  CHECK(Text(whole.healed) == kNothing);
  CHECK(bed.cluster.store("A").Stats().shares_compared == 451);

  bed.cluster.Share("abe", "calendar", "ann", Access::kRead, "abes");
  const auto first = ValueOf(bed.cluster.store("A").ReconcileShares("", 1));
  CHECK(first.homes == 1);
  CHECK(first.shares == 1);
  CHECK(first.next == "abe");
  const auto second = ValueOf(bed.cluster.store("A").ReconcileShares("abe", 2));
  CHECK(second.shares == 452);
  CHECK(second.next.empty());
  CHECK(IsError<store::InvalidRequest>(bed.cluster.store("A").ReconcileShares("", 0)));
}

TEST_CASE("No pod speaks for users of another, or learns of shares that are not its users'",
          "[store][reconcile][foreign]") {
  SharedCalendar bed("abe");
  const auto ask = [&](std::vector<ShareSide> sides) {
    return bed.cluster.conduit("B").Call<CompareShares>("A", {.sides = std::move(sides)});
  };
  const ShareSide abes = {.share_uid = bed.share().share_uid,
                          .owner_uid = "ann",
                          .viewer_uid = "abe",
                          .party = Party::kViewer,
                          .facts = {.presence = Presence::kPresent}};
  CHECK(IsError<store::AccessDenied>(ask({abes})));
  ShareSide bobs = abes;
  bobs.viewer_uid = "bob";
  bobs.facts = {.presence = Presence::kPresent, .status = ShareStatus::kAccepted, .generation = 9};
  CHECK(ValueOf(ask({bobs}))[0] == ShareFacts{.presence = Presence::kAbsent});
  CHECK(IsError<store::TooManyResults>(ask(std::vector<ShareSide>(201, bobs))));
  CHECK(bed.OwnersSide() == "read-write accepted 1");
  // Nobody has asked as often as that.
  SharedCalendar other("bob");
  other.cluster.Edit("bob",
                     "UPDATE bind SET generation = 9223372036854775807"
                     " WHERE owner_uid = 'ann'");
  CHECK(other.HealAll() == kNothing);
  CHECK(other.OwnersSide() == "read-write accepted 1");
}

TEST_CASE("What a side does about the other depends on which was read first",
          "[store][reconcile]") {
  const ShareFacts accepted = {.presence = Presence::kPresent,
                               .access = Access::kRead,
                               .status = ShareStatus::kAccepted,
                               .generation = 1};
  ShareFacts invited = accepted;
  invited.status = ShareStatus::kInvited;
  const ShareFacts absent = {.presence = Presence::kAbsent};
  const auto remedy = [](Party party, const ShareFacts& mine, const ShareFacts& theirs) {
    return std::tuple(store::RemedyFor(party, mine, theirs, true),
                      store::RemedyFor(party, mine, theirs, false));
  };
  CHECK(remedy(Party::kOwner, accepted, absent) == std::tuple(Remedy::kAskAnew, Remedy::kNone));
  CHECK(remedy(Party::kOwner, accepted, invited) == std::tuple(Remedy::kAskAnew, Remedy::kNone));
  CHECK(remedy(Party::kViewer, accepted, absent) == std::tuple(Remedy::kRemove, Remedy::kNone));
  CHECK(remedy(Party::kViewer, accepted, invited) ==
        std::tuple(Remedy::kReplyAgain, Remedy::kReplyAgain));
  CHECK(remedy(Party::kViewer, invited, accepted) == std::tuple(Remedy::kNone, Remedy::kNone));
  CHECK(remedy(Party::kOwner, accepted, {}) == std::tuple(Remedy::kNone, Remedy::kNone));
  ShareFacts waiting = absent;
  waiting.in_flight = true;
  CHECK(remedy(Party::kViewer, accepted, waiting) == std::tuple(Remedy::kNone, Remedy::kNone));
}

TEST_CASE("Shares are compared in the background too", "[store][reconcile]") {
  TempDir folder;
  const auto open = [&](absl::Duration period) {
    const auto directory =
        ValueOf(store::FileUserDirectory::Create({{"ann", "Ann", "A"}, {"abe", "Abe", "A"}}));
    return ValueOf(store::Store::Open({.folder = folder.File("A"), .care_period = period},
                                      directory, nullptr, "A"));
  };
  {
    const auto store = open(absl::ZeroDuration());
    ValueOf(ValueOf(store->HomeFor("abe", "abe"))->Info());
    ValueOf(ValueOf(store->HomeFor("ann", "ann"))->Invite("calendar", "abe", Access::kRead, ""));
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (store->Stats().messages_delivered == 0 && absl::Now() < deadline) {
      std::this_thread::yield();
    }
    CHECK(store->Stats().shares_compared == 0);
  }
  const auto store = open(absl::Milliseconds(1));
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  // Two sides, more than once.
  while (store->Stats().shares_compared < 4 && absl::Now() < deadline) std::this_thread::yield();
  CHECK(store->Stats().shares_compared >= 4);
}

}  // namespace
}  // namespace podkit::testing
