// What every lock directory does with time: sessions end, stores are woken. And what it shows.
#include <future>
#include <limits>
#include <thread>

#include "remote_bed.h"

namespace podkit::lock {
namespace {

// The notices that a session has not read yet.
std::vector<Notice> NoticesOf(WriteLockDirectory& directory, const std::string& session) {
  return ValueOf(directory.WaitForNotices(session, {}, absl::ZeroDuration())).notices;
}

TEMPLATE_LIST_TEST_CASE("A session that is not renewed ends with its term, and its grants with it",
                        "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  const Grant grant = MustAcquire(directory, "s1", "ann");
  bed.Pass(absl::Seconds(20));
  CHECK(ValueOf(directory.Renew("s1")) == absl::Seconds(30));
  bed.Pass(absl::Seconds(29));
  CHECK(ValueOf(directory.Find("ann")).host == "alpha");
  CHECK(ValueOf(directory.Find("ann")).remaining == absl::Seconds(1));
  bed.Pass(absl::Seconds(1));
  CHECK(ValueOf(directory.Find("ann")).host.empty());
  // It is not revived, though nobody took the store.
  CHECK(directory.Renew("s1").status().code() == absl::StatusCode::kAborted);
  CHECK(ErrorOf(directory.Renew("s1")).error == LockError::kSessionLost);
  CHECK(ErrorOf(directory.GrantsOf("s1")).error == LockError::kSessionLost);
  CHECK(ErrorOf(MoveHead(directory, "s1", grant, "", "m1", "h1")).error == LockError::kLockLost);
  CHECK(ErrorOf(Release(directory, "s1", grant)).error == LockError::kLockLost);
  CHECK(ErrorOf(TryAcquire(directory, "s1", "ann", "a2")).error == LockError::kSessionLost);
  CHECK(ErrorOf(directory.WaitForNotices("s1", {}, absl::ZeroDuration())).error ==
        LockError::kSessionLost);
  CHECK(directory.CloseSession("s1") == absl::OkStatus());
  const auto audit = ValueOf(directory.ReadAudit(0));
  REQUIRE(audit.size() == 1);
  CHECK(audit[0].kind == AuditEntry::Kind::kExpired);
  CHECK(audit[0].host == "alpha");
  CHECK(audit[0].token == grant.token);
  // The same id opens another session, which does not have the old grant.
  OpenSession(directory, "s1", "alpha");
  CHECK(ValueOf(directory.GrantsOf("s1")).empty());
  CHECK(ErrorOf(MoveHead(directory, "s1", grant, "", "m1", "h2")).error == LockError::kLockLost);
}

TEMPLATE_LIST_TEST_CASE("The store of a dead host goes to the first who waits", "[conformance]",
                        AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  const Grant grant = MustAcquire(directory, "s1", "ann");
  bed.Pass(absl::Seconds(10));
  OpenSession(directory, "s2", "beta");
  auto waiting = std::async(std::launch::async, [&directory] {
    return directory.Acquire(
        {.session = "s2", .request_id = "w", .store = "ann", .wait = absl::Seconds(25)});
  });
  while (ValueOf(directory.Find("ann")).waiting == 0) std::this_thread::yield();
  bed.Pass(absl::Seconds(20));
  const Grant next = ValueOf(waiting.get());
  CHECK(next.token > grant.token);
  CHECK(ErrorOf(MoveHead(directory, "s1", grant, "", "m1", "h1")).error == LockError::kStaleToken);
}

TEMPLATE_LIST_TEST_CASE("A session is resumed by its host only", "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  CHECK_FALSE(ValueOf(directory.OpenSession({.id = "s1", .host = "alpha"})).resumed);
  const Grant ann = MustAcquire(directory, "s1", "ann", "before");
  const Grant bob = MustAcquire(directory, "s1", "bob", "before");
  CHECK(ValueOf(directory.OpenSession({.id = "s1", .host = "alpha"})).resumed);
  CHECK(ErrorOf(directory.OpenSession({.id = "s1", .host = "beta"})).error ==
        LockError::kInvalidRequest);
  CHECK(ValueOf(directory.GrantsOf("s1")) == std::vector{ann, bob});
  AcquireRequest request = {.session = "s1", .request_id = "without token", .store = "ann"};
  CHECK(ErrorOf(directory.Acquire(request)).error == LockError::kAlreadyAcquired);
  request.request_id = "not this one";
  request.take_over = bob.token;
  CHECK(ErrorOf(directory.Acquire(request)).error == LockError::kAlreadyAcquired);
  request.request_id = "after";
  request.take_over = ann.token;
  const Grant again = ValueOf(directory.Acquire(request));
  CHECK(again.token > bob.token);
  CHECK(ValueOf(directory.Acquire(request)) == again);  // Repeated.
  // A release that was sent before the restart comes too late.
  CHECK(ErrorOf(Release(directory, "s1", ann)).error == LockError::kStaleToken);
  CHECK(ValueOf(directory.GrantsOf("s1")) == std::vector{again, bob});
}

TEMPLATE_LIST_TEST_CASE("The term that a session wishes is brought into bounds", "[conformance]",
                        AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  const auto term = [&](const std::string& id, absl::Duration wish) {
    return ValueOf(directory.OpenSession({.id = id, .host = id, .term = wish})).term;
  };
  CHECK(term("s1", absl::ZeroDuration()) == absl::Seconds(1));
  CHECK(term("s2", absl::Seconds(7)) == absl::Seconds(7));
  CHECK(term("s3", absl::InfiniteDuration()) == absl::Hours(1));
}

TEMPLATE_LIST_TEST_CASE("Closing a session abandons what it holds", "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  const Grant grant = MustAcquire(directory, "s1", "ann");
  CHECK(directory.CloseSession("s1") == absl::OkStatus());
  CHECK(directory.CloseSession("s1") == absl::OkStatus());
  CHECK(ValueOf(directory.Find("ann")).host.empty());
  CHECK(ErrorOf(directory.Renew("s1")).error == LockError::kSessionLost);
  CHECK(ErrorOf(Release(directory, "s1", grant)).error == LockError::kLockLost);
  const auto audit = ValueOf(directory.ReadAudit(0));
  REQUIRE(audit.size() == 1);
  CHECK(audit[0].kind == AuditEntry::Kind::kAbandoned);
}

TEMPLATE_LIST_TEST_CASE("Time in which the directory stood still is given back", "[conformance]",
                        AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  MustAcquire(directory, "s1", "ann");
  bed.Pass(absl::Seconds(10));
  bed.clock().Pass(absl::Minutes(10));  // No tick: suspended.
  bed.local().Tick();
  CHECK(ValueOf(directory.Find("ann")).remaining == absl::Seconds(20));
  bed.Pass(absl::Seconds(20));
  CHECK(ValueOf(directory.Find("ann")).host.empty());
}

TEMPLATE_LIST_TEST_CASE("A closed store is granted to a host when its wake-up has come",
                        "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  OpenSession(directory, "idle", "beta");
  OpenSession(directory, "runner", "gamma", true);
  const Grant grant = MustAcquire(directory, "s1", "ann");
  const absl::Time due = BedClock::Start() + absl::Seconds(10);
  REQUIRE(directory.SetWakeUp({"s1", "ann", grant.token}, due) == absl::OkStatus());
  bed.Pass(absl::Seconds(11));
  CHECK(ValueOf(directory.Find("ann")).host == "alpha");  // It is open: its holder sees to it.
  CHECK(ValueOf(directory.Find("ann")).wake_at == due);
  REQUIRE(Release(directory, "s1", grant) == absl::OkStatus());
  bed.Pass(absl::Seconds(1));
  const auto woken = NoticesOf(directory, "runner");
  REQUIRE(woken.size() == 1);
  CHECK(woken[0].kind == Notice::Kind::kGranted);
  CHECK(woken[0].grant.reason == GrantReason::kWokenUp);
  CHECK(woken[0].grant.wake_at == due);
  CHECK(woken[0].grant.token > grant.token);
  CHECK(NoticesOf(directory, "idle").empty());
  CHECK(MustAcquire(directory, "runner", "ann", "claim").token > woken[0].grant.token);
}

TEMPLATE_LIST_TEST_CASE("A wake-up that was in vain is tried again a minute later", "[conformance]",
                        AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "runner", "gamma", true);
  const Grant first = MustAcquire(directory, "runner", "ann");
  REQUIRE(directory
              .MoveHead({.holding = {"runner", "ann", first.token},
                         .request_id = "h1",
                         .parent = "",
                         .manifest = "m1",
                         .wake_at = BedClock::Start() + absl::Seconds(5)})
              .status() == absl::OkStatus());
  REQUIRE(Release(directory, "runner", first) == absl::OkStatus());
  bed.Pass(absl::Seconds(4));
  CHECK(NoticesOf(directory, "runner").empty());
  bed.Pass(absl::Seconds(1));
  const Grant woken = ValueOf(directory.GrantsOf("runner")).at(0);
  CHECK(woken.head.manifest == "m1");
  REQUIRE(Release(directory, "runner", woken, "r2") == absl::OkStatus());
  for (int i = 0; i < 2; ++i) {
    REQUIRE(ValueOf(directory.Renew("runner")) > absl::ZeroDuration());
    bed.Pass(absl::Seconds(29));
    REQUIRE(ValueOf(directory.Renew("runner")) > absl::ZeroDuration());
    CHECK(ValueOf(directory.GrantsOf("runner")).empty());
  }
  bed.Pass(absl::Seconds(2));
  const Grant again = ValueOf(directory.GrantsOf("runner")).at(0);
  CHECK(again.token > woken.token);
  // Who did the work says when the next is due.
  REQUIRE(directory.SetWakeUp({"runner", "ann", again.token}, absl::InfiniteFuture()) ==
          absl::OkStatus());
  REQUIRE(Release(directory, "runner", again, "r3") == absl::OkStatus());
  bed.Pass(absl::Seconds(25));
  REQUIRE(ValueOf(directory.Renew("runner")) > absl::ZeroDuration());
  CHECK(ValueOf(directory.GrantsOf("runner")).empty());
}

TEMPLATE_LIST_TEST_CASE(
    "Wake-ups wait for a host that runs them, and go to the one with least to do", "[conformance]",
    AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  for (const char* const store : {"ann", "bob"}) {
    const Grant grant = MustAcquire(directory, "s1", store);
    REQUIRE(directory.SetWakeUp({"s1", store, grant.token}, BedClock::Start()) == absl::OkStatus());
    REQUIRE(Release(directory, "s1", grant) == absl::OkStatus());
  }
  CHECK(ValueOf(directory.Find("ann")).host.empty());
  OpenSession(directory, "busy", "beta", true);
  CHECK(ValueOf(directory.GrantsOf("busy")).size() == 2);
  OpenSession(directory, "free", "gamma", true);
  const Grant cid = MustAcquire(directory, "s1", "cid");
  REQUIRE(directory.SetWakeUp({"s1", "cid", cid.token}, BedClock::Start()) == absl::OkStatus());
  REQUIRE(Release(directory, "s1", cid) == absl::OkStatus());
  bed.local().Tick();
  CHECK(ValueOf(directory.Find("cid")).host == "gamma");
}

TEMPLATE_LIST_TEST_CASE("Notices are kept until the cursor has passed them", "[conformance]",
                        AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  MustAcquire(directory, "s1", "ann");
  MustAcquire(directory, "s1", "bob");
  REQUIRE(directory.AskToHandOver("ann", "root", "") == absl::OkStatus());
  const auto first = ValueOf(directory.WaitForNotices("s1", {}, absl::ZeroDuration()));
  REQUIRE(first.notices.size() == 1);
  CHECK(NoticesOf(directory, "s1").size() == 1);  // The answer may have been lost.
  auto waiting = std::async(std::launch::async, [&] {
    return directory.WaitForNotices("s1", first.next, absl::Seconds(30));
  });
  REQUIRE(directory.AskToHandOver("bob", "root", "") == absl::OkStatus());
  const auto second = ValueOf(waiting.get());
  REQUIRE(second.notices.size() == 1);
  CHECK(second.notices[0].grant.store == "bob");
  CHECK(second.notices[0].number > first.notices[0].number);
}

TEMPLATE_LIST_TEST_CASE("Stores are listed by name, in pages, by prefix and by host",
                        "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  for (const char* const store : {"u/ann", "u/bob", "u/cid", "v/dan"}) {
    REQUIRE(directory.CreateStore(store) == absl::OkStatus());
  }
  const Grant grant = MustAcquire(directory, "s1", "u/bob");
  MustAcquire(directory, "s1", "v/dan");
  const auto names = [&](const ListQuery& query) {
    std::vector<std::string> stores;
    for (const LockInfo& info : ValueOf(directory.List(query)).locks) stores.push_back(info.store);
    return stores;
  };
  using Names = std::vector<std::string>;
  CHECK(names({}) == Names{"u/ann", "u/bob", "u/cid", "v/dan"});
  CHECK(names({.prefix = "u/"}) == Names{"u/ann", "u/bob", "u/cid"});
  CHECK(names({.prefix = "u/", .host = "alpha"}) == Names{"u/bob"});
  CHECK(names({.prefix = "u/", .after = "u/ann", .limit = 1}) == Names{"u/bob"});
  CHECK(ValueOf(directory.List({.prefix = "u/", .after = "u/ann", .limit = 1})).more);
  CHECK_FALSE(ValueOf(directory.List({.prefix = "u/", .after = "u/ann", .limit = 2})).more);
  bed.Pass(absl::Seconds(3));
  const LockInfo info = ValueOf(directory.List({.prefix = "u/bob"})).locks.at(0);
  CHECK(info.token == grant.token);
  CHECK(info.host == "alpha");
  CHECK(info.since == absl::Seconds(3));
  CHECK(info.remaining == absl::Seconds(27));
}

