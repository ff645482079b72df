// A calendar that is shared between two real pods, from the invitation to its end.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "podkit/store/errors.h"
#include "podkit/store/types.h"
#include "servers/common/admin_messages.h"
#include "servers/podctl/errors.h"
#include "tests/servers/pod_user.h"
#include "tests/servers/two_pods.h"
#include "tests/support/catch.h"

namespace podkit::testing {
namespace {

using podctl::ApiReply;
using podctl::ApiRequest;
using store::Access;
using store::CollectionInfo;
using store::Notification;
using store::ShareInfo;
using store::ShareStatus;

// What all viewers of a calendar see alike: each has alarms of his own.
std::string WithoutAlarms(std::string calendar) {
  constexpr std::string_view kBegin = "BEGIN:VALARM";
  constexpr std::string_view kEnd = "END:VALARM\r\n";
  for (size_t at = calendar.find(kBegin); at != std::string::npos; at = calendar.find(kBegin)) {
    const size_t end = calendar.find(kEnd, at);
    REQUIRE(end != std::string::npos);
    calendar.erase(at, end + kEnd.size() - at);
  }
  return calendar;
}

bool WasTold(const User& user, store::NotificationKind kind) {
  const auto all = user.Notifications();
  return std::ranges::find(all, kind, &Notification::kind) != all.end();
}

TEST_CASE("A calendar is shared between two pods, one of which is killed meanwhile",
          "[e2e][sharing]") {
  const bool over_links = GENERATE(false, true);
  CAPTURE(over_links);
  TwoPods pods(over_links ? std::vector<std::string>{"--transport", "links"}
                          : std::vector<std::string>{});
  const User anna(pods, "anna", "A");
  const User emma(pods, "emma", "B");

  // Invited for reading: all is seen, nothing can be written.
  anna.Json({"create", "plan", "--display-name", "Plan"});
  anna.Json({"import", "plan", PODKIT_EXAMPLES "/calendars/team.ics"});
  REQUIRE(anna.Objects("plan").size() > 1);
  const auto share = Parsed<ShareInfo>(anna.Json({"invite", "plan", "emma", "--summary", "Look"}));
  AcceptFrom(emma, share.share_uid, "annas-plan");
  CHECK(emma.Collection("annas-plan")->access == Access::kRead);
  CHECK(emma.ObjectNames("annas-plan") == anna.ObjectNames("plan"));
  const std::string hers = anna.Run({"export", "plan"}).out;
  const std::string seen = emma.Run({"export", "annas-plan"}).out;
  CHECK(hers.find("VALARM") != std::string::npos);
  CHECK(seen == WithoutAlarms(hers));
  const std::string lunch = pods.NewFile("lunch.ics", Event("lunch"));
  const auto refused = emma.Run({"put", "annas-plan", "lunch.ics", lunch});
  CHECK(refused.exit_code == 1);
  CHECK_THAT(refused.err, Catch::EndsWith("user 'emma' may only read 'Plan'\n"));
  CHECK(anna.Objects("plan").size() == emma.Objects("annas-plan").size());
  Eventually("the owner is told", [&] {
    return anna.Shares("plan").front().status == ShareStatus::kAccepted &&
           WasTold(anna, store::NotificationKind::kReply);
  });

  // Now for writing, through a crash of the owner's pod.
  anna.Json({"invite", "plan", "emma", "--access", "read-write"});
  Eventually("the viewer may write",
             [&] { return emma.Collection("annas-plan")->access == Access::kReadWrite; });
  const std::string token = Parsed<store::Changes>(anna.Json({"changes", "plan"})).sync_token;
  emma.Json({"put", "annas-plan", "lunch.ics", lunch});
  CHECK(anna.Run({"get", "plan", "lunch.ics"}).out == Event("lunch"));

  pods.Kill("A");
  CHECK(emma.Collection("annas-plan")->display_name == "Plan");
  const auto unavailable = emma.Run({"objects", "annas-plan"});
  CHECK(unavailable.exit_code == 3);
  CHECK_THAT(unavailable.err, Catch::Contains("'A'"));
  CHECK(emma.Run({"put", "annas-plan", "late.ics", lunch}).exit_code == 3);
  CHECK(emma.Objects("calendar").empty());  // The rest of her home is unharmed.
  CHECK(anna.Run({"objects", "plan"}).exit_code == 3);
  pods.Start("A");

  CHECK(emma.Run({"get", "annas-plan", "lunch.ics"}).out == Event("lunch"));
  emma.Json({"delete", "annas-plan", "lunch.ics"});
  emma.Json({"put", "annas-plan", "tea.ics", pods.NewFile("tea.ics", Event("tea"))});
  const auto changes = Parsed<store::Changes>(anna.Json({"changes", "plan", "--since", token}));
  REQUIRE(changes.changed.size() == 1);
  CHECK(changes.changed.front().name == "tea.ics");

  // She leaves; he is told, and invites again while her pod is down.
  const auto not_hers = emma.Run({"delete-collection", "annas-plan"});
  CHECK(not_hers.exit_code == 1);
  CHECK_THAT(not_hers.err, Catch::Contains("'annas-plan' belongs to 'anna'") &&
                               Catch::Contains("'podctl leave'"));
  CHECK(emma.Collection("annas-plan"));
  const auto not_left = anna.Run({"leave", "plan"});
  CHECK(not_left.exit_code == 1);
  CHECK_THAT(not_left.err, Catch::Contains("'podctl delete-collection' deletes it"));
  CHECK(anna.Collection("plan"));
  emma.Json({"leave", "annas-plan"});
  CHECK(!emma.Collection("annas-plan"));
  Eventually("the owner sees that she left",
             [&] { return anna.Shares("plan").front().status == ShareStatus::kDeclined; });
  pods.Kill("B");
  anna.Json({"invite", "plan", "emma", "--access", "read-write"});
  CHECK(List<servers::MessageEntry>("messages", pods.PodctlJson({"messages"})).size() == 1);
  pods.Start("B");
  AcceptFrom(emma, share.share_uid, "plan-again");
  CHECK(emma.ObjectNames("plan-again") == anna.ObjectNames("plan"));

  // Taken back.
  anna.Json({"uninvite", "plan", "emma"});
  Eventually("it is gone", [&] { return !emma.Collection("plan-again"); });
  CHECK(emma.Run({"objects", "plan-again"}).exit_code == 1);
  CHECK(WasTold(emma, store::NotificationKind::kRemoved));
  CHECK(anna.Shares("plan").empty());
  Eventually("no message waits", [&] {
    return List<servers::MessageEntry>("messages", pods.PodctlJson({"messages"})).empty() &&
           List<servers::MessageEntry>("messages", pods.PodctlJson({"messages", "--pod", "B"}))
               .empty();
  });
  CHECK(pods.Stop("A") == 0);
  CHECK(pods.Stop("B") == 0);
}

// One user's requests to one pod's API.
class ApiUser {
 public:
  ApiUser(const TwoPods& pods, std::string uid, const std::string& pod)
      : client_(pods.Api(pod)), uid_(std::move(uid)) {}

