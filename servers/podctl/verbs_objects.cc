// The verbs for the objects of a collection: events, to-dos, journal entries.

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <iterator>
#include <memory>

#include "podkit/store/free_busy.h"
#include "podkit/store/types.h"
#include "servers/common/files.h"
#include "servers/podctl/command_line.h"
#include "servers/podctl/errors.h"
#include "servers/podctl/import.h"
#include "servers/podctl/print_event.h"

namespace podkit::podctl {
namespace {

using store::ObjectInfo;

constexpr const char* kGroup = "Objects";

struct Options {
  std::string collection, object, file, output, if_match, target, new_name;
  std::string component, from, to, time_zone;
  bool by_uid = false;
  bool raw = false;
  bool only_new = false;
};
using OptionsPtr = std::shared_ptr<Options>;

const std::vector<Column<ObjectInfo>>& Columns() {
  static const std::vector<Column<ObjectInfo>> columns = {
      {"OBJECT", &ObjectInfo::name},
      {"TYPE", &ObjectInfo::component},
      {"SUMMARY", &ObjectInfo::summary},
      {"BYTES", [](const ObjectInfo& info) { return std::to_string(info.size); }},
      {"MODIFIED", [](const ObjectInfo& info) { return ShortTime(info.modified); }},
      {"UID", &ObjectInfo::uid},
  };
  return columns;
}

absl::Status ShowObjects(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.CollectionPath(options.collection, {"objects"}));
  return session.ShowList<ObjectInfo>("objects", {.path = std::move(path)}, Columns());
}

// "2026-01-31" is midnight UTC.
absl::StatusOr<std::string> TimeOption(std::string_view flag, const std::string& text) {
  if (text.empty()) return text;
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error) &&
      !absl::ParseTime("%Y-%m-%d", text, &time, &error)) {
    return Usage(
        fmt::format("{}: '{}' is not a time like 2026-01-31 or 2026-01-31T09:00:00Z", flag, text));
  }
  return absl::FormatTime(absl::RFC3339_full, time, absl::UTCTimeZone());
}

absl::Status Search(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(const std::string start, TimeOption("--from", options.from));
  PODKIT_ASSIGN_OR_RETURN(const std::string end, TimeOption("--to", options.to));
  PODKIT_ASSIGN_OR_RETURN(auto path, session.CollectionPath(options.collection, {"search"}));
  return session.ShowList<ObjectInfo>("objects",
                                      {.path = std::move(path),
                                       .query = {{"component", options.component},
                                                 {"start", start},
                                                 {"end", end},
                                                 {"time_zone", options.time_zone}}},
                                      Columns());
}

absl::Status ShowFreeBusy(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(const std::string start, TimeOption("FROM", options.from));
  PODKIT_ASSIGN_OR_RETURN(const std::string end, TimeOption("TO", options.to));
  PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"free-busy"}));
  return session.Show<store::FreeBusy>(
      {.path = std::move(path),
       .query = {{"start", start}, {"end", end}, {"time_zone", options.time_zone}}},
      [](const store::FreeBusy& busy) {
        std::string text;
        for (const store::BusyPeriod& period : busy.periods) {
          text += fmt::format("{}  {}  {}\n", ShortTime(period.start), ShortTime(period.end),
                              conduit::EnumName(period.kind));
        }
        for (const std::string& name : busy.unknown) text += fmt::format("not known: {}\n", name);
        return text.empty() ? std::string("free\n") : text;
      });
}

absl::StatusOr<ApiRequest> ObjectRequest(Session& session, const Options& options,
                                         const std::string& below = "") {
  std::vector<std::string> rest = {"objects", options.object};
  if (!below.empty()) rest.push_back(below);
  PODKIT_ASSIGN_OR_RETURN(auto path, session.CollectionPath(options.collection, std::move(rest)));
  return ApiRequest{.path = std::move(path), .query = {{"by", options.by_uid ? "uid" : ""}}};
}

absl::StatusOr<std::string> FetchText(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(ApiRequest request, ObjectRequest(session, options, "text"));
  return session.Call(std::move(request));
}

// What print and get say under --json.
struct ObjectAndText {
  ObjectInfo object;
  conduit::Bytes text;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("object", &ObjectAndText::object),
                           conduit::Required("text", &ObjectAndText::text));
  }
};

absl::Status PrintJson(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(ApiRequest request, ObjectRequest(session, options));
  ObjectAndText both;
  PODKIT_ASSIGN_OR_RETURN(both.object, session.Fetch<ObjectInfo>(std::move(request)));
  PODKIT_ASSIGN_OR_RETURN(both.text.data, FetchText(session, options));
  session.Print(conduit::ToJson(both) + '\n');
  return absl::OkStatus();
}

