// What all requests to a gateway share.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absences.h"
#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache.h"
#include "catalog.h"
#include "common/mutex.h"
#include "control_gate.h"
#include "memory_file.h"
#include "name_locks.h"
#include "podkit/replica/gateway.h"
#include "volume_use.h"

namespace podkit::replica {

struct GatewayCore {
  GatewayCore(GatewayOptions with, std::shared_ptr<ChunkDriver> driver_given,
              std::shared_ptr<const Writers> writers)
      : options(std::move(with)),
        gate(options.id, options.limits, options.max_clock_skew, options.now(), std::move(writers)),
        absences(options.absent_for),
        memory(std::make_shared<MemoryBudget>(options.memory_bytes)),
        driver_(std::move(driver_given)) {}

  const GatewayOptions options;
  ControlGate gate;
  std::unique_ptr<Catalog> catalog;
  std::unique_ptr<Cache> cache;  // Null: there is none.
  NameLocks locks;
  Absences absences;
  VolumeUse use;
  const std::shared_ptr<MemoryBudget> memory;

  std::atomic<uint64_t> stored = 0;
  std::atomic<uint64_t> deleted = 0;
  std::atomic<uint64_t> cache_hits = 0;
  std::atomic<uint64_t> cache_misses = 0;
  std::atomic<uint64_t> cache_absent = 0;
  std::atomic<uint64_t> corrupt = 0;
  std::atomic<uint64_t> lost = 0;
  std::atomic<uint64_t> mended = 0;

  std::shared_ptr<ChunkDriver> driver() {
    MutexLock lock(&mutex_);
    return driver_;
  }
  void set_driver(std::shared_ptr<ChunkDriver> driver) {
    MutexLock lock(&mutex_);
    driver_.swap(driver);
  }  // The old one may end here, after the lock.

  // When the driver must have answered. The real clock: processes do not know another.
  absl::Time DriverDeadline() const { return absl::Now() + options.driver_timeout; }
  // A reply that says why: 400, 401, 403, 404, 409, 412, 413, 500, 503 or 504 by the code.
  GatewayReply Refusal(const absl::Status& why) const;

 private:
  Mutex mutex_;
  std::shared_ptr<ChunkDriver> driver_ ABSL_GUARDED_BY(mutex_);
};

// Of a gateway, for what else of this library works on its chunks.
GatewayCore& CoreOf(Gateway* gateway);

int HttpStatus(const absl::Status& why);

// What a read of such a chunk is answered with.
absl::Status ToStatus(ChunkDamage damage);

// What the driver gave for a catalogued chunk.
struct FetchedChunk {
  ChunkDamage damage = ChunkDamage::kNone;
  std::unique_ptr<MemoryFile> file;  // As it travels, with its hash; null if it is damaged.
};

// Reads a chunk from the driver. Whether it is lost or damaged, or whole again, the catalog knows
// when this returns. The caller holds the chunk's name, as for the next one.
absl::StatusOr<FetchedChunk> FetchChunk(GatewayCore* core, const ChunkName& name,
                                        const std::string& path, const CatalogEntry& entry);

// Has a driver write a chunk, which travels as `bytes`, and enters it in the catalog. Returns 0
// or the driver's negative errno.
absl::StatusOr<int> StoreChunk(GatewayCore* core, ChunkDriver* driver, const DriverRequest& request,
                               FileBytes bytes, const CatalogEntry& entry);

std::string_view HeaderOf(const GatewayRequest& request, std::string_view name);

// Answers GET and HEAD.
GatewayReply ServeChunk(GatewayCore* core, const GatewayRequest& request);

// Does what an admitted request asks for; `data` is the data part, or null.
GatewayReply Perform(GatewayCore* core, const AdmittedControl& control, MemoryFile* data,
                     bool wants_reply);

}  // namespace podkit::replica
