// Real calendars: all of valid/ must come back byte for byte; what becomes of each file of
// questionable/ is written in docs/calendar-import.md.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/text.h"
#include "corpus.h"
#include "podkit/store/calendar_data.h"
#include "tests/store/calendar_text.h"

namespace podkit::store {
namespace {

using testing::ReadCorpus;
using testing::ReadFolder;
using testing::ValueOf;

// Each component right below a VCALENDAR, time zones left out. Found line by line, not with the
// parser under test.
std::vector<std::string_view> ComponentsIn(std::string_view file) {
  std::vector<std::string_view> components;
  int depth = 0;
  size_t begin = 0;
  for (size_t line = 0; line < file.size();) {
    const size_t next = std::min(file.find('\n', line), file.size() - 1) + 1;
    const std::string_view text = file.substr(line, next - line);
    if (EqualsIgnoreCase(text.substr(0, 6), "BEGIN:") && ++depth == 2) begin = line;
    if (EqualsIgnoreCase(text.substr(0, 4), "END:") && --depth == 1) {
      components.push_back(file.substr(begin, next - begin));
    }
    line = next;
  }
  std::erase_if(components, [](std::string_view component) {
    return component.starts_with("BEGIN:VTIMEZONE");
  });
  return components;
}

// How long the insertion is that `text` begins with, of those that an import makes; 0 if none.
size_t InsertionLength(std::string_view text, bool at_line_start) {
  constexpr size_t kHashDigits = 32;
  const auto with_hash = [&](std::string_view prefix) {
    if (!text.starts_with(prefix)) return size_t{0};
    const std::string_view hash = text.substr(prefix.size(), kHashDigits);
    const bool found = hash.size() == kHashDigits &&
                       hash.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    return found ? prefix.size() + kHashDigits : 0;
  };
  if (at_line_start && with_hash("UID:podkit-") != 0) return text.find('\n') + 1;
  if (at_line_start && text.starts_with(' ')) return 1;
  return std::max(with_hash("podkit-"), with_hash("-"));
}

// Whether `text` begins with the bytes of `component`, but for insertions.
bool BeginsWith(std::string_view text, std::string_view component) {
  for (size_t i = 0; i < component.size();) {
    const bool at_line_start = i > 0 && component[i - 1] == '\n';
    const bool adds_uid = at_line_start && text.starts_with("UID:podkit-");
    if (!adds_uid && text.starts_with(component[i])) {
      ++i;
      text.remove_prefix(1);
      continue;
    }
    const size_t insertion = InsertionLength(text, at_line_start);
    if (insertion == 0) return false;
    text.remove_prefix(insertion);
  }
  return true;
}

// Where components may begin in the objects; each place is that of one.
std::vector<std::string_view> PlacesIn(const ImportedCalendar& calendar) {
  std::vector<std::string_view> places;
  for (const ImportedObject& object : calendar.objects) {
    const std::string_view text = object.text;
    for (size_t at = text.find("BEGIN:", 1); at != text.npos; at = text.find("BEGIN:", at + 1)) {
      places.push_back(text.substr(at));
    }
  }
  return places;
}

// The components of the file that did not come back. Each has a place of its own: two that are
// alike are not one.
std::vector<std::string_view> MissingFrom(std::string_view file, const ImportedCalendar& calendar) {
  std::vector<std::string_view> places = PlacesIn(calendar);
  std::vector<std::string_view> missing;
  for (const std::string_view component : ComponentsIn(file)) {
    const auto place = std::find_if(places.begin(), places.end(), [&](std::string_view text) {
      return BeginsWith(text, component);
    });
    if (place == places.end()) {
      missing.push_back(component);
    } else {
      places.erase(place);
    }
  }
  return missing;
}

void CheckEveryByteComesBack(std::string_view file, const ImportedCalendar& calendar) {
  CHECK(MissingFrom(file, calendar).empty());
}

TEST_CASE("The check of the corpus tells other bytes, and components that are alike",
          "[calendar][corpus]") {
  const std::string hash = "0123456789abcdef0123456789abcdef";
  CHECK(BeginsWith("UID:a-" + hash + "\r\n", "UID:a\r\n"));
  CHECK(BeginsWith("UID:podkit-" + hash + "\r\n", "UID:\r\n"));
  CHECK_FALSE(BeginsWith("UID:a-" + std::string(32, 'x') + "\r\n", "UID:a\r\n"));
  CHECK_FALSE(BeginsWith("UID:a-" + hash.substr(1) + "\r\n", "UID:a\r\n"));
  const std::string event = "BEGIN:VEVENT\nEND:VEVENT\n";
  const std::string file = "BEGIN:VCALENDAR\n" + event + event + "END:VCALENDAR\n";
  ImportedCalendar calendar;
  calendar.objects.push_back({.text = "BEGIN:VCALENDAR\n" + event + "END:VCALENDAR\n"});
  CHECK(MissingFrom(file, calendar) == std::vector<std::string_view>{event});
  calendar.objects.push_back(calendar.objects.front());
  CHECK(MissingFrom(file, calendar).empty());
}

void CheckObjects(const ImportedCalendar& calendar) {
  std::set<std::string> uids;
  for (const ImportedObject& object : calendar.objects) {
    INFO(object.text);
    CHECK(uids.insert(object.info.uid).second);
    const auto info = ValueOf(ValidateCalendarObject(object.text, CalendarSource::kImport));
    CHECK(info.uid == object.info.uid);
    CHECK(info.component == object.info.component);
    CHECK(info.summary == object.info.summary);
    CHECK(info.bounds.start == object.info.bounds.start);
    CHECK(info.bounds.end == object.info.bounds.end);
    CHECK(info.has_recurrence == object.info.has_recurrence);
    // An object is a calendar: importing it gives it again.
    const auto again = ValueOf(SplitCalendar(object.text));
    REQUIRE(again.objects.size() == 1);
    CHECK(again.objects[0].text == object.text);
  }
}

TEST_CASE("Every valid calendar imports and every byte of it comes back", "[calendar][corpus]") {
  const auto files = ReadCorpus("valid");
  REQUIRE(files.size() == 54);
  size_t objects = 0;
  for (const auto& [name, text] : files) {
    INFO(name);
    const ImportedCalendar calendar = ValueOf(SplitCalendar(text));
    CheckEveryByteComesBack(text, calendar);
    CheckObjects(calendar);
    objects += calendar.objects.size();
  }
  CHECK(objects == 1696);
}

TEST_CASE("Notes are made for messages and repairs only", "[calendar][corpus]") {
  std::string noted;
  for (const auto& [name, text] : ReadCorpus("valid")) {
    const ImportedCalendar calendar = ValueOf(SplitCalendar(text));
    const auto count = std::count_if(calendar.objects.begin(), calendar.objects.end(),
                                     [](const auto& object) { return !object.notes.empty(); });
    if (count > 0) noted += name + " " + std::to_string(count) + "\n";
  }
  CHECK(noted ==
        "bitfire1.ics 1\n"
        "calconnect.ics 1\n"
        "calconnect2.ics 1\n"
        "calconnect3.ics 1\n"
        "calconnect5.ics 1\n"
        "calconnect6.ics 1\n"
        "calconnect8.ics 1\n"
        "calconnect9.ics 1\n"
        "categories.ics 1\n"
        "classify.ics 2\n"
        "friday13-NOT.ics 1\n"
        "incoming.ics 9\n"
        "mansour.ics 1\n"
        "multiple_calendars.ics 2\n"
        "php-flp.ics 1\n"
        "zidestoreical4jbomb.ics 1\n");
}

struct Questionable {
  size_t objects = 0;
  std::vector<std::string> notes = {};  // Of the first object.
  std::string refusal = {};
};

TEST_CASE("Every questionable calendar is accepted, repaired or refused as written",
          "[calendar][corpus]") {
  const std::map<std::string, Questionable> expected = {
      {"0.ics",
       {.objects = 1,
        .notes = {"VERSION:2.0 was added", "a PRODID was added",
                  "line 2: the VEVENT has no UID and was given "
                  "'podkit-428c6790e228f3d1c35002260da35b4f'",
                  "line 2: the VEVENT has no DTSTART; no search by time will find it"}}},
      {"CalendarDataFile.ics", {.objects = 152}},
      {"bhav23-2.ics",
       {.objects = 1,
        .notes = {"line 38: '3.110\\n\\nSponsored by the MGH Clinical Research Program and ...' "
                  "is read as the rest of the line before"}}},
      {"core.ics", {.objects = 81, .notes = {"line 5: VERSION:1.0 became VERSION:2.0"}}},
      {"eli_test.ics", {.objects = 1, .notes = {"a PRODID was added"}}},
      {"korganizer-lowercase.ics", {.objects = 1}},
      {"lastfm.ics", {.objects = 33}},
      {"phpicalendar_sample.ics",
       {.refusal = "line 186: DTEND '20031114T18300' is not a date such as 20250131 or a time "
                   "such as 20250131T090000Z"}},
      {"smallcluster.ics", {.refusal = "line 2: BEGIN:VCALENDAR within the VCALENDAR of line 1"}},
      {"talios.ics", {.objects = 1}},
      {"twinkle.ics",
       {.refusal = "line 107: DTSTART '-0011130T100000' is not a date such as 20250131 or a time "
                   "such as 20250131T090000Z"}},
  };
  const auto files = ReadCorpus("questionable");
  REQUIRE(files.size() == expected.size());
  for (const auto& [name, text] : files) {
    INFO(name);
    REQUIRE(expected.contains(name));
    const Questionable& want = expected.at(name);
    const auto calendar = SplitCalendar(text);
    CHECK(std::string(calendar.status().message()) == want.refusal);
    if (!calendar.ok()) continue;
    REQUIRE(calendar->objects.size() == want.objects);
    CHECK(calendar->objects.front().notes == want.notes);
    CheckEveryByteComesBack(text, *calendar);
    CheckObjects(*calendar);
  }
}

TEST_CASE("The calendars that we ship need no repair", "[calendar][corpus]") {
  std::map<std::string, size_t> counts;
  for (const auto& [name, text] : ReadFolder(PODKIT_EXAMPLES "/calendars")) {
    INFO(name);
    const ImportedCalendar calendar = ValueOf(SplitCalendar(text));
    CheckEveryByteComesBack(text, calendar);
    CheckObjects(calendar);
    for (const ImportedObject& object : calendar.objects) CHECK(object.notes.empty());
    CHECK_FALSE(calendar.name.empty());
    counts[name] = calendar.objects.size();
  }
  CHECK(counts ==
        std::map<std::string, size_t>{{"holidays.ics", 8}, {"tasks.ics", 5}, {"team.ics", 4}});
}

TEST_CASE("A calendar cut anywhere is refused or whole", "[calendar][corpus]") {
  const std::string text = ReadCorpus("valid").at("incoming.ics");
  const size_t whole = ValueOf(SplitCalendar(text)).objects.size();
  for (size_t length = 0; length < text.size(); ++length) {
    const auto calendar = SplitCalendar(std::string_view(text).substr(0, length));
    if (!calendar.ok()) {
      CHECK(GetCalendarDataError(calendar.status()).has_value());
      continue;
    }
    INFO(length);
    CHECK(calendar->objects.size() <= whole);
    CheckEveryByteComesBack(text.substr(0, length), *calendar);
  }
}

}  // namespace
}  // namespace podkit::store
