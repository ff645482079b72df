// Sharing verb by verb, asked on the pod where the acting user does not live.
#include <string>
#include <vector>

#include "podkit/store/types.h"
#include "tests/servers/pod_user.h"
#include "tests/servers/two_pods.h"
#include "tests/support/catch.h"

namespace podkit::testing {
namespace {

using store::CollectionInfo;
using store::ObjectInfo;
using store::ShareInfo;
using store::ShareStatus;

ShareStatus StatusAtViewer(const User& viewer, const std::string& share_uid) {
  for (const ShareInfo& share : viewer.Invitations()) {
    if (share.share_uid == share_uid) return share.status;
  }
  FAIL("the viewer has no such share");
  return ShareStatus::kInvited;
}

TEST_CASE("An invitation is declined, also one that was accepted", "[e2e][sharing]") {
  const bool accepted = GENERATE(false, true);
  const std::string pod = GENERATE("A", "B");
  CAPTURE(accepted, pod);
  TwoPods pods;
  const User anna(pods, "anna", "A");
  const User emma(pods, "emma", pod);
  anna.Json({"create", "plan"});
  const auto share = Parsed<ShareInfo>(anna.Json({"invite", "plan", "emma"}));
  Eventually("invited", [&] { return !emma.Invitations().empty(); });
  if (accepted) AcceptFrom(emma, share.share_uid, "annas-plan");

  CHECK(emma.Json({"decline", share.share_uid}) == "{}\n");
  CHECK(!emma.Collection("annas-plan"));
  CHECK(emma.Run({"objects", "annas-plan"}).exit_code == 1);
  CHECK(StatusAtViewer(emma, share.share_uid) == ShareStatus::kDeclined);
  Eventually("the owner is told", [&] {
    const auto shares = anna.Shares("plan");
    return shares.size() == 1 && shares[0].status == ShareStatus::kDeclined;
  });
  const auto nothing = emma.Run({"decline", "no-such-share"});
  CHECK(nothing.exit_code == 1);
  CHECK_THAT(nothing.err, Catch::Contains("no-such-share"));
}

TEST_CASE("Events are put, got and deleted on the pod where the user does not live",
          "[e2e][sharing]") {
  TwoPods pods;
  const User anna(pods, "anna", "B");
  const User emma(pods, "emma", "A");
  const std::string lunch = pods.NewFile("lunch.ics", Event("lunch"));
  const std::string late = pods.NewFile("late.ics", Event("lunch", "Late lunch"));
  anna.Json({"create", "plan"});
  CHECK_THAT(anna.Run({"put", "plan", "lunch.ics", lunch}).out, Catch::StartsWith("created "));
  CHECK(anna.Run({"get", "plan", "lunch.ics"}).out == Event("lunch"));
  const auto share =
      Parsed<ShareInfo>(anna.Json({"invite", "plan", "emma", "--access", "read-write"}));
  AcceptFrom(emma, share.share_uid, "shared");

  CHECK(emma.Run({"get", "shared", "lunch.ics"}).out == Event("lunch"));
  CHECK_THAT(emma.Run({"put", "shared", "lunch.ics", late}).out, Catch::StartsWith("updated "));
  CHECK(anna.Run({"get", "plan", "lunch.ics"}).out == Event("lunch", "Late lunch"));
  CHECK(emma.Run({"delete", "shared", "lunch.ics"}).out == "deleted 'lunch.ics'\n");
  CHECK(anna.ObjectNames("plan").empty());
  CHECK(anna.Run({"get", "plan", "lunch.ics"}).exit_code == 1);
  emma.Json({"put", "shared", "tea.ics", pods.NewFile("tea.ics", Event("tea"))});
  CHECK(anna.Json({"delete", "plan", "tea.ics"}) == "{}\n");
  CHECK(emma.ObjectNames("shared").empty());
}

TEST_CASE("Scripts are told what each change of a home gave", "[e2e][podctl]") {
  TwoPods pods;
  const User anna(pods, "anna", "A");
  anna.Json({"create", "work"});
  anna.Json({"create", "archive"});
  anna.Json({"put", "work", "lunch.ics", pods.NewFile("lunch.ics", Event("lunch"))});
  CHECK(Parsed<CollectionInfo>(anna.Json({"rename", "archive", "attic"})).name == "attic");
  CHECK(Parsed<CollectionInfo>(anna.Json({"set", "attic", "--display-name", "Up"})).display_name ==
        "Up");
  CHECK(Parsed<ObjectInfo>(anna.Json({"move", "work", "lunch.ics", "attic", "--name", "old.ics"}))
            .name == "old.ics");
  const auto printed =
      ValueOf(conduit::JsonDocument::Parse(anna.Json({"print", "attic", "old.ics"})));
  CHECK(printed.root().Member("text")->AsString() == Event("lunch"));
  CHECK(printed.root().Member("object")->Member("name")->AsString() == "old.ics");
  const std::string copy = pods.File("copy.ics");
  const std::string saved =
      R"("file":")" + copy + R"(","bytes":)" + std::to_string(Event("lunch").size());
  CHECK_THAT(anna.Json({"get", "attic", "old.ics", "--output", copy}),
             Catch::StartsWith(R"({"object":{)") && Catch::Contains(saved));
  CHECK(anna.Run({"put", "attic", "old.ics", copy}).out.starts_with("unchanged "));
  CHECK_THAT(anna.Json({"export", "attic", "--output", copy}),
             Catch::StartsWith(R"({"file":")" + copy + R"(","bytes":)"));
  CHECK(anna.Json({"delete-collection", "attic"}) == "{}\n");
  CHECK(!anna.Collection("attic"));
}

}  // namespace
}  // namespace podkit::testing
