// Turns the bytes of one connection into requests, one after the other.
//
// Owner-thread. Strict where two readings of the same bytes would let a request hide in another:
// any Transfer-Encoding but exactly "chunked", both lengths, lengths that differ, chunked in
// HTTP/1.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "servers/http/http_message.h"

namespace podkit::servers {

class RequestParser {
 public:
  enum class Event {
    kNeedMore,  // All that can be used was; give the rest again with more behind it.
    kHead,      // The head is complete: judge it, set the body limit, go on.
    kComplete,  // The request is complete; call Reset before the next.
    kError,     // See error(); the connection cannot go on.
  };
  struct Step {
    Event event;
    size_t consumed;  // Leading bytes of the input that are done with.
  };
  struct Error {
    int status = 400;
    std::string text;
  };

  explicit RequestParser(size_t max_header_bytes);
  ~RequestParser();

  // Fills `request`, which is cleared on each Reset and must outlive the parser's use.
  void Reset(HttpRequest* request);
  // Reads until the next event. `input` is what the last Step left, and what came since.
  Step Feed(std::string_view input);
  const Error& error() const { return error_; }

  // From kHead on.
  bool keep_alive() const { return keep_alive_; }
  bool http_1_1() const { return version_ == 11; }
  bool has_body() const;
  std::optional<uint64_t> content_length() const;
  void set_body_limit(uint64_t bytes);
  // Gives the body to `sink` in pieces, and keeps nothing of it.
  void StreamBody(std::function<void(std::string_view)> sink) { sink_ = std::move(sink); }
  // Counts the body against its limit, but does not keep it.
  void DiscardBody() { discard_body_ = true; }

  uint64_t body_bytes() const { return body_bytes_; }
  // What is still to come of a body with a Content-Length.
  std::optional<uint64_t> body_remaining() const;

 private:
  class Beast;  // Adapts the library's parser.

  Step Fail(Error error);

  const size_t max_header_bytes_;
  std::unique_ptr<Beast> beast_;
  HttpRequest* request_ = nullptr;
  Error error_;
  bool head_reported_ = false;
  size_t head_bytes_ = 0;
  bool keep_alive_ = false;
  bool discard_body_ = false;
  std::function<void(std::string_view)> sink_;
  int version_ = 11;
  uint64_t body_bytes_ = 0;
};

}  // namespace podkit::servers
