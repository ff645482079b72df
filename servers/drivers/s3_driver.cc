// Keeps each chunk as an object in a bucket of S3, or of what speaks like it. It needs the network.
//
// Config: {"endpoint": "https://s3.eu-west-1.amazonaws.com", "region": "eu-west-1",
//          "bucket": "chunks", "prefix": "podkit/", "ca_file": ""}; `prefix` and `ca_file` may be
// left out. Secrets: {"access_key": "...", "secret_key": "...", "session_token": ""}, of which the
// last may be left out.
//
// A chunk is the object <prefix><volume>/<file>.<version>/<b or m><id>.<version>; the bucket is
// named in the path. One connection is kept. What the service refuses for the moment (500, 503, a
// broken connection) is tried three times in all.
#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "fmt/format.h"
#include "podkit/replica/driver.h"
#include "servers/drivers/driver_config.h"
#include "servers/drivers/sigv4.h"

namespace {

using podkit::drivers::SigV4Key;

constexpr int kAttempts = 3;
constexpr size_t kMaxErrorBytes = 16 << 10;
constexpr long kConnectTimeoutSeconds = 10;
constexpr long kStalledSeconds = 20;  // Without a byte: the connection is given up.

struct FreeCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct Bucket {
  std::string endpoint;
  std::string host;  // Of the endpoint, with its port.
  std::string path;  // "/<bucket>/<prefix>".
  std::string ca_file;
  SigV4Key key;
  std::string session_token;
  std::unique_ptr<CURL, FreeCurl> curl;
};

// One request and its answer.
struct Exchange {
  std::string_view method;
  std::string path;
  std::string_view body;
  size_t sent = 0;
  int output_fd = -1;  // Takes the body of a 200.
  CURL* curl = nullptr;
  long status = 0;
  std::string error;  // The body of any other answer, as far as it is kept.
  int write_error = 0;
};

bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~' || c == '/';
  });
}

size_t OnRead(char* buffer, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const size_t n = std::min(size * count, exchange.body.size() - exchange.sent);
  std::memcpy(buffer, exchange.body.data() + exchange.sent, n);
  exchange.sent += n;
  return n;
}

int OnSeek(void* user, curl_off_t offset, int origin) {
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<Exchange*>(user)->sent = 0;
  return CURL_SEEKFUNC_OK;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const size_t all = size * count;
  curl_easy_getinfo(exchange.curl, CURLINFO_RESPONSE_CODE, &exchange.status);
  if (exchange.status != 200 || exchange.output_fd < 0) {
    exchange.error.append(data, std::min(all, kMaxErrorBytes - exchange.error.size()));
    return all;
  }
  for (size_t done = 0; done < all;) {
    const ssize_t n = write(exchange.output_fd, data + done, all - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      exchange.write_error = -errno;
      return 0;
    }
    done += static_cast<size_t>(n);
  }
  return all;
}

std::string Now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[17];
  return {text, std::strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &utc)};
}

// All headers of a request, of which libcurl makes none itself but the length.
std::unique_ptr<curl_slist, FreeCurl> Headers(const Bucket& bucket, const Exchange& exchange) {
  const std::string hash = podkit::drivers::Sha256Hex(exchange.body);
  const std::string time = Now();
  std::map<std::string, std::string> headers = {
      {"host", bucket.host}, {"x-amz-content-sha256", hash}, {"x-amz-date", time}};
  if (!bucket.session_token.empty()) headers["x-amz-security-token"] = bucket.session_token;
  headers["authorization"] = podkit::drivers::SigV4Authorization(bucket.key,
                                                                 {.method = exchange.method,
                                                                  .path = exchange.path,
                                                                  .query = "",
                                                                  .headers = headers,
                                                                  .payload_hash = hash},
                                                                 time);
  std::unique_ptr<curl_slist, FreeCurl> list;
  const auto add = [&](const std::string& line) {
    curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) return;
    static_cast<void>(list.release());
    list.reset(longer);
  };
  for (const auto& [name, value] : headers) add(fmt::format("{}: {}", name, value));
  for (const char* none : {"Expect:", "Accept:", "Content-Type:"}) add(none);
  return list;
}

// One attempt: what libcurl says of it.
CURLcode Perform(const Bucket& bucket, Exchange* exchange) {
  CURL* const curl = bucket.curl.get();
  exchange->curl = curl;
  exchange->sent = 0;
  exchange->status = 0;
  exchange->error.clear();
  curl_easy_reset(curl);
  const auto headers = Headers(bucket, *exchange);
  const std::string url = bucket.endpoint + exchange->path;
  const std::string method(exchange->method);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectTimeoutSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStalledSeconds);
  if (!bucket.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, bucket.ca_file.c_str());
  if (method == "PUT") {
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE,
                     static_cast<curl_off_t>(exchange->body.size()));
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, OnRead);
    curl_easy_setopt(curl, CURLOPT_READDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, OnSeek);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, exchange);
  } else if (method != "GET") {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
  const CURLcode result = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &exchange->status);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, nullptr);
  return result;
}

// <Code> of an error, or the status.
std::string ErrorCode(const Exchange& exchange) {
  const size_t begin = exchange.error.find("<Code>");
  const size_t end = exchange.error.find("</Code>");
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    return fmt::format("status {}", exchange.status);
  }
  return exchange.error.substr(begin + 6, std::min<size_t>(end - begin - 6, 64));
}

