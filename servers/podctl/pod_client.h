// Asks one pod's operator API over HTTP.
//
// Owner-thread. Keeps its connection. Errors: what the pod answered, with its class and fields;
// PodUnreachable if it does not answer, with what to do.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "servers/podctl/settings.h"

namespace podkit::podctl {

struct ApiRequest {
  std::string method = "GET";
  std::vector<std::string> path;                           // Segments below /admin/v1, not encoded.
  std::vector<std::pair<std::string, std::string>> query;  // An empty value is left out.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string content_type = "application/json";
  absl::Duration timeout = absl::Minutes(2);
  std::function<void(int64_t bytes_sent)> on_progress;  // Called about once a second.
};

struct ApiReply {
  int status = 0;
  std::string body;
};

class PodClient {
 public:
  // Reads the pod's token.
  static absl::StatusOr<std::unique_ptr<PodClient>> Create(const PodAddress& pod);
  ~PodClient();

  // The reply, whatever its status.
  absl::StatusOr<ApiReply> Send(const ApiRequest& request);
  // The body of a reply that says it is done, else the error that it holds.
  absl::StatusOr<std::string> Call(const ApiRequest& request);

 private:
  struct State;
  explicit PodClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace podkit::podctl
