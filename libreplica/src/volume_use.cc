#include "volume_use.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace podkit::replica {

absl::StatusOr<VolumeUse::Change> VolumeUse::Begin(const std::string& volume, bool counted,
                                                   Catalog* catalog, absl::Time deadline) {
  bool add_up = false;
  {
    MutexLock lock(&mutex_);
    for (;;) {
      const Volume& now = volumes_[volume];
      add_up = counted && !now.used;
      if (!now.alone && (!add_up || now.changes == 0)) break;
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) {
        return absl::UnavailableError(
            fmt::format("volume '{}' is being added up for its quota: try again later", volume));
      }
      ended_.WaitFor(&mutex_, left);
    }
    Volume& mine = volumes_[volume];
    ++mine.changes;
    mine.alone = add_up;
  }
  Change change(this, volume);
  if (!add_up) return change;
  PODKIT_ASSIGN_OR_RETURN(const uint64_t had, catalog->BytesOf(volume));
  MutexLock lock(&mutex_);
  Volume& mine = volumes_[volume];
  mine.used = had;
  mine.alone = false;
  ended_.SignalAll();
  return change;
}

std::map<std::string, uint64_t> VolumeUse::used() const {
  std::map<std::string, uint64_t> used;
  MutexLock lock(&mutex_);
  for (const auto& [name, volume] : volumes_) {
    if (volume.used) used.emplace(name, *volume.used);
  }
  return used;
}

void VolumeUse::End(const std::string& volume) {
  MutexLock lock(&mutex_);
  const auto found = volumes_.find(volume);
  found->second.alone = false;  // Where the catalog could not be added up.
  if (--found->second.changes > 0) return;
  if (!found->second.used) volumes_.erase(found);
  ended_.SignalAll();
}

bool VolumeUse::Take(const std::string& volume, uint64_t bytes, std::optional<uint64_t> quota) {
  MutexLock lock(&mutex_);
  std::optional<uint64_t>& used = volumes_[volume].used;
  if (!used) return true;
  if (quota && (*used > *quota || bytes > *quota - *used)) return false;
  *used += bytes;
  return true;
}

void VolumeUse::Give(const std::string& volume, uint64_t bytes) {
  MutexLock lock(&mutex_);
  std::optional<uint64_t>& used = volumes_[volume].used;
  if (used) *used -= std::min(*used, bytes);
}

}  // namespace podkit::replica
