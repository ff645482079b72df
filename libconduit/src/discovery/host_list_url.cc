#include <curl/curl.h>

#include <algorithm>

#include "absl/status/status.h"
#include "curl_library.h"
#include "fmt/format.h"
#include "podkit/conduit/discovery.h"

namespace podkit::conduit {
namespace {

constexpr size_t kMaxVersionBytes = 1024;  // Of an ETag that is worth sending back.

struct Cleanup {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(char* text) const { curl_free(text); }
};

std::string PartOf(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  const std::unique_ptr<char, Cleanup> owned(text);
  return text;
}

bool IsLoopback(std::string_view host) {
  const bool ipv4 =
      host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
  return ipv4 || host == "localhost" || host == "[::1]";
}

absl::Status CheckUrl(const std::string& text, const HostListUrlOptions& options) {
  const auto bad = [&](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format("'{}': {}", text, why));
  };
  const std::unique_ptr<CURLU, Cleanup> url(curl_url());
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    return bad("is not a URL");
  }
  if (!PartOf(url.get(), CURLUPART_USER).empty() ||
      !PartOf(url.get(), CURLUPART_PASSWORD).empty()) {
    // Without the text: it may hold a password.
    return absl::InvalidArgumentError("the URL of a list must not have a user or password");
  }
  const std::string scheme = PartOf(url.get(), CURLUPART_SCHEME);
  if (scheme == "https") return absl::OkStatus();
  if (scheme != "http") return bad("must start with https://");
  if (options.allow_plain_http || IsLoopback(PartOf(url.get(), CURLUPART_HOST))) {
    return absl::OkStatus();
  }
  return bad("must start with https://, for who can change the answer chooses who is called");
}

// One GET. Owner-thread.
class Get {
 public:
  Get(const std::string& url, const HostListUrlOptions& options, std::stop_token stop)
      : url_(url), options_(options), stop_(std::move(stop)) {}

  absl::StatusOr<FetchedHostList> Run(std::string_view version) {
    if (!internal::InitialiseCurl()) return NoMemory();
    curl_.reset(curl_easy_init());
    if (curl_ == nullptr || !Configure() || !SetHeaders(version)) return NoMemory();
    const CURLcode code = curl_easy_perform(curl_.get());
    if (too_large_) {
      return absl::ResourceExhaustedError(
          fmt::format("the answer is larger than the limit of {} bytes", options_.max_bytes));
    }
    if (code != CURLE_OK) return absl::UnavailableError(Reason(code));
    return Read(version);
  }

 private:
  static absl::Status NoMemory() { return absl::ResourceExhaustedError("libcurl has no memory"); }

  template <typename T>
  bool Set(CURLoption option, T value) {
    return curl_easy_setopt(curl_.get(), option, value) == CURLE_OK;
  }

  // The same for the same trouble: libcurl writes times into some reasons.
  const char* Reason(CURLcode code) const {
    const bool timed = code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT;
    return timed || error_[0] == '\0' ? curl_easy_strerror(code) : error_;
  }

  bool Configure() {
    const auto timeout = std::max<int64_t>(1, absl::ToInt64Milliseconds(options_.timeout));
    return Set(CURLOPT_URL, url_.c_str()) && Set(CURLOPT_PROTOCOLS_STR, "http,https") &&
           Set(CURLOPT_PROXY, "") &&  // Also not the one that the environment names.
           Set(CURLOPT_FOLLOWLOCATION, 0L) &&
           Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
           Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
           (options_.ca_file.empty() || (Set(CURLOPT_CAINFO, options_.ca_file.c_str()) &&
                                         Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr)))) &&
           Set(CURLOPT_NOSIGNAL, 1L) && Set(CURLOPT_TIMEOUT_MS, static_cast<long>(timeout)) &&
           Set(CURLOPT_USERAGENT, "podkit") && Set(CURLOPT_ERRORBUFFER, error_) &&
           Set(CURLOPT_WRITEFUNCTION, &Get::TakeBody) && Set(CURLOPT_WRITEDATA, this) &&
           Set(CURLOPT_NOPROGRESS, 0L) && Set(CURLOPT_XFERINFOFUNCTION, &Get::Progress) &&
           Set(CURLOPT_XFERINFODATA, this);
  }

  bool SetHeaders(std::string_view version) {
    std::vector<std::string> lines = {"Accept: application/json"};
    if (!version.empty()) lines.push_back(fmt::format("If-None-Match: {}", version));
    for (const std::string& line : lines) {
      curl_slist* const longer = curl_slist_append(headers_.get(), line.c_str());
      if (longer == nullptr) return false;
      static_cast<void>(headers_.release());
      headers_.reset(longer);
    }
    return Set(CURLOPT_HTTPHEADER, headers_.get());
  }

  absl::StatusOr<FetchedHostList> Read(std::string_view version) {
    long status = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status == 304 && !version.empty()) return FetchedHostList{.unchanged = true};
    if (status != 200) {
      return absl::UnavailableError(fmt::format("it answered with HTTP status {}", status));
    }
    FetchedHostList list{.text = std::move(body_)};
    curl_header* etag = nullptr;
    if (curl_easy_header(curl_.get(), "ETag", 0, CURLH_HEADER, -1, &etag) == CURLHE_OK) {
      list.version = etag->value;
      if (list.version.size() > kMaxVersionBytes) list.version.clear();
    }
    return list;
  }

  static size_t TakeBody(char* bytes, size_t size, size_t count, void* data) {
    auto& get = *static_cast<Get*>(data);
    const size_t length = size * count;
    if (length > get.options_.max_bytes - get.body_.size()) {
      get.too_large_ = true;
      return 0;
    }
    get.body_.append(bytes, length);
    return length;
  }
  // libcurl asks at least once a second.
  static int Progress(void* data, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Get*>(data)->stop_.stop_requested() ? 1 : 0;
  }

  const std::string& url_;
  const HostListUrlOptions& options_;
  const std::stop_token stop_;
  std::unique_ptr<curl_slist, Cleanup> headers_;
  std::unique_ptr<CURL, Cleanup> curl_;
  std::string body_;
  bool too_large_ = false;
  char error_[CURL_ERROR_SIZE] = {};
};

class UrlSource final : public HostListSource {
 public:
  UrlSource(std::string url, HostListUrlOptions options)
      : url_(std::move(url)), options_(std::move(options)) {}

  std::string name() const override { return url_; }

  absl::StatusOr<FetchedHostList> Fetch(std::string_view version, std::stop_token stop) override {
    return Get(url_, options_, std::move(stop)).Run(version);
  }

 private:
  const std::string url_;
  const HostListUrlOptions options_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HostListSource>> HostListUrl(std::string url,
                                                            HostListUrlOptions options) {
  const absl::Status good = CheckUrl(url, options);
  if (!good.ok()) return good;
  return std::make_unique<UrlSource>(std::move(url), std::move(options));
}

}  // namespace podkit::conduit
