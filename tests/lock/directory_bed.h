// A lock directory of each kind on a clock that the test moves. The conformance tests run on all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "podkit/lock/local_directory.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::lock {

using testing::ValueOf;

// Both clocks of a directory; they stand still until Pass. Thread-safe.
class BedClock {
 public:
  absl::Duration Steady() const {
    MutexLock lock(&mutex_);
    return absl::Hours(1000) + passed_;
  }
  absl::Time Wall() const { return Start() + (Steady() - absl::Hours(1000)); }
  void Pass(absl::Duration time) {
    MutexLock lock(&mutex_);
    passed_ += time;
  }
  static absl::Time Start() { return absl::FromUnixSeconds(1'700'000'000); }

 private:
  mutable Mutex mutex_;
  absl::Duration passed_ ABSL_GUARDED_BY(mutex_);
};

class LocalBed {
 public:
  WriteLockDirectory& directory() { return *directory_; }
  std::shared_ptr<WriteLockDirectory> shared() { return directory_; }
  LocalDirectory& local() { return *directory_; }
  BedClock& clock() { return clock_; }

  // Lets time pass in small steps, as a directory that does not stand still sees it.
  void Pass(absl::Duration time) {
    for (absl::Duration left = time; left > absl::ZeroDuration(); left -= absl::Seconds(1)) {
      clock_.Pass(std::min(left, absl::Seconds(1)));
      directory_->Tick();
    }
  }

  LocalDirectoryOptions Options() {
    LocalDirectoryOptions options;
    options.steady_clock = [this] { return clock_.Steady(); };
    options.wall_clock = [this] { return clock_.Wall(); };
    options.random = [this] { return "start number " + std::to_string(++starts_); };
    options.timer = false;
    return options;
  }

 protected:
  BedClock clock_;
  int64_t starts_ = 0;
  std::shared_ptr<LocalDirectory> directory_;
};

class MemoryBed : public LocalBed {
 public:
  MemoryBed() { directory_ = ValueOf(OpenMemoryDirectory(Options())); }
};

class SqliteBed : public LocalBed {
 public:
  SqliteBed() { Restart(); }

  void Restart() {
    directory_.reset();
    directory_ = ValueOf(OpenSqliteDirectory(path(), Options()));
  }
  std::string path() const { return folder_.File("locks.sqlite"); }

 private:
  testing::TempDir folder_;
};

// Short forms of the requests that most tests make.

inline void OpenSession(WriteLockDirectory& directory, const std::string& id,
                        const std::string& host, bool runs_wakeups = false) {
  REQUIRE(directory
              .OpenSession(
                  {.id = id, .host = host, .term = absl::Seconds(30), .runs_wakeups = runs_wakeups})
              .status() == absl::OkStatus());
}

// Tries to get a store, which is created if it is not there.
inline absl::StatusOr<Grant> TryAcquire(WriteLockDirectory& directory, const std::string& session,
                                        const std::string& store,
                                        const std::string& request = "a") {
  return directory.Acquire(
      {.session = session, .request_id = request, .store = store, .create = true});
}

inline Grant MustAcquire(WriteLockDirectory& directory, const std::string& session,
                         const std::string& store, const std::string& request = "a") {
  return ValueOf(TryAcquire(directory, session, store, request));
}

inline absl::Status Release(WriteLockDirectory& directory, const std::string& session,
                            const Grant& grant, const std::string& request = "r") {
  return directory.Release({.holding = {session, grant.store, grant.token}, .request_id = request});
}

inline absl::StatusOr<Head> MoveHead(WriteLockDirectory& directory, const std::string& session,
                                     const Grant& grant, const std::string& parent,
                                     const std::string& manifest, const std::string& request) {
  return directory.MoveHead({.holding = {session, grant.store, grant.token},
                             .request_id = request,
                             .parent = parent,
                             .manifest = manifest});
}

template <typename Result>
LockErrorDetails ErrorOf(const Result& result) {
  if constexpr (std::is_same_v<Result, absl::Status>) {
    return GetLockError(result);
  } else {
    return GetLockError(result.status());
  }
}

}  // namespace podkit::lock

namespace Catch {

template <>
struct StringMaker<podkit::lock::LockError> {
  static std::string convert(podkit::lock::LockError error) {
    return std::string(podkit::lock::LockErrorName(error));
  }
};

}  // namespace Catch