// What get says under --json when the text goes into a file.
struct SavedObject {
  ObjectInfo object;
  std::string file;
  int64_t bytes = 0;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("object", &SavedObject::object),
                           conduit::Required("file", &SavedObject::file),
                           conduit::Required("bytes", &SavedObject::bytes));
  }
};

absl::Status SaveObject(Session& session, const Options& options) {
  SavedObject saved{.file = options.output};
  if (session.json()) {
    PODKIT_ASSIGN_OR_RETURN(ApiRequest request, ObjectRequest(session, options));
    PODKIT_ASSIGN_OR_RETURN(saved.object, session.Fetch<ObjectInfo>(std::move(request)));
  }
  PODKIT_ASSIGN_OR_RETURN(const std::string text, FetchText(session, options));
  PODKIT_RETURN_IF_ERROR(servers::WriteFile(options.output, text));
  saved.bytes = static_cast<int64_t>(text.size());
  if (session.json()) session.Print(conduit::ToJson(saved) + '\n');
  return absl::OkStatus();
}

absl::Status PrintObject(Session& session, const Options& options) {
  if (session.json()) return PrintJson(session, options);
  PODKIT_ASSIGN_OR_RETURN(const std::string text, FetchText(session, options));
  session.Print(options.raw ? text : DescribeEvent(text));
  return absl::OkStatus();
}

