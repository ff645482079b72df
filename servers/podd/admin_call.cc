#include "servers/podd/admin_call.h"

#include <fmt/format.h>

#include "common/text.h"

namespace podkit::servers {
namespace {

absl::Status BadRequest(std::string_view text) {
  return store::MakeError(store::InvalidRequest{}, text);
}

absl::StatusOr<std::optional<absl::Time>> TimeParameter(std::string_view name,
                                                        const std::string& text) {
  if (text.empty()) return std::nullopt;
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return BadRequest(fmt::format("{}: '{}' is not a time like 2026-01-31T09:00:00Z", name, text));
  }
  return time;
}

}  // namespace

absl::StatusOr<std::unique_ptr<store::Home>> AdminCall::Home() const {
  const std::string actor = Query("actor");
  if (!actor.empty()) PODKIT_RETURN_IF_ERROR(store().directory().Find(actor).status());
  return store().HomeFor(Param("home"), actor);
}

absl::StatusOr<std::unique_ptr<store::HomeChild>> AdminCall::Child() const {
  PODKIT_ASSIGN_OR_RETURN(const auto home, Home());
  return home->ChildWith({.name = Param("collection"), .id = {}, .share_uid = {}});
}

absl::StatusOr<store::ObjectKey> AdminCall::Object() const {
  const std::string by = Query("by");
  store::ObjectKey key;
  if (by.empty() || by == "name") {
    key.name = Param("object");
  } else if (by == "uid") {
    key.uid = Param("object");
  } else if (by == "id") {
    key.id = Param("object");
  } else {
    return BadRequest(fmt::format("by: '{}' is not name, uid or id", by));
  }
  return key;
}

absl::StatusOr<store::Precondition> AdminCall::Condition() const {
  store::Precondition condition;
  if (const auto value = request_.headers.Find("If-None-Match")) {
    if (TrimSpace(*value) != "*") return BadRequest("If-None-Match: only * makes sense in a write");
    condition.must_not_exist = true;
  }
  if (const auto value = request_.headers.Find("If-Match")) {
    std::string_view etag = TrimSpace(*value);
    if (etag.size() < 3 || etag.front() != '"' || etag.back() != '"' ||
        etag.find('"', 1) != etag.size() - 1) {
      return BadRequest("If-Match: give one ETag in quotes");
    }
    condition.etag = std::string(etag.substr(1, etag.size() - 2));
  }
  return condition;
}

absl::StatusOr<bool> AdminCall::WholeDepth() const {
  const std::string depth = Query("depth");
  if (depth == "infinity") return true;
  if (depth.empty() || depth == "1") return false;
  return BadRequest(fmt::format("depth: '{}' is not 1 or infinity", depth));
}

absl::StatusOr<int64_t> AdminCall::Offset() const {
  const std::string text = Query("offset");
  if (text.empty()) return 0;
  const auto offset = ParseNumber(text);
  if (!offset || *offset < 0) return BadRequest("offset: give 0 or more");
  return *offset;
}

std::vector<std::string> AdminCall::Instances() const {
  const std::string text = Query("instances");
  if (text.empty()) return {};
  const auto parts = SplitText(text, ',');
  return {parts.begin(), parts.end()};
}

absl::StatusOr<store::Query> AdminCall::SearchQuery() const {
  store::Query query;
  query.component = request_.Query("component");
  query.time_zone = request_.Query("time_zone");
  PODKIT_ASSIGN_OR_RETURN(query.start, TimeParameter("start", Query("start")));
  PODKIT_ASSIGN_OR_RETURN(query.end, TimeParameter("end", Query("end")));
  return query;
}

absl::StatusOr<store::FreeBusyQuery> AdminCall::BusyQuery() const {
  PODKIT_ASSIGN_OR_RETURN(const store::Query range, SearchQuery());
  if (!range.start || !range.end) return BadRequest("start and end: give both");
  return store::FreeBusyQuery{
      .start = *range.start, .end = *range.end, .time_zone = Query("time_zone")};
}

}  // namespace podkit::servers
