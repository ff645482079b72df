// Where a lock directory keeps its durable state.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "durable_state.h"

namespace podkit::lock {

// One thread at a time, except ReadAudit, which any thread may call at any time.
class Journal {
 public:
  virtual ~Journal() = default;

  // Everything that was committed.
  virtual absl::StatusOr<DurableState> Load() = 0;
  // Makes the changes durable, all or none. After an error nobody knows which: Load tells.
  virtual absl::Status Commit(const Changes& changes) = 0;
  // Committed entries with a greater number, 1000 at most.
  virtual absl::StatusOr<std::vector<AuditEntry>> ReadAudit(int64_t after) = 0;
};

}  // namespace podkit::lock
