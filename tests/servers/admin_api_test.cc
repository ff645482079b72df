// The operator's API without a server: routes, the token, and what a request may ask for.
#include "servers/podd/admin_api.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "podkit/conduit/in_process.h"
#include "servers/podctl/errors.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::servers {
namespace {

using testing::TempDir;
using testing::ValueOf;

const std::string kToken(64, 't');

// One pod with ann and bob.
class Pod {
 public:
  Pod() {
    conduit::Pod own{.id = "A", .hosts = {"http://127.0.0.1:1"}};
    conduit_ =
        std::make_unique<conduit::Conduit>(ValueOf(conduit::Pods::Create({own}, "A")), &network_);
    store_ =
        ValueOf(store::Store::Open({.folder = folder_.File("data")},
                                   ValueOf(store::FileUserDirectory::Create(
                                       {{"ann", "Ann", "A"}, {"bob", "Bob", "A"}},
                                       {{.id = "staff", .name = "Staff", .members = {"bob"}}})),
                                   conduit_.get(), "A"));
    const PodServices services{.store = store_.get(),
                               .conduit = conduit_.get(),
                               .data_folder = folder_.File("data"),
                               .started = absl::UnixEpoch()};
    REQUIRE(
        AddAdminApi(services,
                    {.token = kToken,
                     .log = [this](std::string_view line) { log_ += std::string(line) + "\n"; }},
                    &router_) == absl::OkStatus());
  }

  HttpResponse Send(std::string_view method, const std::string& target, std::string body = "",
                    std::vector<std::pair<std::string, std::string>> headers = {
                        {"Authorization", "Bearer " + kToken}}) {
    HttpRequest request{.method = std::string(method), .target = std::string(kAdminPath) + target};
    for (const auto& [name, value] : headers) request.headers.Add(name, value);
    request.body = std::move(body);
    auto match = router_.Find(method, request.path());
    REQUIRE(match.route != nullptr);
    request.params = match.params;
    return match.route->handler(request);
  }
  HttpResponse SendAs(std::string_view actor, std::string_view method, const std::string& target,
                      std::string body = "") {
    return Send(method, fmt::format("{}?actor={}", target, actor), std::move(body));
  }

  const std::string& log() const { return log_; }

