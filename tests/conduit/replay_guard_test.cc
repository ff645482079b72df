#include "replay_guard.h"

#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"

namespace podkit::conduit::internal {
namespace {

constexpr absl::Duration kSkew = absl::Seconds(60);
constexpr uint64_t kSession = 7;

struct Guard {
  podkit::testing::FakeClock clock;
  ReplayGuard guard{kSkew, clock.Now()};

  bool Take(uint64_t counter, uint64_t session = kSession, std::string_view caller = "A") {
    return TakeSent(counter, clock.Now(), session, caller);
  }
  bool TakeSent(uint64_t counter, absl::Time sent, uint64_t session = kSession,
                std::string_view caller = "A") {
    return guard.Take(caller, session, counter, sent, clock.Now()).ok();
  }
};

}  // namespace

TEST_CASE("ReplayGuard takes each number of a session once", "[conduit][replay]") {
  Guard guard;
  CHECK(guard.Take(1));
  CHECK_FALSE(guard.Take(1));
  CHECK(guard.Take(2));
  CHECK(guard.Take(1, 8));
  CHECK(guard.Take(1, kSession, "B"));
  CHECK_FALSE(guard.Take(0));
  CHECK_FALSE(guard.Take(2));
}

TEST_CASE("ReplayGuard lets requests overtake each other within its window", "[conduit][replay]") {
  Guard guard;
  constexpr uint64_t kNewest = 1'000'000;
  CHECK(guard.Take(kNewest));
  CHECK(guard.Take(kNewest - 1));
  CHECK(guard.Take(kNewest - ReplayGuard::kWindow + 1));
  CHECK_FALSE(guard.Take(kNewest - ReplayGuard::kWindow + 1));
  CHECK_FALSE(guard.Take(kNewest - ReplayGuard::kWindow));
  CHECK_FALSE(guard.Take(1));
}

TEST_CASE("ReplayGuard moves its window without losing what it took", "[conduit][replay]") {
  Guard guard;
  CHECK(guard.Take(10));
  CHECK(guard.Take(10 + ReplayGuard::kWindow - 1));
  CHECK_FALSE(guard.Take(10));
  CHECK(guard.Take(11));
  // The bit of number 11 now stands for this one, which is new.
  CHECK(guard.Take(11 + ReplayGuard::kWindow));
  CHECK_FALSE(guard.Take(11));
  CHECK_FALSE(guard.Take(11 + ReplayGuard::kWindow));
  // Numbers that were skipped can still come, whatever their bits meant before.
  CHECK(guard.Take(10 + ReplayGuard::kWindow));
  CHECK(guard.Take(~uint64_t{0}));
  CHECK_FALSE(guard.Take(~uint64_t{0}));
  CHECK(guard.Take(~uint64_t{0} - 1));
}

TEST_CASE("ReplayGuard refuses what is too far from its clock", "[conduit][replay]") {
  Guard guard;
  guard.clock.Advance(absl::Hours(1));
  const absl::Time now = guard.clock.Now();
  CHECK(guard.TakeSent(1, now - kSkew));
  CHECK(guard.TakeSent(2, now + kSkew));
  CHECK_FALSE(guard.TakeSent(3, now - kSkew - absl::Milliseconds(1)));
  CHECK_FALSE(guard.TakeSent(4, now + kSkew + absl::Milliseconds(1)));
}

TEST_CASE("ReplayGuard refuses what was sent before it started", "[conduit][replay]") {
  podkit::testing::FakeClock clock(absl::FromUnixMillis(1'700'000'000'000) +
                                   absl::Microseconds(700));
  ReplayGuard guard(kSkew, clock.Now());
  CHECK_FALSE(guard.Take("A", 1, 1, absl::FromUnixMillis(1'699'999'999'999), clock.Now()).ok());
  // Times on the wire have no microseconds.
  CHECK(guard.Take("A", 1, 2, absl::FromUnixMillis(1'700'000'000'000), clock.Now()).ok());
}

TEST_CASE("ReplayGuard refuses the requests of a session that it forgot", "[conduit][replay]") {
  Guard guard;
  guard.clock.Advance(absl::Minutes(10));
  const absl::Time sent = guard.clock.Now() + kSkew;  // From a clock that runs ahead.
  CHECK(guard.TakeSent(5, sent));
  guard.clock.Advance(2 * kSkew + absl::Milliseconds(1));
  CHECK(guard.Take(1, 99));  // Makes the guard look for idle sessions.
  CHECK_FALSE(guard.TakeSent(5, sent));
  // Also when this pod's clock is set back.
  guard.clock.Set(sent);
  CHECK_FALSE(guard.TakeSent(5, sent));
  CHECK(guard.TakeSent(6, sent + absl::Milliseconds(1)));
}

TEST_CASE("ReplayGuard bounds the sessions of a caller and frees those that are idle",
          "[conduit][replay]") {
  Guard guard;
  for (uint64_t session = 0; session < ReplayGuard::kMaxSessions; ++session) {
    REQUIRE(guard.Take(1, session));
  }
  CHECK_FALSE(guard.Take(1, 1'000'000));
  CHECK(guard.Take(1, 1'000'000, "B"));
  CHECK(guard.Take(2, 3));
  guard.clock.Advance(2 * kSkew + absl::Milliseconds(1));
  CHECK(guard.Take(1, 1'000'000));
}

}  // namespace podkit::conduit::internal
