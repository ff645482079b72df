#include "servers/common/status_to_http.h"

#include <algorithm>
#include <string>

#include "podkit/conduit/json.h"
#include "podkit/store/errors.h"
#include "servers/common/error_json.h"
#include "servers/podctl/errors.h"
#include "tests/support/catch.h"

namespace podkit::servers {
namespace {

using store::MakeError;

std::string Header(const HttpResponse& response, std::string_view name) {
  const auto found =
      std::ranges::find(response.headers, name, [](const auto& one) { return one.first; });
  return found == response.headers.end() ? "" : found->second;
}

TEST_CASE("An error that quotes rubbish is JSON all the same", "[podd][errors]") {
  const std::string text =
      ErrorJson(MakeError(store::NoSuchUser{.uid = "\xFF\xC3"}, "no '\xC3\xBC\xFF\xE2\x82'"));
  CHECK(conduit::IsUtf8(text));
  const auto document = conduit::JsonDocument::Parse(text);
  REQUIRE(document.status() == absl::OkStatus());
  CHECK(document->root().Member("error")->Member("message")->AsString() ==
        "no '\xC3\xBC\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD'");
}

TEST_CASE("Each error of the store has its HTTP status", "[podd][errors]") {
  CHECK(HttpStatusOf(MakeError(store::InvalidCalendarData{}, "")) == 400);
  CHECK(HttpStatusOf(MakeError(store::InvalidName{}, "")) == 400);
  CHECK(HttpStatusOf(absl::UnauthenticatedError("")) == 401);
  CHECK(HttpStatusOf(MakeError(store::AccessDenied{}, "")) == 403);
  CHECK(HttpStatusOf(MakeError(store::NoSuchCollection{}, "")) == 404);
  CHECK(HttpStatusOf(MakeError(store::UidConflict{}, "")) == 409);
  CHECK(HttpStatusOf(MakeError(store::InvalidSyncToken{}, "")) == 410);
  CHECK(HttpStatusOf(MakeError(store::PreconditionFailed{}, "")) == 412);
  CHECK(HttpStatusOf(MakeError(conduit::BodyTooLarge{}, "")) == 413);
  CHECK(HttpStatusOf(MakeError(store::HomeElsewhere{}, "")) == 421);
  CHECK(HttpStatusOf(MakeError(store::StoreDamaged{}, "")) == 500);
  CHECK(HttpStatusOf(MakeError(conduit::InternalError{}, "")) == 500);
  CHECK(HttpStatusOf(MakeError(conduit::UnknownAction{}, "")) == 501);
  CHECK(HttpStatusOf(MakeError(store::PodUnavailable{}, "")) == 503);
  CHECK(HttpStatusOf(MakeError(store::StoreBusy{}, "")) == 503);
  CHECK(HttpStatusOf(MakeError(store::HomeDisabled{}, "")) == 503);
  CHECK(HttpStatusOf(MakeError(store::StoreFull{}, "")) == 507);
}

TEST_CASE("A pod that is down says when to ask again", "[podd][errors]") {
  const auto after = [](absl::Duration time) {
    return Header(ErrorResponse(MakeError(store::PodUnavailable{.retry_after = time}, "")),
                  "Retry-After");
  };
  CHECK(after(absl::ZeroDuration()) == "1");
  CHECK(after(absl::Milliseconds(4200)) == "5");
  CHECK(Header(ErrorResponse(absl::NotFoundError("")), "Retry-After").empty());
}

TEST_CASE("podctl rebuilds the error that podd answers", "[podd][podctl][errors]") {
  const auto rebuilt = [](const absl::Status& status) {
    const HttpResponse response = ErrorResponse(status);
    return podctl::ErrorFromReply(response.status, response.body);
  };
  const absl::Status status =
      rebuilt(MakeError(store::InvalidCalendarData{.line = 7, .reason = "no UID"}, "line 7: no"));
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(status.message() == "line 7: no");
  const auto error = conduit::GetError<store::InvalidCalendarData>(status);
  REQUIRE(error);
  CHECK(error->line == 7);
  CHECK(error->reason == "no UID");
  CHECK(rebuilt(absl::AbortedError("again")) == absl::AbortedError("again"));
}

TEST_CASE("podctl understands refusals that are not JSON", "[podctl][errors]") {
  using podctl::ErrorFromReply;
  CHECK(ErrorFromReply(413, "too large").code() == absl::StatusCode::kResourceExhausted);
  CHECK(ErrorFromReply(503, "busy").code() == absl::StatusCode::kUnavailable);
  CHECK(ErrorFromReply(500, "").code() == absl::StatusCode::kUnknown);
  CHECK(ErrorFromReply(500, "[1]").code() == absl::StatusCode::kUnknown);
}

TEST_CASE("podctl ends with what happened", "[podctl][errors]") {
  using podctl::ExitCode;
  CHECK(ExitCode(absl::OkStatus()) == 0);
  CHECK(ExitCode(MakeError(store::AccessDenied{}, "")) == 1);
  CHECK(ExitCode(podctl::Usage("how")) == 2);
  CHECK(ExitCode(MakeError(podctl::PodUnreachable{}, "")) == 3);
  CHECK(ExitCode(MakeError(store::PodUnavailable{}, "")) == 3);
}

}  // namespace
}  // namespace podkit::servers
