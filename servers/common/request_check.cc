#include "servers/common/request_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/text.h"
#include "podkit/conduit/json.h"

namespace podkit::servers {
namespace {

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
  for (const auto& [name, value] : request.QueryParameters()) {
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
