// What a viewer gets when the owner's pod answers something else than it is asked for, or nothing.
#include <filesystem>
#include <fstream>
#include <string>

#include "external/remote_actions.h"
#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using conduit::Outcome;
using store::Access;
using store::HomeChild;
using store::PodUnavailable;
using store::RemoteTarget;

using Put = store::ActionOf<&HomeChild::PutObject>;

// bob, on B, has ann's calendar as "anns", and her pod answers puts as the test says.
class Trouble {
 public:
  explicit Trouble(const absl::Status& answer) {
    cluster.options().call_timeout = absl::Milliseconds(300);
    cluster.Stop("B");
    cluster.Start("B");
    cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
    child = cluster.Child("bob", "anns");
    cluster.Impersonate("A", [answer](conduit::Conduit& conduit) {
      conduit.Handle<Put>(
          [answer](const auto&, const RemoteTarget&,
                   const Put::Arguments&) -> absl::StatusOr<Put::Response> { return answer; });
    });
  }
  absl::Status TryPut() { return child->PutObject("1.ics", {Event("1")}, {}).status(); }

  PodCluster cluster{{"A", "B", "C"}};
  std::unique_ptr<HomeChild> child;
};

absl::Duration RetryAfter(const absl::Status& status) {
  const auto error = conduit::GetError<PodUnavailable>(status);
  REQUIRE(error);
  CHECK(error->pod == "A");
  return error->retry_after;
}

TEST_CASE("A pod that has too much to do says when it wants to be asked again",
          "[store][external]") {
  Trouble bed(MakeError(conduit::Overloaded{.retry_after = absl::Minutes(2)}, "not now"));
  const absl::Status put = bed.TryPut();
  CHECK(RetryAfter(put) == absl::Minutes(2));
  CHECK(conduit::OutcomeOf(put) == Outcome::kNotExecuted);
}

TEST_CASE("A write that still runs when no time is left may have been done", "[store][external]") {
  Trouble bed(MakeError(conduit::StillRunning{.retry_after = absl::Milliseconds(20)}, "it runs"));
  const absl::Status put = bed.TryPut();
  RetryAfter(put);
  const Outcome outcome = conduit::OutcomeOf(put);
  CAPTURE(conduit::OutcomeName(outcome));
  CHECK((outcome == Outcome::kUnknown || outcome == Outcome::kTimedOut));
}

TEST_CASE("A pod that does not answer in time has perhaps done it", "[store][external]") {
  Trouble bed(absl::OkStatus());
  bed.cluster.network().SetFault("A", PodCluster::Fault::kStall);
  const absl::Status put = bed.TryPut();
  CHECK(RetryAfter(put) > absl::ZeroDuration());
  CHECK(conduit::OutcomeOf(put) == Outcome::kTimedOut);
}

TEST_CASE("A pod that does not know what it is asked says so, and is not down",
          "[store][external]") {
  Trouble bed(absl::OkStatus());
  const absl::Status search = bed.child->Search({}).status();
  CHECK(IsError<conduit::UnknownAction>(search));
  CHECK(conduit::OutcomeOf(search) == Outcome::kNotImplemented);
}

TEST_CASE("A home that has moved is followed once", "[store][external]") {
  const auto moved_to = [](const std::string& pod) {
    return MakeError(store::HomeElsewhere{.uid = "ann", .pod = pod}, "it moved");
  };
  SECTION("to the pod where it is now") {
    Trouble bed(moved_to("C"));
    std::string asked;
    bed.cluster.Impersonate("C", [&asked](conduit::Conduit& conduit) {
      conduit.Handle<Put>([&asked](const auto& call, const RemoteTarget& target,
                                   const Put::Arguments&) -> absl::StatusOr<Put::Response> {
        asked = call.caller->id + " for " + target.homeUID;
        return Put::Response{.created = true};
      });
    });
    CHECK(bed.TryPut() == absl::OkStatus());
    CHECK(asked == "B for ann");
  }
  SECTION("not in circles") {
    for (const char* pod : {"A", "B"}) {
      Trouble bed(moved_to(pod));
      const absl::Status put = bed.TryPut();
      CAPTURE(pod);
      RetryAfter(put);
      CHECK(conduit::OutcomeOf(put) == Outcome::kNotExecuted);
      CHECK_THAT(std::string(put.message()), Catch::Contains("do not agree"));
    }
    Trouble bed(moved_to("C"));
    CHECK(IsError<store::HomeElsewhere>(bed.TryPut()));  // C's directory says that it is on A.
  }
}

