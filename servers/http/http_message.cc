#include "servers/http/http_message.h"

#include <algorithm>
#include <iterator>

#include "common/text.h"

namespace podkit::servers {
namespace {

// Ordered by status.
struct Reason {
  int status;
  std::string_view phrase;
};
constexpr Reason kReasons[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = AsciiLower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The byte that "%XX" at `at` stands for, or -1.
int EncodedByte(std::string_view text, size_t at) {
  if (at + 2 >= text.size()) return -1;
  const int high = HexDigit(text[at + 1]);
  const int low = HexDigit(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

HttpResponse Make(int status, std::string_view type, std::string body) {
  HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", type);
  response.body = std::move(body);
  return response;
}

}  // namespace

HttpHeaders::Field HttpHeaders::operator[](size_t index) const {
  const Span& span = spans_[index];
  const std::string_view text = text_;
  return {text.substr(span.begin, span.name_size),
          text.substr(span.begin + span.name_size, span.value_size)};
}

std::optional<std::string_view> HttpHeaders::Find(std::string_view name) const {
  for (size_t i = 0; i < spans_.size(); ++i) {
    const Field field = (*this)[i];
    if (EqualsIgnoreCase(field.name, name)) return field.value;
  }
  return std::nullopt;
}

size_t HttpHeaders::Count(std::string_view name) const {
  size_t count = 0;
  for (size_t i = 0; i < spans_.size(); ++i) {
    if (EqualsIgnoreCase((*this)[i].name, name)) ++count;
  }
  return count;
}

void HttpHeaders::Add(std::string_view name, std::string_view value) {
  spans_.push_back({static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(name.size()),
                    static_cast<uint32_t>(value.size())});
  text_.append(name).append(value);
}

void HttpHeaders::Clear() {
  text_.clear();
  spans_.clear();
}

std::string_view HttpRequest::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view HttpRequest::Param(std::string_view name) const {
  for (const auto& [param, value] : params) {
    if (param == name) return value;
  }
  return {};
}

std::vector<std::pair<std::string, std::string>> HttpRequest::QueryParameters() const {
  std::vector<std::pair<std::string, std::string>> parameters;
  const size_t mark = target.find('?');
  if (mark == std::string::npos) return parameters;
  for (const std::string_view pair : SplitText(std::string_view(target).substr(mark + 1), '&')) {
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    parameters.emplace_back(PercentDecode(pair.substr(0, equals), true),
                            PercentDecode(pair.substr(std::min(equals + 1, pair.size())), true));
  }
  return parameters;
}

std::optional<std::string> HttpRequest::Query(std::string_view name) const {
  for (auto& [known, value] : QueryParameters()) {
    if (known == name) return std::move(value);
  }
  return std::nullopt;
}

HttpResponse HttpResponse::Json(int status, std::string body) {
  return Make(status, "application/json", std::move(body));
}

HttpResponse HttpResponse::Text(int status, std::string body) {
  return Make(status, "text/plain; charset=utf-8", std::move(body));
}

HttpResponse HttpResponse::SwitchTo(conduit::StreamAcceptor acceptor) {
  HttpResponse response;
  response.status = 101;
  response.acceptor = std::move(acceptor);
  return response;
}

bool IsPercentEncoded(std::string_view text) {
  for (size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 1)) {
    if (EncodedByte(text, i) < 0) return false;
  }
  return true;
}

std::string PercentDecode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const int byte = text[i] == '%' ? EncodedByte(text, i) : -1;
    if (byte >= 0) {
      decoded.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      decoded.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return decoded;
}

std::string_view ReasonPhrase(int status) {
  const auto* const found =
      std::lower_bound(std::begin(kReasons), std::end(kReasons), status,
                       [](const Reason& reason, int wanted) { return reason.status < wanted; });
  return found != std::end(kReasons) && found->status == status ? found->phrase
                                                                : std::string_view();
}

}  // namespace podkit::servers
