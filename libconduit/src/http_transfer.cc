#include "http_transfer.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "curl_library.h"
#include "fmt/format.h"
#include "outcome.h"
#include "podkit/conduit/error.h"

namespace podkit::conduit::internal {
namespace {

// libcurl takes 0 for "no limit" and counts in a long.
long Milliseconds(absl::Duration duration) {
  const absl::Duration bounded = std::clamp(duration, absl::Milliseconds(1), absl::Hours(24));
  return static_cast<long>(absl::ToInt64Milliseconds(bounded));
}

}  // namespace

std::unique_ptr<HttpTransfer> HttpTransfer::Create(const HttpTransportOptions& options) {
  CURL* const curl = InitialiseCurl() ? curl_easy_init() : nullptr;
  if (curl == nullptr) return nullptr;
  std::unique_ptr<HttpTransfer> transfer(new HttpTransfer(curl, options));
  if (!transfer->Configure(options)) return nullptr;
  return transfer;
}

HttpTransfer::HttpTransfer(CURL* curl, const HttpTransportOptions& options)
    : curl_(curl),
      connect_timeout_(options.connect_timeout),
      max_reply_bytes_(options.max_reply_bytes) {}

bool HttpTransfer::Configure(const HttpTransportOptions& options) {
  return Set(CURLOPT_PROTOCOLS_STR, "http,https") &&
         Set(CURLOPT_PROXY, "") &&  // Also not the one that the environment names.
         Set(CURLOPT_FOLLOWLOCATION, 0L) &&
         Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
         Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
         Set(CURLOPT_SSL_VERIFYPEER, 1L) && Set(CURLOPT_SSL_VERIFYHOST, 2L) &&
         Set(CURLOPT_NOSIGNAL, 1L) && Set(CURLOPT_TCP_NODELAY, 1L) &&
         Set(CURLOPT_MAXAGE_CONN, std::max(1L, Milliseconds(options.max_idle) / 1000)) &&
         Set(CURLOPT_USERAGENT, options.user_agent.c_str()) && Set(CURLOPT_ERRORBUFFER, error_) &&
         Set(CURLOPT_POST, 1L) && Set(CURLOPT_PRIVATE, this) &&
         Set(CURLOPT_PREREQFUNCTION, &HttpTransfer::BeforeRequest) &&
         Set(CURLOPT_PREREQDATA, this) && Set(CURLOPT_WRITEFUNCTION, &HttpTransfer::TakeReply) &&
         Set(CURLOPT_WRITEDATA, this);
}

bool HttpTransfer::SetHeaders() {
  headers_.reset();
  for (const std::string& line :
       {"Content-Type: " + sending_.request.content_type,
        "Authorization: " + sending_.request.authorization, std::string("Expect:")}) {
    curl_slist* const longer = curl_slist_append(headers_.get(), line.c_str());
    if (longer == nullptr) return false;
    static_cast<void>(headers_.release());
    headers_.reset(longer);
  }
  return Set(CURLOPT_HTTPHEADER, headers_.get());
}

bool HttpTransfer::Prepare(Sending sending, absl::Duration timeout, bool fresh) {
  sending_ = std::move(sending);
  reply_.clear();
  reply_too_large_ = false;
  stopped_resend_ = false;
  error_[0] = '\0';
  const std::string url = sending_.host + std::string(kConduitPath);
  const std::string& ca_file = sending_.pod->ca_file;
  const char* const ca = ca_file.empty() ? nullptr : ca_file.c_str();
  return Set(CURLOPT_URL, url.c_str()) && (ca == nullptr || Set(CURLOPT_CAINFO, ca)) &&
         (ca == nullptr || Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr))) &&
         SetHeaders() &&
         Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(sending_.request.body.size())) &&
         Set(CURLOPT_POSTFIELDS, sending_.request.body.data()) &&
         Set(CURLOPT_TIMEOUT_MS, Milliseconds(timeout)) &&
         Set(CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(std::min(timeout, connect_timeout_))) &&
         Set(CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
}

absl::StatusOr<WireReply> HttpTransfer::Result(CURLcode code) {
  if (code != CURLE_OK) return FromCurl(code);
  return ReadReply();
}

absl::StatusOr<WireReply> HttpTransfer::ReadReply() {
  WireReply reply;
  long status = 0;
  curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  const char* content_type = nullptr;
  curl_easy_getinfo(curl_.get(), CURLINFO_CONTENT_TYPE, &content_type);
  if (content_type != nullptr) reply.content_type = content_type;
  curl_header* authorization = nullptr;
  if (curl_easy_header(curl_.get(), "X-Podkit-Authorization", 0, CURLH_HEADER, -1,
                       &authorization) == CURLHE_OK) {
    reply.authorization = authorization->value;
  }
  reply.body = std::exchange(reply_, {});
  return reply;
}

std::string_view HttpTransfer::Reason(CURLcode code) const {
  if (stopped_resend_) return "the kept connection ended before the answer";
  return error_[0] != '\0' ? error_ : curl_easy_strerror(code);
}

// A request whose body did not go out whole cannot have been executed: the other pod verifies the
// signature over all of it first.
absl::Status HttpTransfer::FromCurl(CURLcode code) const {
  const std::string message = fmt::format("{}: {}", sending_.host, Reason(code));
  if (!stopped_resend_ && !SentWhole()) {
    if (code != CURLE_OPERATION_TIMEDOUT) return TransportError(Outcome::kNotExecuted, message);
    return WithOutcome(absl::DeadlineExceededError(message), Outcome::kNotExecuted);
  }
  if (reply_too_large_) {
    const auto limit = static_cast<int64_t>(max_reply_bytes_);
    return WithOutcome(
        MakeError(BodyTooLarge{limit}, fmt::format("{}: the answer is larger than the limit of {} "
                                                   "bytes",
                                                   sending_.host, limit)),
        Outcome::kUnknown);
  }
  return TransportError(code == CURLE_OPERATION_TIMEDOUT ? Outcome::kTimedOut : Outcome::kUnknown,
                        message);
}

bool HttpTransfer::SentNothing() const {
  long bytes = 0;
  curl_easy_getinfo(curl_.get(), CURLINFO_REQUEST_SIZE, &bytes);
  return bytes == 0;
}

bool HttpTransfer::SentWhole() const {
  curl_off_t bytes = 0;
  curl_easy_getinfo(curl_.get(), CURLINFO_SIZE_UPLOAD_T, &bytes);
  return !SentNothing() && static_cast<size_t>(bytes) >= sending_.request.body.size();
}

// libcurl calls this before it writes a request to a connection. When a kept connection dies under
// a request, libcurl would write it again to a fresh one, although it may have been executed
// already.
int HttpTransfer::BeforeRequest(void* data, char*, char*, int, int) {
  auto& transfer = *static_cast<HttpTransfer*>(data);
  if (transfer.SentNothing()) return CURL_PREREQFUNC_OK;
  transfer.stopped_resend_ = true;
  return CURL_PREREQFUNC_ABORT;
}

size_t HttpTransfer::TakeReply(char* bytes, size_t size, size_t count, void* data) {
  auto& transfer = *static_cast<HttpTransfer*>(data);
  const size_t length = size * count;
  if (length > transfer.max_reply_bytes_ - transfer.reply_.size()) {
    transfer.reply_too_large_ = true;
    return 0;
  }
  transfer.reply_.append(bytes, length);
  return length;
}

}  // namespace podkit::conduit::internal
