#include "http_caller.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstring>

#include "absl/time/clock.h"
#include "common/text.h"
#include "fmt/format.h"

namespace podkit::replica {
namespace {

struct FreeCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeCurl>;

bool AddHeader(HeaderList* list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list->get(), line.c_str());
  if (longer == nullptr) return false;
  static_cast<void>(list->release());
  list->reset(longer);
  return true;
}

// What libcurl reads from and writes to.
struct Transfer {
  const HttpCall& call;
  HttpAnswer answer;
  bool too_large = false;
  bool stopped = false;
  size_t piece = 0;  // Of the body: what is sent next.
  size_t in_piece = 0;

  uint64_t body_size() const {
    uint64_t size = 0;
    for (const std::string_view one : call.body) size += one.size();
    return size;
  }
};

size_t OnRead(char* buffer, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  size_t room = size * count;
  size_t filled = 0;
  while (room > 0 && transfer.piece < transfer.call.body.size()) {
    const std::string_view rest = transfer.call.body[transfer.piece].substr(transfer.in_piece);
    const size_t n = std::min(room, rest.size());
    std::memcpy(buffer + filled, rest.data(), n);
    filled += n;
    room -= n;
    transfer.in_piece += n;
    if (n < rest.size()) break;
    ++transfer.piece;
    transfer.in_piece = 0;
  }
  return filled;
}

// A kept connection may turn out to be closed; the body is then sent again from its start.
int OnSeek(void* user, curl_off_t offset, int origin) {
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.piece = 0;
  transfer.in_piece = 0;
  return CURL_SEEKFUNC_OK;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.too_large = transfer.answer.body.size() + size * count > transfer.call.max_reply_bytes;
  if (transfer.too_large) return 0;
  transfer.answer.body.append(data, size * count);
  return size * count;
}

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) transfer.answer.headers.clear();  // Of a 100 before.
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || transfer.answer.headers.size() > 100) return line.size();
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), AsciiLower);
  transfer.answer.headers.emplace_back(std::move(name), TrimSpace(line.substr(colon + 1)));
  return line.size();
}

absl::Status Failure(CURLcode result, const Transfer& transfer) {
  const std::string text = fmt::format("{}: {}", transfer.call.url, curl_easy_strerror(result));
  if (transfer.too_large) {
    return absl::ResourceExhaustedError(fmt::format(
        "{}: the reply has more than {} bytes", transfer.call.url, transfer.call.max_reply_bytes));
  }
  if (transfer.stopped) return absl::CancelledError(transfer.call.url + ": stopped by its caller");
  switch (result) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return absl::UnavailableError(text);
    case CURLE_OPERATION_TIMEDOUT:
      return absl::DeadlineExceededError(text);
    default:
      return absl::AbortedError(text);
  }
}

struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

// As curl_easy_perform, but a stop of the call ends it.
CURLcode PerformUntilStopped(CURLM* multi, CURL* curl, Transfer* transfer) {
  constexpr int kLongWaitMs = 60'000;  // libcurl wakes by itself when it has something to do.
  if (curl_multi_add_handle(multi, curl) != CURLM_OK) return CURLE_OUT_OF_MEMORY;
  const std::stop_callback wake(transfer->call.stop, [multi] { curl_multi_wakeup(multi); });
  CURLcode result = CURLE_OK;
  for (int running = 1; running > 0;) {
    transfer->stopped = transfer->call.stop.stop_requested();
    if (transfer->stopped || curl_multi_perform(multi, &running) != CURLM_OK) {
      result = CURLE_ABORTED_BY_CALLBACK;
      break;
    }
    if (running > 0) curl_multi_poll(multi, nullptr, 0, kLongWaitMs, nullptr);
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg == CURLMSG_DONE) result = message->data.result;
  }
  curl_multi_remove_handle(multi, curl);  // The connection stays with `multi`.
  return result;
}

}  // namespace

std::string_view HttpAnswer::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

struct HttpCaller::Handle {
  std::unique_ptr<CURLM, FreeMulti> multi{curl_multi_init()};  // Keeps the connection.
  std::unique_ptr<CURL, FreeCurl> curl{curl_easy_init()};
};

HttpCaller::HttpCaller(HttpCallerOptions options) : options_(std::move(options)) {}
HttpCaller::~HttpCaller() = default;

std::unique_ptr<HttpCaller::Handle> HttpCaller::Take() {
  MutexLock lock(&mutex_);
  if (idle_.empty()) return nullptr;
  auto handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

void HttpCaller::Give(std::unique_ptr<Handle> handle) {
  MutexLock lock(&mutex_);
  if (idle_.size() < options_.max_idle) {
    idle_.push_back(nullptr);
    idle_.back().swap(handle);
  }
}  // A handle too many ends here, after the lock.

absl::StatusOr<HttpAnswer> HttpCaller::Call(const HttpCall& call) {
  const int64_t left = absl::ToInt64Milliseconds(
      std::min<absl::Duration>(call.deadline - absl::Now(), absl::Hours(24)));
  if (left <= 0) return absl::UnavailableError(call.url + ": the deadline has passed");
  auto handle = Take();
  if (handle == nullptr) handle = std::make_unique<Handle>();
  CURL* const curl = handle->curl.get();
  HeaderList headers;
  bool good = curl != nullptr && handle->multi != nullptr && AddHeader(&headers, "Expect:");
  for (const std::string& line : call.headers) good = good && AddHeader(&headers, line);
  if (!good) return absl::UnavailableError("out of memory");
  Transfer transfer{.call = call, .answer = {}};
  curl_easy_reset(curl);
  const auto set = [curl](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
  set(CURLOPT_URL, call.url.c_str());
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(std::min(left, absl::ToInt64Milliseconds(options_.connect_timeout))));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(left));
  if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
  if (call.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (call.method != "GET") {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_CUSTOMREQUEST, call.method.c_str());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer.body_size()));
    set(CURLOPT_READFUNCTION, OnRead);
    set(CURLOPT_READDATA, &transfer);
    set(CURLOPT_SEEKFUNCTION, OnSeek);
    set(CURLOPT_SEEKDATA, &transfer);
    set(CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
  }
  set(CURLOPT_BUFFERSIZE, 256L << 10);
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_WRITEFUNCTION, OnBody);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_HEADERFUNCTION, OnHeader);
  set(CURLOPT_HEADERDATA, &transfer);
  const CURLcode result = PerformUntilStopped(handle->multi.get(), curl, &transfer);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (result != CURLE_OK) return Failure(result, transfer);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, nullptr);  // It ends here, the handle does not.
  Give(std::move(handle));
  transfer.answer.status = static_cast<int>(status);
  return std::move(transfer.answer);
}

}  // namespace podkit::replica
