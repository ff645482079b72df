// Which chunks stay in a cache of so many bytes: S3-FIFO (Yang et al., SOSP 2023).
//
// What is new goes through a small queue and stays only if it is asked for again, so that a scan of
// everything throws out other new ones and nothing that is in use.
//
// Thread-compatible.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace podkit::replica {

class CachePolicy {
 public:
  explicit CachePolicy(uint64_t budget) : budget_(budget) {}

  // Makes room for `bytes` and adds `key`; returns what has to go. A key that alone is beyond half
  // of the budget is not added. `known` keys of an earlier run count as in use.
  std::vector<std::string> Add(const std::string& key, uint64_t bytes, bool known = false);
  void Touch(const std::string& key);
  void Remove(const std::string& key);

  bool Has(const std::string& key) const { return entries_.contains(key); }
  uint64_t bytes() const { return small_bytes_ + main_bytes_; }

 private:
  struct Entry {
    uint64_t bytes;
    int uses;
    bool in_main;
    std::list<std::string>::iterator place;
  };

  void Push(const std::string& key, uint64_t bytes, bool to_main);
  void Drop(const std::string& key);
  void EvictOne(std::vector<std::string>* evicted);
  void Remember(const std::string& key);

  const uint64_t budget_;
  std::map<std::string, Entry> entries_;
  std::list<std::string> small_;  // The oldest first.
  std::list<std::string> main_;
  uint64_t small_bytes_ = 0;
  uint64_t main_bytes_ = 0;
  std::deque<std::string> ghost_order_;  // What was thrown out of the small queue of late.
  std::set<std::string> ghosts_;
};

}  // namespace podkit::replica