TEST_CASE("A damaged file is one user's trouble, and over when it is restored",
          "[store][external]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  cluster.Share("abe", "calendar", "bob", Access::kReadWrite, "abes");
  ValueOf(cluster.Child("bob", "anns")->PutObject("1.ics", {Event("1")}, {}));
  const std::string token = ValueOf(cluster.Child("bob", "anns")->SyncToken());
  const std::string file = cluster.FileOf("ann");
  cluster.Stop("A");
  const std::string backup = cluster.FolderOf("A") + "/backup";
  std::filesystem::copy_file(file, backup);
  std::ofstream(file, std::ios::binary) << std::string(8192, 'x');
  cluster.Start("A");
  const auto anns = cluster.Child("bob", "anns");
  for (const absl::Status& status :
       {anns->ListObjects().status(), anns->PutObject("2.ics", {Event("2")}, {}).status(),
        cluster.store("A").HomeFor("ann", "ann").status()}) {
    REQUIRE(IsError<store::StoreDamaged>(status));
    CHECK(conduit::GetError<store::StoreDamaged>(status)->uid == "ann");
  }
  // Everybody else goes on, also in the home where it shows.
  ValueOf(cluster.Child("bob", "abes")->PutObject("1.ics", {Event("1")}, {}));
  ValueOf(cluster.Child("abe", "calendar")->PutObject("2.ics", {Event("2")}, {}));
  CHECK(ValueOf(cluster.HomeOf("bob")->ListChildren()).size() == 3);
  const auto tokens = ValueOf(cluster.HomeOf("bob")->SyncTokens());
  REQUIRE(tokens.size() == 3);
  CHECK(tokens[0].error.empty());
  CHECK(tokens[1].name == "anns");
  CHECK(tokens[1].error == "StoreDamaged");
  // What is for her waits until the file is back.
  REQUIRE(cluster.HomeOf("bob")->RemoveChild("anns") == absl::OkStatus());
  cluster.Deliver();
  CHECK(cluster.PendingMessages() == 1);
  cluster.Stop("A");
  std::filesystem::copy_file(backup, file, std::filesystem::copy_options::overwrite_existing);
  cluster.Start("A");
  CHECK(ValueOf(cluster.Child("ann", "calendar")->SyncToken()) == token);
  cluster.Settle();
  CHECK(ValueOf(cluster.HomeOf("ann")->ListShares("calendar"))[0].status ==
        store::ShareStatus::kDeclined);
}

TEST_CASE("A text that cannot be sent is the caller's fault wherever the home lives",
          "[store][external]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  const std::string no_text = "caf\xE9.ics";
  for (const auto& [uid, name] : {std::pair("ann", "calendar"), {"bob", "anns"}}) {
    CAPTURE(uid);
    const auto child = cluster.Child(uid, name);
    const absl::Status put = child->PutObject(no_text, {Event("1")}, {}).status();
    CHECK(put.code() == absl::StatusCode::kInvalidArgument);
    CHECK_FALSE(IsError<PodUnavailable>(put));
    CHECK_FALSE(conduit::ErrorClass(put).empty());
    CHECK(ValueOf(child->CountObjects()) == 0);
  }
}

}  // namespace
}  // namespace podkit::testing
