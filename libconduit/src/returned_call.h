// A call that the other side gave back: it was not executed, and nothing is wrong with the host,
// whose connection takes no more calls. It may be begun again at once.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "outcome.h"

namespace podkit::conduit::internal {

inline absl::Status ReturnedCall(const std::string& why) {
  return WithOutcome(absl::AbortedError(why), Outcome::kNotExecuted);
}

inline bool IsReturnedCall(const absl::Status& status) {
  return absl::IsAborted(status) && OutcomeOf(status) == Outcome::kNotExecuted;
}

}  // namespace podkit::conduit::internal
