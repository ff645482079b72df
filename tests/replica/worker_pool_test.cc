#include "worker_pool.h"

#include <map>
#include <random>
#include <set>

#include "tests/support/catch.h"

namespace podkit::replica {
namespace {

using Kind = WorkerPool::Action::Kind;

struct Bed {
  WorkerPoolOptions options = {.min_workers = 1, .max_workers = 2, .max_waiting = 2};
  WorkerPool pool{options};
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);

  // What the pool wants, one word each: "start1", "kill1", "assign1:7" (worker and call),
  // "refuse7", "expire7".
  std::string Wants() {
    std::string words;
    for (const auto& action : pool.TakeActions()) {
      if (!words.empty()) words += " ";
      switch (action.kind) {
        case Kind::kStart:
          words += "start" + std::to_string(action.worker);
          break;
        case Kind::kKill:
          words += "kill" + std::to_string(action.worker);
          break;
        case Kind::kAssign:
          words += "assign" + std::to_string(action.worker) + ":" + std::to_string(action.call);
          break;
        case Kind::kRefuse:
          words += "refuse" + std::to_string(action.call);
          break;
        case Kind::kExpire:
          words += "expire" + std::to_string(action.call);
          break;
      }
    }
    return words;
  }
  void Submit(WorkerPool::CallId call, absl::Duration wait = absl::Minutes(1)) {
    pool.Submit(call, now + wait, now);
  }
  void BeginWithOneWorker() {
    pool.Begin(now);
    pool.Started(1, now);
    REQUIRE(Wants() == "start1");
  }
};

}  // namespace

TEST_CASE("WorkerPool gives calls to workers in order of arrival", "[replica][pool]") {
  Bed bed;
  bed.BeginWithOneWorker();
  bed.Submit(10);
  CHECK(bed.Wants() == "assign1:10");
  bed.Submit(11);
  CHECK(bed.Wants() == "start2");  // The load asks for another one.
  bed.Submit(12);
  CHECK(bed.Wants().empty());  // Two are the most.
  bed.Submit(13);
  CHECK(bed.Wants() == "refuse13");  // So are two in the queue.
  bed.pool.Done(1, true, bed.now);
  CHECK(bed.Wants() == "assign1:11");
  bed.pool.Started(2, bed.now);
  CHECK(bed.Wants() == "assign2:12");
}

TEST_CASE("WorkerPool ends workers that are not needed", "[replica][pool]") {
  Bed bed;
  bed.BeginWithOneWorker();
  bed.Submit(10);
  bed.Submit(11);
  bed.pool.Started(2, bed.now);
  bed.pool.Done(1, true, bed.now);
  bed.pool.Done(2, true, bed.now);
  bed.Wants();
  CHECK(bed.pool.NextTick() == bed.now + bed.options.idle_timeout);
  bed.now = bed.pool.NextTick();
  bed.pool.Tick(bed.now);
  CHECK(bed.Wants() == "kill1");
  CHECK(bed.pool.NextTick() == absl::InfiniteFuture());
}

TEST_CASE("WorkerPool lets no call wait beyond its deadline", "[replica][pool]") {
  Bed bed;
  bed.BeginWithOneWorker();
  bed.Submit(10);
  bed.Submit(11, absl::Seconds(5));
  bed.Wants();
  CHECK(bed.pool.NextTick() == bed.now + absl::Seconds(5));
  bed.now += absl::Seconds(5);
  bed.pool.Tick(bed.now);
  CHECK(bed.Wants() == "expire11");
}

TEST_CASE("WorkerPool never uses a worker again that failed", "[replica][pool]") {
  Bed bed;
  bed.BeginWithOneWorker();
  bed.Submit(10);
  bed.Wants();
  bed.pool.Done(1, false, bed.now);
  CHECK(bed.Wants() == "kill1 start2");  // The first failure is answered at once.
  bed.pool.Started(1, bed.now);
  bed.pool.Done(1, true, bed.now);
  bed.pool.Lost(1, bed.now);
  CHECK(bed.Wants().empty());
  bed.pool.Started(2, bed.now);
  bed.Submit(11);
  CHECK(bed.Wants() == "assign2:11");
}

