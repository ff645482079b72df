#include "http_connection.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
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

bool InitialiseLibrary() {
  static const bool good = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return good;
}

}  // namespace

std::unique_ptr<HttpConnection> HttpConnection::Create(const std::string& host,
                                                       const std::string& ca_file,
                                                       const HttpTransportOptions& options) {
  CURL* const curl = InitialiseLibrary() ? curl_easy_init() : nullptr;
  if (curl == nullptr) return nullptr;
  std::unique_ptr<HttpConnection> connection(new HttpConnection(curl, host, options));
  if (!connection->Configure(ca_file, options)) return nullptr;
  return connection;
}

HttpConnection::HttpConnection(CURL* curl, std::string host, const HttpTransportOptions& options)
    : curl_(curl),
      host_(std::move(host)),
      connect_timeout_(options.connect_timeout),
      max_reply_bytes_(options.max_reply_bytes) {}

bool HttpConnection::Configure(const std::string& ca_file, const HttpTransportOptions& options) {
  const std::string url = host_ + std::string(kConduitPath);
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(curl_.get(), option, value) == CURLE_OK;
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PROXY, "");  // Also not the one that the environment names.
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!ca_file.empty()) {
    set(CURLOPT_CAINFO, ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_MAXCONNECTS, 1L);
  set(CURLOPT_MAXAGE_CONN, std::max(1L, Milliseconds(options.max_idle) / 1000));
  set(CURLOPT_USERAGENT, options.user_agent.c_str());
  set(CURLOPT_ERRORBUFFER, error_);
  set(CURLOPT_POST, 1L);
  set(CURLOPT_PREREQFUNCTION, &HttpConnection::BeforeRequest);
  set(CURLOPT_WRITEFUNCTION, &HttpConnection::TakeReply);
  return good;
}

absl::StatusOr<WireReply> HttpConnection::Post(const WireRequest& request, absl::Duration timeout) {
  Transfer transfer;
  transfer.curl = curl_.get();
  transfer.body_size = request.body.size();
  transfer.max_reply_bytes = max_reply_bytes_;
  std::unique_ptr<curl_slist, Cleanup> headers;
  const auto add = [&](const std::string& line) {
    curl_slist* const longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) return false;
    static_cast<void>(headers.release());
    headers.reset(longer);
    return true;
  };
  bool good = add("Content-Type: " + request.content_type) &&
              add("Authorization: " + request.authorization) && add("Expect:");
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(curl_.get(), option, value) == CURLE_OK;
  };
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  set(CURLOPT_POSTFIELDS, request.body.c_str());
  set(CURLOPT_PREREQDATA, &transfer);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_TIMEOUT_MS, Milliseconds(timeout));
  set(CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(std::min(timeout, connect_timeout_)));
  if (!good) return TransportError(Outcome::kNotExecuted, "libcurl has no memory");
  error_[0] = '\0';
  const CURLcode code = curl_easy_perform(curl_.get());
  curl_easy_setopt(curl_.get(), CURLOPT_HTTPHEADER, nullptr);
  if (code != CURLE_OK) return FromCurl(code, transfer);
  return ReadReply(std::move(transfer));
}

absl::StatusOr<WireReply> HttpConnection::ReadReply(Transfer transfer) {
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
  reply.body = std::move(transfer.reply);
  return reply;
}

std::string_view HttpConnection::Reason(CURLcode code, const Transfer& transfer) const {
  if (transfer.stopped_resend) return "the kept connection ended before the answer";
  return error_[0] != '\0' ? error_ : curl_easy_strerror(code);
}

// A request whose body did not go out whole cannot have been executed: the other pod verifies the
// signature over all of it first.
absl::Status HttpConnection::FromCurl(CURLcode code, const Transfer& transfer) const {
  const std::string message = fmt::format("{}: {}", host_, Reason(code, transfer));
  if (!transfer.stopped_resend && !SentWhole(curl_.get(), transfer.body_size)) {
    if (code != CURLE_OPERATION_TIMEDOUT) return TransportError(Outcome::kNotExecuted, message);
    return WithOutcome(absl::DeadlineExceededError(message), Outcome::kNotExecuted);
  }
  if (transfer.reply_too_large) {
    const auto limit = static_cast<int64_t>(transfer.max_reply_bytes);
    return WithOutcome(
        MakeError(BodyTooLarge{limit},
                  fmt::format("{}: the answer is larger than the limit of {} bytes", host_, limit)),
        Outcome::kUnknown);
  }
  return TransportError(code == CURLE_OPERATION_TIMEDOUT ? Outcome::kTimedOut : Outcome::kUnknown,
                        message);
}

bool HttpConnection::SentNothing(CURL* curl) {
  long bytes = 0;
  curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &bytes);
  return bytes == 0;
}

bool HttpConnection::SentWhole(CURL* curl, size_t body_size) {
  curl_off_t bytes = 0;
  curl_easy_getinfo(curl, CURLINFO_SIZE_UPLOAD_T, &bytes);
  return !SentNothing(curl) && static_cast<size_t>(bytes) >= body_size;
}

// libcurl calls this before it writes a request to a connection. When a kept connection dies under
// a request, libcurl would write it again to a fresh one, although it may have been executed
// already.
int HttpConnection::BeforeRequest(void* data, char*, char*, int, int) {
  auto& transfer = *static_cast<Transfer*>(data);
  if (SentNothing(transfer.curl)) return CURL_PREREQFUNC_OK;
  transfer.stopped_resend = true;
  return CURL_PREREQFUNC_ABORT;
}

size_t HttpConnection::TakeReply(char* bytes, size_t size, size_t count, void* data) {
  auto& transfer = *static_cast<Transfer*>(data);
  const size_t length = size * count;
  if (length > transfer.max_reply_bytes - transfer.reply.size()) {
    transfer.reply_too_large = true;
    return 0;
  }
  transfer.reply.append(bytes, length);
  return length;
}

}  // namespace podkit::conduit::internal
