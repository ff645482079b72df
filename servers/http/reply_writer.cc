#include "servers/http/reply_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "common/text.h"

namespace podkit::servers {
namespace {

bool IsTokenChar(char c) {
  const bool alphanumeric =
      (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  return alphanumeric || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool BreaksLine(char c) { return c == '\r' || c == '\n' || c == '\0'; }

// Fields that say how the reply is framed: only the server knows.
bool IsServersField(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames = {"content-length", "transfer-encoding",
                                                      "connection", "date"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view own) { return EqualsIgnoreCase(own, name); });
}

bool StatusHasBody(int status) { return status >= 200 && status != 204 && status != 304; }

// The replies that name a protocol in "Upgrade", which concerns this connection alone.
bool IsAboutUpgrade(int status) { return status == 101 || status == 426; }

void AppendNumber(uint64_t number, std::string* out) {
  fmt::format_int text(number);
  out->append(text.data(), text.size());
}

void AppendStatusLine(int status, std::string* out) {
  if (status == 200) {
    out->append("HTTP/1.1 200 OK\r\n");
    return;
  }
  out->append("HTTP/1.1 ");
  AppendNumber(static_cast<uint64_t>(status), out);
  out->append(" ").append(ReasonPhrase(status)).append("\r\n");
}

void AppendContentLength(const HttpResponse& response, const ReplyFrame& frame, std::string* out) {
  if (!StatusHasBody(response.status)) return;
  out->append("Content-Length: ");
  const auto given = std::find_if(
      response.headers.begin(), response.headers.end(),
      [](const auto& field) { return EqualsIgnoreCase(field.first, "content-length"); });
  if (frame.head_request && response.body.empty() && given != response.headers.end()) {
    out->append(given->second);
  } else {
    AppendNumber(response.file.owner != nullptr ? response.file.size : response.body.size(), out);
  }
  out->append("\r\n");
}

void AppendConnection(const HttpResponse& response, const ReplyFrame& frame, std::string* out) {
  const bool upgrade = IsAboutUpgrade(response.status);
  const bool persistence_goes_without_saying = frame.keep_alive && frame.http_1_1;
  if (persistence_goes_without_saying && !upgrade) return;
  out->append("Connection: ");
  if (upgrade) out->append(persistence_goes_without_saying ? "Upgrade" : "Upgrade, ");
  if (!persistence_goes_without_saying) out->append(frame.keep_alive ? "keep-alive" : "close");
  out->append("\r\n");
}

}  // namespace

std::string HttpDate(absl::Time now) {
  return absl::FormatTime("%a, %d %b %E4Y %H:%M:%S GMT", now, absl::UTCTimeZone());
}

absl::Status CheckResponse(const HttpResponse& response) {
  const bool final = response.status >= 200 && response.status <= 599;
  if (response.acceptor != nullptr ? response.status != 101 : !final) {
    return absl::InternalError(fmt::format("status {} cannot be sent", response.status));
  }
  for (const auto& [name, value] : response.headers) {
    if (name.empty() || !std::all_of(name.begin(), name.end(), IsTokenChar)) {
      return absl::InternalError(fmt::format("'{}' is no header name", name));
    }
    if (std::any_of(value.begin(), value.end(), BreaksLine)) {
      return absl::InternalError(fmt::format("header '{}': its value breaks the line", name));
    }
  }
  return absl::OkStatus();
}

bool SendsBody(const HttpResponse& response, const ReplyFrame& frame) {
  return !frame.head_request && StatusHasBody(response.status);
}

void AppendReplyHead(const HttpResponse& response, const ReplyFrame& frame, std::string* out) {
  AppendStatusLine(response.status, out);
  out->append("Date: ").append(frame.date).append("\r\n");
  AppendContentLength(response, frame, out);
  AppendConnection(response, frame, out);
  for (const auto& [name, value] : response.headers) {
    if (IsServersField(name)) continue;
    out->append(name).append(": ").append(value).append("\r\n");
  }
  out->append("\r\n");
}

}  // namespace podkit::servers
