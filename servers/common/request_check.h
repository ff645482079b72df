// What an operator's API asks of every request before it looks at what is wanted.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "servers/http/http_message.h"

namespace podkit::servers {

// `parameters` are the names that the request may have in its query, with spaces between them. A
// misspelt one must not do what leaving it out does, nor must an empty one: without its actor a
// request is the operator's own. kInvalidArgument names the parameter; and it says so if the path
// or a value is not UTF-8.
absl::Status CheckRequest(const HttpRequest& request, std::string_view parameters);

}  // namespace podkit::servers
