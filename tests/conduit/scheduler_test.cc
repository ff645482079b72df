#include "podkit/conduit/scheduler.h"

#include <future>
#include <latch>
#include <string>

#include "podkit/conduit/testing/manual_scheduler.h"
#include "tests/support/catch.h"

namespace podkit::conduit {
namespace {

using testing::ManualScheduler;

TEST_CASE("ManualScheduler runs work in the order of its times, at those times", "[scheduler]") {
  ManualScheduler scheduler;
  const absl::Time start = scheduler.Now();
  std::string ran;
  const auto note = [&](const char* name) {
    ran += name + std::to_string(absl::ToInt64Seconds(scheduler.Now() - start)) + " ";
  };
  scheduler.At(start + absl::Seconds(3), [&] { note("c"); });
  scheduler.At(start + absl::Seconds(1), [&] {
    note("a");
    scheduler.At(start + absl::Seconds(2), [&] { note("added"); });
  });
  scheduler.At(start + absl::Seconds(1), [&] { note("b"); });
  scheduler.At(start + absl::Seconds(9), [&] { note("later"); });
  CHECK(ran.empty());
  scheduler.Advance(absl::Seconds(5));
  CHECK(ran == "a1 b1 added2 c3 ");
  CHECK(scheduler.Now() == start + absl::Seconds(5));
  CHECK(scheduler.pending() == 1);
}

TEST_CASE("ManualScheduler runs what is overdue without turning the clock back", "[scheduler]") {
  ManualScheduler scheduler;
  const absl::Time start = scheduler.Now();
  bool ran = false;
  scheduler.At(start - absl::Hours(1), [&] { ran = true; });
  CHECK(scheduler.RunNext());
  CHECK(ran);
  CHECK(scheduler.Now() == start);
  CHECK_FALSE(scheduler.RunNext());
}

TEST_CASE("Cancelled work does not run, and only waiting work can be cancelled", "[scheduler]") {
  ManualScheduler scheduler;
  bool ran = false;
  const uint64_t id = scheduler.At(scheduler.Now() + absl::Seconds(1), [&] { ran = true; });
  CHECK(scheduler.Cancel(id));
  CHECK_FALSE(scheduler.Cancel(id));
  scheduler.Advance(absl::Seconds(2));
  CHECK_FALSE(ran);
  const uint64_t other = scheduler.At(scheduler.Now(), [] {});
  scheduler.Advance(absl::ZeroDuration());
  CHECK_FALSE(scheduler.Cancel(other));
}

TEST_CASE("The system's scheduler runs earlier work first, on a thread of its own", "[scheduler]") {
  const auto scheduler = MakeSystemScheduler();
  std::string ran;
  std::latch done(2);
  const absl::Time now = scheduler->Now();
  scheduler->At(now + absl::Milliseconds(40), [&] {
    ran += "late";
    done.count_down();
  });
  scheduler->At(now + absl::Milliseconds(5), [&] {
    ran += "early ";
    done.count_down();
  });
  const uint64_t never = scheduler->At(now + absl::Hours(1), [&] { ran += "never"; });
  done.wait();
  CHECK(ran == "early late");
  CHECK(scheduler->Cancel(never));
  scheduler->At(now + absl::Hours(1), [&] { ran += "dropped"; });
}

}  // namespace
TEST_CASE("Work may hold the last reference to its scheduler", "[conduit][scheduler]") {
  std::shared_ptr<Scheduler> scheduler = MakeSystemScheduler();
  std::promise<void> given_up;
  std::promise<void> ended;
  scheduler->At(absl::Now(), [own = scheduler, &given_up, &ended]() mutable {
    given_up.get_future().wait();
    own.reset();
    ended.set_value();
  });
  scheduler.reset();
  given_up.set_value();
  ended.get_future().wait();
}

}  // namespace podkit::conduit
