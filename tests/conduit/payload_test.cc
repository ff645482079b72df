// Bytes beside the JSON of a call, there and back, on every transport.
#include "cheese.h"
#include "mux_bed.h"
#include "payload_body.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

struct Ping2 : Ping {
  static constexpr CommandInfo kInfo = {.name = "ping2", .effect = Effect::kRead};
};

using internal::JoinPayload;
using internal::SplitPayload;
using podkit::testing::ValueOf;

// Answers with what came, backwards.
void ServeTurn(Conduit& conduit) {
  conduit.Handle<Ping2>([](const CallContext& context, const Nothing&) {
    context.reply_payload->assign(context.payload.rbegin(), context.payload.rend());
    return absl::OkStatus();
  });
}

template <typename Bed>
absl::StatusOr<std::string> Turn(Bed& bed, std::string bytes) {
  CallOptions options{.payload = std::make_shared<const std::string>(std::move(bytes)),
                      .reply_payload = std::make_shared<std::string>()};
  const auto answer = bed.a.template Call<Ping2>("B", {}, options);
  if (!answer.ok()) return answer.status();
  return *options.reply_payload;
}

}  // namespace

TEMPLATE_TEST_CASE("Bytes travel beside a call and beside its answer", "[conduit][payload]",
                   InProcessBed, HttpBed, MuxBed) {
  TestType bed;
  ServeTurn(bed.b);
  CHECK(ValueOf(Turn(bed, "")).empty());
  CHECK(ValueOf(Turn(bed, std::string("a\0\xff", 3))) == std::string("\xff\0a", 3));
  const std::string large(3'000'000, 'x');
  CHECK((ValueOf(Turn(bed, large + "y")) == "y" + large));
}

TEMPLATE_TEST_CASE("Bytes beside a call count for the limit on bodies", "[conduit][payload]",
                   InProcessBed, HttpBed, MuxBed) {
  TestType bed(ConduitOptions{.max_body_bytes = 1000, .meet_hosts = false});
  ServeTurn(bed.b);
  const absl::Status large = Turn(bed, std::string(1000, 'x')).status();
  CHECK(GetError<BodyTooLarge>(large)->limit == 1000);
  CHECK(OutcomeOf(large) == Outcome::kNotExecuted);
  CHECK(Turn(bed, std::string(500, 'x')).status() == absl::OkStatus());
}

TEMPLATE_TEST_CASE("An answer may be as large as the limit, with everything that is around it",
                   "[conduit][payload]", InProcessBed, HttpBed, MuxBed) {
  TestType bed(ConduitOptions{.max_body_bytes = 1000, .meet_hosts = false});
  size_t size = 0;
  bed.b.template Handle<Ping2>([&](const CallContext& context, const Nothing&) {
    context.reply_payload->assign(size, 'x');
    return absl::OkStatus();
  });
  const size_t around = JoinPayload(R"({"result":"ok"})", "").size();
  size = 1000 - around;
  CHECK(ValueOf(Turn(bed, "")).size() == size);
  ++size;
  const absl::Status large = Turn(bed, "").status();
  REQUIRE(GetError<BodyTooLarge>(large));
  CHECK(GetError<BodyTooLarge>(large)->limit == 1000);
  CHECK(OutcomeOf(large) == Outcome::kUnknown);
  CHECK(large.message() ==
        "'ping2' was executed, but its answer of 1001 bytes is larger than the limit of 1000");
}

TEST_CASE("A caller that did not ask for bytes refuses an answer that has some",
          "[conduit][payload]") {
  InProcessBed bed;
  ServeTurn(bed.b);
  const CallOptions options{.payload = std::make_shared<const std::string>("abc")};
  const absl::Status status = bed.a.Call<Ping2>("B", {}, options).status();
  CHECK(OutcomeOf(status) == Outcome::kUnknown);
  CHECK(status.message() == "the answer of pod 'B' to 'ping2' is not JSON");
}

TEST_CASE("A body whose JSON is longer than the body is refused", "[conduit][payload]") {
  CHECK(JoinPayload("{}", "xy") == std::string("\0\0\0\2{}xy", 8));
  const std::string body = JoinPayload("{}", "xy");
  CHECK(ValueOf(SplitPayload(body)).json == "{}");
  CHECK(ValueOf(SplitPayload(body)).payload == "xy");
  for (const std::string& bad : {std::string(), std::string(3, '\0'), std::string("\0\0\0\3{}", 6),
                                 std::string("\xff\xff\xff\xff{}", 6)}) {
    CHECK(SplitPayload(bad).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace podkit::conduit