 private:
  TempDir folder_;
  conduit::InProcessNetwork network_;
  std::unique_ptr<conduit::Conduit> conduit_;
  std::unique_ptr<store::Store> store_;
  Router router_;
  std::string log_;
};

std::string ErrorClassOf(const HttpResponse& response) {
  return conduit::ErrorClass(podctl::ErrorFromReply(response.status, response.body));
}

TEST_CASE("The operator's token is asked for before anything else", "[podd][admin]") {
  Pod pod;
  using Headers = std::vector<std::pair<std::string, std::string>>;
  const std::string good = "Bearer " + kToken;
  const std::vector<Headers> wrong = {{},
                                      {{"Authorization", ""}},
                                      {{"Authorization", "Bearer"}},
                                      {{"Authorization", "Bearer " + std::string(64, 'x')}},
                                      {{"Authorization", kToken}},
                                      {{"Authorization", "bearer x" + kToken}},
                                      {{"Authorization", good + "t"}},
                                      {{"Authorization", good}, {"Authorization", good}}};
  for (const Headers& headers : wrong) {
    const auto response = pod.Send("POST", "/homes/ann/collections", "{", headers);
    CHECK(response.status == 401);
    CHECK_THAT(response.body, !Catch::Contains("ann"));
  }
  CHECK(pod.log().empty());
  CHECK(pod.Send("POST", "/homes/ann/collections", "{").status == 400);
  CHECK(pod.log() != "");
  CHECK_THAT(pod.log(), !Catch::Contains(kToken));
}

TEST_CASE("A request that makes no sense is refused by name", "[podd][admin]") {
  Pod pod;
  const auto refused = [&](std::string_view method, const std::string& target,
                           std::string body = "") {
    const auto response = pod.Send(method, "/homes/ann" + target, std::move(body));
    CHECK(response.status == 400);
    return ErrorClassOf(response);
  };
  CHECK(refused("POST", "/collections", "") == "InvalidRequest");
  CHECK(refused("POST", "/collections", R"({"name": 1})") == "InvalidRequest");
  CHECK(refused("POST", "/collections", R"({"name": "a/b"})") == "InvalidName");
  CHECK(refused("PUT", "/collections/calendar/shares/bob", R"({"access": "all"})") ==
        "InvalidRequest");
  CHECK(refused("GET", "/collections/calendar/objects/x?by=colour") == "InvalidRequest");
  CHECK(refused("GET", "/collections/calendar/search?start=soon") == "InvalidRequest");
  for (const char* etag : {"x", "\"", "\"\"", "*", "\"a\", \"b\""}) {
    const auto response = pod.Send("PUT", "/homes/ann/collections/calendar/objects/x.ics/text", "",
                                   {{"Authorization", "Bearer " + kToken}, {"If-Match", etag}});
    CHECK(response.status == 400);
    CHECK(ErrorClassOf(response) == "InvalidRequest");
  }
  const auto none_match =
      pod.Send("PUT", "/homes/ann/collections/calendar/objects/x.ics/text", "",
               {{"Authorization", "Bearer " + kToken}, {"If-None-Match", "\"x\""}});
  CHECK(none_match.status == 400);
  CHECK_THAT(none_match.body, Catch::Contains("If-None-Match: only * makes sense in a write"));
}

TEST_CASE("A parameter that the request does not take is refused", "[podd][admin]") {
  Pod pod;
  const auto refusal = [&](std::string_view method, const std::string& target,
                           const std::string& body = "") {
    const auto response = pod.Send(method, "/homes/ann" + target, body);
    CHECK(response.status == 400);
    CHECK(ErrorClassOf(response) == "InvalidRequest");
    return std::string(podctl::ErrorFromReply(400, response.body).message());
  };
  CHECK(refusal("GET", "/collections/calendar/objects/x?acter=emma") ==
        "there is no parameter 'acter'; this request takes actor, by");
  CHECK(refusal("DELETE", "/collections/calendar/objects/x?by=uid") ==
        "there is no parameter 'by'; this request takes actor");
  CHECK(refusal("GET", "/collections?actor=") == "actor: give a value, or leave the parameter out");
  CHECK(refusal("GET", "/collections?actor=ann&actor=bob") == "actor: is there twice");
  CHECK(refusal("GET", "/collections?actor=%FF") == "actor: is not UTF-8");
  CHECK(refusal("GET", "/collections/%FF") == "the path is not UTF-8");
  CHECK(refusal("GET", "/changes?depth=2") == "depth: '2' is not 1 or infinity");
  CHECK(pod.Send("GET", "/homes/ann/changes?depth=1").status == 200);
  CHECK(pod.Send("GET", "/homes/ann/changes?depth=infinity&actor=ann").status == 200);
}

TEST_CASE("A misspelt member of a request is refused", "[podd][admin]") {
  Pod pod;
  const auto refusal = [&](std::string_view method, const std::string& target,
                           const std::string& body) {
    const auto response = pod.Send(method, "/homes/ann" + target, body);
    CHECK(response.status == 400);
    return std::string(podctl::ErrorFromReply(400, response.body).message());
  };
  CHECK(refusal("PATCH", "/collections/calendar", R"({"nmae": "x"})") ==
        "body: $.nmae: is not a known member; there are name, properties");
  CHECK_THAT(refusal("PATCH", "/collections/calendar", R"({"properties": {"colour": "#123456"}})"),
             Catch::StartsWith("body: $.properties.colour: is not a known member; there are "));
}

TEST_CASE("The acting user is one of the directory and has his rights", "[podd][admin]") {
  Pod pod;
  CHECK(pod.Send("GET", "/homes/ann/collections").status == 200);
  CHECK(pod.SendAs("ann", "GET", "/homes/ann/collections").status == 200);
  CHECK(pod.SendAs("bob", "GET", "/homes/ann/collections").status == 403);
  CHECK(ErrorClassOf(pod.SendAs("eve", "GET", "/homes/ann/collections")) == "NoSuchUser");
  CHECK(ErrorClassOf(pod.Send("GET", "/homes/eve/collections")) == "NoSuchUser");
}

TEST_CASE("A collection is renamed and changed in one request", "[podd][admin]") {
  Pod pod;
  REQUIRE(pod.Send("POST", "/homes/ann/collections", R"({"name": "work"})").status == 201);
  const auto changed = pod.Send("PATCH", "/homes/ann/collections/work",
                                R"({"name": "office", "properties": {"color": "#123456"}})");
  CHECK(changed.status == 200);
  const auto info = ValueOf(conduit::FromJson<store::CollectionInfo>(changed.body));
  CHECK(info.name == "office");
  CHECK(info.color == "#123456");
  CHECK(pod.Send("PATCH", "/homes/ann/collections/office", "{}").status == 200);
  CHECK(pod.Send("PATCH", "/homes/ann/collections/work", "{}").status == 404);
}

TEST_CASE("Delegates, tokens and free-busy time are asked of a home", "[podd][admin]") {
  Pod pod;
  CHECK(pod.Send("GET", "/groups").body ==
        R"({"groups":[{"id":"staff","name":"Staff","members":["bob"],"users":1}]})");
  CHECK(pod.SendAs("ann", "PUT", "/homes/ann/delegates/bob", R"({"access": "all"})").status == 400);
  CHECK(pod.SendAs("bob", "PUT", "/homes/ann/delegates/bob", R"({"access": "read"})").status ==
        403);
  CHECK(pod.SendAs("ann", "PUT", "/homes/ann/delegates/staff", R"({"access": "read"})").body ==
        R"({"principal":"staff","is_group":true,"access":"read"})");
  CHECK_THAT(pod.SendAs("ann", "GET", "/homes/ann/delegates").body, Catch::Contains("staff"));
  CHECK(pod.SendAs("bob", "GET", "/homes/ann/collections").status == 200);
  CHECK_THAT(pod.SendAs("bob", "GET", "/homes/ann/tokens").body,
             Catch::Contains(R"({"tokens":[{"name":"calendar","sync_token":"data:,)"));
  const std::string range = "&start=2026-01-01T00:00:00Z&end=2026-02-01T00:00:00Z";
  CHECK(pod.Send("GET", "/homes/ann/free-busy?actor=bob" + range).body ==
        R"({"periods":[],"unknown":[]})");
  CHECK(pod.Send("GET", "/homes/ann/free-busy?start=2026-01-01T00:00:00Z").status == 400);
  CHECK(pod.SendAs("bob", "GET", "/homes/bob/delegators").status == 200);
  CHECK(pod.SendAs("ann", "DELETE", "/homes/ann/delegates/staff").status == 204);
  CHECK(pod.SendAs("ann", "DELETE", "/homes/ann/delegates/staff").status == 404);
  CHECK(pod.SendAs("bob", "GET", "/homes/ann/collections").status == 403);
}

TEST_CASE("Files are attached to objects a part at a time", "[podd][admin]") {
  Pod pod;
  const std::string object = "/homes/ann/collections/calendar/objects/1.ics";
  const std::string event =
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n"
      "DTSTART:20260302T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
  REQUIRE(pod.SendAs("ann", "PUT", object + "/text", event).status == 201);
  const auto part = pod.Send("POST", object + "/attachment-parts?offset=0&actor=ann", "hello");
  REQUIRE(part.status == 200);
  store::AttachmentWrite write;
  write.attachment.file_name = "plan.txt";
  write.parts = {ValueOf(conduit::FromJson<store::UploadedPart>(part.body))};
  const auto attached = pod.SendAs("ann", "POST", object + "/attachments", conduit::ToJson(write));
  REQUIRE(attached.status == 201);
  const std::string id =
      ValueOf(conduit::FromJson<store::AttachmentResult>(attached.body)).attachment.managed_id;
  CHECK_THAT(pod.SendAs("ann", "GET", object + "/attachments").body, Catch::Contains(id));
  const std::string one = object + "/attachments/" + id;
  CHECK(pod.SendAs("ann", "GET", one).body == "hello");
  CHECK(pod.Send("GET", one + "?actor=ann&offset=3").body == "lo");
  CHECK(pod.Send("GET", one + "?actor=ann&offset=x").status == 400);
  CHECK_THAT(pod.Send("GET", one + "?actor=ann&offset=-1").body,
             Catch::Contains("offset: give 0 or more"));
  CHECK(pod.Send("GET", one + "?actor=ann&offset=6").status == 400);
  CHECK(pod.SendAs("bob", "GET", one).status == 403);
  CHECK(pod.Send("DELETE", one + "?actor=ann&instances=20990101T000000Z").status == 404);
  CHECK(pod.Send("DELETE", one + "?actor=ann&instances=M").status == 200);
  CHECK(pod.SendAs("ann", "DELETE", one).status == 404);
}

TEST_CASE("The pod is described with its users, homes and pods", "[podd][admin]") {
  Pod pod;
  pod.Send("GET", "/homes/ann/collections");
  const auto status = ValueOf(conduit::FromJson<PodStatus>(pod.Send("GET", "/status").body));
  CHECK(status.pod == "A");
  CHECK(status.users == 2);
  CHECK(status.homes == 1);
  CHECK(status.problems.empty());
  CHECK_THAT(pod.Send("GET", "/users").body, Catch::Contains(R"("name":"Bob")"));
  CHECK_THAT(pod.Send("GET", "/homes").body, Catch::Contains(R"("uid":"ann")"));
  CHECK_THAT(pod.Send("GET", "/pods").body, Catch::Contains(R"("own":true)"));
  CHECK(pod.Send("POST", "/homes/ann/check").body ==
        R"({"problems":[],"attachments":0,"attachment_bytes":0,"orphans":0,"orphan_bytes":0})");
  CHECK(pod.Send("POST", "/homes/ann/collect-orphans").body == R"({"chunks":0,"bytes":0})");
  CHECK(pod.Send("POST", "/homes/bob/collect-orphans").status == 404);
  CHECK(pod.Send("POST", "/homes/bob/check").status == 404);
  CHECK(pod.Send("GET", "/messages").body == R"({"messages":[]})");
  CHECK(pod.Send("POST", "/pings").body == R"({"pings":[]})");
  CHECK(pod.Send("POST", "/pods/B/ping").status == 404);
}

TEST_CASE("The operator has shares compared, some homes at a time", "[podd][admin]") {
  Pod pod;
  pod.Send("GET", "/homes/ann/collections");
  CHECK(pod.Send("POST", "/reconcile-shares?homes=1").body ==
        R"({"homes":1,"shares":0,"in_flight":0,"unknown":0,"calls":0,"healed":{"invited_again":0,)"
        R"("asked_anew":0,"replied_again":0,"removed":0,"withdrawn":0},"problems":[],)"
        R"("next":"ann"})");
  CHECK_THAT(pod.Send("POST", "/reconcile-shares").body,
             Catch::Contains(R"({"homes":1,)") && Catch::Contains(R"("next":""})"));
  CHECK_THAT(pod.Send("POST", "/reconcile-shares?after=ann").body,
             Catch::Contains(R"({"homes":0,)") && Catch::Contains(R"("next":""})"));
  for (const char* homes : {"0", "-1", "x", "1001"}) {
    CAPTURE(homes);
    const auto refused = pod.Send("POST", std::string("/reconcile-shares?homes=") + homes);
    CHECK(refused.status == 400);
    CHECK_THAT(refused.body, Catch::Contains("homes: give 1 to 1000"));
  }
}

TEST_CASE("The operator purges a home when its uid is said twice", "[podd][admin]") {
  Pod pod;
  pod.Send("GET", "/homes/ann/collections");
  const auto purge = [&](const std::string& uid, const std::string& confirm) {
    return pod.Send("POST", "/homes/" + uid + "/purge",
                    conduit::ToJson(PurgeConfirmation{confirm}));
  };
  CHECK_THAT(purge("ann", "an").body, Catch::Contains("confirm: give the uid 'ann' once more"));
  CHECK(purge("ann", "bob").status == 400);
  CHECK(pod.Send("POST", "/homes/ann/purge").status == 400);
  CHECK(purge("bob", "bob").status == 404);
  const auto in_a_name = pod.SendAs("bob", "POST", "/homes/ann/purge", R"({"confirm":"ann"})");
  CHECK(in_a_name.status == 400);
  CHECK_THAT(in_a_name.body, Catch::Contains("this request takes none"));
  CHECK_THAT(pod.Send("GET", "/homes").body, Catch::Contains(R"("uid":"ann")"));
  // A thread of the store may hold it for a moment; then it is that thread's to end it.
  auto purged = purge("ann", "ann");
  for (const absl::Time end = absl::Now() + absl::Seconds(30); purged.status == 202;) {
    CHECK(purged.body == R"({"gone":false,"messages":0})");
    REQUIRE(absl::Now() < end);
    purged = purge("ann", "ann");
  }
  if (purged.status == 200) {
    CHECK(purged.body == R"({"gone":true,"messages":0})");
  } else {
    CHECK(ErrorClassOf(purged) == "NoSuchHome");
  }
  CHECK(pod.Send("GET", "/homes").body == R"({"homes":[]})");
  CHECK(purge("ann", "ann").status == 404);
}

}  // namespace
}  // namespace podkit::servers
