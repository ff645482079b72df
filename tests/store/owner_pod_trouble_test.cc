// What a viewer gets when the owner's pod answers something else than it is asked for, or nothing.
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

template <auto kMethod>
using ActionOf = typename store::internal::FindAction<kMethod, store::RemoteActions>::type;
using Put = ActionOf<&HomeChild::PutObject>;

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

  PodCluster cluster;
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
