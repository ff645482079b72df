#include "podkit/conduit/error.h"

#include "cheese.h"
#include "common/with_message.h"
#include "outcome.h"
#include "tests/support/catch.h"

namespace podkit::conduit {

TEST_CASE("A named error can be taken out of its status", "[conduit][error]") {
  const absl::Status status = MakeError(NoSuchCheese{"brie", 2}, "no brie");
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(status.message() == "no brie");
  CHECK(ErrorClass(status) == "NoSuchCheese");
  CHECK(ErrorFieldsJson(status) == R"({"name":"brie","stock":2})");
  const auto error = GetError<NoSuchCheese>(status);
  REQUIRE(error);
  CHECK(error->name == "brie");
  CHECK_FALSE(GetError<ShopClosed>(status));
}

TEST_CASE("A plain status carries no named error", "[conduit][error]") {
  CHECK(ErrorClass(absl::NotFoundError("x")).empty());
  CHECK(ErrorClass(absl::OkStatus()).empty());
  CHECK(ErrorFieldsJson(absl::NotFoundError("x")) == "{}");
  CHECK_FALSE(GetError<NoSuchCheese>(absl::NotFoundError("x")));
}

TEST_CASE("A named error with other fields than expected is not taken for it", "[conduit][error]") {
  const absl::Status status = internal::MakeError(absl::StatusCode::kNotFound, "NoSuchCheese",
                                                  R"({"name":7})", "from another version");
  CHECK_FALSE(GetError<NoSuchCheese>(status));
  CHECK(ErrorClass(status) == "NoSuchCheese");
}

TEST_CASE("OutcomeOf follows from what a status carries", "[conduit][error]") {
  CHECK(OutcomeOf(absl::OkStatus()) == Outcome::kOk);
  CHECK(OutcomeOf(absl::InternalError("x")) == Outcome::kUnknown);
  CHECK(OutcomeOf(MakeError(ShopClosed{}, "")) == Outcome::kDeclaredError);
  CHECK(OutcomeOf(MakeError(InvalidArguments{}, "")) == Outcome::kDeclaredError);
  CHECK(OutcomeOf(MakeError(InternalError{"r"}, "")) == Outcome::kInternalError);
  CHECK(OutcomeOf(MakeError(UnknownAction{}, "")) == Outcome::kNotImplemented);
  for (const Outcome outcome : {Outcome::kNotExecuted, Outcome::kUnknown, Outcome::kTimedOut}) {
    CHECK(OutcomeOf(TransportError(outcome, "x")) == outcome);
  }
  CHECK(TransportError(Outcome::kNotExecuted, "x").code() == absl::StatusCode::kUnavailable);
  CHECK(TransportError(Outcome::kUnknown, "x").code() == absl::StatusCode::kUnavailable);
  CHECK(TransportError(Outcome::kTimedOut, "x").code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(OutcomeOf(WithOutcome(MakeError(ShopClosed{}, ""), Outcome::kNotExecuted)) ==
        Outcome::kNotExecuted);
  CHECK(OutcomeName(Outcome::kNotExecuted) == "not_executed");
}

TEST_CASE("A status with another message keeps what it carries", "[conduit][error]") {
  const absl::Status status = WithOutcome(MakeError(ShopClosed{}, "a"), Outcome::kUnknown);
  const absl::Status changed = WithMessage(status, "b");
  CHECK(changed.message() == "b");
  CHECK(changed.code() == status.code());
  CHECK(ErrorClass(changed) == "ShopClosed");
  CHECK(OutcomeOf(changed) == Outcome::kUnknown);
}

TEST_CASE("Codes have names on the wire, and OK is not one of them", "[conduit][error]") {
  CHECK(internal::CodeName(absl::StatusCode::kFailedPrecondition) == "failed_precondition");
  for (int i = 1; i <= 16; ++i) {
    const auto code = static_cast<absl::StatusCode>(i);
    CHECK(internal::CodeFromName(internal::CodeName(code)) == code);
  }
  CHECK(internal::CodeFromName("ok") == absl::StatusCode::kUnknown);
  CHECK(internal::CodeFromName("") == absl::StatusCode::kUnknown);
  CHECK(internal::CodeFromName("NOT_FOUND") == absl::StatusCode::kUnknown);
}

}  // namespace podkit::conduit
