// ATTACH properties of managed attachments in calendar texts.
#include "calendar/attach_text.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "calendar_text.h"
#include "podkit/store/calendar_data.h"
#include "tests/support/catch.h"

namespace podkit::store::calendar {
namespace {

using testing::ValueOf;

const ManagedAttach kPlan = {.managed_id = "id-1",
                             .content_type = "text/plain",
                             .file_name = "plan.txt",
                             .size = 5,
                             .uri = "podkit:/attachments/ann/id-1/plan.txt"};
// As it is written, folded.
constexpr std::string_view kPlanLine =
    "ATTACH;MANAGED-ID=id-1;FMTTYPE=text/plain;SIZE=5;FILENAME=\"plan.txt\":podkit\r\n"
    " :/attachments/ann/id-1/plan.txt\r\n";

std::string WithAlarm() {
  return Calendar(
      Lines({"BEGIN:VEVENT", "UID:1", "DTSTART:20260101T090000Z", "SUMMARY:Caf\xC3\xA9",
             "X-UNUSUAL;y=\"a;b\": value with  spaces ", "BEGIN:VALARM", "ACTION:DISPLAY",
             "TRIGGER:-PT5M", "ATTACH:http://x.example/a", "END:VALARM", "END:VEVENT"}));
}

// Daily from the first of January, in Berlin, with the third moved by an hour.
std::string Daily() {
  return Calendar(
      Lines({"BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:STANDARD", "DTSTART:19701025T030000",
             "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "END:STANDARD", "END:VTIMEZONE"}) +
      Event({"DTSTART;TZID=Europe/Berlin:20260101T090000",
             "DTEND;TZID=Europe/Berlin:20260101T103000", "RRULE:FREQ=DAILY;COUNT=5",
             "EXDATE;TZID=Europe/Berlin:20260104T090000", "SUMMARY:Daily"}) +
      Event({"RECURRENCE-ID;TZID=Europe/Berlin:20260103T090000",
             "DTSTART;TZID=Europe/Berlin:20260103T100000", "SUMMARY:Moved"}));
}

std::vector<std::string> InstancesOf(const std::string& text) {
  std::vector<std::string> instances;
  for (const AttachUse& use : ValueOf(FindManagedAttaches(text))) {
    CHECK(use.managed_id == "id-1");
    instances.push_back(use.instance);
  }
  return instances;
}

std::string Without(std::string text, std::string_view part) {
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part)) {
    text.erase(at, part.size());
  }
  return text;
}

using Instances = std::vector<std::string>;

}  // namespace

TEST_CASE("An attachment is written behind the properties, and every other byte stays",
          "[store][attachments][text]") {
  const std::string text = WithAlarm();
  const std::string added = ValueOf(AddAttach(text, kPlan, {}));
  CHECK(added.find(std::string(kPlanLine) + "BEGIN:VALARM") != std::string::npos);
  CHECK(Without(added, kPlanLine) == text);
  CHECK(InstancesOf(added) == Instances{"M"});
  CHECK(ValueOf(RemoveAttach(added, "id-1", {})) == text);
  CHECK(ValueOf(RemoveAttach(added, "another", {})) == added);
}

TEST_CASE("An attachment takes the line ends of the text", "[store][attachments][text]") {
  const std::string text = Without(WithAlarm(), "\r");
  const std::string added = ValueOf(AddAttach(text, kPlan, {}));
  CHECK(added.find('\r') == std::string::npos);
  CHECK(Without(added, Without(std::string(kPlanLine), "\r")) == text);
}

TEST_CASE("What a file is called comes back as it was, whatever is in it",
          "[store][attachments][text]") {
  ManagedAttach attach = kPlan;
  attach.file_name = "a \"b\" ^ c; d: \xC3\xA9, ^n.txt";
  const std::string added = ValueOf(AddAttach(WithAlarm(), attach, {}));
  // It says exactly that: nothing is corrected.
  CHECK(ValueOf(CorrectAttaches(added, [&](const std::string&) { return attach; })) == added);
  ManagedAttach other = attach;
  other.file_name += "x";
  CHECK(ValueOf(CorrectAttaches(added, [&](const std::string&) { return other; })) != added);
}

TEST_CASE("What the real calendars of the world have beside an attachment stays byte for byte",
          "[store][attachments][text]") {
  int objects = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(PODKIT_TEST_DATA "/ics")) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    const auto calendar = SplitCalendar(bytes);
    if (!calendar.ok()) continue;
    for (const ImportedObject& object : calendar->objects) {
      INFO(entry.path() << " " << object.info.uid);
      const std::string added = ValueOf(AddAttach(object.text, kPlan, {}));
      CHECK(added != object.text);
      CHECK(ValueOf(RemoveAttach(added, "id-1", {})) == object.text);
      CHECK(ValidateCalendarObject(added, CalendarSource::kImport).ok());
      ++objects;
    }
  }
  CHECK(objects > 50);
}

