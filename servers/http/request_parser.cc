#include "servers/http/request_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "common/text.h"

namespace podkit::servers {
namespace {

namespace http = boost::beast::http;
using BeastText = boost::beast::string_view;
using ErrorCode = boost::beast::error_code;

// A declared length is only a promise: reserve no more than this for it.
constexpr uint64_t kMaxReserve = 256 << 10;
// "0\r\n\r\n": less cannot follow where a chunk begins, and the library asserts that it gets as
// much.
constexpr size_t kLastChunk = 5;

std::string_view View(BeastText text) { return {text.data(), text.size()}; }

// The old way to continue a header line, which parsers read differently.
bool IsFolded(std::string_view head) {
  return head.find("\n ") != std::string_view::npos || head.find("\n\t") != std::string_view::npos;
}

}  // namespace

class RequestParser::Beast final : public http::basic_parser<true> {
 public:
  explicit Beast(RequestParser* owner) : owner_(owner) {
    header_limit(static_cast<uint32_t>(owner->max_header_bytes_));
    body_limit(boost::none);
  }

  bool at_chunk_header() const { return is_header_done() && chunked() && chunk_left_ == 0; }

 private:
  void on_request_impl(http::verb, BeastText method, BeastText target, int version,
                       ErrorCode&) override {
    owner_->request_->method = View(method);
    owner_->request_->target = View(target);
    owner_->version_ = version;
  }

  void on_field_impl(http::field field, BeastText name, BeastText value, ErrorCode& ec) override {
    if (is_header_done()) return;  // Trailers have nothing to say to us.
    if (field == http::field::transfer_encoding &&
        (owner_->version_ == 10 || !EqualsIgnoreCase(View(value), "chunked"))) {
      ec = http::error::bad_transfer_encoding;
      return;
    }
    owner_->request_->headers.Add(View(name), View(value));
  }

  void on_body_init_impl(const boost::optional<uint64_t>& length, ErrorCode&) override {
    if (length && !owner_->discard_body_ && !owner_->sink_) {
      owner_->request_->body.reserve(static_cast<size_t>(std::min(*length, kMaxReserve)));
    }
  }
  size_t on_body_impl(BeastText body, ErrorCode&) override { return Take(body); }
  void on_chunk_header_impl(uint64_t size, BeastText, ErrorCode&) override { chunk_left_ = size; }
  size_t on_chunk_body_impl(uint64_t, BeastText body, ErrorCode&) override {
    chunk_left_ -= body.size();
    return Take(body);
  }

  void on_response_impl(int, BeastText, int, ErrorCode&) override {}
  void on_header_impl(ErrorCode&) override {}
  void on_finish_impl(ErrorCode&) override {}

  size_t Take(BeastText body) {
    owner_->body_bytes_ += body.size();
    if (owner_->sink_) {
      owner_->sink_(View(body));
    } else if (!owner_->discard_body_) {
      owner_->request_->body.append(body.data(), body.size());
    }
    return body.size();
  }

  RequestParser* const owner_;
  uint64_t chunk_left_ = 0;
};

RequestParser::RequestParser(size_t max_header_bytes) : max_header_bytes_(max_header_bytes) {}
RequestParser::~RequestParser() = default;

void RequestParser::Reset(HttpRequest* request) {
  request_ = request;
  request->method.clear();
  request->target.clear();
  request->headers.Clear();
  request->body.clear();
  request->params.clear();
  head_reported_ = false;
  head_bytes_ = 0;
  discard_body_ = false;
  sink_ = nullptr;
  body_bytes_ = 0;
  beast_ = std::make_unique<Beast>(this);
}

RequestParser::Step RequestParser::Fail(Error error) {
  error_ = std::move(error);
  return {Event::kError, 0};
}

RequestParser::Step RequestParser::Feed(std::string_view input) {
  size_t consumed = 0;
  if (!beast_->got_some()) {  // Empty lines before a request are left over from sloppy clients.
    while (input.substr(consumed).starts_with("\r\n")) consumed += 2;
    if (input.substr(consumed) == "\r") return {Event::kNeedMore, consumed};
  }
  for (;;) {
    if (beast_->is_header_done() && !head_reported_) {
      head_reported_ = true;
      keep_alive_ = beast_->keep_alive();
      return {Event::kHead, consumed};
    }
    if (beast_->is_done()) return {Event::kComplete, consumed};
    const std::string_view rest = input.substr(consumed);
    const size_t needed = beast_->at_chunk_header() ? kLastChunk : 1;
    if (rest.size() < needed) return {Event::kNeedMore, consumed};
    ErrorCode ec;
    const size_t used = beast_->put(boost::asio::const_buffer(rest.data(), rest.size()), ec);
    consumed += used;
    const bool need_more = ec == http::error::need_more;
    if (ec == http::error::body_limit) return Fail({413, "request body too large"});
    if (ec && !need_more && ec != http::error::header_limit) {
      return Fail({400, fmt::format("not an HTTP/1.1 request: {}", ec.message())});
    }
    // The library limits what it cannot use yet, but not the sum of what it took in pieces, nor a
    // chunk's extensions and the trailers.
    const bool in_head = !head_reported_;
    if (in_head) head_bytes_ += used;
    const size_t kept = (in_head ? head_bytes_ : 0) + (need_more ? rest.size() - used : 0);
    if (ec == http::error::header_limit || kept > max_header_bytes_) {
      const std::string_view what = in_head ? "request head" : "chunk header or trailers";
      return Fail({431, fmt::format("{} larger than {} bytes", what, max_header_bytes_)});
    }
    if (in_head && IsFolded(rest.substr(0, used))) {
      return Fail({400, "a header line must not be continued"});
    }
    if (need_more) return {Event::kNeedMore, consumed};
  }
}

bool RequestParser::has_body() const { return !beast_->is_done(); }

std::optional<uint64_t> RequestParser::content_length() const {
  const auto length = beast_->content_length();
  return length ? std::optional<uint64_t>(*length) : std::nullopt;
}

void RequestParser::set_body_limit(uint64_t bytes) { beast_->body_limit(bytes); }

std::optional<uint64_t> RequestParser::body_remaining() const {
  if (!beast_->is_header_done()) return std::nullopt;
  const auto length = beast_->content_length_remaining();
  return length ? std::optional<uint64_t>(*length) : std::nullopt;
}

}  // namespace podkit::servers
