// Errors of liblock as errors of its commands, and back.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace podkit::lock {

// What a responder answers for an error of the directory.
absl::Status ToCommandError(const absl::Status& status);

// What the caller gets for whatever a call ended with: the error of the directory, or
// kDirectoryUnavailable where there is no telling what became of the request. `pod` is the
// directory's.
absl::Status FromCommandError(std::string_view pod, const absl::Status& status);

}  // namespace podkit::lock
