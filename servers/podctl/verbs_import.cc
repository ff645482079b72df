// The verbs that move whole calendars in and out.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "absl/time/clock.h"
#include "common/with_message.h"
#include "podkit/store/errors.h"
#include "servers/common/error_json.h"
#include "servers/common/files.h"
#include "servers/podctl/command_line.h"
#include "servers/podctl/errors.h"
#include "servers/podctl/import.h"
#include "servers/podctl/progress.h"

namespace podkit::podctl {
namespace {

constexpr const char* kGroup = "Collections";

struct Options {
  std::string collection, output;
  std::vector<std::string> paths;
  bool create = false;
};

int64_t SizeOf(const std::string& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  return error ? 0 : static_cast<int64_t>(size);
}

void WriteReport(const FileReport& report, conduit::JsonWriter* writer) {
  writer->BeginObject();
  writer->Key("file");
  writer->String(report.file);
  if (report.status.ok()) {
    for (const auto& [name, count] : {std::pair{"created", report.created},
                                      {"updated", report.updated},
                                      {"unchanged", report.unchanged}}) {
      writer->Key(name);
      writer->Integer(count);
    }
    writer->Key("items");
    conduit::Codec<std::vector<store::ImportedItem>>::Encode(*writer, report.items);
    writer->Key("replaced");
    conduit::Codec<std::vector<Replaced>>::Encode(*writer, report.replaced);
  } else {
    if (report.line > 0) {
      writer->Key("line");
      writer->Integer(report.line);
    }
    writer->Key("error");
    const auto error = conduit::JsonDocument::Parse(servers::ErrorJson(report.status));
    writer->Raw(error.ok() ? error->root().Member("error")->ToText() : "null");
  }
  writer->EndObject();
}

// {"files": [...]}.
std::string ReportsJson(const std::vector<FileReport>& reports) {
  conduit::JsonWriter writer;
  writer.BeginObject();
  writer.Key("files");
  writer.BeginArray();
  for (const FileReport& report : reports) WriteReport(report, &writer);
  writer.EndArray();
  writer.EndObject();
  return writer.Take();
}

std::string Totals(const std::vector<FileReport>& reports, size_t files) {
  FileReport sum;
  size_t refused = 0;
  for (const FileReport& report : reports) {
    sum.created += report.created;
    sum.updated += report.updated;
    sum.unchanged += report.unchanged;
    if (!report.status.ok()) ++refused;
  }
  const std::string left = files > reports.size()
                               ? fmt::format(", {} not tried", files - reports.size())
                               : std::string();
  return fmt::format("{} files: {} created, {} updated, {} unchanged, {} files refused{}\n", files,
                     sum.created, sum.updated, sum.unchanged, refused, left);
}

// The refusal of one file says nothing about the next; anything else ends the import.
bool IsAboutTheFile(const absl::Status& status) {
  if (status.ok()) return false;
  const std::string error_class = conduit::ErrorClass(status);
  return error_class == store::InvalidCalendarData::kClass ||
         error_class == store::UnsupportedComponent::kClass ||
         error_class == store::UidConflict::kClass || error_class == store::InvalidName::kClass ||
         error_class == conduit::BodyTooLarge::kClass ||
         (error_class.empty() && !absl::IsUnavailable(status) && !absl::IsUnauthenticated(status));
}

// What ended an import, with the file at which it did.
absl::Status AtFile(const FileReport& report) {
  return WithMessage(report.status,
                     fmt::format("{}: {}", report.file, std::string(report.status.message())));
}

// One file after the other, each told of at once, until there is an error that is not about a file.
std::vector<FileReport> ImportFiles(Session& session, const std::string& collection,
                                    const std::vector<std::string>& files) {
  int64_t total = 0;
  for (const std::string& file : files) total += SizeOf(file);
  Progress progress(total);
  std::vector<FileReport> reports;
  BroughtUids brought;
  int64_t done = 0;
  for (const std::string& file : files) {
    progress.Show(done, file);
    absl::Time all_sent = absl::InfiniteFuture();
    FileReport report = ImportFile(&session, collection, file, [&](int64_t sent, int64_t in_all) {
      if (sent < in_all) return progress.Show(done + sent, file);
      all_sent = std::min(all_sent, absl::Now());
      progress.ShowStoring(file, absl::Now() - all_sent);
    });
    progress.Clear();
    done += SizeOf(file);
    brought.Note(&report);
    if (!session.json() && report.status.ok()) {
      session.Print(CountsText(report) + '\n' + RepairsText(report));
    }
    if (!session.json() && IsAboutTheFile(report.status)) {
      fmt::print(stderr, "podctl: {}\n", RefusalText(report));
    }
    reports.push_back(std::move(report));
    const absl::Status& status = reports.back().status;
    if (!status.ok() && !IsAboutTheFile(status)) break;
  }
  return reports;
}

absl::Status Import(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(const auto files, CalendarFiles(options.paths));
  if (options.create)
    PODKIT_RETURN_IF_ERROR(EnsureCollection(&session, options.collection).status());
  const auto reports = ImportFiles(session, options.collection, files);
  const absl::Status& last = reports.back().status;
  const bool ended = !last.ok() && !IsAboutTheFile(last);
  if (session.json() && !(ended && reports.size() == 1)) {
    session.Print(ReportsJson(reports) + '\n');
  } else if (reports.size() > 1) {
    session.Print(Totals(reports, files.size()));
  }
  if (ended) return AtFile(reports.back());
  const bool refused =
      std::ranges::any_of(reports, [](const FileReport& report) { return !report.status.ok(); });
  return refused ? conduit::MakeError(AlreadyReported{}, "a file was refused") : absl::OkStatus();
}

absl::Status Export(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.CollectionPath(options.collection, {"export"}));
  PODKIT_ASSIGN_OR_RETURN(const std::string text, session.Call({.path = std::move(path)}));
  if (!options.output.empty()) return session.Save(text, options.output);
  session.Print(session.json() ? servers::ToJsonMember("text", conduit::Bytes{text}) + '\n' : text);
  return absl::OkStatus();
}

}  // namespace

void AddImportVerbs(CommandLine* line) {
  const auto options = std::make_shared<Options>();
  CLI::App* const import =
      line->Add({.name = "import",
                 .group = kGroup,
                 .description =
                     "Bring .ics files into a collection, one object for each UID\n\n"
                     "A file is taken whole or not at all: a refusal names the file, the line and\n"
                     "the reason, the other files are imported all the same, and the exit status\n"
                     "is 1. Of a folder, the .ics files are taken in the order of their names.\n"
                     "A path that is not there, or a folder without .ics files, is refused before\n"
                     "anything is imported.",
                 .examples = "podctl --as anna import work holidays.ics\n"
                             "podctl --as anna import archive --create ~/calendars"},
                [options](Session& session) { return Import(session, *options); });
  import->add_option("COLLECTION", options->collection, "Name of the collection")->required();
  import->add_option("PATH", options->paths, "Files and folders")->required();
  import->add_flag("--create", options->create, "Make the collection if there is none");

  CLI::App* const export_verb =
      line->Add({.name = "export",
                 .group = kGroup,
                 .description = "All objects of a collection as one iCalendar text",
                 .examples = "podctl --as anna export work > work.ics\n"
                             "podctl --as anna export work --output work.ics"},
                [options](Session& session) { return Export(session, *options); });
  export_verb->add_option("COLLECTION", options->collection, "Name of the collection")->required();
  export_verb->add_option("--output", options->output, "Write to this file")->type_name("FILE");
}

}  // namespace podkit::podctl