TEMPLATE_LIST_TEST_CASE("A watch tells everything after its revision once and in order",
                        "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  const Revision start = ValueOf(directory.List({})).revision;
  auto waiting = std::async(std::launch::async,
                            [&] { return directory.Watch("u/", start, absl::Seconds(30)); });
  MustAcquire(directory, "s1", "other");
  const Grant grant = MustAcquire(directory, "s1", "u/ann");
  const auto first = ValueOf(waiting.get());
  CHECK_FALSE(first.events.empty());
  REQUIRE(MoveHead(directory, "s1", grant, "", "m1", "h1").status() == absl::OkStatus());
  REQUIRE(Release(directory, "s1", grant) == absl::OkStatus());
  MustAcquire(directory, "s1", "u/ann", "a2");
  REQUIRE(directory.Break("u/ann", "root", "").status() == absl::OkStatus());
  MustAcquire(directory, "s1", "u/ann", "a3");
  bed.Pass(absl::Seconds(30));
  REQUIRE(directory.DeleteStore("u/ann", "root", "") == absl::OkStatus());
  const auto page = ValueOf(directory.Watch("u/", start, absl::ZeroDuration()));
  using Kind = LockEvent::Kind;
  std::vector<Kind> kinds;
  Revision last = start;
  for (const LockEvent& event : page.events) {
    kinds.push_back(event.kind);
    CHECK(event.store == "u/ann");
    CHECK(event.revision > last);
    last = event.revision;
  }
  CHECK(kinds == std::vector{Kind::kCreated, Kind::kGranted, Kind::kHeadMoved, Kind::kReleased,
                             Kind::kGranted, Kind::kBroken, Kind::kGranted, Kind::kExpired,
                             Kind::kDeleted});
  CHECK(ValueOf(directory.Watch("u/", page.revision, absl::ZeroDuration())).empty());
  CHECK(ErrorOf(directory.Watch("", page.revision + 1, absl::ZeroDuration())).error ==
        LockError::kTooOld);
}

