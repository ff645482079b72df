#include "common/mutex.h"

#include <thread>
#include <vector>

#include "tests/support/catch.h"

namespace podkit {
namespace {

struct Counter {
  Mutex mutex;
  CondVar changed;
  int value ABSL_GUARDED_BY(mutex) = 0;
};

TEST_CASE("MutexLock lets one thread at a time into its scope", "[common][mutex]") {
  constexpr int kThreads = 4;
  constexpr int kRounds = 5000;
  Counter counter;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&counter] {
      for (int round = 0; round < kRounds; ++round) {
        MutexLock lock(&counter.mutex);
        ++counter.value;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(&counter.mutex);
  CHECK(counter.value == kThreads * kRounds);
}

TEST_CASE("CondVar wakes a waiter that holds the mutex again", "[common][mutex]") {
  Counter counter;
  std::thread answering([&counter] {
    MutexLock lock(&counter.mutex);
    while (counter.value != 1) counter.changed.Wait(&counter.mutex);
    counter.value = 2;
    counter.changed.SignalAll();
  });
  {
    MutexLock lock(&counter.mutex);
    counter.value = 1;
    counter.changed.SignalAll();
    while (counter.value != 2) counter.changed.Wait(&counter.mutex);
    CHECK(counter.value == 2);
  }
  answering.join();
}

TEST_CASE("CondVar::WaitFor says when nobody signalled in time", "[common][mutex]") {
  Counter counter;
  MutexLock lock(&counter.mutex);
  const absl::Time start = absl::Now();
  // A wake-up without a signal is allowed; the time must run out all the same.
  while (counter.changed.WaitFor(&counter.mutex, absl::Milliseconds(5))) {
    REQUIRE(absl::Now() - start < absl::Seconds(10));
  }
  CHECK(absl::Now() - start >= absl::Milliseconds(4));
}

}  // namespace
}  // namespace podkit
