// Brings .ics files into a collection, one request a file: each is taken whole or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/store/types.h"
#include "servers/podctl/progress.h"
#include "servers/podctl/session.h"

namespace podkit::podctl {

// An object that an earlier file of the same run brought, and this one replaced.
struct Replaced {
  std::string uid;
  std::string file;  // The earlier one.
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("uid", &Replaced::uid),
                           conduit::Required("file", &Replaced::file));
  }
};

// What became of one file.
struct FileReport {
  std::string file;
  int64_t created = 0;
  int64_t updated = 0;
  int64_t unchanged = 0;
  std::vector<store::ImportedItem> items;
  std::vector<Replaced> replaced;
  absl::Status status;  // Not OK: refused, and nothing of the file was taken.
  int64_t line = 0;     // Where the file is at fault; 0 if that is not known.
};

// Which file of a run brought which UID.
class BroughtUids {
 public:
  // Fills `replaced` with what is in the report and was brought by a file before it.
  void Note(FileReport* report);

 private:
  std::map<std::string, std::string> file_by_uid_;
};

// The files that `paths` name: those that are folders give their *.ics files, by name. kNotFound
// names a path that does not exist.
absl::StatusOr<std::vector<std::string>> CalendarFiles(const std::vector<std::string>& paths);

// The text of a calendar file. kResourceExhausted names the file, its size and the limit.
absl::StatusOr<std::string> ReadCalendar(const std::string& file);

// Makes the collection in the session's home unless it is there; false if it was.
absl::StatusOr<bool> EnsureCollection(Session* session, const std::string& name);

// Sends one file to the import of `collection` of the session's home. `on_progress` may be empty.
using SentCallback = std::function<void(int64_t bytes_sent, int64_t bytes_in_all)>;
FileReport ImportFile(Session* session, const std::string& collection, const std::string& file,
                      const SentCallback& on_progress);

// The line, counted from 1, of the first property called `name` with this value: "BEGIN" and
// "VTODO". 0 if there is none. Letters of any case are the same where `any_case` is set.
int64_t LineOf(std::string_view calendar, std::string_view name, std::string_view value,
               bool any_case = false);

// "work.ics: 12 created, 0 updated, 3 unchanged, 1 repaired". What was replaced is told by name:
// ", 1 replaced (UID x came from a.ics in this run)"; of a file without objects, that it has none.
std::string CountsText(const FileReport& report);

// A line for each kind of repair; empty if there was none.
std::string RepairsText(const FileReport& report);

// The refusal in one line: file, line and reason.
std::string RefusalText(const FileReport& report);

}  // namespace podkit::podctl
