#include "cache_policy.h"

#include <algorithm>

namespace podkit::replica {
namespace {

constexpr int kMaxUses = 3;

}  // namespace

std::vector<std::string> CachePolicy::Add(const std::string& key, uint64_t bytes, bool known) {
  std::vector<std::string> evicted;
  if (bytes > budget_ / 2) return evicted;
  Remove(key);
  while (small_bytes_ + main_bytes_ + bytes > budget_) EvictOne(&evicted);
  Push(key, bytes, known || ghosts_.contains(key));
  return evicted;
}

void CachePolicy::Touch(const std::string& key) {
  const auto entry = entries_.find(key);
  if (entry != entries_.end()) entry->second.uses = std::min(entry->second.uses + 1, kMaxUses);
}

void CachePolicy::Remove(const std::string& key) {
  if (entries_.contains(key)) Drop(key);
}

void CachePolicy::Push(const std::string& key, uint64_t bytes, bool to_main) {
  std::list<std::string>& queue = to_main ? main_ : small_;
  (to_main ? main_bytes_ : small_bytes_) += bytes;
  entries_[key] = {bytes, 0, to_main, queue.insert(queue.end(), key)};
}

void CachePolicy::Drop(const std::string& key) {
  const auto entry = entries_.find(key);
  (entry->second.in_main ? main_ : small_).erase(entry->second.place);
  (entry->second.in_main ? main_bytes_ : small_bytes_) -= entry->second.bytes;
  entries_.erase(entry);
}

// Throws one out, or moves one: ends, because each turn uses up one of its uses.
void CachePolicy::EvictOne(std::vector<std::string>* evicted) {
  const bool from_small = !small_.empty() && (small_bytes_ > budget_ / 10 || main_.empty());
  const std::string key = from_small ? small_.front() : main_.front();
  const Entry entry = entries_.at(key);
  Drop(key);
  if (entry.uses > 0) {
    Push(key, entry.bytes, /*to_main=*/true);
    if (!from_small) entries_[key].uses = entry.uses - 1;
    return;
  }
  if (from_small) Remember(key);
  evicted->push_back(key);
}

// No more than the cache has entries: what comes back after more than that was new is a scan, too.
void CachePolicy::Remember(const std::string& key) {
  if (!ghosts_.insert(key).second) return;
  ghost_order_.push_back(key);
  while (ghost_order_.size() > std::max<size_t>(entries_.size(), 1)) {
    ghosts_.erase(ghost_order_.front());
    ghost_order_.pop_front();
  }
}

}  // namespace podkit::replica