TEMPLATE_LIST_TEST_CASE("An exported directory goes on in another one with greater tokens",
                        "[conformance]", AllBeds) {
  TestType old;
  OpenSession(old.directory(), "s1", "alpha");
  const Grant grant = MustAcquire(old.directory(), "s1", "ann");
  REQUIRE(MoveHead(old.directory(), "s1", grant, "", "m1", "h1").status() == absl::OkStatus());
  const absl::Time due = BedClock::Start() + absl::Hours(1);
  REQUIRE(old.directory().SetWakeUp({"s1", "ann", grant.token}, due) == absl::OkStatus());
  for (int i = 0; i < 20; ++i) MustAcquire(old.directory(), "s1", "store " + std::to_string(i));
  const DirectoryImage image = ValueOf(old.directory().Export());
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  REQUIRE(directory.CreateStore("store 7") == absl::OkStatus());
  CHECK(ErrorOf(directory.Import(image)).error == LockError::kStoreExists);
  CHECK(ErrorOf(directory.Find("ann")).error == LockError::kNoSuchStore);  // Not half of it.
  REQUIRE(directory.DeleteStore("store 7", "root", "") == absl::OkStatus());
  REQUIRE(directory.Import(image) == absl::OkStatus());
  const LockInfo info = ValueOf(directory.Find("ann"));
  CHECK(info.head.manifest == "m1");
  CHECK(info.wake_at == due);
  CHECK(info.host.empty());
  OpenSession(directory, "s1", "alpha");
  CHECK(MustAcquire(directory, "s1", "bob").token > image.revision);
  CHECK(MustAcquire(directory, "s1", "ann", "a2").token > image.revision);
  CHECK(ErrorOf(MoveHead(directory, "s1", grant, "m1", "m2", "h2")).error ==
        LockError::kStaleToken);
  CHECK(ValueOf(directory.ReadAudit(0)).back().kind == AuditEntry::Kind::kImported);
}