  ApiReply Send(std::string method, std::vector<std::string> below_home, std::string body = "",
                std::vector<std::pair<std::string, std::string>> headers = {}) {
    ApiRequest request{.method = std::move(method), .path = {"homes", uid_}};
    request.path.insert(request.path.end(), below_home.begin(), below_home.end());
    request.query = {{"actor", uid_}};
    request.headers = std::move(headers);
    request.body = std::move(body);
    return ValueOf(client_->Send(request));
  }

 private:
  std::unique_ptr<podctl::PodClient> client_;
  const std::string uid_;
};

std::string ErrorClassOf(const ApiReply& reply) {
  return conduit::ErrorClass(podctl::ErrorFromReply(reply.status, reply.body));
}

TEST_CASE("The operator's API tells what became of a write on another pod", "[e2e][sharing]") {
  TwoPods pods;
  // Both are asked on the pod where they do not live.
  ApiUser anna(pods, "anna", "B");
  ApiUser emma(pods, "emma", "A");
  const std::vector<std::string> text = {"collections", "shared", "objects", "lunch.ics", "text"};

  CHECK(anna.Send("POST", {"collections"}, R"({"name": "shared"})").status == 201);
  CHECK(ErrorClassOf(anna.Send("POST", {"collections"}, R"({"name": "shared"})")) ==
        "CollectionExists");
  const auto invited =
      anna.Send("PUT", {"collections", "shared", "shares", "emma"}, R"({"access": "read"})");
  REQUIRE(invited.status == 200);
  const std::string share = Parsed<ShareInfo>(invited.body).share_uid;
  Eventually("accepted", [&] {
    return emma.Send("POST", {"invitations", share, "accept"}, "{}").status == 200;
  });

  const auto refused = emma.Send("PUT", text, Event("lunch"));
  CHECK(refused.status == 403);
  CHECK(ErrorClassOf(refused) == "AccessDenied");
  CHECK(anna.Send("PUT", {"collections", "shared", "shares", "emma"}, R"({"access": "read-write"})")
            .status == 200);
  const auto created = emma.Send("PUT", text, Event("lunch"));
  REQUIRE(created.status == 201);
  const std::string etag = Parsed<store::PutResult>(created.body).object.etag;
  CHECK(emma.Send("PUT", text, Event("lunch")).status == 200);
  CHECK(emma.Send("PUT", text, Event("lunch"), {{"If-None-Match", "*"}}).status == 409);
  CHECK(anna.Send("PUT", text, Event("lunch", "Late lunch"), {{"If-Match", '"' + etag + '"'}})
            .status == 200);
  const auto stale =
      emma.Send("PUT", text, Event("lunch", "Early"), {{"If-Match", '"' + etag + '"'}});
  CHECK(stale.status == 412);
  CHECK(ErrorClassOf(stale) == "PreconditionFailed");
  CHECK(emma.Send("GET", text).body == Event("lunch", "Late lunch"));
  CHECK(ErrorClassOf(emma.Send("PUT", text, "BEGIN:VCALENDAR\r\n")) == "InvalidCalendarData");
  CHECK(ErrorClassOf(emma.Send("GET", {"collections", "nope", "objects"})) == "NoSuchCollection");
  CHECK(emma.Send("GET", {"collections", "shared", "changes"}).status == 200);

  pods.Kill("A");
  ApiUser emma_at_home(pods, "emma", "B");
  const auto down = emma_at_home.Send("GET", {"collections", "shared", "objects"});
  CHECK(down.status == 503);
  CHECK(ErrorClassOf(down) == "PodUnavailable");
  CHECK(emma_at_home.Send("GET", {"collections", "shared"}).status == 200);
  CHECK(emma_at_home.Send("DELETE", {"collections", "shared"}).status == 204);
  pods.Start("A");
  Eventually("the owner sees that she left", [&] {
    const auto shares =
        List<ShareInfo>("shares", anna.Send("GET", {"collections", "shared", "shares"}).body);
    return shares.size() == 1 && shares.front().status == ShareStatus::kDeclined;
  });
}

}  // namespace
}  // namespace podkit::testing
