// One libcurl handle and the connection that it keeps to one host.
//
// Owner-thread: one call at a time.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

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
    CURL* curl = nullptr;
    size_t body_size = 0;
    std::string reply;
    size_t max_reply_bytes = 0;
    bool reply_too_large = false;
    bool stopped_resend = false;  // What was sent before, in whole or in part, is not known.
  };

  HttpConnection(CURL* curl, std::string host, const HttpTransportOptions& options);

  bool Configure(const std::string& ca_file, const HttpTransportOptions& options);
  absl::StatusOr<WireReply> ReadReply(Transfer transfer);
  std::string_view Reason(CURLcode code, const Transfer& transfer) const;
  absl::Status FromCurl(CURLcode code, const Transfer& transfer) const;

  static bool SentNothing(CURL* curl);
  static bool SentWhole(CURL* curl, size_t body_size);
  static int BeforeRequest(void* transfer, char* local, char* remote, int local_port, int port);
  static size_t TakeReply(char* data, size_t size, size_t count, void* transfer);

  const std::unique_ptr<CURL, Cleanup> curl_;
  const std::string host_;
  const absl::Duration connect_timeout_;
  const size_t max_reply_bytes_;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace podkit::conduit::internal
