#include "servers/podctl/errors.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "common/text.h"
#include "podkit/conduit/json.h"
#include "podkit/store/errors.h"

namespace podkit::podctl {
namespace {

absl::StatusCode CodeFromName(std::string_view name) {
  constexpr int kLast = static_cast<int>(absl::StatusCode::kUnauthenticated);
  for (int code = 1; code <= kLast; ++code) {
    const auto candidate = static_cast<absl::StatusCode>(code);
    if (absl::StatusCodeToString(candidate) == name) return candidate;
  }
  return absl::StatusCode::kUnknown;
}

// The error of one of the declared classes as its own type, so that GetError finds it.
template <conduit::NamedError... E>
absl::Status Rebuild(conduit::ErrorList<E...>, std::string_view error_class,
                     const std::string& fields, std::string_view message) {
  absl::Status rebuilt;
  const auto try_one = [&](auto candidate) {
    using Candidate = decltype(candidate);
    if (error_class != Candidate::kClass) return false;
    const auto error = conduit::FromJson<Candidate>(fields);
    rebuilt = conduit::MakeError(error.ok() ? *error : Candidate{}, message);
    return true;
  };
  static_cast<void>((try_one(E{}) || ...));
  return rebuilt;
}

std::string Text(const conduit::JsonValue& object, std::string_view name) {
  const auto member = object.Member(name);
  const auto text = member ? member->AsString() : std::nullopt;
  return std::string(text.value_or(""));
}

// A refusal of the HTTP server itself, before the API saw the request.
absl::Status PlainError(int http_status, const std::string& body) {
  if (http_status == 413) {  // The body names the limit.
    return absl::ResourceExhaustedError(
        fmt::format("too large for the pod: {}; split the file, or raise max_body_bytes of podd",
                    TrimSpace(std::string_view(body).substr(0, 200))));
  }
  if (http_status == 503) {
    return absl::UnavailableError("the pod has too much to do: try again in a moment");
  }
  return absl::UnknownError(fmt::format("the pod answered HTTP status {}: {}", http_status,
                                        body.empty() ? "nothing" : body.substr(0, 200)));
}

}  // namespace

absl::Status Usage(std::string_view text) { return conduit::MakeError(UsageError{}, text); }

int ExitCode(const absl::Status& status) {
  if (status.ok()) return 0;
  const std::string error_class = conduit::ErrorClass(status);
  if (error_class == UsageError::kClass) return 2;
  if (error_class == PodUnreachable::kClass || error_class == store::PodUnavailable::kClass) {
    return 3;
  }
  return 1;
}

absl::Status ErrorFromReply(int http_status, const std::string& body) {
  const auto document = conduit::JsonDocument::Parse(body);
  const auto error = document.ok() ? document->root().Member("error") : std::nullopt;
  if (!error) return PlainError(http_status, body);
  const std::string message = Text(*error, "message");
  const auto fields = error->Member("fields");
  const absl::Status rebuilt = Rebuild(store::StoreErrors(), Text(*error, "class"),
                                       fields ? fields->ToText() : "{}", message);
  if (!rebuilt.ok()) return rebuilt;
  return absl::Status(CodeFromName(Text(*error, "code")), message);
}

}  // namespace podkit::podctl
