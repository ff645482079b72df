// Signs what this pod sends and verifies what it receives; docs/conduit-protocol.md has the texts
// that are signed.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "hmac.h"
#include "podkit/conduit/pods.h"
#include "podkit/conduit/transport.h"
#include "replay_guard.h"

namespace podkit::conduit::internal {

// A request that was signed or verified, and so what the signature of its reply stands on.
struct SignedExchange {
  std::shared_ptr<const Pod> peer;
  std::string request_signature;
  HmacKey key;
};

class Authenticator {
 public:
  Authenticator(std::shared_ptr<Pods> pods, absl::Duration max_clock_skew, absl::Time start);

  // Fills in request.authorization. kInternal: no HMAC-SHA256 on this machine.
  absl::StatusOr<SignedExchange> SignRequest(std::shared_ptr<const Pod> target, absl::Time now,
                                             WireRequest& request);

  // kUnauthenticated with the reason, which is for the own log only.
  absl::StatusOr<SignedExchange> VerifyRequest(const WireRequest& request, absl::Time now);

  // Fills in reply.authorization.
  static absl::Status SignReply(const SignedExchange& exchange, WireReply& reply);

  // kUnauthenticated: the reply is not from the pod that was asked, or not to this request.
  static absl::Status VerifyReply(const SignedExchange& exchange, const WireReply& reply);

 private:
  // The keys of a pod, expanded once and used until the pod's entry is loaded anew.
  struct KeySet {
    std::shared_ptr<const Pod> pod;
    std::vector<HmacKey> keys;
  };

  absl::StatusOr<std::shared_ptr<const KeySet>> KeysOf(const std::shared_ptr<const Pod>& pod);

  const std::shared_ptr<Pods> pods_;
  const std::string session_;  // 16 hexadecimal digits that no other process has.
  std::atomic<uint64_t> counter_{0};
  ReplayGuard replay_guard_;
  // Stands for a caller that is not known, so that the time of a refusal does not tell who is.
  const std::shared_ptr<const Pod> nobody_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<const KeySet>, std::less<>> key_sets_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