TEST_CASE("An image that makes no sense changes nothing", "[import]") {
  MemoryBed bed;
  REQUIRE(bed.directory().CreateStore("bob") == absl::OkStatus());
  const Revision before = ValueOf(bed.directory().List({})).revision;
  const auto import = [&](const DirectoryImage& image) {
    return ErrorOf(bed.directory().Import(image)).error;
  };
  CHECK(import({.revision = 9, .stores = {{.store = "ann"}, {.store = "ann"}}}) ==
        LockError::kStoreExists);
  CHECK(import({.revision = 9, .stores = {{.store = "ann", .token = 10}}}) ==
        LockError::kInvalidRequest);
  CHECK(import({.revision = 9, .stores = {{.store = "ann", .head = {.token = 10}}}}) ==
        LockError::kInvalidRequest);
  CHECK(import({.revision = 9, .stores = {{.store = ""}}}) == LockError::kInvalidRequest);
  CHECK(import({.revision = -1}) == LockError::kInvalidRequest);
  CHECK(import({.revision = std::numeric_limits<int64_t>::max()}) == LockError::kInvalidRequest);
  CHECK(ValueOf(bed.directory().List({})).revision == before);
  CHECK(ErrorOf(bed.directory().Find("ann")).error == LockError::kNoSuchStore);
}

