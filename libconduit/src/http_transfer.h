// One libcurl handle, for one request at a time: set up, run by somebody else, read out.
//
// Owner-thread.
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

class HttpTransfer {
 public:
  // Null: libcurl has no memory.
  static std::unique_ptr<HttpTransfer> Create(const HttpTransportOptions& options);

  CURL* curl() const { return curl_.get(); }
  Sending& sending() { return sending_; }

  // Takes `sending` in any case and makes the handle ready to post it within `timeout`; on a
  // connection of its own if `fresh`. False: libcurl has no memory.
  bool Prepare(Sending sending, absl::Duration timeout, bool fresh);

  // What the request came to when libcurl was done with it; fails as Transport::Send does.
  absl::StatusOr<WireReply> Result(CURLcode code);

 private:
  struct Cleanup {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  HttpTransfer(CURL* curl, const HttpTransportOptions& options);

  bool Configure(const HttpTransportOptions& options);
  bool SetHeaders();
  template <typename T>
  bool Set(CURLoption option, T value) {
    return curl_easy_setopt(curl_.get(), option, value) == CURLE_OK;
  }
  absl::StatusOr<WireReply> ReadReply();
  std::string_view Reason(CURLcode code) const;
  absl::Status FromCurl(CURLcode code) const;
  bool SentNothing() const;
  bool SentWhole() const;

  static int BeforeRequest(void* transfer, char* local, char* remote, int local_port, int port);
  static size_t TakeReply(char* data, size_t size, size_t count, void* transfer);

  const std::unique_ptr<CURL, Cleanup> curl_;
  const absl::Duration connect_timeout_;
  const size_t max_reply_bytes_;
  char error_[CURL_ERROR_SIZE] = {};

  // Of the request in work.
  Sending sending_;
  std::unique_ptr<curl_slist, Cleanup> headers_;
  std::string reply_;
  bool reply_too_large_ = false;
  bool stopped_resend_ = false;  // What was sent before, in whole or in part, is not known.
};

}  // namespace podkit::conduit::internal
