// Makes HTTP requests with libcurl and keeps the connections.
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace podkit::replica {

struct HttpCallerOptions {
  std::string ca_file;  // Empty: the system's.
  absl::Duration connect_timeout = absl::Seconds(3);
  size_t max_idle = 16;  // Connections kept.
};

struct HttpCall {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers;    // "Name: value".
  std::vector<std::string_view> body;  // Pieces that follow each other; for POST and PUT.
  uint64_t max_reply_bytes = 1 << 20;  // Of the body; more is an error.
  absl::Time deadline = absl::InfiniteFuture();
  std::stop_token stop;  // Ends the call at once, from any thread.
};

struct HttpAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // Names in lower case.
  std::string body;

  // "" if there is none.
  std::string_view Header(std::string_view name) const;
};

class HttpCaller {
 public:
  explicit HttpCaller(HttpCallerOptions options);
  ~HttpCaller();

  // What the server answered, whatever its status. kUnavailable: there is no connection, so it was
  // asked nothing; kDeadlineExceeded, kAborted (the connection broke), kCancelled (its stop): it
  // may have been asked; kResourceExhausted: the reply is too large.
  absl::StatusOr<HttpAnswer> Call(const HttpCall& call);

 private:
  struct Handle;

  std::unique_ptr<Handle> Take();
  void Give(std::unique_ptr<Handle> handle);

  const HttpCallerOptions options_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Handle>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::replica
