#include "servers/podctl/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "podkit/store/errors.h"
#include "servers/common/files.h"

namespace podkit::podctl {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFileBytes = size_t{256} << 20;

bool IsCalendarFile(const fs::directory_entry& entry) {
  std::error_code ignored;
  return entry.is_regular_file(ignored) &&
         EqualsIgnoreCase(entry.path().extension().string(), ".ics");
}

absl::StatusOr<store::ImportReport> Send(Session* session, const std::string& collection,
                                         const std::string& file,
                                         const std::function<void(int64_t)>& on_progress) {
  ApiRequest request{.method = "POST",
                     .content_type = "text/calendar; charset=utf-8",
                     .timeout = absl::Minutes(10),
                     .on_progress = on_progress};
  PODKIT_ASSIGN_OR_RETURN(request.body, servers::ReadFile(file, kMaxFileBytes));
  PODKIT_ASSIGN_OR_RETURN(request.path, session->CollectionPath(collection, {"import"}));
  return session->Fetch<store::ImportReport>(std::move(request));
}

}  // namespace

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

FileReport ImportFile(Session* session, const std::string& collection, const std::string& file,
                      const std::function<void(int64_t bytes_sent)>& on_progress) {
  FileReport report{.file = file};
  auto answer = Send(session, collection, file, on_progress);
  if (!answer.ok()) {
    report.status = answer.status();
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
  std::string text = fmt::format("{}: {} created, {} updated, {} unchanged", Printable(report.file),
                                 report.created, report.updated, report.unchanged);
  const auto repaired = std::ranges::count_if(
      report.items, [](const store::ImportedItem& item) { return !item.note.empty(); });
  if (repaired > 0) text += fmt::format(", {} repaired", repaired);
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
  const std::string where = bad_data && bad_data->line > 0
                                ? fmt::format("{}:{}", report.file, bad_data->line)
                                : report.file;
  const std::string reason = bad_data && !bad_data->reason.empty()
                                 ? bad_data->reason
                                 : std::string(report.status.message());
  return fmt::format("{}: {}; nothing of this file was imported", Printable(where),
                     Printable(reason));
}

}  // namespace podkit::podctl
