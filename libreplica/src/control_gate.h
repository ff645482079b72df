// Decides whether a control part is taken: who signed it, whether it is meant for this gateway,
// new, and allowed. Nothing of it is read before its signature is good.
//
// Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "podkit/replica/control.h"
#include "podkit/replica/writers.h"
#include "replay_window.h"

namespace podkit::replica {

struct AdmittedControl {
  ControlMessage message;
  std::string writer;
  ChunkHash request;  // Of the signed bytes.
};

class ControlGate {
 public:
  ControlGate(std::string gateway, ControlLimits limits, absl::Duration max_clock_skew,
              absl::Time start, std::shared_ptr<const Writers> writers);

  // kUnauthenticated (the same for an unknown writer and a bad signature), kPermissionDenied,
  // kInvalidArgument, kResourceExhausted (beyond a limit) or kUnavailable (later).
  absl::StatusOr<AdmittedControl> Admit(std::string_view control_part, absl::Time now);

  bool IsPrivate(std::string_view volume) const { return writers()->IsPrivate(volume); }
  std::optional<uint64_t> QuotaOf(std::string_view volume) const {
    return writers()->QuotaOf(volume);
  }

  // Judges the Authorization header of a GET or HEAD of a private volume, see AuthorizeRead. A read
  // may be repeated within the clock skew.
  absl::Status AdmitRead(std::string_view method, std::string_view path, std::string_view volume,
                         std::string_view authorization, absl::Time now) const;

  void SetWriters(std::shared_ptr<const Writers> writers);

 private:
  std::shared_ptr<const Writers> writers() const;

  const std::string gateway_;
  const ControlLimits limits_;
  const absl::Duration max_clock_skew_;
  ReplayWindow replay_;
  mutable Mutex mutex_;
  std::shared_ptr<const Writers> writers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::replica
