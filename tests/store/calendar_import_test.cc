#include <string>
#include <string_view>
#include <vector>

#include "podkit/store/calendar_data.h"
#include "tests/store/calendar_text.h"

namespace podkit::store {
namespace {

using testing::ValueOf;

constexpr std::string_view kStart = "DTSTART:20250131T090000Z";

ImportedCalendar Split(const std::string& file) { return ValueOf(SplitCalendar(file)); }

// The one object in `file`.
ImportedObject SplitOne(const std::string& file) {
  ImportedCalendar calendar = Split(file);
  REQUIRE(calendar.objects.size() == 1);
  return calendar.objects.front();
}

std::string RefusalOf(const std::string& file, const CalendarLimits& limits = {}) {
  const auto calendar = SplitCalendar(file, limits);
  return calendar.ok() ? "accepted" : std::string(calendar.status().message());
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string Named(std::string_view type, std::string_view uid, std::string_view rest) {
  return Lines({"BEGIN:" + std::string(type), "UID:" + std::string(uid)}) + std::string(rest) +
         Lines({"END:" + std::string(type)});
}

TEST_CASE("A file gives one object for each UID, overrides included", "[calendar][import]") {
  const std::string a = Named("VEVENT", "a", "DTSTART:20250131T090000Z\r\nRRULE:FREQ=DAILY\r\n");
  const std::string b = Named("VTODO", "b", "SUMMARY:b\r\n");
  const std::string a_moved =
      Named("VEVENT", "a", "RECURRENCE-ID:20250201T090000Z\r\nDTSTART:20250201T100000Z\r\n");
  const ImportedCalendar calendar = Split(Calendar(a + b + a_moved));
  REQUIRE(calendar.objects.size() == 2);
  CHECK(calendar.objects[0].text == Calendar(a + a_moved));
  CHECK(calendar.objects[0].info.uid == "a");
  CHECK(calendar.objects[0].line == 4);
  CHECK(calendar.objects[0].notes.empty());
  CHECK(calendar.objects[1].text == Calendar(b));
  CHECK(calendar.objects[1].info.component == "VTODO");
  CHECK(calendar.objects[1].line == 9);
}

TEST_CASE("An object keeps PRODID, VERSION and CALSCALE and loses METHOD", "[calendar][import]") {
  const std::string event = Event({kStart});
  const ImportedCalendar calendar = Split(
      Lines({"BEGIN:VCALENDAR", "METHOD:PUBLISH", "PRODID:-//A", " //B", "X-WR-CALNAME:Our\\, days",
             "CALSCALE:GREGORIAN", "X-WR-TIMEZONE:Europe/Berlin", "version:2.0"}) +
      event + Lines({"END:VCALENDAR"}));
  REQUIRE(calendar.objects.size() == 1);
  CHECK(calendar.objects[0].text ==
        Lines({"BEGIN:VCALENDAR", "PRODID:-//A", " //B", "CALSCALE:GREGORIAN", "version:2.0"}) +
            event + Lines({"END:VCALENDAR"}));
  CHECK(calendar.objects[0].notes.empty());
  CHECK(calendar.name == "Our, days");
  CHECK(calendar.time_zone == "Europe/Berlin");
}

TEST_CASE("A message is imported with a note", "[calendar][import]") {
  CHECK(SplitOne(Calendar("METHOD:REQUEST\r\n" + Event({kStart}))).notes ==
        std::vector<std::string>{"line 4: METHOD:REQUEST was left out; this was a message"});
}

TEST_CASE("VERSION and PRODID are added where they lack", "[calendar][import]") {
  const std::string event = "BEGIN:VEVENT\nUID:1\nDTSTART:20250131\nEND:VEVENT\n";
  const ImportedObject none = SplitOne("BEGIN:VCALENDAR\n" + event + "END:VCALENDAR");
  CHECK(none.text ==
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Podkit//Import//EN\n" + event + "END:VCALENDAR\n");
  CHECK(none.notes == std::vector<std::string>{"VERSION:2.0 was added", "a PRODID was added"});
  const ImportedObject old =
      SplitOne("BEGIN:VCALENDAR\nVERSION:1.0\nPRODID:x\n" + event + "END:VCALENDAR\n");
  CHECK(old.text == "BEGIN:VCALENDAR\nPRODID:x\nVERSION:2.0\n" + event + "END:VCALENDAR\n");
  CHECK(old.notes == std::vector<std::string>{"line 2: VERSION:1.0 became VERSION:2.0"});
}

TEST_CASE("An object brings exactly the time zones that it names", "[calendar][import]") {
  const auto zone = [](std::string_view name) {
    return Lines({"BEGIN:VTIMEZONE", "TZID:" + std::string(name), "BEGIN:STANDARD",
                  "DTSTART:19700101T000000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0100",
                  "END:STANDARD", "END:VTIMEZONE"});
  };
  const std::string a = Named("VEVENT", "a", "DTSTART;TZID=\"K L, S\":20250131T090000\r\n");
  const std::string b =
      Named("VEVENT", "b",
            "DTSTART:20250131T090000Z\r\nBEGIN:VALARM\r\nTRIGGER;TZID=Second:20250131T080000\r\n"
            "END:VALARM\r\n");
  const std::string c = Named("VEVENT", "c", "DTSTART;TZID=Elsewhere:20250131T090000\r\n");
  // Zones may come after who names them.
  const ImportedCalendar calendar =
      Split(Calendar(zone("K L\\, S") + a + b + c + zone("Second") + zone("Unused")));
  REQUIRE(calendar.objects.size() == 3);
  CHECK(calendar.objects[0].text == Calendar(zone("K L\\, S") + a));
  CHECK(calendar.objects[1].text == Calendar(zone("Second") + b));
  CHECK(calendar.objects[2].text == Calendar(c));
}

TEST_CASE("Each VCALENDAR of a file has its own time zones", "[calendar][import]") {
  const auto zone = [](std::string_view offset) {
    return Lines({"BEGIN:VTIMEZONE", "TZID:Here", "BEGIN:STANDARD", "DTSTART:19700101T000000",
                  "TZOFFSETFROM:" + std::string(offset), "TZOFFSETTO:" + std::string(offset),
                  "END:STANDARD", "END:VTIMEZONE"});
  };
  const std::string properties = "DTSTART;TZID=Here:20250131T090000\r\n";
  const ImportedCalendar calendar =
      Split(Calendar(zone("+0100") + Named("VEVENT", "a", properties)) + "\r\n" +
            Calendar(zone("+0200") + Named("VEVENT", "b", properties)));
  REQUIRE(calendar.objects.size() == 2);
  CHECK(Text(calendar.objects[0].info.bounds.start) == "20250131T080000Z");
  CHECK(Text(calendar.objects[1].info.bounds.start) == "20250131T070000Z");
}

TEST_CASE("A file without components gives no object", "[calendar][import]") {
  CHECK(Split(Calendar("")).objects.empty());
  CHECK(RefusalOf("") == "there is no VCALENDAR in it");
}

TEST_CASE("A component without UID gets the same one at every import", "[calendar][import]") {
  const std::string file = Calendar(Lines({"BEGIN:VEVENT", kStart, "END:VEVENT"}));
  const ImportedObject object = SplitOne(file);
  const std::string uid = object.info.uid;
  CHECK(uid.starts_with("podkit-"));
  CHECK(uid.size() == 39);
  CHECK(SplitOne(file).info.uid == uid);
  CHECK(object.text == Calendar(Lines({"BEGIN:VEVENT", "UID:" + uid, kStart, "END:VEVENT"})));
  CHECK(object.notes ==
        std::vector<std::string>{"line 4: the VEVENT has no UID and was given '" + uid + "'"});

  const ImportedObject empty =
      SplitOne(Calendar(Lines({"BEGIN:VEVENT", "UID: ", kStart, "END:VEVENT"})));
  CHECK(Contains(empty.text, "UID:" + empty.info.uid + " \r\n"));
}

TEST_CASE("What stands twice in a file is imported once", "[calendar][import]") {
  const std::string event = Event({kStart});
  const ImportedObject object = SplitOne(Calendar(event + event));
  CHECK(object.text == Calendar(event));
  CHECK(object.notes == std::vector<std::string>{"line 8: repeats line 4 byte for byte"});
}

TEST_CASE("Of two versions the newer one keeps the UID and both are kept", "[calendar][import]") {
  const std::string newer = Event({kStart, "SEQUENCE:2", "SUMMARY:new"});
  const std::string older = Event({kStart, "SEQUENCE:1", "SUMMARY:old"});
  for (const std::string& events : {newer + older, older + newer}) {
    const ImportedCalendar calendar = Split(Calendar(events));
    REQUIRE(calendar.objects.size() == 2);
    for (const ImportedObject& object : calendar.objects) {
      if (object.info.summary == "new") {
        CHECK(object.info.uid == "1");
        CHECK(object.text == Calendar(newer));
        continue;
      }
      CHECK(object.info.summary == "old");
      CHECK(object.info.uid.starts_with("1-"));
      CHECK(Contains(object.text, "UID:" + object.info.uid + "\r\n"));
      REQUIRE(object.notes.size() == 1);
      CHECK(Contains(object.notes[0], "was kept under the UID '" + object.info.uid + "'"));
    }
  }
}

TEST_CASE("Without SEQUENCE the later DTSTAMP wins, then the later place", "[calendar][import]") {
  const auto winner = [](std::string_view first, std::string_view second) {
    const ImportedCalendar calendar = Split(Calendar(Event({kStart, first, "SUMMARY:first"}) +
                                                     Event({kStart, second, "SUMMARY:second"})));
    for (const ImportedObject& object : calendar.objects) {
      if (object.info.uid == "1") return object.info.summary;
    }
    return std::string("none");
  };
  CHECK(winner("DTSTAMP:20250102T000000Z", "DTSTAMP:20250101T000000Z") == "first");
  CHECK(winner("DTSTAMP:20250101T000000Z", "DTSTAMP:20250102T000000Z") == "second");
  CHECK(winner("X-A:1", "X-A:1") == "second");
}

TEST_CASE("A UID that two types share is made distinct", "[calendar][import]") {
  const ImportedCalendar calendar = Split(Calendar(Event({kStart}) + Component("VTODO", {})));
  REQUIRE(calendar.objects.size() == 2);
  CHECK(calendar.objects[0].info.uid == "1");
  CHECK(calendar.objects[1].info.uid.starts_with("1-"));
}

TEST_CASE("UIDs that a file makes up itself do not collide", "[calendar][import]") {
  const std::string twice = Event({kStart, "X-A:1"}) + Event({kStart, "X-A:2"});
  const std::string made = Split(Calendar(twice)).objects[0].info.uid;
  REQUIRE(made.size() > 1);
  const ImportedCalendar calendar =
      Split(Calendar(Named("VEVENT", made, std::string(kStart) + "\r\n") + twice));
  REQUIRE(calendar.objects.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < i; ++j) {
      CHECK(calendar.objects[i].info.uid != calendar.objects[j].info.uid);
    }
  }
}

TEST_CASE("A line that lost its fold is joined again", "[calendar][import]") {
  const std::string broken =
      Calendar(Lines({"BEGIN:VEVENT", "UID:1", kStart, "DESCRIPTION:one", "two three", "",
                      " four (see: five)", "SUMMARY:s", "END:VEVENT"}));
  const ImportedObject object = SplitOne(broken);
  CHECK(object.text ==
        Calendar(Lines({"BEGIN:VEVENT", "UID:1", kStart, "DESCRIPTION:one", " two three", " ",
                        " four (see: five)", "SUMMARY:s", "END:VEVENT"})));
  CHECK(object.notes == std::vector<std::string>{
                            "line 8: 'two three' is read as the rest of the line before",
                            "line 9: 'four (see: five)' is read as the rest of the line before"});
  CHECK(object.info.summary == "s");
  // Blank lines between become folds too.
  CHECK(Contains(SplitOne(Calendar(Event({kStart, "X-A:1", "", "", "loose"}))).text,
                 "X-A:1\r\n \r\n \r\n loose\r\n"));
  // Nothing to join it to.
  CHECK(RefusalOf(Calendar(Lines({"BEGIN:VEVENT", "two three", "END:VEVENT"})))
            .starts_with("line 5: 'two three' is neither"));
}

TEST_CASE("A loose line around the components is joined too", "[calendar][import]") {
  const std::string event = Event({kStart});
  const ImportedObject object =
      SplitOne(Lines({"BEGIN:VCALENDAR", "PRODID:-//A", "//B", "VERSION:2.0"}) + event +
               "END:VCALENDAR\r\n");
  CHECK(object.text == Lines({"BEGIN:VCALENDAR", "PRODID:-//A", " //B", "VERSION:2.0"}) + event +
                           "END:VCALENDAR\r\n");
  CHECK(object.notes ==
        std::vector<std::string>{"line 3: '//B' is read as the rest of the line before"});
}

TEST_CASE("Line ends stay as they are", "[calendar][import]") {
  const std::string mixed =
      "BEGIN:VCALENDAR\nVERSION:2.0\r\nPRODID:x\nBEGIN:VEVENT\r\nUID:1\nDTSTART:20250131\r\r\n\n"
      "SUMMARY:a\rb\nEND:VEVENT\r\nEND:VCALENDAR\n";
  CHECK(SplitOne(mixed).text == mixed);
  const std::string cr =
      "BEGIN:VCALENDAR\rVERSION:2.0\rPRODID:x\rBEGIN:VEVENT\rUID:1\rDTSTART:20250131\r"
      "END:VEVENT\rEND:VCALENDAR\r";
  CHECK(SplitOne(cr).text == cr);
  CHECK(SplitOne("\xEF\xBB\xBF" + mixed).text == mixed);
}

TEST_CASE("Bytes that are no UTF-8 stay as they are", "[calendar][import]") {
  const std::string file = Calendar(Event({kStart, "SUMMARY:\xFF\xFE", "X-A;B=\xE9:\x80"}));
  CHECK(SplitOne(file).text == file);
}

TEST_CASE("A file is imported as a whole or not at all", "[calendar][import]") {
  const std::string good = Named("VEVENT", "a", std::string(kStart) + "\r\n");
  CHECK(RefusalOf(Calendar(good + Named("VEVENT", "b", "DTSTART:never\r\n"))) ==
        "line 10: DTSTART 'never' is not a date such as 20250131 or a time such as "
        "20250131T090000Z");
  CHECK(RefusalOf(Calendar(good) + Calendar("CALSCALE:HEBREW\r\n")) ==
        "line 12: CALSCALE:HEBREW is not supported");
  CHECK(RefusalOf(Calendar(good) + "trailer") ==
        "line 9: 'trailer' is neither a property (NAME:value) nor, as it does not begin with a "
        "space, the rest of the line before");
  CHECK(RefusalOf(Calendar(good + std::string("X\0Y", 3))) ==
        "line 8: a NUL byte; iCalendar text is UTF-8, not UTF-16 or binary");
}

TEST_CASE("What a loose line spoils is said of the loose line", "[calendar][import]") {
  CHECK(RefusalOf(Calendar(Event({"DTSTART:20250131T090000Z", "foo"}))) ==
        "line 7: 'foo' is neither a property (NAME:value) nor, as it does not begin with a space, "
        "the rest of the line before");
  CHECK(RefusalOf(Calendar(Event({"DTSTART:never", "SUMMARY:a", "foo"})))
            .starts_with("line 6: DTSTART 'never' "));
}

TEST_CASE("An event is refused that holds another or ends in two ways", "[calendar][import]") {
  const auto refusals = [](const std::string& components) {
    const std::string text = Calendar(components);
    const std::string refusal = RefusalOf(text);
    CHECK(ValidateCalendarObject(text).status().message() == refusal);
    return refusal;
  };
  CHECK(refusals(Event({kStart, Event({kStart}).substr(0, 12) + "\r\nEND:VEVENT"})) ==
        "line 7: a VEVENT within the VEVENT of line 4, which must end before");
  CHECK(refusals(Event({kStart, "DTEND:20250131T100000Z", "DURATION:PT1H"})) ==
        "line 8: DURATION beside the DTEND of line 7: only one may say when it ends");
  CHECK(refusals(Component("VTODO", {kStart, "DURATION:PT1H", "DUE:20250131T100000Z"})) ==
        "line 7: DURATION beside the DUE of line 8: only one may say when it ends");
}

TEST_CASE("A component of someone's own making goes with the event of its UID",
          "[calendar][import]") {
  const std::string event = Event({kStart});
  const std::string rider = Component("X-MOOD", {"X-LEVEL:3"});
  const ImportedObject object = SplitOne(Calendar(event + rider));
  CHECK(object.text == Calendar(event + rider));
  CHECK(object.info.component == "VEVENT");
  CHECK(SplitOne(Calendar(rider)).info.component == "X-MOOD");
}

TEST_CASE("An event without DTSTART is imported with a note", "[calendar][import]") {
  const ImportedObject object = SplitOne(Calendar(Event({"SUMMARY:some time"})));
  CHECK(object.notes == std::vector<std::string>{
                            "line 4: the VEVENT has no DTSTART; no search by time will find it"});
  CHECK(object.info.bounds.start == object.info.bounds.end);
}

TEST_CASE("An import keeps to its limits", "[calendar][import][limits]") {
  const std::string file = Calendar(Event({kStart}));
  CalendarLimits limits;
  limits.max_file_bytes = file.size() - 1;
  CHECK(RefusalOf(file, limits) == "the file has " + std::to_string(file.size()) +
                                       " bytes; the limit is " + std::to_string(file.size() - 1));
  limits = {};
  limits.max_object_bytes = 20;
  CHECK(RefusalOf(file, limits) == "line 4: the object made of this component is too large");

  // Many events that name one large time zone must not fill the memory with copies of it.
  std::string calendar =
      Lines({"BEGIN:VTIMEZONE", "TZID:Z", "X-A:" + std::string(20'000, 'x'), "END:VTIMEZONE"});
  for (int i = 0; i < 100; ++i) {
    calendar += Named("VEVENT", std::to_string(i), "DTSTART;TZID=Z:20250131T090000\r\n");
  }
  limits = {};
  limits.max_file_bytes = 100'000;
  CHECK(RefusalOf(Calendar(calendar), limits)
            .ends_with("the object made of this component is too large"));
}

}  // namespace
}  // namespace podkit::store
