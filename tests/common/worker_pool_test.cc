#include "common/worker_pool.h"

#include <atomic>
#include <future>
#include <latch>
#include <thread>

#include "tests/support/catch.h"

namespace podkit {

TEST_CASE("WorkerPool refuses at once what its queue cannot hold", "[worker_pool]") {
  WorkerPool pool(1, 2);
  std::latch running(1);
  std::promise<void> release;
  std::atomic<int> done = 0;
  REQUIRE(pool.Submit([&] {
    running.count_down();
    release.get_future().wait();
    ++done;
  }));
  running.wait();
  CHECK(pool.Submit([&] { ++done; }));
  CHECK(pool.Submit([&] { ++done; }));
  CHECK(pool.Depth() == 2);
  CHECK_FALSE(pool.Submit([&] { ++done; }));

  std::promise<void> last;
  release.set_value();
  while (!pool.Submit([&] { last.set_value(); })) std::this_thread::yield();
  last.get_future().wait();
  CHECK(done == 3);
  CHECK(pool.Depth() == 0);
}

TEST_CASE("WorkerPool runs tasks side by side and knows its threads", "[worker_pool]") {
  WorkerPool pool(2, 10);
  std::latch both(2);
  std::atomic<int> inside = 0;
  std::latch done(2);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(pool.Submit([&] {
      both.arrive_and_wait();
      if (pool.OnWorkerThread()) ++inside;
      done.count_down();
    }));
  }
  done.wait();
  CHECK(inside == 2);
  CHECK_FALSE(pool.OnWorkerThread());
}

TEST_CASE("WorkerPool::Stop waits for what runs and drops what waits", "[worker_pool]") {
  WorkerPool pool(1, 10);
  std::latch running(1);
  std::promise<void> release;
  std::atomic<bool> first_done = false;
  std::atomic<bool> second_ran = false;
  const auto held = std::make_shared<int>(0);
  REQUIRE(pool.Submit([&] {
    running.count_down();
    release.get_future().wait();
    first_done = true;
  }));
  REQUIRE(pool.Submit([&, held] { second_ran = true; }));
  running.wait();
  std::thread stopper([&] { pool.Stop(); });
  while (held.use_count() > 1) std::this_thread::yield();  // Dropped although the first still runs?
  release.set_value();
  stopper.join();
  CHECK(first_done);
  CHECK_FALSE(second_ran);
  CHECK_FALSE(pool.Submit([] {}));
}

}  // namespace podkit