// What an answer other than the wanted one means to the gateway; it is logged.
int Refusal(const Exchange& exchange) {
  const std::string code = ErrorCode(exchange);
  if (exchange.status == 404 && code != "NoSuchBucket") return -ENOENT;
  fmt::print(stderr, "{} {}: {}\n", exchange.method, exchange.path, code);
  if (code == "QuotaExceeded" || exchange.status == 507) return -EDQUOT;
  if (code == "EntityTooLarge" || exchange.status == 413) return -EFBIG;
  return exchange.status == 401 || exchange.status == 403 ? -EACCES : -EIO;
}

// Tries until it is answered for good; 0 or a negative errno.
int Run(const Bucket& bucket, Exchange* exchange) {
  for (int attempt = 1;; ++attempt) {
    if (exchange->output_fd >= 0 && attempt > 1 &&
        (ftruncate(exchange->output_fd, 0) != 0 || lseek(exchange->output_fd, 0, SEEK_SET) != 0)) {
      return -errno;
    }
    const CURLcode result = Perform(bucket, exchange);
    if (exchange->write_error != 0) return exchange->write_error;
    const bool later = result != CURLE_OK || exchange->status == 500 || exchange->status == 502 ||
                       exchange->status == 503 || exchange->status == 429;
    if (!later) return exchange->status / 100 == 2 ? 0 : Refusal(*exchange);
    if (attempt == kAttempts) {
      if (result == CURLE_OK) return Refusal(*exchange);
      fmt::print(stderr, "{} {}: {}\n", exchange->method, exchange->path,
                 curl_easy_strerror(result));
      return -EIO;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100 << attempt));
  }
}

std::string PathOf(const Bucket& bucket, const PodkitReplicaRequest& request) {
  return fmt::format("{}{}/{}.{}/{}{}.{}", bucket.path, request.volume, request.file,
                     request.file_version, request.is_manifest != 0 ? "m" : "b", request.id,
                     request.version);
}

void* Open(const char* config, const char* secrets, char* error, size_t error_size) {
  using podkit::drivers::Refuse;
  using podkit::drivers::TextMember;
  auto bucket = std::make_unique<Bucket>();
  bucket->endpoint = TextMember(config, "endpoint");
  while (bucket->endpoint.ends_with('/')) bucket->endpoint.pop_back();
  const size_t scheme = bucket->endpoint.find("://");
  if (scheme == std::string::npos || !bucket->endpoint.starts_with("http")) {
    return Refuse("the config needs \"endpoint\", an http or https URL", error, error_size);
  }
  bucket->host = bucket->endpoint.substr(scheme + 3);
  const std::string name = TextMember(config, "bucket");
  const std::string prefix = TextMember(config, "prefix");
  bucket->path = fmt::format("/{}/{}", name, prefix);
  if (name.empty() || !IsPlain(bucket->path) || bucket->host.find('/') != std::string::npos) {
    return Refuse(
        "the config needs \"bucket\"; bucket and \"prefix\" have letters, digits and -_.~/ "
        "only, \"endpoint\" has no path",
        error, error_size);
  }
  bucket->ca_file = TextMember(config, "ca_file");
  bucket->key = {.access_key = TextMember(secrets, "access_key"),
                 .secret_key = TextMember(secrets, "secret_key"),
                 .region = TextMember(config, "region")};
  bucket->session_token = TextMember(secrets, "session_token");
  if (bucket->key.region.empty()) {
    return Refuse("the config needs \"region\"", error, error_size);
  }
  if (bucket->key.access_key.empty() || bucket->key.secret_key.empty()) {
    return Refuse("the secrets need \"access_key\" and \"secret_key\"", error, error_size);
  }
  bucket->curl.reset(curl_easy_init());
  if (!bucket->curl) return Refuse("out of memory", error, error_size);
  return bucket.release();
}

void Close(void* driver) { delete static_cast<Bucket*>(driver); }

int ReadChunk(void* driver, const PodkitReplicaRequest* request, int chunk_fd) {
  const auto& bucket = *static_cast<Bucket*>(driver);
  Exchange exchange{
      .method = "GET", .path = PathOf(bucket, *request), .body = {}, .output_fd = chunk_fd};
  return Run(bucket, &exchange);
}

int WriteChunk(void* driver, const PodkitReplicaRequest* request, const void* chunk, size_t size) {
  const auto& bucket = *static_cast<Bucket*>(driver);
  Exchange exchange{.method = "PUT",
                    .path = PathOf(bucket, *request),
                    .body = {static_cast<const char*>(chunk), size}};
  const int result = Run(bucket, &exchange);
  return result == -ENOENT ? -EIO : result;
}

int DeleteChunk(void* driver, const PodkitReplicaRequest* request) {
  const auto& bucket = *static_cast<Bucket*>(driver);
  Exchange exchange{.method = "DELETE", .path = PathOf(bucket, *request), .body = {}};
  const int result = Run(bucket, &exchange);
  return result == -ENOENT ? 0 : result;
}

}  // namespace

const PodkitReplicaDriver podkit_replica_driver = {.version = kPodkitReplicaDriverVersion,
                                                   .name = "s3",
                                                   .open = Open,
                                                   .close = Close,
                                                   .read_chunk = ReadChunk,
                                                   .write_chunk = WriteChunk,
                                                   .delete_chunk = DeleteChunk,
                                                   .rename_file = nullptr,
                                                   .serialize = nullptr,
                                                   .deserialize = nullptr};
