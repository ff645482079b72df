// How the errors of the store and the conduit become HTTP replies of the operator's API.
#pragma once

#include "absl/status/status.h"
#include "servers/http/http_message.h"

namespace podkit::servers {

// The HTTP status for an error; 500 for what has none of its own. Not for OK.
int HttpStatusOf(const absl::Status& status);

// The reply for an error, with Retry-After where a later try may succeed.
HttpResponse ErrorResponse(const absl::Status& status);

}  // namespace podkit::servers
