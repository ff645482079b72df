#include <string>
#include <utility>
#include <vector>

#include "podkit/store/calendar_data.h"
#include "tests/store/calendar_text.h"

namespace podkit::store {
namespace {

using testing::ValueOf;

constexpr std::string_view kStart = "DTSTART:20250131T090000Z";

// "3: reason" of the refusal of `text`.
std::string Refusal(const std::string& text, CalendarSource source = CalendarSource::kClient) {
  const auto info = ValidateCalendarObject(text, source);
  if (info.ok()) return "accepted";
  const CalendarDataError error = ErrorOf(info.status());
  return std::to_string(error.line) + ": " + error.reason;
}

TEST_CASE("A calendar data error carries its line and its reason", "[calendar]") {
  const absl::Status status = MakeCalendarDataError(12, "BEGIN:VEVENT is never closed");
  CHECK(std::string(status.message()) == "line 12: BEGIN:VEVENT is never closed");
  CHECK(ErrorOf(status).line == 12);
  CHECK(ErrorOf(status).reason == "BEGIN:VEVENT is never closed");
  CHECK(std::string(MakeCalendarDataError(0, "too large").message()) == "too large");
  CHECK_FALSE(GetCalendarDataError(absl::InvalidArgumentError("line 12: other")).has_value());
}

TEST_CASE("A calendar object tells what it is", "[calendar]") {
  const auto info = ValueOf(ValidateCalendarObject(
      Calendar(Lines({"BEGIN:VEVENT", "UID: a-1 ", "DTSTART;TZID=Europe/Berlin:20250131T090000",
                      "DTEND;TZID=Europe/Berlin:20250131T103000",
                      "SUMMARY;LANGUAGE=en:Lunch\\, and\\nmor", " e talk", "END:VEVENT"}))));
  CHECK(info.uid == "a-1");
  CHECK(info.component == "VEVENT");
  CHECK(info.summary == "Lunch, and more talk");
  CHECK(Text(info.bounds.start) == "20250131T080000Z");
  CHECK(Text(info.bounds.end) == "20250131T093000Z");
  CHECK_FALSE(info.has_recurrence);
}

TEST_CASE("The summary of a series is that of its master", "[calendar]") {
  const auto info = ValueOf(ValidateCalendarObject(
      Calendar(Event({"RECURRENCE-ID:20250201T090000Z", kStart, "SUMMARY:moved"}) +
               Event({kStart, "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:daily"}))));
  CHECK(info.summary == "daily");
  CHECK(info.has_recurrence);
}

TEST_CASE("A summary that is no UTF-8 or too long is made fit to be shown", "[calendar]") {
  const auto summary = [](const std::string& text) {
    return ValueOf(ValidateCalendarObject(Calendar(Event({kStart, "SUMMARY:" + text})))).summary;
  };
  CHECK(summary("caf\xE9\x01!") == "caf\xEF\xBF\xBD !");
  CHECK(summary("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // A surrogate.
  CHECK(summary("\xF0\x9F\x8E\x82") == "\xF0\x9F\x8E\x82");
  CHECK(summary(std::string(1023, 'x') + "\xC3\xA9") == std::string(1023, 'x'));
}

TEST_CASE("Every kind of component can be an object", "[calendar]") {
  for (const char* type : {"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY", "X-MOOD"}) {
    INFO(type);
    CHECK(ValueOf(ValidateCalendarObject(Calendar(Component(type, {kStart})))).component == type);
  }
}

TEST_CASE("Case, folds and line ends do not matter", "[calendar]") {
  const std::string lf =
      "begin:vcalendar\nversion:2.0\nBegin:vEvent\nuid:1\ndtstart\n :20250131\n T090000Z\n\n"
      "end:vEVENT\nend:VCALENDAR";
  CHECK(ValueOf(ValidateCalendarObject(lf)).component == "VEVENT");
  CHECK(ValueOf(ValidateCalendarObject("\xEF\xBB\xBF" + lf)).uid == "1");
  std::string cr = lf;
  for (char& c : cr) c = c == '\n' ? '\r' : c;
  CHECK(Text(ValueOf(ValidateCalendarObject(cr)).bounds.start) == "20250131T090000Z");
  std::string cr_cr_lf;
  for (const char c : lf) cr_cr_lf += c == '\n' ? std::string("\r\r\n") : std::string(1, c);
  CHECK(ValueOf(ValidateCalendarObject(cr_cr_lf)).uid == "1");
}

TEST_CASE("A colon within a quoted parameter does not begin the value", "[calendar]") {
  CHECK(Refusal(Calendar(Event({"DTSTART;X=\"a:b;TZID=no\":20250131T090000Z"}))) == "accepted");
  CHECK(Refusal(Calendar(Event({kStart, "ATTENDEE;CN=\"never closed:mailto:a@b"}))) == "accepted");
}

TEST_CASE("What is not one calendar object is refused with line and reason", "[calendar]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "0: there is no VCALENDAR in it"},
      {"hello",
       "1: 'hello' is neither a property (NAME:value) nor, as it does not begin with a "
       "space, the rest of the line before"},
      {"BEGIN:VEVENT\r\nEND:VEVENT\r\n", "1: BEGIN:VEVENT outside of a VCALENDAR"},
      {"END:VCALENDAR\r\n", "1: END:VCALENDAR without a BEGIN"},
      {"BEGIN:\r\n", "1: BEGIN names no component"},
      {Calendar(Lines({"BEGIN:VEVENT", "UID:1"})),
       "6: END:VCALENDAR where the VEVENT of line 4 must end first"},
      {Lines({"BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT"}),
       "3: BEGIN:VEVENT is never closed"},
      {Calendar(Event({kStart})) + "UID:2\r\n", "9: 'UID:2' outside of a VCALENDAR"},
      {Calendar(Event({kStart})) + Calendar(Event({kStart})),
       "9: a second VCALENDAR; one object has one, import such a file"},
      {Calendar(Calendar("")), "4: BEGIN:VCALENDAR within the VCALENDAR of line 1"},
      {Calendar(""), "1: the VCALENDAR has no event, to-do or other component with a UID"},
      {Calendar(Lines({"BEGIN:VEVENT", kStart, "END:VEVENT"})), "4: the VEVENT has no UID"},
      {Calendar(Lines({"BEGIN:VEVENT", "UID:", kStart, "END:VEVENT"})), "4: the VEVENT has no UID"},
      {Calendar(Event({kStart, "UID:2"})),
       "7: a second UID in the VEVENT of line 4, and it differs"},
      {Calendar(Event({kStart}) + Lines({"BEGIN:VEVENT", "UID:2", kStart, "END:VEVENT"})),
       "8: the UID '2' beside '1'; one object has one, import such a file"},
      {Calendar(Event({kStart}) + Component("VTODO", {})),
       "8: a VTODO beside the VEVENT of line 4: one object has components of one type"},
      {Calendar(Event({kStart}) + Event({kStart})),
       "8: a second VEVENT without RECURRENCE-ID of the same UID; the first is in line 4"},
      {Calendar(Event({kStart, "RECURRENCE-ID:20250131T090000Z"}) +
                Event({kStart, "RECURRENCE-ID:20250131T090000Z"})),
       "9: a second VEVENT with that RECURRENCE-ID of the same UID; the first is in line 4"},
      {Calendar("METHOD:REQUEST\r\n" + Event({kStart})),
       "4: METHOD:REQUEST makes it a message; a stored object has no METHOD"},
      {Calendar("CALSCALE:JULIAN\r\n" + Event({kStart})), "4: CALSCALE:JULIAN is not supported"},
      {Lines({"BEGIN:VCALENDAR"}) + Event({kStart}) + Lines({"END:VCALENDAR"}),
       "1: the VCALENDAR needs VERSION:2.0"},
      {Lines({"BEGIN:VCALENDAR", "VERSION:1.0"}) + Event({kStart}) + Lines({"END:VCALENDAR"}),
       "2: the VCALENDAR needs VERSION:2.0"},
      {Calendar(Event({"SUMMARY:x"})), "4: the VEVENT has no DTSTART"},
      {Calendar(Event({kStart, "no colon"})),
       "7: 'no colon' is neither a property (NAME:value) nor, as it does not begin with a space, "
       "the rest of the line before"},
      {Calendar(Event({kStart, "DESCRIPTION:a", "", " b"})),
       "8: 'b' is neither a property (NAME:value) nor, as it does not begin with a space, the "
       "rest of the line before"},
      {Calendar(Event({kStart, kStart})), "accepted"},
      {Calendar(Event({kStart, "DTSTART:20250201"})),
       "7: a second DTSTART in the VEVENT of line 4, and it differs"},
      {Calendar(Lines({"BEGIN:VEVENT", "UID:\x01", kStart, "END:VEVENT"})),
       "5: the UID has control characters or is not UTF-8"},
      {Calendar(Lines({"BEGIN:VEVENT", "UID:\xE9", kStart, "END:VEVENT"})),
       "5: the UID has control characters or is not UTF-8"},
      {Calendar(Lines({"BEGIN:VEVENT", "UID:" + std::string(1025, 'x'), kStart, "END:VEVENT"})),
       "5: the UID is longer than 1024 bytes"},
  };
  for (const auto& [text, reason] : cases) {
    INFO(text);
    CHECK(Refusal(text) == reason);
  }
}

TEST_CASE("A value that makes no sense is refused with its line", "[calendar]") {
  const auto refusal = [](std::string_view property) {
    return Refusal(Calendar(Event({"SUMMARY:folded", " twice", property})));
  };
  const std::string no_time = "is not a date such as 20250131 or a time such as 20250131T090000Z";
  for (const char* value :
       {"2025-01-31", "20251301", "20250230", "20250131T", "20250131T0900", "20250131T240000Z",
        "20250131T090061", "20250131T090000X", "-0011130T100000", "20031114T18300", "tomorrow"}) {
    INFO(value);
    CHECK(refusal("DTSTART:" + std::string(value)) ==
          "8: DTSTART '" + std::string(value) + "' " + no_time);
  }
  const auto after_start = [](std::string_view property) {
    return Refusal(Calendar(Event({kStart, property})));
  };
  CHECK(after_start("DTEND:x") == "7: DTEND 'x' " + no_time);
  CHECK(after_start("RECURRENCE-ID:x") == "7: RECURRENCE-ID 'x' " + no_time);
  CHECK(after_start("EXDATE:20250131,x") == "7: EXDATE 'x' " + no_time);
  CHECK(after_start("RDATE:x") == "7: RDATE 'x' " + no_time);
  CHECK(after_start("RDATE;VALUE=PERIOD:20250131T090000Z/x") == "7: RDATE 'x' " + no_time);
  CHECK(after_start("RRULE:FREQ=NEVER") ==
        "7: RRULE 'FREQ=NEVER' is not a recurrence rule such as FREQ=WEEKLY;BYDAY=MO");
  for (const char* value : {"", "P", "PT", "1H", "PT1", "P1H", "PT1H30", "PT9999999999S", "-"}) {
    INFO(value);
    CHECK(after_start("DURATION:" + std::string(value)) ==
          "7: DURATION '" + std::string(value) + "' is not a duration such as PT1H30M");
  }
  CHECK(Refusal(Calendar(Component("VTODO", {"DUE:x"}))) == "6: DUE 'x' " + no_time);
  CHECK(Refusal(Calendar(Component("VTODO", {"COMPLETED:x"}))) == "6: COMPLETED 'x' " + no_time);
  CHECK(Refusal(Calendar(Component("VFREEBUSY", {"FREEBUSY:20250131T090000Z"}))) ==
        "6: FREEBUSY '20250131T090000Z' is not a period such as 20250131T090000Z/PT1H");
  // A value that nobody here reads is nobody's business here.
  CHECK(after_start("LAST-MODIFIED:x") == "accepted");
}

TEST_CASE("A time zone that makes no sense is refused with its line", "[calendar]") {
  const auto refusal = [](std::initializer_list<std::string_view> observance) {
    return Refusal(Calendar(Lines({"BEGIN:VTIMEZONE", "TZID:Here", "BEGIN:STANDARD"}) +
                            Lines(observance) + Lines({"END:STANDARD", "END:VTIMEZONE"}) +
                            Event({kStart})));
  };
  CHECK(refusal({"DTSTART:19700101T000000", "TZOFFSETFROM:+0100", "TZOFFSETTO:-023000"}) ==
        "accepted");
  CHECK(refusal({"TZOFFSETFROM:+0100", "TZOFFSETTO:+0100"}) == "6: STANDARD without DTSTART");
  CHECK(refusal({"DTSTART:19700101T000000", "TZOFFSETFROM:+0100"}) ==
        "6: STANDARD without TZOFFSETTO");
  CHECK(refusal({"DTSTART:19700101T000000", "TZOFFSETFROM:+0100", "TZOFFSETTO:1 hour"}) ==
        "9: TZOFFSETTO '1 hour' is not an offset such as +0100");
  CHECK(refusal({"DTSTART:19700101T000000", "TZOFFSETFROM:+9900", "TZOFFSETTO:+0100"}) ==
        "8: TZOFFSETFROM '+9900' is not an offset such as +0100");
}

TEST_CASE("Only an imported event may lack DTSTART", "[calendar]") {
  const std::string text = Calendar(Event({"SUMMARY:some time"}));
  CHECK(Refusal(text) == "4: the VEVENT has no DTSTART");
  CHECK(Refusal(text, CalendarSource::kImport) == "accepted");
  CHECK(Refusal(Calendar(Component("VTODO", {"SUMMARY:some time"}))) == "accepted");
}

TEST_CASE("Components of someone's own making may accompany an event", "[calendar]") {
  const std::string rider = Lines(
      {"BEGIN:X-CALENDARSERVER-PERUSER", "UID:1", "X-USER:me", "END:X-CALENDARSERVER-PERUSER"});
  CHECK(ValueOf(ValidateCalendarObject(Calendar(rider + Event({kStart})))).component == "VEVENT");
}

TEST_CASE("Limits refuse with a line", "[calendar][limits]") {
  const std::string text = Calendar(Event({kStart, "DESCRIPTION:0123456789012345678901234567890"}));
  const auto refusal = [&](const CalendarLimits& limits) {
    const auto info = ValidateCalendarObject(text, CalendarSource::kClient, limits);
    return info.ok() ? "accepted" : std::string(info.status().message());
  };
  CalendarLimits limits;
  CHECK(refusal(limits) == "accepted");
  limits.max_object_bytes = text.size() - 1;
  CHECK(refusal(limits) == "the object has " + std::to_string(text.size()) +
                               " bytes; the limit is " + std::to_string(text.size() - 1));
  limits = {};
  limits.max_line_bytes = 40;
  CHECK(refusal(limits) == "line 7: longer than 40 bytes, which is the limit");
  limits = {};
  limits.max_components = 1;
  CHECK(refusal(limits) == "line 4: more than 1 components");
  limits = {};
  limits.max_properties = 2;
  CHECK(refusal(limits) == "line 7: more than 2 properties in one VEVENT");
  limits = {};
  limits.max_depth = 1;
  CHECK(refusal(limits) == "line 4: components are nested deeper than 1 levels");
}

}  // namespace
}  // namespace podkit::store
