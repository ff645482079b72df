// One libcurl handle and the connection that it keeps to one host.
//
// Owner-thread: one call at a time.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/http_transport.h"

namespace podkit::conduit::internal {

class HttpConnection {
 public:
  // `host` as in Pod::hosts; `ca_file` may be empty. Null: libcurl has no memory.
  static std::unique_ptr<HttpConnection> Create(const std::string& host, const std::string& ca_file,
                                                const HttpTransportOptions& options);

  // Posts `request` and waits at most `timeout` for the whole reply. Fails as Transport::Send does.
  absl::StatusOr<WireReply> Post(const WireRequest& request, absl::Duration timeout);

 private:
  struct Cleanup {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  // What libcurl's callbacks work on during one call.
  struct Transfer {
    const std::string* body = nullptr;
    size_t sent = 0;  // Bytes of the body that libcurl took; some may not have left.
    std::string reply;
    size_t max_reply_bytes = 0;
    bool reply_too_large = false;
  };

  HttpConnection(CURL* curl, std::string host, const HttpTransportOptions& options);

  bool Configure(const std::string& ca_file, const HttpTransportOptions& options);
  absl::StatusOr<WireReply> ReadReply(Transfer transfer);
  absl::Status FromCurl(CURLcode code, const Transfer& transfer) const;

  static size_t SendBody(char* out, size_t size, size_t count, void* transfer);
  static int RewindBody(void* transfer, curl_off_t offset, int origin);
  static size_t TakeReply(char* data, size_t size, size_t count, void* transfer);

  const std::unique_ptr<CURL, Cleanup> curl_;
  const std::string host_;
  const absl::Duration connect_timeout_;
  const size_t max_reply_bytes_;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace podkit::conduit::internal
