// Calls between two pods: one suite for every transport.
#include "cheese.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

EatCheez::Response Taste(const EatCheez::Arguments& arguments) {
  return {.rating = static_cast<int64_t>(arguments.name.size()), .text = arguments.origin};
}

void ServeCheese(Conduit& conduit) {
  conduit.Handle<EatCheez>(
      [](const CallContext&,
         const EatCheez::Arguments& arguments) -> absl::StatusOr<EatCheez::Response> {
        if (arguments.name == "brie") {
          return MakeError(NoSuchCheese{"brie", 7}, "no cheese 'brie': ask for another");
        }
        if (arguments.name == "lead") return absl::DataLossError("the shelf broke");
        return Taste(arguments);
      });
  conduit.Handle<Echo>(
      [](const CallContext&, const Echo::Arguments& arguments) -> absl::StatusOr<Bytes> {
        return std::get<0>(arguments);
      });
}

}  // namespace

TEMPLATE_TEST_CASE("A ping is answered in both directions", "[conduit][call]", InProcessBed,
                   HttpBed) {
  TestType bed;
  CHECK(bed.a.template Call<Ping>("B").status() == absl::OkStatus());
  CHECK(bed.b.template Call<Ping>("A").status() == absl::OkStatus());
}

TEMPLATE_TEST_CASE("A command carries its arguments and its response", "[conduit][call]",
                   InProcessBed, HttpBed) {
  TestType bed;
  ServeCheese(bed.a);
  ServeCheese(bed.b);
  const auto there = testing::ValueOf(bed.a.template Call<EatCheez>("B", {"gouda", "nl"}));
  CHECK(there.rating == 5);
  CHECK(there.text == "nl");
  const auto back = testing::ValueOf(bed.b.template Call<EatCheez>("A", {.name = "comte"}));
  CHECK(back.rating == 5);
  CHECK(back.text == "unknown");
}

TEMPLATE_TEST_CASE("A declared error comes back as its own type with its fields",
                   "[conduit][call][error]", InProcessBed, HttpBed) {
  TestType bed;
  ServeCheese(bed.b);
  const absl::Status status = bed.a.template Call<EatCheez>("B", {.name = "brie"}).status();
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(status.message() == "no cheese 'brie': ask for another");
  CHECK(OutcomeOf(status) == Outcome::kDeclaredError);
  const auto error = GetError<NoSuchCheese>(status);
  REQUIRE(error);
  CHECK(error->name == "brie");
  CHECK(error->stock == 7);
}

TEMPLATE_TEST_CASE("An undeclared error comes back as a reference to the other pod's log",
                   "[conduit][call][error]", InProcessBed, HttpBed) {
  TestType bed;
  ServeCheese(bed.b);
  const absl::Status status =
      bed.a.template Call<EatCheez>("B", {.name = "lead"}, {.actor = "zoe"}).status();
  CHECK(OutcomeOf(status) == Outcome::kInternalError);
  const auto error = GetError<InternalError>(status);
  REQUIRE(error);
  CHECK(error->reference.starts_with("B-"));
  CHECK(status.ToString().find("shelf") == std::string::npos);
  CHECK(bed.log_b.Contain(error->reference));
  CHECK(bed.log_b.Contain("the shelf broke"));
  CHECK(bed.log_b.Contain("'eat-cheez' called by pod 'A' for 'zoe'"));
}

TEMPLATE_TEST_CASE("A command that the other pod does not know says since when it exists",
                   "[conduit][call][error]", InProcessBed, HttpBed) {
  TestType bed;
  const absl::Status status = bed.a.template Call<EatCheez>("B", {.name = "brie"}).status();
  CHECK(OutcomeOf(status) == Outcome::kNotImplemented);
  CHECK(std::string(status.message()).find("since version 3") != std::string::npos);
}

}  // namespace podkit::conduit
