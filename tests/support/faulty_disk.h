// A disk for SQLite that can fail, and lose power.
//
// While a FaultyDisk lives, every database that is opened afterwards lies on it. It counts the
// operations that change a file and makes the one that the test names fail. It also remembers what
// each file held at its last sync: a power loss keeps that for certain, and of later writes an
// arbitrary part.
// Thread-safe. Databases must be closed before the disk goes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace podkit::testing {

class FaultyDisk {
 public:
  enum class Operation { kWrite, kSync };
  enum class Error { kFull, kInputOutput };

  FaultyDisk();
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  // Lets the `countdown`-th such operation from now fail, 1 for the next; and all later ones if
  // `for_ever`.
  void FailAt(Operation operation, int64_t countdown, Error error, bool for_ever);
  // Lets everything succeed again. True if an operation failed since FailAt.
  bool Repair();

  // Makes `copy` what a machine would find in `folder` after a power loss now. `seed` chooses which
  // sectors written since the last sync survive.
  void CopyAfterPowerLoss(const std::string& folder, const std::string& copy, uint64_t seed) const;

  struct State;  // Of the implementation.

 private:
  std::unique_ptr<State> state_;
};

}  // namespace podkit::testing
