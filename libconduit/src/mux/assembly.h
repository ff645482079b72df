// What the receiving side of a multiplexed connection keeps of a window, and of a body that comes
// in chunks.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace podkit::conduit::internal {

// The bytes that the other side may send before it is given credit again.
class Window {
 public:
  explicit Window(size_t bytes) : size_(bytes), left_(bytes) {}

  // False if the other side had no credit for these bytes.
  [[nodiscard]] bool Take(size_t bytes) {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }

  // Credit to give now: nothing until half of the window is used up.
  size_t Replenish() {
    if (left_ > size_ / 2) return 0;
    return size_ - std::exchange(left_, size_);
  }

 private:
  size_t size_;
  size_t left_;
};

// A body that comes in chunks.
class Assembly {
 public:
  Assembly() = default;
  // Takes the memory for the whole body, so its size must have been checked against a limit.
  Assembly(size_t size, size_t window) : size_(size), window_(window) { body_.reserve(size); }

  // False if it is more than was announced or than there is credit for.
  [[nodiscard]] bool Add(std::string_view chunk) {
    if (chunk.size() > size_ - body_.size() || !window_.Take(chunk.size())) return false;
    body_.append(chunk);
    return true;
  }

  bool whole() const { return body_.size() == size_; }
  std::string Take() { return std::move(body_); }
  // Credit to give for the rest of the body.
  size_t Replenish() { return whole() ? 0 : window_.Replenish(); }

 private:
  std::string body_;
  size_t size_ = 0;
  Window window_{0};
};

}  // namespace podkit::conduit::internal
