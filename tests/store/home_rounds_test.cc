// What is done about every home in the background.
#include "home_rounds.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>

#include "attachment_bed.h"
#include "hash.h"
#include "podkit/store/attachment.h"
#include "sqlite/database.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace podkit::testing {

TEST_CASE("All homes are visited once in a period, few of them at a time", "[store][care]") {
  const absl::Duration day = absl::Hours(24);
  CHECK(store::PauseBetweenVisits(day, 100) == day / 2);
  CHECK(store::PauseBetweenVisits(day, 100'000) == day / 2000);
  // The same for few homes, and for none.
  CHECK(store::PauseBetweenVisits(day, 50) == day);
  CHECK(store::PauseBetweenVisits(day, 1) == day);
  CHECK(store::PauseBetweenVisits(day, 0) == day);
}

TEST_CASE("Chunks that nothing uses go in the background", "[store][care][attachments]") {
  const TempDir folder;
  FakeClock clock;
  const auto directory = ValueOf(store::FileUserDirectory::Create({{"ann", "Ann", "A"}}));
  const auto store = ValueOf(store::Store::Open(
      {.folder = folder.File("A"), .care_period = absl::Milliseconds(1), .now = clock.function()},
      directory, nullptr, "A"));
  const auto home = ValueOf(store->HomeFor("ann", "ann"));
  const auto child = ValueOf(home->ChildWith({.name = "calendar"}));
  ValueOf(child->PutObject("1.ics", {Event("1")}, {}));
  const auto object = ValueOf(child->ObjectWith({.name = "1.ics"}));
  Attach(*object, "stays");
  ValueOf(object->RemoveAttachment(Attach(*object, "hello").attachment.managed_id, {}, {}));
  clock.Advance(absl::Hours(24) + absl::Seconds(1));
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (store->Stats().orphans_collected.chunks == 0 && absl::Now() < deadline) {
    std::this_thread::yield();
  }
  CHECK(store->Stats().orphans_collected.chunks == 1);
  CHECK(store->Stats().orphans_collected.bytes == 5);
  const auto check = ValueOf(store->CheckHome("ann"));
  CHECK(check.orphans == 0);
  CHECK(check.attachment_bytes == 5);
}

TEST_CASE("Who could not be asked for shares in the background is in the log", "[store][care]") {
  const TempDir folder;
  const auto directory =
      ValueOf(store::FileUserDirectory::Create({{"ann", "Ann", "A"}, {"bob", "Bob", "B"}}));
  const auto open = [&](absl::Duration period, auto log) {
    return ValueOf(store::Store::Open(
        {.folder = folder.File("A"), .care_period = period, .log = std::move(log)}, directory,
        nullptr, "A"));
  };
  {
    const auto store = open(absl::ZeroDuration(), nullptr);
    ValueOf(ValueOf(store->HomeFor("ann", "ann"))->Invite("calendar", "bob", Access::kRead, ""));
  }
  {  // What is on its way would not be compared.
    const std::string file = fmt::format("{}/users/{}/ann.sqlite", folder.File("A"),
                                         store::Sha256Hex("ann").substr(0, 2));
    const auto database =
        ValueOf(store::Database::Open(file, store::Database::Mode::kReadWrite, "ann"));
    REQUIRE(database->ExecuteScript("DELETE FROM outbox") == absl::OkStatus());
  }
  std::promise<std::string> logged;
  std::atomic<bool> done = false;
  const auto store =
      open(absl::Milliseconds(1), [&](conduit::LogLevel level, std::string_view text) {
        if (level != conduit::LogLevel::kWarning || text.find("in part") == text.npos) return;
        if (!done.exchange(true)) logged.set_value(std::string(text));
      });
  auto text = logged.get_future();
  REQUIRE(text.wait_for(std::chrono::seconds(30)) == std::future_status::ready);
  CHECK_THAT(text.get(), Catch::Contains("from 'ann' on") && Catch::Contains("pod 'B'"));
}

}  // namespace podkit::testing
