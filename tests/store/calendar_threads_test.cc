#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "podkit/store/calendar_data.h"
#include "tests/store/calendar_text.h"

namespace podkit::store {
namespace {

TEST_CASE("Calendar data is understood by many threads at once", "[calendar][threads]") {
  constexpr int kThreads = 8;
  constexpr int kRounds = 50;
  const std::string text =
      Calendar(Event({"DTSTART;TZID=Europe/Berlin:20250106T090000", "DURATION:PT1H30M",
                      "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20250601T000000Z"}));
  const CalendarObject shared = testing::ValueOf(CalendarObject::Parse(text));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      const auto zone = FindTimeZone("Asia/Tokyo");
      for (int round = 0; round < kRounds; ++round) {
        const auto info = ValidateCalendarObject(text);
        const auto refused = ValidateCalendarObject(Calendar(Event({"RRULE:FREQ=NEVER"})));
        const auto split = SplitCalendar(text);
        const bool right = info.ok() && info->bounds.end == At("20250528T083000Z") &&
                           !refused.ok() && split.ok() && split->objects.size() == 1 && zone &&
                           shared.OverlapsRange(Range("20250527T000000Z", "20250529T000000Z")) &&
                           shared.Expand({}, 100, *zone).instances.size() == 42;
        if (!right) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace podkit::store
