#include "servers/common/status_to_http.h"

#include <fmt/format.h>

#include <algorithm>

#include "podkit/conduit/error.h"
#include "podkit/store/errors.h"
#include "servers/common/error_json.h"

namespace podkit::servers {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(1);

absl::Duration RetryAfter(const absl::Status& status) {
  const auto pod = conduit::GetError<store::PodUnavailable>(status);
  return pod ? std::max(pod->retry_after, kRetryAfter) : kRetryAfter;
}

}  // namespace

int HttpStatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kOutOfRange:  // A sync token that is no more.
      return 410;
    case absl::StatusCode::kFailedPrecondition:
      return conduit::GetError<store::HomeElsewhere>(status) ? 421 : 412;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    case absl::StatusCode::kResourceExhausted:
      return conduit::GetError<store::StoreFull>(status) ||
                     conduit::GetError<store::QuotaExceeded>(status)
                 ? 507
                 : 413;
    default:
      return 500;
  }
}

HttpResponse ErrorResponse(const absl::Status& status) {
  HttpResponse response = HttpResponse::Json(HttpStatusOf(status), ErrorJson(status));
  if (response.status == 503 || response.status == 504) {
    const int64_t seconds = absl::ToInt64Seconds(absl::Ceil(RetryAfter(status), absl::Seconds(1)));
    response.headers.emplace_back("Retry-After", fmt::format("{}", seconds));
  }
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace podkit::servers
