// Keeps the audit log in memory, and nothing else: what is lost with the process needs no journal.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "journal.h"

namespace podkit::lock {

class MemoryJournal final : public Journal {
 public:
  absl::StatusOr<DurableState> Load() override { return DurableState{}; }

  absl::Status Commit(const Changes& changes) override {
    MutexLock lock(&mutex_);
    for (const Change& change : changes.list) {
      const auto* const entry = std::get_if<AuditEntry>(&change);
      if (entry == nullptr) continue;
      entries_.push_back(*entry);
      if (entries_.size() > kMaxEntries) entries_.pop_front();
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<AuditEntry>> ReadAudit(int64_t after) override {
    MutexLock lock(&mutex_);
    auto at = std::upper_bound(
        entries_.begin(), entries_.end(), after,
        [](int64_t number, const AuditEntry& entry) { return number < entry.number; });
    std::vector<AuditEntry> page;
    for (; at != entries_.end() && page.size() < kPage; ++at) page.push_back(*at);
    return page;
  }

 private:
  static constexpr size_t kMaxEntries = 100'000;
  static constexpr size_t kPage = 1000;

  Mutex mutex_;
  std::deque<AuditEntry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::lock
