// What a status carries besides its code and message: a named error, and how a call ended.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "podkit/conduit/error.h"

namespace podkit::conduit::internal {

// Nobody answered, as far as is known: the way there failed, or the time was over.
constexpr bool IsFailure(Outcome outcome) {
  return outcome == Outcome::kNotExecuted || outcome == Outcome::kUnknown ||
         outcome == Outcome::kTimedOut;
}

// The name of a code on the wire, "not_found", and back; kUnknown for a name that is not known.
// Never kOk.
std::string CodeName(absl::StatusCode code);
absl::StatusCode CodeFromName(std::string_view name);

// True for the classes that every command may answer without declaring them.
bool IsConduitError(std::string_view error_class);

}  // namespace podkit::conduit::internal
