// Puts the pieces of a stream in order: takes them as they come and gives them one after the other.
//
// Thread-compatible. Holds at most `max_ahead` bytes, or one piece that is larger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace podkit::conduit::internal {

class OrderedPieces {
 public:
  enum class Added {
    kTaken,
    kRepeated,  // It was there before: nothing changed.
    kOverlaps,  // Parts of it were there before, under other bounds: refused.
    kTooFar,    // It ends more than `max_ahead` behind next(): refused.
    kNoRoom,    // As kTooFar, until more has been given.
  };

  OrderedPieces(uint64_t next, size_t max_ahead)
      : taken_(next), next_(next), max_ahead_(max_ahead) {}

  Added Add(uint64_t offset, std::string_view bytes) {
    if (bytes.empty()) return offset <= next_ ? Added::kRepeated : Added::kTooFar;
    const uint64_t size = bytes.size();
    if (offset < next_) return size <= next_ - offset ? Added::kRepeated : Added::kOverlaps;
    if (!Fits(offset - next_, size)) return Added::kTooFar;
    const auto behind = held_.lower_bound(offset);
    if (behind != held_.end()) {
      if (behind->first == offset && behind->second.size() == size) return Added::kRepeated;
      if (behind->first - offset < size) return Added::kOverlaps;
    }
    if (behind != held_.begin()) {
      const auto before = std::prev(behind);
      if (offset - before->first < before->second.size()) return Added::kOverlaps;
    }
    if (!Fits(offset - taken_, size)) return Added::kNoRoom;
    held_.emplace_hint(behind, offset, bytes);
    // What can be taken counts as arrived.
    for (auto it = held_.find(next_); it != held_.end() && it->first == next_; ++it) {
      next_ += it->second.size();
    }
    return Added::kTaken;
  }

  // The next piece in order; an empty one if it has not come yet.
  std::string Take() {
    if (taken_ == next_) return {};
    auto node = held_.extract(held_.begin());
    taken_ += node.mapped().size();
    return std::move(node.mapped());
  }

  uint64_t next() const { return next_; }    // Everything before it has come.
  uint64_t taken() const { return taken_; }  // Everything before it was given.

 private:
  // In this order nothing can overflow.
  bool Fits(uint64_t ahead, uint64_t size) const {
    return ahead == 0 || (ahead <= max_ahead_ && size <= max_ahead_ - ahead);
  }

  uint64_t taken_;
  uint64_t next_;
  const size_t max_ahead_;
  std::map<uint64_t, std::string> held_;
};

}  // namespace podkit::conduit::internal
