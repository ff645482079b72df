// Users of a ByteStream, for tests of whoever owns the socket.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "common/mutex.h"
#include "podkit/conduit/byte_stream.h"
#include "tests/support/catch.h"

namespace podkit::testing {

// Keeps what it receives, sends what it is told, and checks that it is called as promised.
class RecordingUser : public conduit::StreamUser {
 public:
  explicit RecordingUser(std::shared_ptr<conduit::ByteStream> stream)
      : stream_(std::move(stream)) {}

  void Receive(std::string_view bytes) override {
    {
      MutexLock lock(&mutex_);
      misuse_ |= closed_.has_value() || bytes.empty();
      received_ += bytes;
    }
    changed_.SignalAll();
    OnReceive(bytes);
  }

  std::string TakeOutput() override {
    MutexLock lock(&mutex_);
    misuse_ |= closed_.has_value();
    ++pulls_;
    std::string taken = output_.substr(0, kMaxPull);
    output_.erase(0, taken.size());
    return taken;
  }

  void Closed(const absl::Status& why) override {
    std::shared_ptr<conduit::ByteStream> released;
    {
      MutexLock lock(&mutex_);
      misuse_ |= closed_.has_value();
      // Not the status: its packaged code counts its owners unseen by ThreadSanitizer.
      closed_ = {why.code(), std::string(why.message())};
      released.swap(stream_);
    }
    changed_.SignalAll();
  }

  void Put(std::string_view bytes) {
    MutexLock lock(&mutex_);
    output_ += bytes;
  }
  void Send(std::string_view bytes) {
    Put(bytes);
    if (const auto open = stream()) open->Wake();
  }
  void Close() {
    if (const auto open = stream()) open->Close();
  }
  // Null once the stream is closed.
  std::shared_ptr<conduit::ByteStream> stream() const {
    MutexLock lock(&mutex_);
    return stream_;
  }

  // Each waits, at most 20 seconds.
  std::string AwaitBytes(size_t count) {
    MutexLock lock(&mutex_);
    while (received_.size() < count && !closed_ && WaitMore()) {
    }
    return received_;
  }
  absl::Status AwaitClosed() {
    MutexLock lock(&mutex_);
    while (!closed_ && WaitMore()) {
    }
    if (!closed_) return absl::DeadlineExceededError("the stream did not close");
    return absl::Status(closed_->first, closed_->second);
  }

  bool misused() const {
    MutexLock lock(&mutex_);
    return misuse_;
  }
  size_t pulls() const {
    MutexLock lock(&mutex_);
    return pulls_;
  }

 protected:
  virtual void OnReceive(std::string_view) {}

 private:
  static constexpr size_t kMaxPull = 256 << 10;

  bool WaitMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return changed_.WaitFor(&mutex_, absl::Seconds(20));
  }

  mutable Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<conduit::ByteStream> stream_ ABSL_GUARDED_BY(mutex_);
  std::string received_ ABSL_GUARDED_BY(mutex_);
  std::string output_ ABSL_GUARDED_BY(mutex_);
  std::optional<std::pair<absl::StatusCode, std::string>> closed_ ABSL_GUARDED_BY(mutex_);
  bool misuse_ ABSL_GUARDED_BY(mutex_) = false;
  size_t pulls_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Sends back what it receives.
class EchoUser final : public RecordingUser {
 public:
  using RecordingUser::RecordingUser;

 private:
  void OnReceive(std::string_view bytes) override { Send(bytes); }
};

}  // namespace podkit::testing
