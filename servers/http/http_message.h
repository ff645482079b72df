// One HTTP request and its reply, as handlers see them.
//
// Thread-compatible: plain values. A handler gets its request by const reference, valid until it
// returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "podkit/conduit/byte_stream.h"

namespace podkit::servers {

// The header fields of a request in the order of arrival. All text lies in one buffer, which is
// kept when the object is cleared and filled again.
class HttpHeaders {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  // The returned views live until the next Add or Clear.
  size_t size() const { return spans_.size(); }
  Field operator[](size_t index) const;
  // The first value of `name`, whatever its case.
  std::optional<std::string_view> Find(std::string_view name) const;
  size_t Count(std::string_view name) const;

  void Add(std::string_view name, std::string_view value);
  void Clear();

 private:
  struct Span {
    uint32_t begin;
    uint32_t name_size;
    uint32_t value_size;
  };
  std::string text_;
  std::vector<Span> spans_;
};

struct HttpRequest {
  std::string method;  // As sent: methods are case-sensitive.
  std::string target;  // Path and query as sent, each '%' followed by two hexadecimal digits.
  HttpHeaders headers;
  std::string body;
  std::string peer;  // "127.0.0.1:40112" or "[::1]:40112".
  bool tls = false;
  std::vector<std::pair<std::string, std::string>> params;  // Set by the router, decoded.

  // The target up to the query, as sent: "/users/a%2Fb".
  std::string_view path() const;
  // What stands in the path for `{name}` of the route's pattern, decoded; empty if it has no such.
  std::string_view Param(std::string_view name) const;
  // The first value of `name` in the query, decoded ('+' is a space).
  std::optional<std::string> Query(std::string_view name) const;
  // All of them, names and values decoded, in their order.
  std::vector<std::pair<std::string, std::string>> QueryParameters() const;
};

// A part of an open file, sent as it is. It is read on an io thread: it should be in memory, and
// not change.
struct HttpFile {
  std::shared_ptr<const void> owner;  // Keeps the descriptor; null: there is no file.
  int fd = -1;
  uint64_t offset = 0;
  uint64_t size = 0;
};

struct HttpResponse {
  int status = 200;
  // Content-Length, Transfer-Encoding, Connection and Date belong to the server: it drops them
  // here, except a Content-Length in the reply to HEAD when the body is empty.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  HttpFile file = {};  // In place of the body.
  // Of 101, see Router::AddUpgrade.
  conduit::StreamAcceptor acceptor = {};

  static HttpResponse Json(int status, std::string body);
  static HttpResponse Text(int status, std::string body);
  // 101: the connection becomes a stream, and `acceptor` is called with it on its io thread, where
  // it must not block. If it gives null the connection is closed.
  static HttpResponse SwitchTo(conduit::StreamAcceptor acceptor);
};

// True if each '%' is followed by two hexadecimal digits.
bool IsPercentEncoded(std::string_view text);
// `text` with its %XX replaced by their bytes, and '+' by a space if `plus_is_space`. A '%' that
// starts no encoded byte stays as it is.
std::string PercentDecode(std::string_view text, bool plus_is_space = false);

// "Not Found" for 404; empty for a status that has no registered name.
std::string_view ReasonPhrase(int status);

}  // namespace podkit::servers
