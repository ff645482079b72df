// Removes chunks that nothing uses any more, when asked to and in the background. Thread-safe.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "context.h"
#include "podkit/store/store.h"

namespace podkit::store {

class OrphanCollector {
 public:
  // `context` must outlive the collector.
  explicit OrphanCollector(const Context& context) : context_(context) {}

  // See Store::CollectOrphans.
  absl::StatusOr<CollectedOrphans> Collect(const std::string& uid);

  // The same for these homes, see HomeRounds. A home that cannot be read is in the log.
  void Visit(const std::vector<std::string>& uids, const std::stop_token& stop);

  // Since the start.
  CollectedOrphans collected() const;

 private:
  const Context& context_;
  mutable Mutex mutex_;
  CollectedOrphans collected_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::store