TEST_CASE("An attachment is replaced wherever it is used", "[store][attachments][text]") {
  ManagedAttach next = kPlan;
  next.managed_id = "id-2";
  next.size = 6;
  const std::string added = ValueOf(AddAttach(Daily(), kPlan, {}));
  REQUIRE(InstancesOf(added) == Instances{"M", "20260103T090000"});
  const std::string replaced = ValueOf(ReplaceAttach(added, "id-1", next));
  CHECK(replaced == ValueOf(AddAttach(Daily(), next, {})));
}

TEST_CASE("An attachment can be of some instances only", "[store][attachments][text]") {
  // The series, and one that is set apart, as it is written and in UTC.
  CHECK(InstancesOf(ValueOf(AddAttach(Daily(), kPlan, {"M"}))) == Instances{"M"});
  const std::string moved = ValueOf(AddAttach(Daily(), kPlan, {"20260103T090000"}));
  CHECK(InstancesOf(moved) == Instances{"20260103T090000"});
  CHECK(ValueOf(AddAttach(Daily(), kPlan, {"20260103T080000Z"})) == moved);
  CHECK(ValueOf(RemoveAttach(moved, "id-1", {"20260103T080000Z"})) == Daily());
  CHECK(InstancesOf(ValueOf(AddAttach(Daily(), kPlan, {"M", "20260103T090000"}))).size() == 2);
}

TEST_CASE("An instance that gets an attachment of its own is set apart from its series",
          "[store][attachments][text]") {
  const std::string added = ValueOf(AddAttach(Daily(), kPlan, {"20260102T080000Z"}));
  CHECK(InstancesOf(added) == Instances{"20260102T090000"});
  // In UTC or as it is written: the same.
  CHECK(ValueOf(AddAttach(Daily(), kPlan, {"20260102T090000"})) == added);
  const std::string apart =
      Lines({"BEGIN:VEVENT", "UID:1", "DTSTART;TZID=Europe/Berlin:20260102T090000",
             "RECURRENCE-ID;TZID=Europe/Berlin:20260102T090000",
             "DTEND;TZID=Europe/Berlin:20260102T103000", "SUMMARY:Daily"}) +
      std::string(kPlanLine) + "END:VEVENT\r\n";
  CHECK(added.find(apart) != std::string::npos);
  CHECK(Without(added, apart) == Daily());
  // It is the instance that it was, at the same time.
  const auto before = ValueOf(CalendarObject::Parse(Daily())).Expand({}, 10);
  const auto after = ValueOf(CalendarObject::Parse(added)).Expand({}, 10);
  REQUIRE(after.instances.size() == before.instances.size());
  for (size_t i = 0; i < before.instances.size(); ++i) {
    CHECK(after.instances[i].start == before.instances[i].start);
    CHECK(after.instances[i].end == before.instances[i].end);
  }
}

TEST_CASE("An attachment of the series is taken off one instance", "[store][attachments][text]") {
  const std::string all = ValueOf(AddAttach(Daily(), kPlan, {}));
  const std::string removed = ValueOf(RemoveAttach(all, "id-1", {"20260102T080000Z"}));
  CHECK(InstancesOf(removed) == Instances{"M", "20260103T090000"});
  CHECK(removed.find("RECURRENCE-ID;TZID=Europe/Berlin:20260102T090000") != std::string::npos);
}

TEST_CASE("All-day, floating and lasting instances are set apart with their own times",
          "[store][attachments][text]") {
  const auto apart = [](const std::string& text, const std::string& instance) {
    const std::string added = ValueOf(AddAttach(text, kPlan, {instance}));
    CHECK(ValidateCalendarObject(added).ok());
    return added;
  };
  const std::string all_day = apart(
      Calendar(
          Event({"DTSTART;VALUE=DATE:20260101", "DTEND;VALUE=DATE:20260103", "RRULE:FREQ=WEEKLY"})),
      "20260108");
  CHECK(all_day.find("RECURRENCE-ID;VALUE=DATE:20260108\r\nDTEND;VALUE=DATE:20260110\r\n") !=
        std::string::npos);
  const std::string floating =
      apart(Calendar(Event({"DTSTART:20260101T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY"})),
            "20260102T090000");
  CHECK(floating.find("RECURRENCE-ID:20260102T090000\r\nDURATION:PT1H\r\n") != std::string::npos);
  const std::string todo =
      apart(Calendar(Component(
                "VTODO", {"DTSTART:20260101T090000Z", "DUE:20260101T100000Z", "RRULE:FREQ=DAILY"})),
            "20260102T090000Z");
  CHECK(todo.find("RECURRENCE-ID:20260102T090000Z\r\nDUE:20260102T100000Z\r\n") !=
        std::string::npos);
}

