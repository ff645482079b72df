#include "servers/http/http_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <exception>
#include <utility>

#include "absl/time/time.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "servers/http/reply_writer.h"

namespace podkit::servers {
namespace {

// Replies of pipelined requests are sent together until they are this large.
constexpr size_t kOutputHighWater = 64 << 10;
// A body of this size is sent from where it is.
constexpr size_t kLargeBody = 16 << 10;
// An idle connection keeps no buffer beyond this.
constexpr size_t kIdleBuffer = 4 << 10;
constexpr size_t kHeadRead = 16 << 10;
constexpr size_t kChunkedRead = 64 << 10;
constexpr uint64_t kBodyRead = 256 << 10;
constexpr absl::Duration kLongestTransfer = absl::Hours(24);

void ReleaseLarge(std::string* buffer) {
  if (buffer->capacity() > kIdleBuffer) std::string().swap(*buffer);
}

HttpResponse Unavailable(std::string_view text) {
  HttpResponse response = HttpResponse::Text(503, fmt::format("{}\n", text));
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

HttpResponse InternalError(const HttpRequest& request, const HttpServerOptions& options,
                           std::string_view what) {
  const std::string reference = options.new_reference();
  options.log(HttpLogLevel::kError, fmt::format("{} {} failed, reference {}: {}", request.method,
                                                request.path(), reference, what));
  return HttpResponse::Text(500, fmt::format("internal error, reference {}\n", reference));
}

// Leaves path and query of an absolute-form target.
void StripOrigin(std::string* target) {
  const size_t scheme = target->find("://");
  if (target->starts_with('/') || scheme == std::string::npos) return;
  const size_t path = target->find_first_of("/?", scheme + 3);
  target->erase(0, path);
  if (!target->starts_with('/')) target->insert(0, 1, '/');
}

absl::Status CheckTarget(const HttpRequest& request) {
  const std::string& target = request.target;
  if (target == "*" && request.method == "OPTIONS") return absl::OkStatus();
  if (!target.starts_with('/')) return absl::InvalidArgumentError("the target must be a path");
  const bool plain =
      std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 127; });
  if (!plain || !IsPercentEncoded(target)) {
    return absl::InvalidArgumentError("the target is not properly percent-encoded");
  }
  for (const std::string_view segment : SplitText(request.path(), '/')) {
    const std::string decoded = PercentDecode(segment);
    if (decoded == "." || decoded == "..") {
      return absl::InvalidArgumentError("the path must not contain '.' or '..'");
    }
    if (decoded.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError("the path must not contain a zero byte");
    }
  }
  return absl::OkStatus();
}

HttpResponse NoRoute(const HttpRequest& request, const std::string& allow) {
  if (allow.empty()) {
    return HttpResponse::Text(404, fmt::format("nothing at {}\n", request.path()));
  }
  HttpResponse response =
      HttpResponse::Text(405, fmt::format("{} is not among: {}\n", request.method, allow));
  response.headers.emplace_back("Allow", allow);
  return response;
}

// True if a field `name` lists `element`: "Connection: keep-alive, Upgrade".
bool Lists(const HttpHeaders& headers, std::string_view name, std::string_view element) {
  for (size_t i = 0; i < headers.size(); ++i) {
    if (!EqualsIgnoreCase(headers[i].name, name)) continue;
    for (const std::string_view part : SplitText(headers[i].value, ',')) {
      if (EqualsIgnoreCase(TrimSpace(part), element)) return true;
    }
  }
  return false;
}

}  // namespace

HttpResponse CallHandler(const Route& route, const HttpRequest& request,
                         const HttpServerOptions& options, BodyReceiver* receiver) {
  try {
    HttpResponse response = receiver != nullptr ? receiver->Finish() : route.handler(request);
    absl::Status status = CheckResponse(response);
    if (response.acceptor != nullptr && route.protocol.empty()) {
      status = absl::InternalError("this route cannot switch to another protocol");
    }
    if (status.ok()) return response;
    return InternalError(request, options, std::string(status.message()));
  } catch (const std::exception& error) {
    return InternalError(request, options, error.what());
  } catch (...) {
    return InternalError(request, options, "an exception of unknown type");
  }
}

HttpSession::HttpSession(const Env& env, std::string peer, TimePoint now)
    : env_(env), peer_(std::move(peer)), parser_(env.options->max_header_bytes) {
  request_.tls = !env.options->tls_certificate_file.empty();
  StartRequest(env.options->header_timeout, now);
}

