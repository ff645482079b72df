#include "podkit/conduit/http_transport.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "http_pool.h"
#include "outcome.h"

namespace podkit::conduit {

struct HttpTransport::State {
  const HttpTransportOptions options;
  internal::HttpPool pool;
  Mutex mutex;
  std::map<std::string, std::string> answered_last ABSL_GUARDED_BY(mutex);  // Of each pod.

  explicit State(HttpTransportOptions the_options)
      : options(the_options), pool(std::move(the_options)) {}

  // The hosts of `pod` in the order in which to try them.
  std::vector<std::string> HostsOf(const Pod& pod) {
    std::vector<std::string> hosts = pod.hosts;
    MutexLock lock(&mutex);
    const auto last = answered_last.find(pod.id);
    if (last != answered_last.end()) {
      const auto found = std::find(hosts.begin(), hosts.end(), last->second);
      if (found != hosts.end()) std::rotate(hosts.begin(), found, found + 1);
    }
    return hosts;
  }

  void Answered(const Pod& pod, const std::string& host) {
    MutexLock lock(&mutex);
    std::string& last = answered_last[pod.id];
    if (last != host) last = host;
  }

  absl::StatusOr<WireReply> SendTo(const std::string& host, const Pod& pod,
                                   const WireRequest& request, absl::Time deadline) {
    PODKIT_ASSIGN_OR_RETURN(const auto lease, pool.Borrow(host, pod.ca_file, deadline));
    const absl::Duration left = deadline - options.now();
    if (left <= absl::ZeroDuration()) {
      return internal::WithOutcome(absl::DeadlineExceededError("no time was left to send"),
                                   Outcome::kNotExecuted);
    }
    return lease->connection().Post(request, left);
  }
};

HttpTransport::HttpTransport(HttpTransportOptions options)
    : state_(std::make_unique<State>(std::move(options))) {}
HttpTransport::~HttpTransport() = default;

absl::StatusOr<WireReply> HttpTransport::Send(const Pod& pod, const WireRequest& request,
                                              absl::Time deadline) {
  absl::Status failure = TransportError(Outcome::kNotExecuted, "");
  std::string details;
  for (const std::string& host : state_->HostsOf(pod)) {
    auto reply = state_->SendTo(host, pod, request, deadline);
    if (reply.ok()) {
      state_->Answered(pod, host);
      return reply;
    }
    failure = std::move(reply).status();
    details += fmt::format("{}{}", details.empty() ? "" : "; ", std::string(failure.message()));
    if (OutcomeOf(failure) != Outcome::kNotExecuted || deadline <= state_->options.now()) break;
  }
  if (pod.hosts.empty()) details = "the pods file names no host";
  return internal::WithMessage(failure, fmt::format("pod '{}': {}", pod.id, details));
}

}  // namespace podkit::conduit
