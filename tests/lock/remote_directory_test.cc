// What a remote directory adds to the others: a way on which answers get lost, rights of callers,
// and commands that all versions understand.
#include "podkit/lock/remote_directory.h"

#include <cstdlib>
#include <future>
#include <thread>

#include "podkit/conduit/testing/golden.h"
#include "podkit/lock/directory_commands.h"
#include "podkit/lock/session.h"
#include "remote_bed.h"

namespace podkit::lock {
namespace {

TEST_CASE("An error of a remote directory says what it said there", "[remote]") {
  InProcessRemoteBed bed;
  OpenSession(bed.directory(), "s1", "alpha");
  OpenSession(bed.directory(), "s2", "beta");
  MustAcquire(bed.directory(), "s1", "ann");
  const absl::Status here = TryAcquire(bed.directory(), "s2", "ann", "b").status();
  const absl::Status there = TryAcquire(bed.local(), "s2", "ann", "c").status();
  CHECK(here.code() == there.code());
  CHECK(here.message() == there.message());
}

TEST_CASE("A request whose answer the way lost happens once when it is repeated", "[remote]") {
  InProcessRemoteBed bed;
  OpenSession(bed.directory(), "s1", "alpha");
  OpenSession(bed.directory(), "s2", "beta");
  const auto lost = [&bed](const auto& request) {
    bed.SetFault(WayFault::kLoseAnswers);
    CHECK(ErrorOf(request()).error == LockError::kDirectoryUnavailable);
    bed.SetFault(WayFault::kNone);
    return request();
  };
  const Grant grant = ValueOf(lost([&] { return TryAcquire(bed.directory(), "s1", "ann", "a1"); }));
  CHECK(ValueOf(bed.local().Find("ann")).token == grant.token);
  const Head head =
      ValueOf(lost([&] { return MoveHead(bed.directory(), "s1", grant, "", "m1", "h1"); }));
  CHECK(head.manifest == "m1");
  const HandOverRequest request = {
      .holding = {"s1", "ann", grant.token}, .request_id = "o1", .to_host = "beta", .attempt = 1};
  const Token token = ValueOf(lost([&] { return bed.directory().HandOver(request); }));
  CHECK(ValueOf(bed.local().GrantsOf("s2")).at(0).token == token);
  const auto notices =
      ValueOf(lost([&] { return bed.directory().WaitForNotices("s2", {}, absl::ZeroDuration()); }));
  CHECK(notices.notices.size() == 1);
}

TEST_CASE("A directory that cannot be reached is unavailable", "[remote]") {
  InProcessRemoteBed bed;
  bed.SetFault(WayFault::kRefuse);
  const absl::Status status = bed.directory().Find("ann").status();
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(GetLockError(status).error == LockError::kDirectoryUnavailable);
  CHECK_THAT(std::string(status.message()), Catch::Contains("pod 'L'"));
}

TEST_CASE("Who is no operator breaks no lock and reads no audit log", "[remote]") {
  RemoteBed bed(Way::kInProcess, false);
  WriteLockDirectory& directory = bed.directory();
  OpenSession(directory, "s1", "alpha");
  const Grant grant = MustAcquire(directory, "s1", "ann");
  const auto refused = [](const auto& result) {
    return ErrorOf(result).error == LockError::kInvalidRequest;
  };
  CHECK(refused(directory.Break("ann", "root", "")));
  CHECK(refused(directory.DeleteStore("bob", "root", "")));
  CHECK(refused(directory.ReadAudit(0)));
  CHECK(refused(directory.Export()));
  CHECK(refused(directory.Import({})));
  CHECK(ValueOf(directory.Find("ann")).token == grant.token);
}

TEST_CASE("A session lives on a remote directory, waits for a lock and is told of it", "[remote]") {
  const Way way = GENERATE(Way::kInProcess, Way::kHttp, Way::kLinks);
  RemoteBed bed(way);
  const auto open = [&](const std::string& host) {
    SessionOptions options;
    options.host = host;
    return ValueOf(Session::Open(bed.shared(), std::move(options)));
  };
  const auto alpha = open("alpha");
  const auto beta = open("beta");
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  auto waiting = std::async(std::launch::async, [&] {
    return beta->Acquire("ann", {.wait = absl::Seconds(40), .cancel_name = "mine"});
  });
  while (ValueOf(bed.local().Find("ann")).waiting == 0) std::this_thread::yield();
  CHECK(beta->Cancel("ann", "mine") == absl::OkStatus());
  CHECK(ErrorOf(waiting.get()).error == LockError::kCancelled);
  waiting = std::async(std::launch::async,
                       [&] { return beta->Acquire("ann", {.wait = absl::Seconds(40)}); });
  while (ValueOf(bed.local().Find("ann")).waiting == 0) std::this_thread::yield();
  CHECK(lock->HandOver("beta").status() == absl::OkStatus());
  const auto given = ValueOf(waiting.get());
  CHECK(given->token() > lock->token());
  CHECK(given->grant().reason == GrantReason::kHandedOver);
  CHECK(given->Release() == absl::OkStatus());
  CHECK(beta->Close() == absl::OkStatus());
  CHECK(alpha->Close() == absl::OkStatus());
}

template <typename... Commands>
std::vector<conduit::testing::GoldenCommand> GoldenCommands(CommandList<Commands...>) {
  return {conduit::testing::GoldenOf<Commands>()...};
}

// Set PODKIT_WRITE_GOLDEN=1 to have new versions written.
TEST_CASE("Released commands of the lock directory work between all versions", "[golden]") {
  const auto commands = GoldenCommands(LockCommands());
  const auto report = conduit::testing::CheckGolden(
      {.directory = PODKIT_GOLDEN,
       .how_to_write = "PODKIT_WRITE_GOLDEN=1 build/dev/tests/lock/lock_test '[golden]'",
       .write = std::getenv("PODKIT_WRITE_GOLDEN") != nullptr},
      commands);
  for (const std::string& problem : report.problems) FAIL_CHECK(problem);
  CHECK(commands.size() == 21);
  CHECK(report.versions >= 21);
}

}  // namespace
}  // namespace podkit::lock
