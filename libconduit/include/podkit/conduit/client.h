// Whom to call: a pod, or one host of it.
//
//   const Client b(&conduit, "B");
//   absl::StatusOr<EatCheez::Response> answer = b.Call<EatCheez>({.name = "gouda"});
//
// A client holds no connection: every call looks for the pod's hosts anew, so one may be kept for
// any time and costs nothing. clients.h finds clients, and waits for them.
//
// A value: thread-safe as long as it is not assigned to. The conduit must outlive it.
// Errors: those of the calls of Conduit.
#pragma once

#include <functional>
#include <future>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "podkit/conduit/conduit.h"

namespace podkit::conduit {

class Client {
 public:
  Client(Conduit* conduit, std::string pod, std::string host = {})
      : conduit_(conduit), pod_(std::move(pod)), host_(std::move(host)) {}

  Conduit& conduit() const { return *conduit_; }
  const std::string& pod() const { return pod_; }
  const std::string& host() const { return host_; }  // "": whichever serves best.

  template <Command C>
  absl::StatusOr<typename C::Response> Call(const typename C::Arguments& arguments = {},
                                            const CallOptions& options = {}) const {
    return conduit_->Call<C>(pod_, arguments, ToHost(options));
  }
  template <Command C>
  absl::StatusOr<typename C::Response> CallTarget(const TargetOf<C>& target,
                                                  const typename C::Arguments& arguments = {},
                                                  const CallOptions& options = {}) const {
    return conduit_->CallTarget<C>(pod_, target, arguments, ToHost(options));
  }
  template <Command C>
  std::future<absl::StatusOr<typename C::Response>> CallAsync(
      const TargetOf<C>& target, const typename C::Arguments& arguments = {},
      const CallOptions& options = {}) const {
    return conduit_->CallAsync<C>(pod_, target, arguments, ToHost(options));
  }
  template <Command C>
  void Start(const TargetOf<C>& target, const typename C::Arguments& arguments,
             const CallOptions& options,
             std::function<void(absl::StatusOr<typename C::Response>)> done) const {
    conduit_->Start<C>(pod_, target, arguments, ToHost(options), std::move(done));
  }

  absl::Status Call(Batch& batch, const CallOptions& options = {}) const {
    return conduit_->Call(pod_, batch, ToHost(options));
  }
  void Start(Batch& batch, const CallOptions& options,
             std::function<void(absl::Status)> done) const {
    conduit_->Start(pod_, batch, ToHost(options), std::move(done));
  }

  friend bool operator==(const Client&, const Client&) = default;

 private:
  CallOptions ToHost(CallOptions options) const {
    if (!host_.empty()) options.host = host_;
    return options;
  }

  Conduit* conduit_;
  std::string pod_;
  std::string host_;
};

}  // namespace podkit::conduit
