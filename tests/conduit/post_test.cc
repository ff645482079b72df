// Requests that no conduit would send, on every transport: what a pod answers to the bytes.
#include "authenticator.h"
#include "cheese.h"
#include "fmt/format.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

using podkit::testing::ValueOf;

// Signs as pod A what it is told to.
class Signer {
 public:
  explicit Signer(absl::Time now)
      : pods_(PodsOf("A")), now_(now), authenticator_(pods_, absl::Seconds(60), now) {}

  WireRequest Signed(std::string body, std::string content_type = "application/json") {
    WireRequest request{.content_type = std::move(content_type), .body = std::move(body)};
    exchange_ = ValueOf(authenticator_.SignRequest(pods_->Find("B"), now_, request));
    return request;
  }

  // True if `reply` is B's own to the request that was signed last.
  bool Verify(const WireReply& reply) const {
    return exchange_ && internal::Authenticator::VerifyReply(*exchange_, reply).ok();
  }

 private:
  const std::shared_ptr<Pods> pods_;
  const absl::Time now_;
  internal::Authenticator authenticator_;
  std::optional<internal::SignedExchange> exchange_;
};

template <typename Bed>
struct Post {
  Bed bed;
  Signer signer{bed.clock.Now()};

  // The body of the authentic reply, which must have this status.
  std::string Answer(int status, std::string body, std::string content_type = "application/json") {
    const WireReply reply = bed.Send(signer.Signed(std::move(body), std::move(content_type)));
    CHECK(reply.status == status);
    CHECK(reply.content_type == "application/json");
    CHECK(signer.Verify(reply));
    return reply.body;
  }
  // The class of the exception that the answer holds.
  std::string Class(std::string body, std::string content_type = "application/json") {
    const auto document =
        ValueOf(JsonDocument::Parse(Answer(400, std::move(body), std::move(content_type))));
    CHECK(document.root().Member("result")->AsString() == "exception");
    return std::string(document.root().Member("class")->AsString().value());
  }
};

}  // namespace

TEMPLATE_TEST_CASE("A request without a signature gets 403 and learns nothing", "[conduit][post]",
                   InProcessBed, HttpBed) {
  TestType bed;
  for (const char* authorization :
       {"", "Basic YTpi", "Podkit-HMAC-SHA256 ", "Podkit-HMAC-SHA256 caller=A"}) {
    for (const char* body : {R"({"action":"ping"})", "", "{", R"({"action":"none"})"}) {
      const WireReply reply = bed.Send(
          {.content_type = "application/json", .authorization = authorization, .body = body});
      CHECK(reply.status == 403);
      CHECK(reply.body.empty());
      CHECK(reply.content_type.empty());
      CHECK(reply.authorization.empty());
    }
  }
  CHECK(bed.log_b.Contain("refused a request of 17 bytes: it is not signed"));
}

TEMPLATE_TEST_CASE("A ping over the wire is answered with ok", "[conduit][post]", InProcessBed,
                   HttpBed) {
  Post<TestType> post;
  CHECK(post.Answer(200, R"({"action":"ping","arguments":[],"keywords":{}})") ==
        R"({"result":"ok"})");
  // Both may be absent, others may be there.
  CHECK(post.Answer(200, R"({"action":"ping","later":[1,{}]})") == R"({"result":"ok"})");
  CHECK(post.Answer(200, R"({"action":"ping"})", "Application/JSON ; charset=utf-8") ==
        R"({"result":"ok"})");
}

TEMPLATE_TEST_CASE("A request of another media type is refused", "[conduit][post]", InProcessBed,
                   HttpBed) {
  Post<TestType> post;
  CHECK(post.Class(R"({"action":"ping"})", "text/plain") == "WrongMediaType");
  CHECK(post.Class(R"({"action":"ping"})", "application/jsonx") == "WrongMediaType");
  CHECK(post.Class("not json either", "text/plain") == "WrongMediaType");
  CHECK(post.Answer(400, "{}", "text/plain")
            .find("neither application/json nor "
                  "application/vnd.podkit.call") != std::string::npos);
}

TEMPLATE_TEST_CASE("A request that is not a JSON object is refused", "[conduit][post]",
                   InProcessBed, HttpBed) {
  Post<TestType> post;
  CHECK(post.Class("not json") == "BadJson");
  CHECK(post.Class("[]") == "BadJson");
  CHECK(post.Class(R"({"action":"ping"}x)") == "BadJson");
  CHECK(post.Class(R"({"action":"ping","action":"echo"})") == "BadJson");
  CHECK(post.Class("{\"action\":\"p\xff\"}") == "BadJson");
  const std::string deep = std::string(1000, '[') + std::string(1000, ']');
  CHECK(post.Class(R"({"action":"ping","arguments":)" + deep + "}") == "BadJson");
}

TEMPLATE_TEST_CASE("A request without an action is refused", "[conduit][post]", InProcessBed,
                   HttpBed) {
  Post<TestType> post;
  CHECK(post.Answer(400, R"({"foo":"bar"})") ==
        R"({"result":"exception","class":"MissingAction",)"
        R"("details":"the request has no string member 'action'",)"
        R"("code":"invalid_argument","fields":{}})");
  CHECK(post.Class(R"({"action":7})") == "MissingAction");
  CHECK(post.Class(R"({"action":""})") == "MissingAction");
}

