#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "calendar/component.h"
#include "calendar_text.h"
#include "collection_fixture.h"
#include "corpus.h"
#include "hash.h"

namespace podkit::store {
namespace {

using testing::ReadCorpus;
using testing::ValueOf;
using Fixture = CollectionFixture;

// Adds the bytes of each component right below a VCALENDAR of `text`.
void AddComponents(std::string_view text, std::multiset<std::string>* components,
                   std::multiset<std::string>* zones) {
  const auto parsed = ValueOf(calendar::ParseCalendarText(text, calendar::LooseLines::kRefuse, {}));
  for (const auto& one : parsed.calendars) {
    for (const auto& component : one.children) {
      const auto size = component.end->end - component.begin->begin;
      const std::string bytes(text.substr(component.begin->begin, size));
      (component.name == "VTIMEZONE" ? zones : components)->insert(bytes);
    }
  }
}

std::vector<std::string> ResultsOf(const ImportReport& report) {
  std::vector<std::string> results;
  for (const ImportedItem& item : report.items) {
    results.push_back(item.uid + " " + item.name + " " + item.result);
  }
  return results;
}

std::string EventOf(const std::string& uid, const std::string& summary) {
  return Lines({"BEGIN:VEVENT", "UID:" + uid, "DTSTART:20260302T100000Z", "SUMMARY:" + summary,
                "END:VEVENT"});
}

}  // namespace

TEST_CASE_METHOD(Fixture, "An import makes one object for each UID, named after it",
                 "[store][import]") {
  const auto work = Open("work");
  const std::string override_of_one =
      Lines({"BEGIN:VEVENT", "UID:one", "RECURRENCE-ID:20260309T100000Z",
             "DTSTART:20260309T120000Z", "END:VEVENT"});
  const std::string master = Lines(
      {"BEGIN:VEVENT", "UID:one", "DTSTART:20260302T100000Z", "RRULE:FREQ=WEEKLY", "END:VEVENT"});
  const ImportReport report =
      ValueOf(work->Import(Bytes{Calendar(master + EventOf("two", "Two") + override_of_one)}));
  CHECK(ResultsOf(report) == Names{"one one.ics created", "two two.ics created"});
  CHECK(ValueOf(work->ListObjects()) == Names{"one.ics", "two.ics"});
  CHECK(TextOf(*work, "one.ics") == Calendar(master + override_of_one));
  CHECK(TextOf(*work, "two.ics") == Calendar(EventOf("two", "Two")));
}

TEST_CASE_METHOD(Fixture, "A UID that cannot be a name gives a name by its hash",
                 "[store][import]") {
  const auto work = Open("work");
  for (const std::string& uid :
       {std::string("a/b"), std::string(".hidden"), std::string(252, 'x')}) {
    INFO(uid);
    const ImportReport report = ValueOf(work->Import(Bytes{Calendar(EventOf(uid, "S"))}));
    REQUIRE(report.items.size() == 1);
    CHECK(report.items[0].uid == uid);
    CHECK(report.items[0].name == Sha256Hex(uid) + ".ics");
  }
  // A name that another object has is left to it.
  Put(*work, "new.ics", Event("other"));
  CHECK(ValueOf(work->Import(Bytes{Calendar(EventOf("new", "S"))})).items[0].name ==
        Sha256Hex("new") + ".ics");
  Put(*work, "newer.ics", Event("other1"));
  Put(*work, Sha256Hex("newer") + ".ics", Event("other2"));
  const std::string name =
      ValueOf(work->Import(Bytes{Calendar(EventOf("newer", "S"))})).items[0].name;
  CHECK(IsValidName(name));
  CHECK(ValueOf(work->NameForUid("newer")) == name);
}

TEST_CASE_METHOD(Fixture, "An import updates what has the UID, in place", "[store][import]") {
  const auto work = Open("work");
  const ObjectInfo one = Put(*work, "uno.ics", Event("one")).object;
  Put(*work, "dos.ics", Calendar(EventOf("two", "Same")));
  const std::string token = ValueOf(work->SyncToken());
  const ImportReport report = ValueOf(work->Import(
      Bytes{Calendar(EventOf("one", "New") + EventOf("two", "Same") + EventOf("three", "S"))}));
  CHECK(ResultsOf(report) ==
        Names{"one uno.ics updated", "two dos.ics unchanged", "three three.ics created"});
  CHECK(ValueOf(work->FindObject({.uid = "one"})).id == one.id);
  CHECK(ValueOf(work->FindObject({.uid = "one"})).summary == "New");
  const Changes changes = ValueOf(work->ChangesSince(token));
  CHECK(NamesOf(changes.changed) == Names{"three.ics", "uno.ics"});
  // Once more changes nothing.
  const ImportReport again = ValueOf(work->Import(
      Bytes{Calendar(EventOf("one", "New") + EventOf("two", "Same") + EventOf("three", "S"))}));
  CHECK(ResultsOf(again) ==
        Names{"one uno.ics unchanged", "two dos.ics unchanged", "three three.ics unchanged"});
  CHECK(ValueOf(work->SyncToken()) == changes.sync_token);
}

TEST_CASE_METHOD(Fixture, "An import is all or nothing", "[store][import]") {
  const auto work = Open("work");
  const std::string token = ValueOf(work->SyncToken());
  const std::string broken = Lines({"BEGIN:VEVENT", "UID:bad", "DTSTART:someday", "END:VEVENT"});
  const absl::Status status = work->Import(Bytes{Calendar(EventOf("one", "S") + broken)}).status();
  const auto error = GetError<InvalidCalendarData>(status);
  REQUIRE(error);
  CHECK(error->line == 11);
  AddCollection("events", "VEVENT");
  const auto events = Open("events");
  const std::string todo = Lines({"BEGIN:VTODO", "UID:todo", "END:VTODO"});
  CHECK(GetError<UnsupportedComponent>(
      events->Import(Bytes{Calendar(EventOf("one", "S") + todo)}).status()));
  CHECK(ValueOf(events->CountObjects()) == 0);
  CHECK(ValueOf(events->SyncToken()) == "data:,events/0");
  CHECK(ValueOf(work->CountObjects()) == 0);
  CHECK(ValueOf(work->SyncToken()) == token);
}

TEST_CASE_METHOD(Fixture, "An object of an import has the size limit of others",
                 "[store][import]") {
  const auto work = Open("work");
  options().max_object_bytes = 500;
  CHECK(GetError<InvalidCalendarData>(
      work->Import(Bytes{Calendar(EventOf("one", std::string(600, 'x')))}).status()));
  // The file may be larger.
  std::string events;
  for (int i = 0; i < 20; ++i) events += EventOf(std::to_string(i), "S");
  CHECK(ValueOf(work->Import(Bytes{Calendar(events)})).items.size() == 20);
}

TEST_CASE_METHOD(Fixture, "A file without components imports nothing", "[store][import]") {
  const auto work = Open("work");
  CHECK(ValueOf(work->Import(Bytes{Calendar("")})).items.empty());
  CHECK(GetError<InvalidCalendarData>(work->Import(Bytes{""}).status()));
  CHECK(GetError<InvalidCalendarData>(work->Import(Bytes{"hello"}).status()));
}

TEST_CASE_METHOD(Fixture, "An export of nothing is an empty calendar", "[store][export]") {
  const std::string text = ValueOf(Open("work")->Export()).data;
  CHECK(text ==
        Lines({"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Podkit//Export//EN", "END:VCALENDAR"}));
  CHECK(ValueOf(SplitCalendar(text)).objects.empty());
}

TEST_CASE_METHOD(Fixture, "An export has each time zone once and every component as it is",
                 "[store][export]") {
  const std::string zone =
      Lines({"BEGIN:VTIMEZONE", "TZID:Here", "BEGIN:STANDARD", "DTSTART:19700101T000000",
             "TZOFFSETFROM:+0100", "TZOFFSETTO:+0100", "END:STANDARD", "END:VTIMEZONE"});
  const auto event = [](const std::string& uid) {
    return Lines({"BEGIN:VEVENT", "UID:" + uid, "DTSTART;TZID=Here:20260302T1000", " 00",
                  "X-ODD;X=\"a:b\":\\,\\;", "END:VEVENT"});
  };
  const auto work = Open("work");
  Put(*work, "b.ics", Calendar(zone + event("b")));
  Put(*work, "a.ics", Calendar(zone + event("a")));
  CHECK(ValueOf(work->Export()).data ==
        Lines({"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Podkit//Export//EN"}) + zone +
            event("a") + event("b") + Lines({"END:VCALENDAR"}));
}

TEST_CASE_METHOD(Fixture, "Objects with other line ends can be exported together",
                 "[store][export]") {
  const auto with_line_end = [](std::string text, const std::string& end) {
    for (size_t at = text.find("\r\n"); at != std::string::npos; at = text.find("\r\n", at)) {
      text.replace(at, 2, end);
      at += end.size();
    }
    return text;
  };
  const auto work = Open("work");
  const std::string a = with_line_end(Event("a"), "\n");
  const std::string b = with_line_end(Event("b"), "\r");
  Put(*work, "a.ics", a);
  Put(*work, "b.ics", b);
  Put(*work, "c.ics", Event("c"));
  CHECK(TextOf(*work, "a.ics") == a);
  CHECK(TextOf(*work, "b.ics") == b);
  const auto again = ValueOf(Open("home")->Import(ValueOf(work->Export())));
  CHECK(ResultsOf(again) == Names{"a a.ics created", "b b.ics created", "c c.ics created"});
}

TEST_CASE_METHOD(Fixture, "Every real calendar comes back out of the store byte for byte",
                 "[store][import][export][corpus]") {
  for (const auto& [name, file] : ReadCorpus("valid")) {
    INFO(name);
    AddCollection(name);
    const auto child = Open(name);
    const ImportedCalendar calendar = ValueOf(SplitCalendar(file));
    const ImportReport report = ValueOf(child->Import(Bytes{file}));
    REQUIRE(report.items.size() == calendar.objects.size());
    std::multiset<std::string> stored;
    std::multiset<std::string> zones;
    for (size_t i = 0; i < report.items.size(); ++i) {
      CHECK(report.items[i].uid == calendar.objects[i].info.uid);
      CHECK(report.items[i].note.empty() == calendar.objects[i].notes.empty());
      const std::string text = TextOf(*child, report.items[i].name);
      CHECK(text == calendar.objects[i].text);
      AddComponents(text, &stored, &zones);
    }
    const std::string stream = ValueOf(child->Export()).data;
    std::multiset<std::string> exported;
    std::multiset<std::string> exported_zones;
    AddComponents(stream, &exported, &exported_zones);
    CHECK(exported == stored);
    for (const std::string& zone : exported_zones) CHECK(zones.contains(zone));

    // What was exported gives the same objects elsewhere.
    AddCollection(name + "2");
    const auto copy = Open(name + "2");
    CHECK(ValueOf(copy->Import(Bytes{stream})).items.size() == report.items.size());
    std::multiset<std::string> copied;
    std::multiset<std::string> copied_zones;
    AddComponents(ValueOf(copy->Export()).data, &copied, &copied_zones);
    CHECK(copied == stored);
  }
}

TEST_CASE_METHOD(Fixture, "A questionable calendar is imported whole or refused by its line",
                 "[store][import][corpus]") {
  int refused = 0;
  for (const auto& [name, file] : ReadCorpus("questionable")) {
    INFO(name);
    AddCollection(name);
    const auto child = Open(name);
    const auto report = child->Import(Bytes{file});
    if (report.ok()) {
      const ImportedCalendar calendar = ValueOf(SplitCalendar(file));
      REQUIRE(report->items.size() == calendar.objects.size());
      CHECK(ValueOf(child->CountObjects()) == static_cast<int64_t>(calendar.objects.size()));
      CHECK_FALSE(calendar.objects.empty());
      for (size_t i = 0; i < calendar.objects.size(); ++i) {
        CHECK(TextOf(*child, report->items[i].name) == calendar.objects[i].text);
      }
      ValueOf(child->Export());
      continue;
    }
    ++refused;
    const auto error = GetError<InvalidCalendarData>(report.status());
    REQUIRE(error);
    CHECK(error->line > 0);
    CHECK_FALSE(error->reason.empty());
    CHECK(ValueOf(child->CountObjects()) == 0);
    CHECK(ValueOf(child->SyncToken()) == "data:," + name + "/0");
  }
  CHECK(refused > 0);
}

}  // namespace podkit::store
