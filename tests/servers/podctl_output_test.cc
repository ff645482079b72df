// What podctl makes of data for people to read.
#include <fstream>
#include <set>
#include <sstream>

#include "podkit/store/errors.h"
#include "servers/podctl/command_line.h"
#include "servers/podctl/import.h"
#include "servers/podctl/print_event.h"
#include "servers/podctl/progress.h"
#include "servers/podctl/table.h"
#include "tests/support/catch.h"

namespace podkit::podctl {
namespace {

TEST_CASE("A table has columns as wide as their widest text", "[podctl][table]") {
  CHECK(FormatTable({"NAME", "X", "LAST"}, {{"a", "", "end"}, {"J\xC3\xBCrgen", "yes", ""}}) ==
        "NAME    X    LAST\n"
        "a            end\n"
        "J\xC3\xBCrgen  yes\n");
}

TEST_CASE("Text from outside cannot steer the terminal", "[podctl][table]") {
  CHECK(Printable("a\x1b[31mb\x07") == "a?[31mb?");
  CHECK(Printable("one\r\ntwo\tthree") == "one  two three");
  CHECK(Printable("csi \xC2\x9B"
                  "31m") == "csi ?31m");
  CHECK(Printable("not utf-8 \x9B\xFF") == "not utf-8 ??");
  CHECK(Printable("Gda\xC5\x84sk, cut \xC5") == "Gda\xC5\x84sk, cut ?");
  CHECK(Printable("\xE2\x82\xAC \xF0\x9F\x98\x80 \xED\xA0\x80") ==
        "\xE2\x82\xAC \xF0\x9F\x98\x80 ???");
  CHECK(Printable("Gda\xC5\x84sk \xC2\xA9") == "Gda\xC5\x84sk \xC2\xA9");
}

TEST_CASE("A progress bar fills and stays within its columns", "[podctl][progress]") {
  CHECK(ProgressLine(0, 100, "x", 80) == "[                              ]   0% x");
  CHECK(ProgressLine(50, 100, "x", 80) == "[###############               ]  50% x");
  CHECK(ProgressLine(100, 100, "x", 80) == "[##############################] 100% x");
  CHECK(ProgressLine(200, 100, "x", 80) == ProgressLine(100, 100, "x", 80));
  CHECK(ProgressLine(1, 0, "x", 80) == ProgressLine(0, 100, "x", 80));
  CHECK(ProgressLine(1, 2, std::string(200, 'n'), 60).size() == 60);
}

TEST_CASE("What is sent and not yet stored is said with its time", "[podctl][progress]") {
  CHECK(StoringLine("x.ics", absl::Milliseconds(12'900), 80) == "storing x.ics, 12 s");
  CHECK(StoringLine(std::string(200, 'n'), absl::ZeroDuration(), 60).size() == 60);
}

TEST_CASE("An event is described with its changed instances", "[podctl][print]") {
  const std::string text = DescribeEvent(
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\n"
      "DTSTART;TZID=Europe/Berlin:20260105T091500\r\nDTEND;TZID=Europe/Berlin:20260105T093000\r\n"
      "RRULE:FREQ=DAILY;COUNT=3\r\nSUMMARY:Stand-up\\, short\r\n"
      "ORGANIZER;CN=Anna:mailto:a@example.org\r\n"
      "ATTENDEE;CN=Ben;PARTSTAT=ACCEPTED:mailto:b@example.org\r\nEND:VEVENT\r\n"
      "BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID:20260106T081500Z\r\nDTSTART;VALUE=DATE:20260107\r\n"
      "SUMMARY:Moved\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
  CHECK(text ==
        "Type:        VEVENT\n"
        "Summary:     Stand-up, short\n"
        "Starts:      2026-01-05 09:15 Europe/Berlin\n"
        "Ends:        2026-01-05 09:30 Europe/Berlin\n"
        "Repeats:     FREQ=DAILY;COUNT=3\n"
        "Organizer:   Anna <mailto:a@example.org>\n"
        "Attendee:    Ben <mailto:b@example.org>, accepted\n"
        "UID:         1\n"
        "\n"
        "Type:        VEVENT\n"
        "Instance of: 2026-01-06 08:15 UTC\n"
        "Summary:     Moved\n"
        "Starts:      2026-01-07\n"
        "UID:         1\n");
}

TEST_CASE("What cannot be described is shown as it is", "[podctl][print]") {
  for (const char* text : {"", "no calendar", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"}) {
    CHECK_THAT(DescribeEvent(text), Catch::StartsWith("This cannot be read") &&
                                        Catch::EndsWith(std::string("\n") + text));
  }
}

TEST_CASE("An import tells its counts and groups its repairs", "[podctl][import]") {
  FileReport report{.file = "work.ics", .created = 3, .unchanged = 1};
  report.items = {{"1", "1.ics", "created", "no PRODID"},
                  {"2", "2.ics", "created", ""},
                  {"3", "3.ics", "created", "no PRODID"},
                  {"4", "4.ics", "unchanged", "a METHOD"}};
  CHECK(CountsText(report) == "work.ics: 3 created, 0 updated, 1 unchanged, 3 repaired");
  CHECK(RepairsText(report) == "  1.ics and 1 more: no PRODID\n  4.ics: a METHOD\n");
  CHECK(CountsText({.file = "empty.ics"}) == "empty.ics: no event or to-do in it");
  report.status = conduit::MakeError(
      store::InvalidCalendarData{.line = 12, .reason = "END without BEGIN"}, "line 12: ...");
  report.line = 12;
  CHECK(RefusalText(report) == "work.ics:12: END without BEGIN; nothing of this file was imported");
  report.line = 0;
  report.status = absl::NotFoundError("it is gone");
  CHECK(RefusalText(report) == "work.ics: it is gone; nothing of this file was imported");
}

TEST_CASE("The line of a property is found in folded text", "[podctl][import]") {
  const std::string text =
      "BEGIN:VCALENDAR\r\nbegin:vtodo\nUID;X=1:a-long-\r\n uid\r\nSUMMARY:UID:1\nUID: 1 \n";
  CHECK(LineOf(text, "BEGIN", "VTODO", true) == 2);
  CHECK(LineOf(text, "BEGIN", "VTODO") == 0);
  CHECK(LineOf(text, "UID", "a-long-uid") == 3);
  CHECK(LineOf(text, "UID", "1") == 6);
  CHECK(LineOf("UID:1", "UID", "1") == 1);
  CHECK(LineOf(text, "UID", "2") == 0);
  CHECK(LineOf("", "UID", "1") == 0);
}

std::set<std::string> VerbsOf(const std::string& manual) {
  std::set<std::string> verbs;
  const std::string heading = "\n## podctl ";
  for (size_t at = manual.find(heading); at != std::string::npos; at = manual.find(heading, at)) {
    at += heading.size();
    verbs.insert(manual.substr(at, manual.find('\n', at) - at));
  }
  // "chunk" and "lock" are no verbs, but words before verbs.
  std::erase_if(verbs, [](const std::string& verb) { return verb == "chunk" || verb == "lock"; });
  return verbs;
}

// What stands in backticks in the first column of the page's tables.
std::set<std::string> VerbsInTable(const std::string& page) {
  std::set<std::string> verbs;
  std::istringstream lines(page.substr(0, page.find("\n## The manual\n")));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string cell = line.substr(0, line.find('|', 1));
    for (size_t from = cell.find('`'); from != std::string::npos;) {
      const size_t to = cell.find('`', from + 1);
      const std::string word = cell.substr(from + 1, to - from - 1);
      verbs.insert(word.substr(0, word.find(" --")));
      from = cell.find('`', to + 1);
    }
  }
  return verbs;
}

TEST_CASE("docs/podctl.md says of every verb what it prints under --json", "[podctl][docs]") {
  CommandLine line;
  AddAllVerbs(&line);
  std::ifstream file(PODKIT_DOCS "/podctl.md");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  CHECK(VerbsInTable(page) == VerbsOf(line.Manual()));
}

// Set PODKIT_UPDATE_DOCS=1 to write the page anew.
TEST_CASE("docs/podctl.md ends with what podctl --help says", "[podctl][docs]") {
  CommandLine line;
  AddAllVerbs(&line);
  const std::string path = PODKIT_DOCS "/podctl.md";
  std::ifstream file(path);
  const std::string page(std::istreambuf_iterator<char>(file), {});
  const std::string heading = "\n## The manual\n\n";
  const size_t end = page.find(heading);
  REQUIRE(end != std::string::npos);
  const std::string wanted = page.substr(0, end) + heading + line.Manual();
  if (std::getenv("PODKIT_UPDATE_DOCS") != nullptr)
    std::ofstream(path) << wanted;
  else
    CHECK(page == wanted);
}

}  // namespace
}  // namespace podkit::podctl
