// Statuses with one of the names that the users of a client see.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "podkit/replica/client.h"

namespace podkit::replica {

// With the code that belongs to the error, or with another one.
absl::Status Named(ClientError error, const std::string& text);
absl::Status Named(ClientError error, absl::StatusCode code, const std::string& text);

// What RetryAfter tells.
void SetRetryAfter(absl::Duration after, absl::Status* status);

}  // namespace podkit::replica