TEMPLATE_TEST_CASE("A request for an unknown action is refused", "[conduit][post]", InProcessBed,
                   HttpBed) {
  Post<TestType> post;
  CHECK(post.Answer(400, R"({"action":"fake"})") ==
        R"({"result":"exception","class":"UnknownAction",)"
        R"("details":"pod 'B' (version 0.1) knows no action 'fake'",)"
        R"("code":"unimplemented","fields":{"action":"fake","version":"0.1"}})");
  CHECK(post.Class(R"({"action":")" + std::string(100'000, 'x') + "\"}") == "UnknownAction");
}

TEMPLATE_TEST_CASE("A custom action is answered with its value", "[conduit][post]", InProcessBed,
                   HttpBed) {
  Post<TestType> post;
  post.bed.b.template Handle<Echo>(
      [](const CallContext&, const Echo::Arguments& arguments) -> absl::StatusOr<Bytes> {
        return std::get<0>(arguments);
      });
  CHECK(post.Answer(200, R"({"action":"echo","arguments":["bravo"]})") ==
        R"({"result":"ok","value":"bravo"})");
  CHECK(post.Class(R"({"action":"echo"})") == "InvalidArguments");
}

TEMPLATE_TEST_CASE("A member of the envelope of the wrong kind is refused", "[conduit][post]",
                   InProcessBed, HttpBed) {
  Post<TestType> post;
  for (const char* member :
       {R"("actor":7)", R"("timeout_ms":"1")", R"("timeout_ms":0)", R"("timeout_ms":-1)",
        R"("timeout_ms":1.5)", R"("arguments":{})", R"("arguments":null)", R"("keywords":[])",
        R"("call":7)", R"("key":null)", R"("answers":[])", R"("trace":{})", R"("store_token":"s")",
        R"("store_token":{"token":1})",
        R"("store_token":{"store":"s","token":"1","transaction":1})"}) {
    CAPTURE(member);
    CHECK(post.Class(std::string(R"({"action":"ping",)") + member + "}") == "InvalidArguments");
  }
}

TEMPLATE_TEST_CASE("A member of the envelope is refused by its name when it is too long",
                   "[conduit][post]", InProcessBed, HttpBed) {
  Post<TestType> post;
  const auto ping = [](std::string_view before, size_t bytes, std::string_view after) {
    return fmt::format(R"({{"action":"ping",{}"{}"{}}})", before, std::string(bytes, 'x'), after);
  };
  const std::vector<std::pair<std::string, size_t>> limits = {
      {"actor", 256}, {"call", 64}, {"key", 128}, {"answers", 64}, {"trace", 128}};
  for (const auto& [name, limit] : limits) {
    const std::string member = fmt::format(R"("{}":)", name);
    CHECK(post.Answer(400, ping(member, limit + 1, ""))
              .find(fmt::format("$.{}: must be a string of at most {} bytes", name, limit)) !=
          std::string::npos);
    if (name != "key" && name != "answers") {
      CHECK(post.Answer(200, ping(member, limit, "")) == R"({"result":"ok"})");
    }
  }
  constexpr std::string_view kToken = R"("store_token":{"store":)";
  constexpr std::string_view kRest = R"(,"token":1,"transaction":1})";
  CHECK(post.Answer(400, ping(kToken, 257, kRest))
            .find("$.store_token: must be an object with 'store', a string of at most 256 bytes") !=
        std::string::npos);
  CHECK(post.Answer(200, ping(kToken, 256, kRest)) == R"({"result":"ok"})");
}

TEST_CASE("A request that is too large is refused before it is looked at", "[conduit][post]") {
  InProcessBed bed(ConduitOptions{.max_body_bytes = 100, .meet_hosts = false});
  const WireReply reply =
      bed.Send({.content_type = "application/json", .body = std::string(101, ' ')});
  CHECK(reply.status == 413);
  CHECK(reply.body.empty());
  CHECK(reply.authorization.empty());
  CHECK(bed.Send({.body = std::string(100, ' ')}).status == 403);
}

TEST_CASE("A flood of refused requests does not flood the log", "[conduit][post]") {
  InProcessBed bed;
  for (int i = 0; i < 1000; ++i) bed.Send({.body = "x"});
  CHECK(bed.log_b.size() == 10);
  bed.clock.Advance(absl::Minutes(1));
  bed.Send({.body = "x"});
  CHECK(bed.log_b.size() == 11);
  CHECK(bed.log_b.Contain("(990 more were refused before)"));
}

TEST_CASE("The log of a refused request cannot be forged", "[conduit][post]") {
  InProcessBed bed;
  bed.Send({.content_type = "a\nb", .authorization = "Podkit-HMAC-SHA256 caller=x\ny, target=B"});
  CHECK(bed.log_b.size() == 1);
  CHECK_FALSE(bed.log_b.Contain("\n"));
  CHECK_FALSE(bed.log_b.Contain("caller="));
}

}  // namespace podkit::conduit
