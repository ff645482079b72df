// Brings .ics files into a collection, one request a file: each is taken whole or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/store/types.h"
#include "servers/podctl/progress.h"
#include "servers/podctl/session.h"

namespace podkit::podctl {

// What became of one file.
struct FileReport {
  std::string file;
  int64_t created = 0;
  int64_t updated = 0;
  int64_t unchanged = 0;
  std::vector<store::ImportedItem> items;
  absl::Status status;  // Not OK: refused, and nothing of the file was taken.
};

// The files that `paths` name: those that are folders give their *.ics files, by name. kNotFound
// names a path that does not exist.
absl::StatusOr<std::vector<std::string>> CalendarFiles(const std::vector<std::string>& paths);

// Makes the collection in the session's home unless it is there; false if it was.
absl::StatusOr<bool> EnsureCollection(Session* session, const std::string& name);

// Sends one file to the import of `collection` of the session's home.
FileReport ImportFile(Session* session, const std::string& collection, const std::string& file,
                      const std::function<void(int64_t bytes_sent)>& on_progress);

// "work.ics: 12 created, 0 updated, 3 unchanged, 1 repaired".
std::string CountsText(const FileReport& report);

// A line for each kind of repair; empty if there was none.
std::string RepairsText(const FileReport& report);

// The refusal in one line: file, line and reason.
std::string RefusalText(const FileReport& report);

}  // namespace podkit::podctl
