// What every lock directory does with stores, grants and heads.
#include <future>
#include <thread>

#include "remote_bed.h"

namespace podkit::lock {
namespace {

TEMPLATE_LIST_TEST_CASE("A store has one holder, and others learn who it is", "[conformance]",
                        AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  OpenSession(directory, "s2", "beta");
  const Grant grant = MustAcquire(directory, "s1", "ann");
  CHECK(grant.token > 0);
  bed.Pass(absl::Seconds(10));
  const auto second = TryAcquire(directory, "s2", "ann");
  CHECK(second.status().code() == absl::StatusCode::kFailedPrecondition);
  const LockErrorDetails error = ErrorOf(second);
  CHECK(error.error == LockError::kAlreadyAcquired);
  CHECK(error.store == "ann");
  CHECK(error.holder == "alpha");
  CHECK(error.token == grant.token);
  CHECK(error.remaining == absl::Seconds(20));
  const std::string message(second.status().message());
  CHECK(message.find("'ann'") != std::string::npos);
  CHECK(message.find("'alpha'") != std::string::npos);
  CHECK(message.find("20.0 s left") != std::string::npos);
  CHECK(ErrorOf(TryAcquire(directory, "s1", "ann", "b")).error == LockError::kAlreadyAcquired);
  CHECK(MustAcquire(directory, "s2", "bob").token > grant.token);
}

TEMPLATE_LIST_TEST_CASE("A store that is not there is not granted", "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  AcquireRequest request = {.session = "s1", .request_id = "a", .store = "ann"};
  const auto missing = directory.Acquire(request);
  CHECK(missing.status().code() == absl::StatusCode::kNotFound);
  CHECK(ErrorOf(missing).error == LockError::kNoSuchStore);
  CHECK(ErrorOf(missing).store == "ann");
  CHECK(directory.CreateStore("ann") == absl::OkStatus());
  CHECK(ErrorOf(directory.CreateStore("ann")).error == LockError::kStoreExists);
  request.request_id = "b";
  CHECK(directory.Acquire(request).status() == absl::OkStatus());
}

TEMPLATE_LIST_TEST_CASE("A grant is released once", "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  const Grant first = MustAcquire(directory, "s1", "ann");
  CHECK(Release(directory, "s1", first, "r1") == absl::OkStatus());
  CHECK(ErrorOf(Release(directory, "s1", first, "r2")).error == LockError::kAlreadyReleased);
  const Grant second = MustAcquire(directory, "s1", "ann", "a2");
  CHECK(second.token > first.token);
  const absl::Status stale = Release(directory, "s1", first, "r3");
  CHECK(stale.code() == absl::StatusCode::kAborted);
  CHECK(ErrorOf(stale).error == LockError::kStaleToken);
  CHECK(ErrorOf(stale).token == second.token);
  CHECK(ErrorOf(Release(directory, "s1", {.store = "bob", .token = 1}, "r4")).error ==
        LockError::kNoSuchStore);
}

TEMPLATE_LIST_TEST_CASE("A request whose answer was lost happens once", "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  OpenSession(directory, "s2", "beta");
  const Grant grant = MustAcquire(directory, "s1", "ann", "a1");
  CHECK(MustAcquire(directory, "s1", "ann", "a1") == grant);
  const Head head = ValueOf(MoveHead(directory, "s1", grant, "", "m1", "h1"));
  CHECK(ValueOf(MoveHead(directory, "s1", grant, "", "m1", "h1")) == head);
  CHECK(Release(directory, "s1", grant, "r1") == absl::OkStatus());
  CHECK(Release(directory, "s1", grant, "r1") == absl::OkStatus());
  // Even when somebody else has it since, and without doing him harm.
  const Grant next = MustAcquire(directory, "s2", "ann");
  CHECK(Release(directory, "s1", grant, "r1") == absl::OkStatus());
  CHECK(ValueOf(MoveHead(directory, "s1", grant, "", "m1", "h1")) == head);
  CHECK(ValueOf(directory.Find("ann")).token == next.token);
  CHECK(ValueOf(directory.Find("ann")).host == "beta");
}

TEMPLATE_LIST_TEST_CASE("The head moves by compare-and-set on token and parent", "[conformance]",
                        AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  const Grant grant = MustAcquire(directory, "s1", "ann");
  CHECK(grant.head == Head{});
  const Head first = ValueOf(directory.MoveHead({.holding = {"s1", "ann", grant.token},
                                                 .request_id = "h1",
                                                 .parent = "",
                                                 .manifest = "m1",
                                                 .position = 17}));
  CHECK(first == Head{.manifest = "m1", .position = 17, .token = grant.token});
  const auto mismatch = MoveHead(directory, "s1", grant, "", "m2", "h2");
  CHECK(mismatch.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ErrorOf(mismatch).error == LockError::kParentMismatch);
  CHECK(ErrorOf(mismatch).manifest == "m1");
  CHECK(ValueOf(MoveHead(directory, "s1", grant, "m1", "m2", "h3")).manifest == "m2");
  CHECK(ErrorOf(MoveHead(directory, "s2", grant, "m2", "m3", "h4")).error ==
        LockError::kStaleToken);
  CHECK(Release(directory, "s1", grant) == absl::OkStatus());
  CHECK(ErrorOf(MoveHead(directory, "s1", grant, "m2", "m3", "h5")).error ==
        LockError::kAlreadyReleased);
  const Grant next = MustAcquire(directory, "s1", "ann", "a2");
  CHECK(next.head.manifest == "m2");
  CHECK(ErrorOf(MoveHead(directory, "s1", grant, "m2", "m3", "h6")).error ==
        LockError::kStaleToken);
}

TEMPLATE_LIST_TEST_CASE("A store that is deleted and made again gets greater tokens",
                        "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  const Grant before = MustAcquire(directory, "s1", "ann");
  CHECK(ErrorOf(directory.DeleteStore("ann", "root", "gone")).error == LockError::kAlreadyAcquired);
  REQUIRE(MoveHead(directory, "s1", before, "", "m1", "h1").status() == absl::OkStatus());
  REQUIRE(Release(directory, "s1", before) == absl::OkStatus());
  CHECK(directory.DeleteStore("ann", "root", "gone") == absl::OkStatus());
  CHECK(ErrorOf(directory.Find("ann")).error == LockError::kNoSuchStore);
  CHECK(ErrorOf(MoveHead(directory, "s1", before, "m1", "m2", "h2")).error ==
        LockError::kNoSuchStore);
  REQUIRE(directory.CreateStore("ann") == absl::OkStatus());
  // The old holder finds neither its grant nor its head.
  CHECK(ErrorOf(MoveHead(directory, "s1", before, "", "m2", "h3")).error == LockError::kStaleToken);
  const Grant after = MustAcquire(directory, "s1", "ann", "a2");
  CHECK(after.token > before.token);
  CHECK(after.head == Head{});
  const auto audit = ValueOf(directory.ReadAudit(0));
  REQUIRE(audit.size() == 1);
  CHECK(audit[0].kind == AuditEntry::Kind::kDeleted);
  CHECK(audit[0].by == "root");
  CHECK(audit[0].head.manifest == "m1");
}

// Starts an Acquire that waits, and returns when it stands in the queue.
template <typename Bed>
std::future<absl::StatusOr<Grant>> Queue(Bed& bed, const AcquireRequest& request, int64_t place) {
  auto answer =
      std::async(std::launch::async, [&bed, request] { return bed.directory().Acquire(request); });
  while (ValueOf(bed.directory().Find(request.store)).waiting < place) std::this_thread::yield();
  return answer;
}

AcquireRequest WaitingFor(const std::string& store, const std::string& session,
                          absl::Duration wait = absl::Seconds(20)) {
  return {.session = session, .request_id = "w", .store = store, .wait = wait};
}

TEMPLATE_LIST_TEST_CASE("Those who wait are served in their order, interactive ones first",
                        "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  for (const char* const id : {"s1", "s2", "s3", "s4"}) OpenSession(directory, id, id);
  const Grant first = MustAcquire(directory, "s1", "ann");
  AcquireRequest slow = WaitingFor("ann", "s2");
  slow.priority = Priority::kBackground;
  auto background = Queue(bed, slow, 1);
  auto early = Queue(bed, WaitingFor("ann", "s3"), 2);
  auto late = Queue(bed, WaitingFor("ann", "s4"), 3);
  REQUIRE(Release(directory, "s1", first) == absl::OkStatus());
  const Grant second = ValueOf(early.get());
  CHECK(ValueOf(directory.Find("ann")).host == "s3");
  REQUIRE(Release(directory, "s3", second) == absl::OkStatus());
  const Grant third = ValueOf(late.get());
  REQUIRE(Release(directory, "s4", third) == absl::OkStatus());
  const Grant fourth = ValueOf(background.get());
  CHECK(first.token < second.token);
  CHECK(second.token < third.token);
  CHECK(third.token < fourth.token);
}

TEMPLATE_LIST_TEST_CASE("A wait ends at its deadline, when cancelled, and with its session",
                        "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  for (const char* const id : {"s1", "s2", "s3", "s4"}) OpenSession(directory, id, id);
  const Grant first = MustAcquire(directory, "s1", "ann");
  auto patient = Queue(bed, WaitingFor("ann", "s2", absl::Seconds(5)), 1);
  auto cancelled = Queue(bed, WaitingFor("ann", "s3"), 2);
  auto closed = Queue(bed, WaitingFor("ann", "s4"), 3);
  CHECK(directory.CancelAcquire("s3", "w", "ann") == absl::OkStatus());
  CHECK(ErrorOf(cancelled.get()).error == LockError::kCancelled);
  CHECK(directory.CloseSession("s4") == absl::OkStatus());
  CHECK(ErrorOf(closed.get()).error == LockError::kSessionLost);
  bed.Pass(absl::Seconds(5));
  const auto late = patient.get();
  CHECK(late.status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(ErrorOf(late).error == LockError::kDeadlineExceeded);
  CHECK(ErrorOf(late).holder == "s1");
  CHECK(ErrorOf(late).token == first.token);
  CHECK(ValueOf(directory.Find("ann")).waiting == 0);
}

TEMPLATE_LIST_TEST_CASE("Cancelling an acquire whose answer was lost gives the store back",
                        "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  MustAcquire(directory, "s1", "ann", "a1");
  CHECK(directory.CancelAcquire("s1", "other", "ann") == absl::OkStatus());
  CHECK(ValueOf(directory.Find("ann")).host == "alpha");
  CHECK(directory.CancelAcquire("s1", "a1", "ann") == absl::OkStatus());
  CHECK(ValueOf(directory.Find("ann")).host.empty());
  CHECK(directory.CancelAcquire("s1", "a1", "no such store") == absl::OkStatus());
}

TEMPLATE_LIST_TEST_CASE("A copy of an acquire that ended gets nothing, however late it arrives",
                        "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  OpenSession(directory, "s2", "beta");
  const auto late = [&](const std::string& request) {
    return ErrorOf(TryAcquire(directory, "s1", "ann", request)).error;
  };
  const Grant released = MustAcquire(directory, "s1", "ann", "released");
  REQUIRE(Release(directory, "s1", released) == absl::OkStatus());
  CHECK(late("released") == LockError::kAlreadyReleased);
  CHECK(directory.CancelAcquire("s1", "taken back", "ann") == absl::OkStatus());
  CHECK(late("taken back") == LockError::kAlreadyReleased);
  MustAcquire(directory, "s1", "ann", "broken");
  REQUIRE(directory.Break("ann", "root", "").status() == absl::OkStatus());
  CHECK(late("broken") == LockError::kAlreadyReleased);
  const Grant other = MustAcquire(directory, "s2", "ann", "released");  // Ids are of a session.
  CHECK(late("refused") == LockError::kAlreadyAcquired);
  auto waiting = Queue(bed, WaitingFor("ann", "s1", absl::Seconds(5)), 1);
  bed.Pass(absl::Seconds(5));
  CHECK(ErrorOf(waiting.get()).error == LockError::kDeadlineExceeded);
  REQUIRE(Release(directory, "s2", other) == absl::OkStatus());
  CHECK(late("refused") == LockError::kAlreadyReleased);
  CHECK(late("w") == LockError::kAlreadyReleased);
  CHECK(ValueOf(directory.Find("ann")).host.empty());
  CHECK(late("new") == LockError::kNone);
}

TEMPLATE_LIST_TEST_CASE("A hand-over that was refused stays refused", "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  const Grant grant = MustAcquire(directory, "s1", "ann");
  HandOverRequest first = {
      .holding = {"s1", "ann", grant.token}, .request_id = "o1", .to_host = "beta", .attempt = 1};
  HandOverRequest second = first;
  second.request_id = "o2";
  second.attempt = 2;
  CHECK(ErrorOf(directory.HandOver(second)).error == LockError::kNoSuchHost);
  OpenSession(directory, "s2", "beta");
  // Copies that come late, now that the host is there.
  CHECK(ErrorOf(directory.HandOver(second)).error == LockError::kNoSuchHost);
  CHECK(ErrorOf(directory.HandOver(first)).error == LockError::kNoSuchHost);
  CHECK(ValueOf(directory.Find("ann")).host == "alpha");
  HandOverRequest third = first;
  third.request_id = "o3";
  third.attempt = 3;
  CHECK(ValueOf(directory.HandOver(third)) > grant.token);
  // The next grant counts anew.
  const Grant next = MustAcquire(directory, "s2", "ann", "a2");
  first.holding = {"s2", "ann", next.token};
  first.to_host = "alpha";
  CHECK(ValueOf(directory.HandOver(first)) > next.token);
}

TEMPLATE_LIST_TEST_CASE("A repeated acquire keeps its place in the queue", "[conformance]",
                        AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  for (const char* const id : {"s1", "s2", "s3"}) OpenSession(directory, id, id);
  const Grant first = MustAcquire(directory, "s1", "ann");
  auto lost = Queue(bed, WaitingFor("ann", "s2"), 1);
  auto other = Queue(bed, WaitingFor("ann", "s3"), 2);
  auto repeated =
      std::async(std::launch::async, [&] { return directory.Acquire(WaitingFor("ann", "s2")); });
  CHECK(ErrorOf(lost.get()).error == LockError::kCancelled);
  REQUIRE(Release(directory, "s1", first) == absl::OkStatus());
  const Grant second = ValueOf(repeated.get());
  REQUIRE(Release(directory, "s2", second) == absl::OkStatus());
  CHECK(ValueOf(other.get()).token > second.token);
}

TEMPLATE_LIST_TEST_CASE("A store is handed over to a host with its position", "[conformance]",
                        AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  OpenSession(directory, "s2", "beta");
  OpenSession(directory, "s3", "gamma");
  const Grant grant = MustAcquire(directory, "s1", "ann");
  auto waiting = Queue(bed, WaitingFor("ann", "s3"), 1);
  HandOverRequest request = {.holding = {"s1", "ann", grant.token},
                             .request_id = "o1",
                             .to_host = "nobody",
                             .position = 99};
  const auto missing = directory.HandOver(request);
  CHECK(ErrorOf(missing).error == LockError::kNoSuchHost);
  CHECK(ErrorOf(missing).holder == "nobody");
  request.to_host = "alpha";
  CHECK(ErrorOf(directory.HandOver(request)).error == LockError::kNoSuchHost);
  request.to_host = "beta";
  const Token token = ValueOf(directory.HandOver(request));
  CHECK(token > grant.token);
  CHECK(ValueOf(directory.HandOver(request)) == token);  // Repeated.
  CHECK(ErrorOf(MoveHead(directory, "s1", grant, "", "m1", "h1")).error == LockError::kStaleToken);
  const auto page = ValueOf(directory.WaitForNotices("s2", {}, absl::ZeroDuration()));
  REQUIRE(page.notices.size() == 1);
  CHECK(page.notices[0].kind == Notice::Kind::kGranted);
  CHECK(page.notices[0].grant.token == token);
  CHECK(page.notices[0].grant.reason == GrantReason::kHandedOver);
  CHECK(page.notices[0].grant.position == 99);
  CHECK(ValueOf(directory.GrantsOf("s2")) == std::vector{page.notices[0].grant});
  const auto audit = ValueOf(directory.ReadAudit(0));
  REQUIRE(audit.size() == 1);
  CHECK(audit[0].kind == AuditEntry::Kind::kHandedOver);
  CHECK(audit[0].token == grant.token);
  CHECK(audit[0].by == "alpha");
  CHECK(audit[0].reason == "to host 'beta'");
  // Those who wait were passed over, and still wait.
  CHECK(ValueOf(directory.Find("ann")).waiting == 1);
  REQUIRE(Release(directory, "s2", page.notices[0].grant) == absl::OkStatus());
  CHECK(ValueOf(waiting.get()).reason == GrantReason::kAcquired);
}

TEMPLATE_LIST_TEST_CASE("A hand-over to a host that waits ends its wait", "[conformance]",
                        AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  for (const char* const id : {"s1", "s2", "s3"}) OpenSession(directory, id, id);
  const Grant grant = MustAcquire(directory, "s1", "ann");
  auto first = Queue(bed, WaitingFor("ann", "s2"), 1);
  auto second = Queue(bed, WaitingFor("ann", "s3"), 2);
  const Token token = ValueOf(directory.HandOver(
      {.holding = {"s1", "ann", grant.token}, .request_id = "o1", .to_host = "s3", .position = 5}));
  const Grant given = ValueOf(second.get());
  CHECK(given.token == token);
  CHECK(given.position == 5);
  CHECK(ValueOf(directory.WaitForNotices("s3", {}, absl::ZeroDuration())).empty());
  REQUIRE(Release(directory, "s3", given) == absl::OkStatus());
  CHECK(ValueOf(first.get()).token > token);
}

TEMPLATE_LIST_TEST_CASE("A holder is asked politely", "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  OpenSession(directory, "s2", "beta");
  MustAcquire(directory, "s1", "ann");
  CHECK(ErrorOf(directory.AskToHandOver("bob", "root", "")).error == LockError::kNoSuchStore);
  CHECK(directory.AskToHandOver("ann", "root", "maintenance") == absl::OkStatus());
  CHECK(directory.AskToHandOver("ann", "root", "maintenance now") == absl::OkStatus());
  auto page = ValueOf(directory.WaitForNotices("s1", {}, absl::ZeroDuration()));
  REQUIRE(page.notices.size() == 1);
  CHECK(page.notices[0].kind == Notice::Kind::kAskedToHandOver);
  CHECK(page.notices[0].grant.store == "ann");
  CHECK(page.notices[0].from == "root");
  CHECK(page.notices[0].reason == "maintenance now");
  AcquireRequest waiting = WaitingFor("ann", "s2");
  waiting.ask_holder = true;
  auto answer = Queue(bed, waiting, 1);
  page = ValueOf(directory.WaitForNotices("s1", page.next, absl::ZeroDuration()));
  REQUIRE(page.notices.size() == 1);
  CHECK(page.notices[0].from == "beta");
  CHECK(ValueOf(directory.WaitForNotices("s1", page.next, absl::ZeroDuration())).empty());
  CHECK(directory.CancelAcquire("s2", "w", "ann") == absl::OkStatus());
  CHECK(ErrorOf(answer.get()).error == LockError::kCancelled);
}

TEMPLATE_LIST_TEST_CASE("A broken lock fences its holder and leaves a line in the audit log",
                        "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  OpenSession(directory, "s2", "beta");
  const Grant grant = MustAcquire(directory, "s1", "ann");
  REQUIRE(MoveHead(directory, "s1", grant, "", "m1", "h1").status() == absl::OkStatus());
  CHECK(ErrorOf(directory.Break("ann", "", "stuck")).error == LockError::kInvalidRequest);
  const Token token = ValueOf(directory.Break("ann", "root", "stuck"));
  CHECK(token > grant.token);
  CHECK(ErrorOf(MoveHead(directory, "s1", grant, "m1", "m2", "h2")).error == LockError::kLockLost);
  CHECK(ErrorOf(directory.Break("ann", "root", "again")).error == LockError::kAlreadyReleased);
  const auto page = ValueOf(directory.WaitForNotices("s1", {}, absl::ZeroDuration()));
  REQUIRE(page.notices.size() == 1);
  CHECK(page.notices[0].kind == Notice::Kind::kLost);
  CHECK(page.notices[0].grant.token == grant.token);
  CHECK(MustAcquire(directory, "s2", "ann").token > token);
  CHECK(ErrorOf(Release(directory, "s1", grant)).error == LockError::kStaleToken);
  const auto audit = ValueOf(directory.ReadAudit(0));
  REQUIRE(audit.size() == 1);
  CHECK(audit[0].number == 1);
  CHECK(audit[0].kind == AuditEntry::Kind::kBroken);
  CHECK(audit[0].at == bed.clock().Wall());
  CHECK(audit[0].store == "ann");
  CHECK(audit[0].token == grant.token);
  CHECK(audit[0].host == "alpha");
  CHECK(audit[0].by == "root");
  CHECK(audit[0].reason == "stuck");
  CHECK(audit[0].head.manifest == "m1");
  CHECK(ValueOf(directory.ReadAudit(1)).empty());
}

TEMPLATE_LIST_TEST_CASE("Work that is given up is in the audit log", "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  const Grant grant = MustAcquire(directory, "s1", "ann");
  CHECK(directory.Release({.holding = {"s1", "ann", grant.token},
                           .request_id = "r1",
                           .kind = ReleaseKind::kAbandoned,
                           .reason = "the disk is broken"}) == absl::OkStatus());
  const auto audit = ValueOf(directory.ReadAudit(0));
  REQUIRE(audit.size() == 1);
  CHECK(audit[0].kind == AuditEntry::Kind::kAbandoned);
  CHECK(audit[0].host == "alpha");
  CHECK(audit[0].reason == "the disk is broken");
}

TEMPLATE_LIST_TEST_CASE("Names that make no sense are refused", "[conformance]", AllBeds) {
  TestType bed;
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  for (const std::string& name : {std::string(), std::string(256, 'x'), std::string("a\nb")}) {
    CHECK(ErrorOf(directory.CreateStore(name)).error == LockError::kInvalidRequest);
    CHECK(ErrorOf(TryAcquire(directory, "s1", name)).error == LockError::kInvalidRequest);
    CHECK(ErrorOf(TryAcquire(directory, "s1", "ann", name)).error == LockError::kInvalidRequest);
    CHECK(ErrorOf(directory.OpenSession({.id = name, .host = "h"})).error ==
          LockError::kInvalidRequest);
    CHECK(ErrorOf(directory.OpenSession({.id = "i", .host = name})).error ==
          LockError::kInvalidRequest);
  }
  const Grant grant = MustAcquire(directory, "s1", "ann");
  CHECK(ErrorOf(MoveHead(directory, "s1", grant, "", "", "h")).error == LockError::kInvalidRequest);
  CHECK(ErrorOf(MoveHead(directory, "s1", grant, "", "m", "")).error == LockError::kInvalidRequest);
  CHECK(ErrorOf(Release(directory, "s1", grant, "")).error == LockError::kInvalidRequest);
  CHECK(MustAcquire(directory, "s1", std::string(255, 'x')).token > grant.token);
}

}  // namespace
}  // namespace podkit::lock
