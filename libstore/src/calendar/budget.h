// Bounds what one question about an object may cost, whatever its rules say.
#pragma once

#include <cstdint>

namespace podkit::store::calendar {

class Budget {
 public:
  // One unit is about the cost of one instance; all of them take some ten milliseconds.
  explicit Budget(int64_t units = 200'000) : left_(units) {}

  // False once everything is spent.
  bool Spend(int64_t units) {
    left_ -= units;
    return left_ >= 0;
  }
  bool exhausted() const { return left_ < 0; }

 private:
  int64_t left_;
};

}  // namespace podkit::store::calendar