void HttpSession::StartRequest(absl::Duration timeout, TimePoint now) {
  parser_.Reset(&request_);
  ReleaseLarge(&request_.body);
  route_ = nullptr;
  early_reply_.reset();
  head_request_ = false;
  receiver_.reset();
  body_refused_ = false;
  body_cut_ = false;
  phase_ = Phase::kIdle;
  phase_start_ = now;
  phase_timeout_ = timeout;
}

HttpSession::Next HttpSession::next() const {
  switch (phase_) {
    case Phase::kIdle:
    case Phase::kHead:
    case Phase::kBody:
      if (!starved_) return Next::kProcess;
      return phase_ == Phase::kIdle && draining_ ? Next::kClose : Next::kRead;
    case Phase::kReady:
      return Next::kSubmit;
    case Phase::kHandling:
      return Next::kWait;
    case Phase::kSwitching:
      return Next::kSwitch;
    case Phase::kLastReply:  // Left when the output is sent.
    case Phase::kLinger:
      return Next::kLinger;
    case Phase::kClosed:
      return Next::kClose;
  }
  return Next::kClose;
}

size_t HttpSession::ReadSize() const {
  if (phase_ == Phase::kLinger) return kChunkedRead;
  if (phase_ != Phase::kBody) return kHeadRead;
  const std::optional<uint64_t> remaining = parser_.body_remaining();
  return remaining ? static_cast<size_t>(std::min(*remaining, kBodyRead)) : kChunkedRead;
}

void HttpSession::Receive(std::string_view bytes, TimePoint now) {
  HttpStats::Add(env_.stats->bytes_received, bytes.size());
  if (input_.empty()) {
    const size_t used = Consume(bytes, now);
    input_.assign(bytes.substr(used));
  } else {
    input_.append(bytes);
    input_.erase(0, Consume(input_, now));
  }
  if (phase_ >= Phase::kLastReply) input_.clear();
  if (input_.empty()) {
    starved_ = true;
    ReleaseLarge(&input_);
  }
}

bool HttpSession::CanConsume() const {
  return phase_ <= Phase::kBody && large_body_.empty() && file_.owner == nullptr &&
         output_.size() < kOutputHighWater;
}

size_t HttpSession::Consume(std::string_view input, TimePoint now) {
  size_t used = 0;
  starved_ = false;
  while (CanConsume() && used < input.size()) {
    if (phase_ == Phase::kIdle) {
      phase_ = Phase::kHead;
      phase_start_ = now;
      phase_timeout_ = env_.options->header_timeout;
    }
    const RequestParser::Step step = parser_.Feed(input.substr(used));
    used += step.consumed;
    switch (step.event) {
      case RequestParser::Event::kNeedMore:
        starved_ = !CutBody(now);
        return used;
      case RequestParser::Event::kHead:
        OnHead(now);
        break;
      case RequestParser::Event::kComplete:
        OnRequest(now);
        break;
      case RequestParser::Event::kError: {
        const auto& [status, text] = parser_.error();
        Refuse(HttpResponse::Text(status, text + "\n"), now);
        break;
      }
    }
  }
  return used;
}

absl::Status HttpSession::CheckHead() {
  const size_t hosts = request_.headers.Count("Host");
  if (hosts > 1 || (hosts == 0 && parser_.http_1_1())) {
    return absl::InvalidArgumentError("a request needs one Host header");
  }
  StripOrigin(&request_.target);
  return CheckTarget(request_);
}

void HttpSession::FindRoute() {
  Router::Match match = env_.router->Find(request_.method, request_.path());
  route_ = match.route;
  request_.params = std::move(match.params);
  if (route_ == nullptr) {
    early_reply_ = NoRoute(request_, match.allow);
  } else if (!route_->protocol.empty()) {
    early_reply_ = UpgradeProblem();
  }
}

