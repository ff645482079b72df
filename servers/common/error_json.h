// How an error looks as JSON, in the operator's API and in the output of podctl:
//
//   {"error": {"class": "NoSuchUser", "code": "NOT_FOUND", "message": "...", "fields": {...}}}
//
// `class` is empty for an error that has no name.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace podkit::servers {

std::string ErrorJson(const absl::Status& status);

}  // namespace podkit::servers
