#include "attachments/orphan_collector.h"

#include <fmt/format.h>

#include "attachments/chunks.h"
#include "common/status_macros.h"
#include "podkit/store/errors.h"

namespace podkit::store {

absl::StatusOr<CollectedOrphans> OrphanCollector::Collect(const std::string& uid) {
  PODKIT_ASSIGN_OR_RETURN(const auto store, context_.stores->GetExisting(uid));
  const absl::Time now = context_.Now();
  PODKIT_ASSIGN_OR_RETURN(
      const CollectedOrphans collected,
      RemoveOrphans(*store, *context_.options.chunks, now - context_.options.orphan_grace, now));
  MutexLock lock(&mutex_);
  collected_.chunks += collected.chunks;
  collected_.bytes += collected.bytes;
  return collected;
}

void OrphanCollector::Visit(const std::vector<std::string>& uids, const std::stop_token& stop) {
  for (const std::string& uid : uids) {
    if (stop.stop_requested()) return;
    const auto collected = Collect(uid);
    // One that goes meanwhile takes its chunks with it.
    if (collected.ok() || GetError<NoSuchHome>(collected.status())) continue;
    if (GetError<HomeDisabled>(collected.status())) continue;
    if (!context_.options.log) continue;
    context_.options.log(conduit::LogLevel::kWarning,
                         fmt::format("home '{}': chunks that nothing uses are not removed: {}", uid,
                                     collected.status().ToString()));
  }
}

CollectedOrphans OrphanCollector::collected() const {
  MutexLock lock(&mutex_);
  return collected_;
}

}  // namespace podkit::store
