// Writes replies in the form that goes over the wire.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "servers/http/http_message.h"

namespace podkit::servers {

struct ReplyFrame {
  std::string_view date;      // See HttpDate.
  bool keep_alive = true;     // False: "Connection: close".
  bool http_1_1 = true;       // An HTTP/1.0 client must be told that the connection stays.
  bool head_request = false;  // The length is told, the body is not sent.
};

// "Sat, 21 Nov 2026 01:05:31 GMT".
std::string HttpDate(absl::Time now);

// Why `response` cannot be sent: a status outside 200 to 599 (or 101 without an acceptor), or a
// header that would break out of its line. A bug of the handler.
absl::Status CheckResponse(const HttpResponse& response);

// True if `response` carries its body to this client.
bool SendsBody(const HttpResponse& response, const ReplyFrame& frame);

// Appends status line and header, up to and with the empty line.
void AppendReplyHead(const HttpResponse& response, const ReplyFrame& frame, std::string* out);

}  // namespace podkit::servers
