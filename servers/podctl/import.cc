#include "servers/podctl/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "podkit/store/calendar_data.h"
#include "podkit/store/errors.h"
#include "servers/common/files.h"

namespace podkit::podctl {
namespace {

namespace fs = std::filesystem;

bool IsCalendarFile(const fs::directory_entry& entry) {
  std::error_code ignored;
  return entry.is_regular_file(ignored) &&
         EqualsIgnoreCase(entry.path().extension().string(), ".ics");
}

absl::StatusOr<store::ImportReport> Send(Session* session, const std::string& collection,
                                         const std::string& text, const SentCallback& on_progress) {
  ApiRequest request{.method = "POST",
                     .body = text,
                     .content_type = "text/calendar; charset=utf-8",
                     .timeout = absl::Minutes(10)};
  if (on_progress) {
    request.on_progress = [&, in_all = static_cast<int64_t>(text.size())](int64_t sent) {
      on_progress(sent, in_all);
    };
  }
  PODKIT_ASSIGN_OR_RETURN(request.path, session->CollectionPath(collection, {"import"}));
  return session->Fetch<store::ImportReport>(std::move(request));
}

// The line that a refusal is about: the store says it, or what it names is looked for.
int64_t FaultyLine(const absl::Status& status, std::string_view text) {
  if (const auto error = conduit::GetError<store::InvalidCalendarData>(status)) return error->line;
  if (const auto error = conduit::GetError<store::UnsupportedComponent>(status)) {
    return LineOf(text, "BEGIN", error->component, true);
  }
  if (const auto error = conduit::GetError<store::UidConflict>(status)) {
    return LineOf(text, "UID", error->uid);
  }
  return 0;
}

// "UID x came from a.ics in this run", and how many more there are.
std::string ReplacedText(const std::vector<Replaced>& replaced) {
  const std::string more =
      replaced.size() > 1 ? fmt::format(", and {} more", replaced.size() - 1) : std::string();
  return fmt::format(", {} replaced (UID {} came from {} in this run{})", replaced.size(),
                     Printable(replaced.front().uid), Printable(replaced.front().file), more);
}

}  // namespace

absl::StatusOr<std::string> ReadCalendar(const std::string& file) {
  const size_t limit = store::CalendarLimits().max_file_bytes;
  std::error_code error;
  const auto size = fs::file_size(file, error);
  if (!error && size > limit) {
    return absl::ResourceExhaustedError(fmt::format(
        "'{}' has {} bytes; a calendar text has {} at most: split it", file, size, limit));
  }
  return servers::ReadFile(file, limit);
}

absl::StatusOr<std::vector<std::string>> CalendarFiles(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      if (!fs::exists(path, error)) {
        return absl::NotFoundError(fmt::format("there is no file or folder '{}'", path));
      }
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    for (fs::directory_iterator entry(path, error), end; !error && entry != end;
         entry.increment(error)) {
      if (IsCalendarFile(*entry)) found.push_back(entry->path().string());
    }
    if (error) {
      return absl::PermissionDeniedError(
          fmt::format("cannot read the folder '{}': {}", path, error.message()));
    }
    if (found.empty()) {
      return absl::NotFoundError(fmt::format("the folder '{}' has no .ics file", path));
    }
    std::ranges::sort(found);
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

absl::StatusOr<bool> EnsureCollection(Session* session, const std::string& name) {
  ApiRequest request{.method = "POST",
                     .body = conduit::ToJson(servers::NewCollection{.name = name})};
  PODKIT_ASSIGN_OR_RETURN(request.path, session->HomePath({"collections"}));
  const absl::Status status = session->Call(std::move(request)).status();
  if (absl::IsAlreadyExists(status)) return false;
  PODKIT_RETURN_IF_ERROR(status);
  return true;
}

void BroughtUids::Note(FileReport* report) {
  for (const store::ImportedItem& item : report->items) {
    const auto [before, is_new] = file_by_uid_.try_emplace(item.uid, report->file);
    if (!is_new && item.result == "updated") report->replaced.push_back({item.uid, before->second});
    before->second = report->file;
  }
}

int64_t LineOf(std::string_view calendar, std::string_view name, std::string_view value,
               bool any_case) {
  int64_t number = 0;
  int64_t begin = 0;  // Where `unfolded` begins.
  std::string unfolded;
  const auto matches = [&] {
    const std::string_view line = unfolded;
    const size_t end = line.find_first_of(":;");
    if (!EqualsIgnoreCase(line.substr(0, end), name) || end == std::string_view::npos) return false;
    const std::string_view found =
        TrimSpace(line.substr(std::min(line.find(':'), line.size() - 1) + 1));
    return found == value || (any_case && EqualsIgnoreCase(found, value));
  };
  for (std::string_view line : SplitText(calendar, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with(' ') || line.starts_with('\t')) {
      unfolded += line.substr(1);
      continue;
    }
    if (matches()) return begin;
    unfolded = line;
    begin = number;
  }
  return matches() ? begin : 0;
}

FileReport ImportFile(Session* session, const std::string& collection, const std::string& file,
                      const SentCallback& on_progress) {
  FileReport report{.file = file};
  const auto text = ReadCalendar(file);
  if (!text.ok()) {
    report.status = text.status();
    return report;
  }
  auto answer = Send(session, collection, *text, on_progress);
  if (!answer.ok()) {
    report.status = answer.status();
    report.line = FaultyLine(report.status, *text);
    return report;
  }
  report.items = std::move(answer->items);
  for (const store::ImportedItem& item : report.items) {
    if (item.result == "created") ++report.created;
    if (item.result == "updated") ++report.updated;
    if (item.result == "unchanged") ++report.unchanged;
  }
  return report;
}

std::string CountsText(const FileReport& report) {
  if (report.created + report.updated + report.unchanged == 0) {
    return fmt::format("{}: no event or to-do in it", Printable(report.file));
  }
  std::string text = fmt::format("{}: {} created, {} updated, {} unchanged", Printable(report.file),
                                 report.created, report.updated, report.unchanged);
  const auto repaired = std::ranges::count_if(
      report.items, [](const store::ImportedItem& item) { return !item.note.empty(); });
  if (repaired > 0) text += fmt::format(", {} repaired", repaired);
  if (!report.replaced.empty()) text += ReplacedText(report.replaced);
  return text;
}

std::string RepairsText(const FileReport& report) {
  std::vector<std::pair<std::string, std::vector<std::string>>> names_by_note;
  for (const store::ImportedItem& item : report.items) {
    if (item.note.empty()) continue;
    auto known =
        std::ranges::find(names_by_note, item.note, [](const auto& one) { return one.first; });
    if (known == names_by_note.end()) known = names_by_note.insert(known, {item.note, {}});
    known->second.push_back(item.name);
  }
  std::string text;
  for (const auto& [note, names] : names_by_note) {
    const std::string more =
        names.size() > 1 ? fmt::format(" and {} more", names.size() - 1) : std::string();
    text += fmt::format("  {}{}: {}\n", Printable(names.front()), more, Printable(note));
  }
  return text;
}

std::string RefusalText(const FileReport& report) {
  const auto bad_data = conduit::GetError<store::InvalidCalendarData>(report.status);
  const std::string where =
      report.line > 0 ? fmt::format("{}:{}", report.file, report.line) : report.file;
  const std::string reason = bad_data && !bad_data->reason.empty()
                                 ? bad_data->reason
                                 : std::string(report.status.message());
  return fmt::format("{}: {}; nothing of this file was imported", Printable(where),
                     Printable(reason));
}

}  // namespace podkit::podctl
