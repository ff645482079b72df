// A dialler and what became of its dials, for tests.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "mux/dialer.h"
#include "tests/support/catch.h"
#include "tests/support/stream_users.h"

namespace podkit::testing {

// One dial: becomes a user of the stream, or a failure.
template <typename User = RecordingUser>
class DialResult {
 public:
  conduit::StreamAcceptor opened() {
    return [this](std::shared_ptr<conduit::ByteStream> stream) {
      auto user = std::make_shared<User>(std::move(stream));
      Set(user);
      return user;
    };
  }
  std::function<void(absl::Status)> failed() {
    // A copy of its own: the count of the packaged Status is not built for ThreadSanitizer.
    return [this](const absl::Status& why) { Set(absl::Status(why.code(), why.message())); };
  }

  absl::StatusOr<std::shared_ptr<User>> Await() {
    MutexLock lock(&mutex_);
    while (results_ == 0 && changed_.WaitFor(&mutex_, absl::Seconds(20))) {
    }
    if (results_ != 1) return absl::InternalError("not exactly one result");
    return result_;
  }
  // The failure, which must be one.
  absl::Status AwaitFailure() {
    const auto result = Await();
    REQUIRE_FALSE(result.ok());
    return result.status();
  }

 private:
  void Set(absl::StatusOr<std::shared_ptr<User>> result) {
    MutexLock lock(&mutex_);
    result_ = std::move(result);
    ++results_;
    changed_.SignalAll();  // With the lock: whoever waits then destroys this.
  }

  Mutex mutex_;
  CondVar changed_;
  absl::StatusOr<std::shared_ptr<User>> result_ ABSL_GUARDED_BY(mutex_) =
      absl::UnknownError("no result yet");
  int results_ ABSL_GUARDED_BY(mutex_) = 0;
};

inline std::unique_ptr<conduit::internal::Dialer> MustMakeDialer(
    std::shared_ptr<conduit::Scheduler> scheduler = conduit::MakeSystemScheduler(),
    conduit::internal::ResolveFunction resolve = conduit::internal::ResolveWithSystem) {
  return ValueOf(conduit::internal::Dialer::Create(
      {.scheduler = std::move(scheduler), .resolve = std::move(resolve)}));
}

}  // namespace podkit::testing
