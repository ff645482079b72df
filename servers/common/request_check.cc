#include "servers/common/request_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/text.h"
#include "podkit/conduit/json.h"

namespace podkit::servers {
namespace {

// Names and values of the query, decoded.
std::vector<std::pair<std::string, std::string>> QueryOf(std::string_view target) {
  std::vector<std::pair<std::string, std::string>> query;
  const size_t mark = target.find('?');
  if (mark == std::string_view::npos) return query;
  for (const std::string_view pair : SplitText(target.substr(mark + 1), '&')) {
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    query.emplace_back(PercentDecode(pair.substr(0, equals), true),
                       PercentDecode(pair.substr(std::min(equals + 1, pair.size())), true));
  }
  return query;
}

absl::Status NoSuchParameter(const std::string& name, std::string_view parameters) {
  if (parameters.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("there is no parameter '{}'; this request takes none", name));
  }
  return absl::InvalidArgumentError(fmt::format("there is no parameter '{}'; this request takes {}",
                                                name, fmt::join(SplitText(parameters, ' '), ", ")));
}

}  // namespace

absl::Status CheckRequest(const HttpRequest& request, std::string_view parameters) {
  for (const auto& [name, value] : request.params) {
    if (!conduit::IsUtf8(value)) return absl::InvalidArgumentError("the path is not UTF-8");
  }
  const auto known = SplitText(parameters, ' ');
  std::vector<std::string> seen;
  for (const auto& [name, value] : QueryOf(request.target)) {
    if (name.empty() || std::ranges::find(known, name) == known.end()) {
      return NoSuchParameter(name, parameters);
    }
    const auto refuse = [&, &name = name](std::string_view why) {
      return absl::InvalidArgumentError(fmt::format("{}: {}", name, why));
    };
    if (value.empty()) return refuse("give a value, or leave the parameter out");
    if (!conduit::IsUtf8(value)) return refuse("is not UTF-8");
    if (std::ranges::find(seen, name) != seen.end()) return refuse("is there twice");
    seen.push_back(name);
  }
  return absl::OkStatus();
}

}  // namespace podkit::servers