// Why a request on a route that upgrades must not reach its handler.
std::optional<HttpResponse> HttpSession::UpgradeProblem() const {
  const std::string& protocol = route_->protocol;
  // HTTP/1.0 knows no upgrade.
  if (!parser_.http_1_1() || !Lists(request_.headers, "Upgrade", protocol)) {
    HttpResponse response = HttpResponse::Text(
        426,
        fmt::format("{} is for HTTP/1.1 requests with 'Upgrade: {}'\n", request_.path(), protocol));
    response.headers.emplace_back("Upgrade", protocol);
    return response;
  }
  if (!Lists(request_.headers, "Connection", "Upgrade")) {
    return HttpResponse::Text(400, "an upgrade needs 'Connection: Upgrade'\n");
  }
  if (parser_.has_body()) return HttpResponse::Text(400, "an upgrade must not have a body\n");
  return std::nullopt;
}

void HttpSession::OnHead(TimePoint now) {
  head_request_ = request_.method == "HEAD";
  request_.peer = peer_;
  const absl::Status status = CheckHead();
  if (!status.ok()) {
    return Refuse(HttpResponse::Text(400, std::string(status.message()) + "\n"), now);
  }
  const std::optional<std::string_view> expect = request_.headers.Find("Expect");
  if (expect && !EqualsIgnoreCase(*expect, "100-continue")) {
    return Refuse(HttpResponse::Text(417, "only 100-continue can be expected\n"), now);
  }
  FindRoute();
  if (!early_reply_ && route_->body_handler) BeginBody();
  if (!parser_.has_body()) return OnRequest(now);

  const bool own_limit = route_ != nullptr && route_->options.max_body_bytes != 0;
  const size_t limit = own_limit ? route_->options.max_body_bytes : env_.options->max_body_bytes;
  if (parser_.content_length().value_or(0) > limit) {
    return Refuse(
        HttpResponse::Text(413, fmt::format("request body larger than {} bytes\n", limit)), now);
  }
  parser_.set_body_limit(limit);
  const bool waits_for_us = expect && parser_.http_1_1();
  if (early_reply_ && waits_for_us) return Refuse(*std::move(early_reply_), now);
  if (early_reply_) parser_.DiscardBody();
  if (waits_for_us) {
    BeginOutput(now);
    output_.append("HTTP/1.1 100 Continue\r\n\r\n");
  }
  phase_ = Phase::kBody;
  phase_start_ = now;
  phase_timeout_ = env_.options->body_timeout;
}

void HttpSession::BeginBody() {
  try {
    receiver_ = route_->body_handler(request_);
  } catch (const std::exception& error) {
    early_reply_ = InternalError(request_, *env_.options, error.what());
    return;
  }
  parser_.StreamBody([this](std::string_view bytes) { TakeBody(bytes); });
}

void HttpSession::TakeBody(std::string_view bytes) {
  if (body_refused_) return;
  try {
    body_refused_ = !receiver_->Receive(bytes);
  } catch (const std::exception& error) {
    early_reply_ = InternalError(request_, *env_.options, error.what());
    body_refused_ = true;
  }
}

// True if the receiver wants no more of a body that has not ended.
bool HttpSession::CutBody(TimePoint now) {
  if (phase_ != Phase::kBody || !body_refused_) return false;
  body_cut_ = true;
  if (early_reply_) {
    Refuse(*std::move(early_reply_), now);
  } else {
    phase_ = Phase::kReady;
  }
  return true;
}

void HttpSession::OnRequest(TimePoint now) {
  if (early_reply_) {
    Finish(*std::move(early_reply_), now);
  } else if (route_->options.thread == HandlerThread::kInline) {
    Finish(CallHandler(*route_, request_, *env_.options), now);
  } else {
    phase_ = Phase::kReady;
  }
}

HttpSession::Job HttpSession::TakeJob() {
  assert(phase_ == Phase::kReady);
  phase_ = Phase::kHandling;
  return {route_, std::move(request_), std::move(receiver_)};
}

void HttpSession::Reply(HttpResponse response, TimePoint now) {
  if (phase_ == Phase::kHandling) Finish(std::move(response), now);
}

HttpSession::Switch HttpSession::TakeSwitch() {
  assert(phase_ == Phase::kSwitching);
  phase_ = Phase::kClosed;
  return {std::move(acceptor_), std::move(peer_), std::move(input_)};
}

void HttpSession::RefuseBusy(TimePoint now) {
  HttpStats::Add(env_.stats->queue_refused);
  Finish(Unavailable("too many requests are waiting"), now);
}

void HttpSession::RefuseConnection(TimePoint now) {
  Refuse(Unavailable("too many connections"), now);
}

