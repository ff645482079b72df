// One request to the operator's API, taken apart, and the forms of its answers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/status_macros.h"
#include "podkit/store/errors.h"
#include "podkit/store/home.h"
#include "servers/common/admin_messages.h"
#include "servers/common/known_members.h"
#include "servers/http/http_message.h"
#include "servers/podd/pod_services.h"

namespace podkit::servers {

using AdminAnswer = absl::StatusOr<HttpResponse>;

// Valid as long as the request.
class AdminCall {
 public:
  AdminCall(const PodServices& pod, const HttpRequest& request) : pod_(pod), request_(request) {}

  const PodServices& pod() const { return pod_; }
  store::Store& store() const { return *pod_.store; }

  // What stands in the path, and in the query ("" if it is absent).
  std::string Param(std::string_view name) const { return std::string(request_.Param(name)); }
  std::string Query(std::string_view name) const { return request_.Query(name).value_or(""); }

  const std::string& body() const { return request_.body; }
  // InvalidRequest unless the body is a JSON object of this form, without any other member.
  template <conduit::Message T>
  absl::StatusOr<T> Body() const {
    const std::string text = request_.body.empty() ? "{}" : request_.body;
    auto decoded = conduit::FromJson<T>(text);
    absl::Status status = decoded.status();
    if (status.ok()) status = CheckMembers<T>(conduit::JsonDocument::Parse(text)->root());
    if (status.ok()) return decoded;
    return store::MakeError(store::InvalidRequest{}, "body: " + std::string(status.message()));
  }

  // {home}, seen by the acting user.
  absl::StatusOr<std::unique_ptr<store::Home>> Home() const;
  // {collection} of {home}.
  absl::StatusOr<std::unique_ptr<store::HomeChild>> Child() const;
  // {object}: a name, or with ?by=uid or ?by=id one of those.
  absl::StatusOr<store::ObjectKey> Object() const;
  // From If-Match and If-None-Match.
  absl::StatusOr<store::Precondition> Condition() const;
  // ?depth=infinity; false for 1, which it is if it is absent.
  absl::StatusOr<bool> WholeDepth() const;
  // ?offset=, 0 if it is absent.
  absl::StatusOr<int64_t> Offset() const;
  // ?instances=, separated by commas.
  std::vector<std::string> Instances() const;
  absl::StatusOr<store::Query> SearchQuery() const;
  absl::StatusOr<store::FreeBusyQuery> BusyQuery() const;

 private:
  const PodServices& pod_;
  const HttpRequest& request_;
};

// {"<name>": value}.
template <conduit::Encodable T>
HttpResponse Member(std::string_view name, const T& value) {
  return HttpResponse::Json(200, ToJsonMember(name, value));
}
template <conduit::Encodable T>
AdminAnswer Member(std::string_view name, const absl::StatusOr<T>& value) {
  if (!value.ok()) return value.status();
  return Member(name, *value);
}

template <conduit::Encodable T>
HttpResponse Value(const T& value, int status = 200) {
  return HttpResponse::Json(status, conduit::ToJson(value));
}
template <conduit::Encodable T>
AdminAnswer Value(const absl::StatusOr<T>& value, int status = 200) {
  if (!value.ok()) return value.status();
  return Value(*value, status);
}

inline AdminAnswer Done(absl::Status status) {
  if (!status.ok()) return status;
  return HttpResponse{.status = 204, .headers = {}, .body = {}};
}

}  // namespace podkit::servers