TEST_CASE("A directory refuses what is beyond its limits", "[limits]") {
  BedClock clock;
  LocalDirectoryOptions options;
  options.limits.max_sessions = 2;
  options.limits.max_stores = 1;
  options.limits.max_waiting = 0;
  options.limits.kept_events = 2;
  options.steady_clock = [&clock] { return clock.Steady(); };
  options.timer = false;
  const auto directory = ValueOf(OpenMemoryDirectory(std::move(options)));
  OpenSession(*directory, "s1", "alpha");
  OpenSession(*directory, "s2", "beta");
  const auto third = directory->OpenSession({.id = "s3", .host = "gamma"});
  CHECK(third.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(ErrorOf(third).error == LockError::kFull);
  const Grant grant = MustAcquire(*directory, "s1", "ann");
  CHECK(ErrorOf(directory->CreateStore("bob")).error == LockError::kFull);
  CHECK(ErrorOf(directory->Import({.stores = {{.store = "bob"}}})).error == LockError::kFull);
  CHECK(ErrorOf(directory->Acquire(
                    {.session = "s2", .request_id = "w", .store = "ann", .wait = absl::Seconds(9)}))
            .error == LockError::kFull);
  REQUIRE(Release(*directory, "s1", grant) == absl::OkStatus());
  const auto events = directory->Watch("", 0, absl::ZeroDuration());
  CHECK(events.status().code() == absl::StatusCode::kOutOfRange);
  CHECK(ErrorOf(events).error == LockError::kTooOld);
}

TEST_CASE("A directory that is closed ends what waits, and counts what it has", "[close]") {
  MemoryBed bed;
  OpenSession(bed.directory(), "s1", "alpha");
  OpenSession(bed.directory(), "s2", "beta");
  MustAcquire(bed.directory(), "s1", "ann");
  REQUIRE(bed.directory().CreateStore("bob") == absl::OkStatus());
  auto waiting = std::async(std::launch::async, [&] {
    return bed.directory().Acquire(
        {.session = "s2", .request_id = "w", .store = "ann", .wait = absl::Hours(1)});
  });
  while (bed.local().counters().waiting == 0) std::this_thread::yield();
  auto polling = std::async(
      std::launch::async, [&] { return bed.directory().WaitForNotices("s1", {}, absl::Hours(1)); });
  const auto counters = bed.local().counters();
  CHECK(counters.sessions == 2);
  CHECK(counters.stores == 2);
  CHECK(counters.held == 1);
  bed.local().Close();
  CHECK(ErrorOf(waiting.get()).error == LockError::kDirectoryUnavailable);
  CHECK(ErrorOf(polling.get()).error == LockError::kDirectoryUnavailable);
  CHECK(ErrorOf(bed.directory().Find("ann")).error == LockError::kDirectoryUnavailable);
}

TEST_CASE("A directory with its own timer ends sessions by itself", "[timer]") {
  LocalDirectoryOptions options;
  options.limits.min_term = absl::Milliseconds(5);
  const auto directory = ValueOf(OpenMemoryDirectory(std::move(options)));
  REQUIRE(directory->OpenSession({.id = "s1", .host = "alpha", .term = absl::Milliseconds(5)})
              .status() == absl::OkStatus());
  // Returns when the session ends, long before the wait does.
  CHECK(ErrorOf(directory->WaitForNotices("s1", {}, absl::Seconds(50))).error ==
        LockError::kSessionLost);
}

TEST_CASE("A timer that sleeps until something far away is woken for what is nearer", "[timer]") {
  LocalDirectoryOptions options;
  options.limits.stall = absl::Hours(10);  // By itself it would look again only after hours.
  testing::TempDir folder;
  const bool in_memory = GENERATE(true, false);
  const auto directory =
      ValueOf(in_memory ? OpenMemoryDirectory(options)
                        : OpenSqliteDirectory(folder.File("locks.sqlite"), options));
  SessionRequest session = {.id = "s1", .host = "alpha", .term = absl::Hours(1)};
  REQUIRE(directory->OpenSession(session).status() == absl::OkStatus());
  session = {.id = "s2", .host = "beta", .term = absl::Hours(1), .runs_wakeups = true};
  REQUIRE(directory->OpenSession(session).status() == absl::OkStatus());
  const Grant grant = MustAcquire(*directory, "s1", "ann");
  AcquireRequest waiting = {.session = "s2", .request_id = "w", .store = "ann"};
  waiting.wait = absl::Milliseconds(20);
  CHECK(ErrorOf(directory->Acquire(waiting)).error == LockError::kDeadlineExceeded);
  REQUIRE(directory->SetWakeUp({"s1", "ann", grant.token}, absl::Now() + absl::Milliseconds(20)) ==
          absl::OkStatus());
  REQUIRE(Release(*directory, "s1", grant) == absl::OkStatus());
  const auto page = ValueOf(directory->WaitForNotices("s2", {}, absl::Seconds(50)));
  REQUIRE(page.notices.size() == 1);
  CHECK(page.notices[0].grant.reason == GrantReason::kWokenUp);
}

}  // namespace
}  // namespace podkit::lock