void HttpSession::Finish(HttpResponse response, TimePoint now) {
  if (response.acceptor != nullptr) {
    if (draining_) return Finish(Unavailable("the server stops"), now);
    acceptor_ = std::move(response.acceptor);
    response.headers.emplace_back("Upgrade", route_->protocol);
    Append(std::move(response), true, now);
    phase_ = Phase::kSwitching;
    return;
  }
  if (body_cut_) return Refuse(std::move(response), now);
  const bool keep_alive = parser_.keep_alive() && !draining_;
  Append(std::move(response), keep_alive, now);
  if (keep_alive) {
    StartRequest(env_.options->idle_timeout, now);
  } else {
    phase_ = Phase::kLastReply;
  }
}

void HttpSession::Refuse(HttpResponse response, TimePoint now) {
  Append(std::move(response), false, now);
  phase_ = Phase::kLastReply;
  linger_ = true;
}

void HttpSession::BeginOutput(TimePoint now) {
  if (!HasOutput()) output_start_ = now;
}

void HttpSession::Append(HttpResponse response, bool keep_alive, TimePoint now) {
  env_.stats->AddResponse(response.status);
  BeginOutput(now);
  const ReplyFrame frame{*env_.date, keep_alive, parser_.http_1_1(), head_request_};
  AppendReplyHead(response, frame, &output_);
  if (!SendsBody(response, frame)) return;
  if (response.file.owner != nullptr) {
    if (response.file.size > 0) file_ = std::move(response.file);
  } else if (response.body.size() < kLargeBody) {
    output_.append(response.body);
  } else {
    large_body_ = std::move(response.body);
  }
}

void HttpSession::ClearOutput() {
  output_.clear();
  ReleaseLarge(&output_);
  std::string().swap(large_body_);
  output_sent_ = 0;
  file_ = {};
  file_sent_ = 0;
}

std::string_view HttpSession::Output() const {
  if (output_sent_ < output_.size()) return std::string_view(output_).substr(output_sent_);
  return std::string_view(large_body_).substr(output_sent_ - output_.size());
}

void HttpSession::Sent(size_t bytes, TimePoint now) {
  HttpStats::Add(env_.stats->bytes_sent, bytes);
  output_sent_ += bytes;
  if (!HasOutput()) OnOutputSent(now);
}

const HttpFile* HttpSession::OutputFile() const {
  return Output().empty() && file_.owner != nullptr ? &file_ : nullptr;
}

void HttpSession::SentFile(size_t bytes, TimePoint now) {
  HttpStats::Add(env_.stats->bytes_sent, bytes);
  file_sent_ += bytes;
  file_.offset += bytes;
  file_.size -= bytes;
  if (file_.size == 0) OnOutputSent(now);
}

void HttpSession::OnOutputSent(TimePoint now) {
  ClearOutput();
  if (phase_ != Phase::kLastReply) return;
  phase_ = linger_ ? Phase::kLinger : Phase::kClosed;
  phase_start_ = now;
  phase_timeout_ = env_.options->linger_timeout;
}

HttpSession::TimePoint HttpSession::Allowed(TimePoint start, absl::Duration timeout,
                                            uint64_t bytes) const {
  const auto rate = static_cast<double>(env_.options->min_bytes_per_second);
  const absl::Duration transfer = absl::Seconds(static_cast<double>(bytes) / rate);
  return start + absl::ToChronoNanoseconds(timeout + std::min(transfer, kLongestTransfer));
}

HttpSession::TimePoint HttpSession::Deadline() const {
  if (HasOutput()) {
    return Allowed(output_start_, env_.options->write_timeout, output_sent_ + file_sent_);
  }
  if (phase_ >= Phase::kReady && phase_ <= Phase::kSwitching) return TimePoint::max();
  const uint64_t bytes = phase_ == Phase::kBody ? parser_.body_bytes() : 0;
  return Allowed(phase_start_, phase_timeout_, bytes);
}

bool HttpSession::Tick(TimePoint now) {
  if (now < Deadline()) return false;
  const bool incomplete = phase_ == Phase::kHead || phase_ == Phase::kBody;
  if (incomplete || HasOutput()) HttpStats::Add(env_.stats->connections_timed_out);
  if (incomplete && !HasOutput()) {
    Refuse(HttpResponse::Text(408, "the request took too long\n"), now);
  } else {
    ClearOutput();
    phase_ = Phase::kClosed;
  }
  return true;
}

}  // namespace podkit::servers