TEST_CASE("WorkerPool starts failing workers ever later and lets nobody wait for them",
          "[replica][pool]") {
  Bed bed;
  bed.pool.Begin(bed.now);
  bed.Submit(10);
  CHECK(bed.Wants() == "start1");
  bed.pool.Lost(1, bed.now);
  CHECK(bed.Wants() == "kill1 start2");
  bed.pool.Lost(2, bed.now);
  CHECK(bed.Wants() == "kill2");
  CHECK(bed.pool.NextTick() == bed.now + absl::Milliseconds(100));
  bed.now = bed.pool.NextTick();
  bed.pool.Tick(bed.now);
  CHECK(bed.Wants() == "start3");
  bed.pool.Lost(3, bed.now);
  CHECK(bed.Wants() == "kill3 refuse10");
  bed.Submit(11);
  CHECK(bed.Wants() == "refuse11");
  CHECK(bed.pool.NextTick() == bed.now + absl::Milliseconds(200));
  bed.now = bed.pool.NextTick();
  bed.pool.Tick(bed.now);
  CHECK(bed.Wants() == "start4");
  bed.Submit(12);
  bed.pool.Started(4, bed.now);
  CHECK(bed.Wants() == "assign4:12");
  bed.pool.Done(4, true, bed.now);
  CHECK(bed.pool.failures() == 0);
}

TEST_CASE("WorkerPool ends a worker that does not get ready", "[replica][pool]") {
  Bed bed;
  bed.pool.Begin(bed.now);
  bed.Wants();
  CHECK(bed.pool.NextTick() == bed.now + bed.options.start_timeout);
  bed.now = bed.pool.NextTick();
  bed.pool.Tick(bed.now);
  CHECK(bed.Wants() == "kill1 start2");
}

TEST_CASE("WorkerPool settles every call once, whatever happens", "[replica][pool]") {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  Bed bed;
  bed.pool.Begin(bed.now);
  std::set<WorkerPool::WorkerId> starting;
  std::map<WorkerPool::WorkerId, WorkerPool::CallId> busy;
  std::set<WorkerPool::WorkerId> idle;
  std::set<WorkerPool::CallId> open;
  WorkerPool::CallId next = 1;
  const auto pick = [&](const auto& from) {
    return *std::next(from.begin(), random() % from.size());
  };
  for (int step = 0; step < 20'000; ++step) {
    bed.now += absl::Milliseconds(random() % 100);
    const auto what = random() % 10;
    if (what < 4) {
      open.insert(next);
      bed.Submit(next++, absl::Milliseconds(random() % 2000));
    } else if (what < 6 && !starting.empty()) {
      const auto worker = pick(starting);
      starting.erase(worker);
      idle.insert(worker);
      bed.pool.Started(worker, bed.now);
    } else if (what == 6 && !starting.empty()) {
      bed.pool.Lost(pick(starting), bed.now);
    } else if (what == 7 && !idle.empty()) {
      bed.pool.Lost(pick(idle), bed.now);
    } else if (what == 8 && !busy.empty()) {
      const auto worker = pick(busy).first;
      busy.erase(worker);
      idle.insert(worker);
      bed.pool.Done(worker, random() % 4 != 0, bed.now);
    } else {
      bed.pool.Tick(bed.now);
    }
    for (const auto& action : bed.pool.TakeActions()) {
      switch (action.kind) {
        case Kind::kStart:
          REQUIRE(starting.insert(action.worker).second);
          break;
        case Kind::kKill:
          REQUIRE(starting.erase(action.worker) + idle.erase(action.worker) == 1);
          break;
        case Kind::kAssign:
          REQUIRE(idle.erase(action.worker) == 1);
          REQUIRE(open.erase(action.call) == 1);
          busy[action.worker] = action.call;
          break;
        case Kind::kRefuse:
        case Kind::kExpire:
          REQUIRE(open.erase(action.call) == 1);
          break;
      }
    }
    REQUIRE(open.size() == bed.pool.waiting());
    REQUIRE(open.size() <= bed.options.max_waiting);
    REQUIRE(starting.size() + idle.size() + busy.size() == bed.pool.workers());
    REQUIRE(bed.pool.workers() <= 2);
  }
}

}  // namespace podkit::replica