TEST_CASE("An instance that the series does not have is told by its name",
          "[store][attachments][text]") {
  for (const char* instance : {"20260104T080000Z", "20260106T080000Z", "20260102T080001Z",
                               "20260102", "m", "", "yesterday", "99999999T999999Z"}) {
    INFO(instance);
    for (const absl::Status& status : {AddAttach(Daily(), kPlan, {"M", instance}).status(),
                                       RemoveAttach(Daily(), "id-1", {instance}).status()}) {
      CHECK(status.code() == absl::StatusCode::kNotFound);
      CHECK(std::string(status.message()).find(std::string("'") + instance + "'") !=
            std::string::npos);
    }
  }
  const std::string once = Calendar(Event({"DTSTART:20260101T090000Z"}));
  CHECK(AddAttach(once, kPlan, {"20260101T090000Z"}).status().code() ==
        absl::StatusCode::kNotFound);
  // A rule that never ends, and never comes there.
  const std::string endless =
      Calendar(Event({"DTSTART:20260101T090000Z", "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"}));
  CHECK(AddAttach(endless, kPlan, {"20990101T090000Z"}).status().code() ==
        absl::StatusCode::kNotFound);
}

TEST_CASE("What a client says of a managed attachment is put right", "[store][attachments][text]") {
  const auto correct = [](std::string_view line) {
    const std::string text = Calendar(Lines({"BEGIN:VEVENT", "UID:1", "DTSTART:20260101T090000Z"}) +
                                      std::string(line) + Lines({"END:VEVENT"}));
    const std::string corrected =
        ValueOf(CorrectAttaches(text, [](const std::string& id) -> std::optional<ManagedAttach> {
          return id == "id-1" ? std::optional(kPlan) : std::nullopt;
        }));
    const size_t begin = text.find(line);
    CHECK(corrected.starts_with(text.substr(0, begin)));
    return corrected.substr(begin, corrected.find("END:VEVENT") - begin);
  };
  // As it is, and with what is the client's own business, byte for byte.
  CHECK(correct(kPlanLine) == kPlanLine);
  constexpr std::string_view kOwn =
      "attach;filename=plan.txt;X-APPLE=1;size=5;\r\n fmttype=TEXT/plain;Managed-"
      "ID=id-1:podkit:/attachments/ann/id-1/plan.txt\r\n";
  CHECK(correct(kOwn) == kOwn);
  for (const char* line : {
           "ATTACH;MANAGED-ID=id-1:podkit:/attachments/ann/id-1/plan.txt\r\n",
           "ATTACH;MANAGED-ID=id-1;FMTTYPE=text/html;SIZE=5;FILENAME=plan.txt:"
           "podkit:/attachments/ann/id-1/plan.txt\r\n",
           "ATTACH;MANAGED-ID=id-1;FMTTYPE=text/plain;SIZE=6;FILENAME=plan.txt:"
           "podkit:/attachments/ann/id-1/plan.txt\r\n",
           "ATTACH;MANAGED-ID=id-1;FMTTYPE=text/plain;SIZE=5;FILENAME=plan.txt:http://evil/\r\n",
           "ATTACH;MANAGED-ID=id-1;MANAGED-ID=id-2;FMTTYPE=text/plain;SIZE=5;FILENAME=plan.txt:"
           "podkit:/attachments/ann/id-1/plan.txt\r\n",
           "ATTACH;MANAGED-ID=id-1;ENCODING=BASE64;VALUE=BINARY:QUJD\r\n",
       }) {
    INFO(line);
    CHECK(correct(line) == kPlanLine);
  }
  // Somebody else's, or nobody's: an ordinary attachment.
  CHECK(correct("ATTACH;MANAGED-ID=id-9;FMTTYPE=text/plain;SIZE=5:http://x.example/a\r\n") ==
        "ATTACH;FMTTYPE=text/plain;SIZE=5:http://x.example/a\r\n");
  CHECK(correct("ATTACH;MANAGED-ID=id-9;MANAGED-ID=\"id-1\":http://x.example/a\r\n") ==
        "ATTACH:http://x.example/a\r\n");
  // Folded within the word.
  CHECK(correct("ATTACH;MANA\r\n GED-ID=id-9:http://x.example/a\r\n") ==
        "ATTACH:http://x.example/a\r\n");
  // No attachment of ours.
  for (const char* line : {"X-ATTACH;MANAGED-ID=id-9:x\r\n", "ATTACH;X-MANAGED-ID=id-9:x\r\n",
                           "COMMENT:MANAGED-ID=id-9\r\n"}) {
    CHECK(correct(line) == line);
  }
}

}  // namespace podkit::store::calendar
