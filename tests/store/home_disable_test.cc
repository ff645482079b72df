// A home that an operator has closed for a while.
#include <filesystem>
#include <string>

#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::HomeDisabled;

// ann's calendar, which bob has as "anns", with one event.
class Shared {
 public:
  Shared() {
    cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
    ValueOf(cluster.Child("ann", "calendar")->PutObject("1.ics", {Event("1")}, {}));
  }
  store::Store& store() { return cluster.store("A"); }

  PodCluster cluster;
};

TEST_CASE("A home that is disabled is closed for everybody until it is enabled",
          "[store][disable]") {
  Shared bed;
  const auto viewed = bed.cluster.Child("bob", "anns");
  const std::string token = ValueOf(viewed->SyncToken());
  CHECK(ValueOf(bed.store().DisableHome("ann")).closed);
  CHECK(bed.store().Stats().homes_disabled == 1);
  for (int restart = 0; restart < 2; ++restart) {
    CHECK(IsError<HomeDisabled>(bed.store().HomeFor("ann", "ann")));
    CHECK(IsError<HomeDisabled>(bed.store().CheckHome("ann")));
    CHECK(IsError<HomeDisabled>(bed.store().PurgeHome("ann")));
    CHECK(IsError<HomeDisabled>(viewed->ListObjects()));
    CHECK(IsError<HomeDisabled>(viewed->PutObject("2.ics", {Event("2")}, {})));
    CHECK(ValueOf(bed.store().ListHomes())[0].disabled);
    bed.cluster.Stop("A");
    bed.cluster.Start("A");
  }
  // Others go on, also the viewer with what is his.
  CHECK(ValueOf(bed.cluster.HomeOf("abe")->ListChildren()).size() == 1);
  CHECK(ValueOf(bed.cluster.HomeOf("bob")->ListChildren()).size() == 2);
  CHECK(ValueOf(bed.store().DisableHome("ann")).closed);  // Again changes nothing.
  REQUIRE(bed.store().EnableHome("ann") == absl::OkStatus());
  REQUIRE(bed.store().EnableHome("ann") == absl::OkStatus());
  CHECK(bed.store().Stats().homes_disabled == 0);
  CHECK(ValueOf(viewed->SyncToken()) == token);
  ValueOf(viewed->PutObject("2.ics", {Event("2")}, {}));
  CHECK_FALSE(ValueOf(bed.store().ListHomes())[0].disabled);
}

TEST_CASE("What somebody holds of a disabled home is of no use, before and after",
          "[store][disable]") {
  Shared bed;
  auto held = bed.cluster.Child("ann", "calendar");
  CHECK_FALSE(ValueOf(bed.store().DisableHome("ann")).closed);
  CHECK(IsError<HomeDisabled>(held->ListObjects()));
  CHECK(IsError<HomeDisabled>(held->PutObject("2.ics", {Event("2")}, {})));
  CHECK(IsError<store::StoreBusy>(bed.store().EnableHome("ann")));
  CHECK(IsError<HomeDisabled>(bed.store().HomeFor("ann", "ann")));
  held = nullptr;
  CHECK(ValueOf(bed.store().DisableHome("ann")).closed);
  REQUIRE(bed.store().EnableHome("ann") == absl::OkStatus());
  CHECK(ValueOf(bed.cluster.Child("ann", "calendar")->CountObjects()) == 1);
}

TEST_CASE("Messages to and from a disabled home wait", "[store][disable]") {
  Shared bed;
  bed.cluster.network().SetFault("B", PodCluster::Fault::kRefuse);
  ValueOf(bed.cluster.HomeOf("ann")->Invite("calendar", "bea", Access::kRead, ""));
  bed.cluster.network().SetFault("B", PodCluster::Fault::kNone);
  CHECK(ValueOf(bed.store().DisableHome("ann")).closed);
  REQUIRE(bed.cluster.HomeOf("bob")->RemoveChild("anns") == absl::OkStatus());
  bed.cluster.clock().Advance(absl::Hours(1));
  bed.cluster.Deliver();
  CHECK(ValueOf(bed.cluster.HomeOf("bea")->ListInvitations()).empty());
  CHECK(ValueOf(bed.cluster.store("B").PendingMessages()).size() == 1);
  const auto waiting = ValueOf(bed.store().PendingMessages());
  REQUIRE(waiting.size() == 1);
  CHECK_THAT(waiting[0].last_error, Catch::Contains("closed for now"));
  REQUIRE(bed.store().EnableHome("ann") == absl::OkStatus());
  bed.cluster.Settle();
  CHECK(ValueOf(bed.cluster.HomeOf("bea")->ListInvitations()).size() == 1);
  for (const auto& share : ValueOf(bed.cluster.HomeOf("ann")->ListShares("calendar"))) {
    if (share.viewer_uid == "bob") CHECK(share.status == store::ShareStatus::kDeclined);
  }
}

TEST_CASE("The file of a disabled home can be replaced while the pod runs", "[store][disable]") {
  Shared bed;
  const std::string file = bed.cluster.FileOf("ann");
  const std::string copy = file + ".copy";
  CHECK(ValueOf(bed.store().DisableHome("ann")).closed);
  CHECK_FALSE(std::filesystem::exists(file + "-wal"));
  std::filesystem::copy_file(file, copy);
  REQUIRE(bed.store().EnableHome("ann") == absl::OkStatus());
  REQUIRE(bed.cluster.Child("ann", "calendar")->RemoveObject("1.ics", {}) == absl::OkStatus());
  CHECK(ValueOf(bed.store().DisableHome("ann")).closed);
  std::filesystem::rename(copy, file);
  REQUIRE(bed.store().EnableHome("ann") == absl::OkStatus());
  CHECK(ValueOf(bed.cluster.Child("ann", "calendar")->CountObjects()) == 1);
}

TEST_CASE("Only a home that is here is disabled", "[store][disable]") {
  Shared bed;
  CHECK(IsError<store::HomeElsewhere>(bed.store().DisableHome("bob")));
  CHECK(IsError<store::NoSuchUser>(bed.store().DisableHome("nobody")));
  CHECK(IsError<store::NoSuchHome>(bed.store().DisableHome("abe")));
  CHECK(IsError<store::NoSuchHome>(bed.store().EnableHome("abe")));
  CHECK(bed.store().Stats().homes_disabled == 0);
}

}  // namespace
}  // namespace podkit::testing