absl::Status Get(Session& session, const Options& options) {
  if (!options.output.empty()) return SaveObject(session, options);
  if (session.json()) return PrintJson(session, options);
  PODKIT_ASSIGN_OR_RETURN(const std::string text, FetchText(session, options));
  session.Print(text);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadInput(const std::string& file) {
  if (file != "-") return ReadCalendar(file);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

void AddCondition(const Options& options, ApiRequest* request) {
  if (!options.if_match.empty()) {
    const bool quoted = options.if_match.starts_with('"');
    request->headers.emplace_back(
        "If-Match", quoted ? options.if_match : fmt::format("\"{}\"", options.if_match));
  }
  if (options.only_new) request->headers.emplace_back("If-None-Match", "*");
}

absl::Status Put(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(ApiRequest request, ObjectRequest(session, options, "text"));
  request.method = "PUT";
  request.content_type = "text/calendar; charset=utf-8";
  PODKIT_ASSIGN_OR_RETURN(request.body, ReadInput(options.file));
  AddCondition(options, &request);
  const absl::Status status =
      session.Show<store::PutResult>(std::move(request), [](const store::PutResult& result) {
        return fmt::format("{} '{}', etag {}\n",
                           result.created     ? "created"
                           : result.unchanged ? "unchanged"
                                              : "updated",
                           result.object.name, result.object.etag);
      });
  // The pod does not know the file.
  if (!absl::IsResourceExhausted(status) || !conduit::ErrorClass(status).empty()) return status;
  return absl::ResourceExhaustedError(
      fmt::format("{}: {}", options.file, std::string(status.message())));
}

absl::Status Delete(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(ApiRequest request, ObjectRequest(session, options));
  request.method = "DELETE";
  AddCondition(options, &request);
  return session.Do(std::move(request), fmt::format("deleted '{}'", options.object));
}

absl::Status MoveTo(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(ApiRequest request, ObjectRequest(session, options, "move"));
  request.method = "POST";
  request.body =
      conduit::ToJson(servers::Move{.collection = options.target, .name = options.new_name});
  return session.Show<ObjectInfo>(std::move(request), [&](const ObjectInfo& info) {
    return fmt::format("moved '{}' to '{}' as '{}'\n", options.object, options.target, info.name);
  });
}

void AddCollectionAndObject(CLI::App* verb, const OptionsPtr& options) {
  verb->add_option("COLLECTION", options->collection, "Name of the collection")->required();
  verb->add_option("OBJECT", options->object, "Name of the object, as 'objects' lists it")
      ->required();
}

void AddReadingVerbs(CommandLine* line, const OptionsPtr& options) {
  line->Add({.name = "objects",
             .group = kGroup,
             .description = "The objects of a collection",
             .examples = "podctl --as anna objects work\npodctl --as emma objects work --json"},
            [options](Session& session) { return ShowObjects(session, *options); })
      ->add_option("COLLECTION", options->collection, "Name of the collection")
      ->required();

  CLI::App* const search = line->Add(
      {.name = "search",
       .group = kGroup,
       .description = "The objects of a type, or that overlap a time range, recurrences included",
       .examples = "podctl --as anna search work --from 2026-01-01 --to 2026-02-01\n"
                   "podctl --as anna search work --component VTODO"},
      [options](Session& session) { return Search(session, *options); });
  search->add_option("COLLECTION", options->collection, "Name of the collection")->required();
  search->add_option("--component", options->component, "VEVENT, VTODO or VJOURNAL [any]")
      ->type_name("TYPE")
      ->transform(CLI::IsMember(kComponentTypes, CLI::ignore_case).description(""));
  search->add_option("--from", options->from, "Not over before this; a date is midnight UTC")
      ->type_name("TIME");
  search->add_option("--to", options->to, "Begins before this")->type_name("TIME");
  search->add_option("--time-zone", options->time_zone, "For times without a zone [UTC]")
      ->type_name("ZONE");

  CLI::App* const busy = line->Add(
      {.name = "free-busy",
       .group = kGroup,
       .description = "When the time of a home's user is taken, over all collections and pods",
       .details = "Of another's home: as far as the acting user may know it.",
       .examples = "podctl --as anna free-busy 2026-01-01 2026-02-01\n"
                   "podctl --as emma --home anna free-busy 2026-01-01 2026-02-01"},
      [options](Session& session) { return ShowFreeBusy(session, *options); });
  busy->add_option("FROM", options->from, "A date is midnight UTC")->required();
  busy->add_option("TO", options->to, "At most 400 days later")->required();
  busy->add_option("--time-zone", options->time_zone, "For times without a zone [UTC]")
      ->type_name("ZONE");

  CLI::App* const print =
      line->Add({.name = "print",
                 .group = kGroup,
                 .description = "Print an object for reading; --raw prints the stored bytes",
                 .examples = "podctl --as anna print work standup.ics\n"
                             "podctl --as anna print work 'standup@example.org' --uid --raw"},
                [options](Session& session) { return PrintObject(session, *options); });
  AddCollectionAndObject(print, options);
  print->add_flag("--uid", options->by_uid, "OBJECT is the UID of the event");
  print->add_flag("--raw", options->raw, "The bytes that the client stored");

  CLI::App* const get =
      line->Add({.name = "get",
                 .group = kGroup,
                 .description = "The stored bytes of an object, to standard output or a file",
                 .examples = "podctl --as anna get work standup.ics --output standup.ics"},
                [options](Session& session) { return Get(session, *options); });
  AddCollectionAndObject(get, options);
  get->add_flag("--uid", options->by_uid, "OBJECT is the UID of the event");
  get->add_option("--output", options->output, "Write to this file")->type_name("FILE");
}

void AddWritingVerbs(CommandLine* line, const OptionsPtr& options) {
  CLI::App* const put =
      line->Add({.name = "put",
                 .group = kGroup,
                 .description = "Store an object under a name, new or in place of what is there",
                 .examples = "podctl --as anna put work standup.ics standup.ics\n"
                             "podctl --as emma put work lunch.ics - --new < lunch.ics"},
                [options](Session& session) { return Put(session, *options); });
  AddCollectionAndObject(put, options);
  put->add_option("FILE", options->file, "iCalendar text; - for standard input")->required();
  put->add_option("--if-match", options->if_match, "Only over the object with this ETag")
      ->type_name("ETAG");
  put->add_flag("--new", options->only_new, "Only if there is no such object");

  CLI::App* const remove =
      line->Add({.name = "delete",
                 .group = kGroup,
                 .description = "Delete an object",
                 .examples = "podctl --as anna delete work standup.ics"},
                [options](Session& session) { return Delete(session, *options); });
  AddCollectionAndObject(remove, options);
  remove->add_option("--if-match", options->if_match, "Only the object with this ETag")
      ->type_name("ETAG");

  CLI::App* const move = line->Add(
      {.name = "move",
       .group = kGroup,
       .description = "Move an object to another collection of the same owner; it keeps its UID",
       .examples = "podctl --as anna move work standup.ics archive\n"
                   "podctl --as anna move work standup.ics archive --name old-standup.ics"},
      [options](Session& session) { return MoveTo(session, *options); });
  AddCollectionAndObject(move, options);
  move->add_option("TO", options->target, "Name of the other collection in this home")->required();
  move->add_option("--name", options->new_name, "Its name there [the same]")->type_name("NAME");
}

}  // namespace

void AddObjectVerbs(CommandLine* line) {
  const auto options = std::make_shared<Options>();
  AddReadingVerbs(line, options);
  AddWritingVerbs(line, options);
}

}  // namespace podkit::podctl
