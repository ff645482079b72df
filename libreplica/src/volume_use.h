// How many bytes of chunks a gateway keeps in each volume that has a quota: what its catalog says,
// added up once, and what was written and deleted since. A crash loses nothing.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "catalog.h"
#include "common/mutex.h"

namespace podkit::replica {

class VolumeUse {
 public:
  // That the caller changes what the catalog has of a volume: hold it while you do, and tell of
  // the change before it ends.
  class Change {
   public:
    Change(VolumeUse* use, std::string volume) : use_(use), volume_(std::move(volume)) {}
    Change(Change&& other) noexcept
        : use_(std::exchange(other.use_, nullptr)), volume_(std::move(other.volume_)) {}
    Change& operator=(Change&&) = delete;
    ~Change() {
      if (use_ != nullptr) use_->End(volume_);
    }

    // True if `bytes` more fit into `quota` (nothing: no limit); they count from then on.
    bool Take(uint64_t bytes, std::optional<uint64_t> quota) {
      return use_->Take(volume_, bytes, quota);
    }
    // They are gone, or did not come after all.
    void Give(uint64_t bytes) { use_->Give(volume_, bytes); }

   private:
    VolumeUse* use_;
    std::string volume_;
  };

  // `counted`: the volume has a quota. The first such change adds up what the catalog has, alone:
  // others of the volume wait for that, and it for them. kUnavailable if that takes until
  // `deadline` (of the real clock).
  absl::StatusOr<Change> Begin(const std::string& volume, bool counted, Catalog* catalog,
                               absl::Time deadline);

  // Of the volumes that were added up.
  std::map<std::string, uint64_t> used() const;

 private:
  struct Volume {
    int changes = 0;     // That go on now.
    bool alone = false;  // It is being added up.
    std::optional<uint64_t> used;
  };

  void End(const std::string& volume);
  bool Take(const std::string& volume, uint64_t bytes, std::optional<uint64_t> quota);
  void Give(const std::string& volume, uint64_t bytes);

  mutable Mutex mutex_;
  CondVar ended_;
  // Those with changes that go on, and those that were added up.
  std::map<std::string, Volume> volumes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::replica
