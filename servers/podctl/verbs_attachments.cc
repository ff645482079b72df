// The verbs for the files that are attached to an object.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "podkit/store/attachment.h"
#include "servers/common/files.h"
#include "servers/podctl/command_line.h"
#include "servers/podctl/errors.h"

namespace podkit::podctl {
namespace {

using store::AttachmentInfo;

constexpr const char* kGroup = "Attachments";

struct Options {
  std::string collection, object, attachment, file, output, name, type, replaces, if_match;
  std::vector<std::string> instances;
};
using OptionsPtr = std::shared_ptr<Options>;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

absl::Status FileError(std::string_view action, const std::string& path) {
  return absl::InvalidArgumentError(
      fmt::format("{}: cannot {}: {}", path, action, std::strerror(errno)));
}

absl::StatusOr<ApiRequest> RequestFor(Session& session, const Options& options,
                                      std::vector<std::string> below) {
  std::vector<std::string> rest = {"objects", options.object};
  rest.insert(rest.end(), below.begin(), below.end());
  PODKIT_ASSIGN_OR_RETURN(auto path, session.CollectionPath(options.collection, std::move(rest)));
  return ApiRequest{.path = std::move(path)};
}

const std::vector<Column<AttachmentInfo>>& Columns() {
  static const std::vector<Column<AttachmentInfo>> columns = {
      {"ATTACHMENT", &AttachmentInfo::managed_id},
      {"FILE", &AttachmentInfo::file_name},
      {"TYPE", &AttachmentInfo::content_type},
      {"BYTES", [](const AttachmentInfo& info) { return std::to_string(info.size); }},
      {"BY", &AttachmentInfo::created_by},
      {"CREATED", [](const AttachmentInfo& info) { return ShortTime(info.created); }},
      {"INSTANCES",
       [](const AttachmentInfo& info) {
         return fmt::format("{}", fmt::join(info.instances, " "));
       }},
  };
  return columns;
}

absl::Status ShowAttachments(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(ApiRequest request, RequestFor(session, options, {"attachments"}));
  return session.ShowList<AttachmentInfo>("attachments", std::move(request), Columns());
}

std::string UnquotedEtag(const std::string& etag) {
  const bool quoted = etag.size() >= 2 && etag.front() == '"' && etag.back() == '"';
  return quoted ? etag.substr(1, etag.size() - 2) : etag;
}

// Brings the file to the pod part by part.
absl::Status UploadParts(Session& session, const Options& options, std::FILE* file,
                         store::AttachmentWrite* write) {
  int64_t offset = 0;
  for (;;) {
    std::string part(store::kAttachmentPartBytes, '\0');
    part.resize(std::fread(part.data(), 1, part.size(), file));
    if (std::ferror(file) != 0) return FileError("read it", options.file);
    if (part.empty()) return absl::OkStatus();
    PODKIT_ASSIGN_OR_RETURN(ApiRequest request, RequestFor(session, options, {"attachment-parts"}));
    request.method = "POST";
    request.query = {{"offset", std::to_string(offset)}};
    request.content_type = "application/octet-stream";
    offset += static_cast<int64_t>(part.size());
    request.body = std::move(part);
    PODKIT_ASSIGN_OR_RETURN(auto uploaded, session.Fetch<store::UploadedPart>(std::move(request)));
    write->parts.push_back(std::move(uploaded));
  }
}

absl::Status Attach(Session& session, const Options& options) {
  const bool is_input = options.file == "-";
  store::AttachmentWrite write = {.managed_id = options.replaces,
                                  .attachment = {.file_name = options.name,
                                                 .content_type = options.type,
                                                 .instances = options.instances,
                                                 .condition = {}}};
  if (!options.if_match.empty()) write.attachment.condition.etag = UnquotedEtag(options.if_match);
  if (options.name.empty() && !is_input) {
    write.attachment.file_name = std::filesystem::path(options.file).filename();
  }
  const File opened(is_input ? nullptr : std::fopen(options.file.c_str(), "rbe"));
  if (!is_input && !opened) return FileError("open it", options.file);
  PODKIT_RETURN_IF_ERROR(UploadParts(session, options, is_input ? stdin : opened.get(), &write));
  PODKIT_ASSIGN_OR_RETURN(ApiRequest request, RequestFor(session, options, {"attachments"}));
  request.method = "POST";
  request.body = conduit::ToJson(write);
  return session.Show<store::AttachmentResult>(
      std::move(request), [](const store::AttachmentResult& result) {
        return fmt::format("attached '{}', {} bytes, as {}; etag {}\n", result.attachment.file_name,
                           result.attachment.size, result.attachment.managed_id,
                           result.object.etag);
      });
}

absl::Status Detach(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(ApiRequest request,
                          RequestFor(session, options, {"attachments", options.attachment}));
  request.method = "DELETE";
  request.query = {{"instances", fmt::format("{}", fmt::join(options.instances, ","))}};
  if (!options.if_match.empty()) {
    request.headers.emplace_back("If-Match", fmt::format("\"{}\"", UnquotedEtag(options.if_match)));
  }
  return session.Show<store::ObjectInfo>(std::move(request), [&](const store::ObjectInfo& object) {
    return fmt::format("detached {}; etag {}\n", options.attachment, object.etag);
  });
}

absl::StatusOr<int64_t> SizeOf(Session& session, const Options& options) {
  PODKIT_ASSIGN_OR_RETURN(ApiRequest request, RequestFor(session, options, {"attachments"}));
  PODKIT_ASSIGN_OR_RETURN(std::string body, session.Call(std::move(request)));
  PODKIT_ASSIGN_OR_RETURN(
      const auto attachments,
      servers::FromJsonMember<std::vector<AttachmentInfo>>("attachments", std::move(body)));
  for (const AttachmentInfo& attachment : attachments) {
    if (attachment.managed_id == options.attachment) return attachment.size;
  }
  return absl::NotFoundError(
      fmt::format("object '{}' has no attachment '{}': 'podctl attachments' "
                  "lists them",
                  options.object, options.attachment));
}

// Writes the attachment to `file` part by part; its size.
absl::StatusOr<int64_t> Download(Session& session, const Options& options, std::FILE* file,
                                 const std::string& path) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t size, SizeOf(session, options));
  for (int64_t offset = 0; offset < size;) {
    PODKIT_ASSIGN_OR_RETURN(ApiRequest request,
                            RequestFor(session, options, {"attachments", options.attachment}));
    request.query = {{"offset", std::to_string(offset)}};
    PODKIT_ASSIGN_OR_RETURN(const std::string part, session.Call(std::move(request)));
    if (part.empty()) return absl::DataLossError("the pod gave fewer bytes than the file has");
    if (std::fwrite(part.data(), 1, part.size(), file) != part.size()) {
      return FileError("write it", path);
    }
    offset += static_cast<int64_t>(part.size());
  }
  if (std::fflush(file) != 0 || (file != stdout && fsync(fileno(file)) != 0)) {
    return FileError("write it", path);
  }
  return size;
}

absl::Status GetAttachment(Session& session, const Options& options) {
  PODKIT_RETURN_IF_ERROR(session.CheckShowsBytes(options.output));
  if (options.output.empty()) return Download(session, options, stdout, "standard output").status();
  // Whole under its name, or not at all.
  const std::string part = options.output + ".part";
  absl::StatusOr<int64_t> size;
  {
    const File file(std::fopen(part.c_str(), "wbe"));
    if (!file) return FileError("make it", part);
    size = Download(session, options, file.get(), part);
  }
  if (size.ok() && std::rename(part.c_str(), options.output.c_str()) != 0) {
    size = FileError("rename it to its name", part);
  }
  if (!size.ok()) {
    unlink(part.c_str());
    return size.status();
  }
  if (session.json()) session.Print(conduit::ToJson(SavedFile{options.output, *size}) + '\n');
  return absl::OkStatus();
}

void AddPlace(CLI::App* verb, const OptionsPtr& options) {
  verb->add_option("COLLECTION", options->collection, "Name of the collection")->required();
  verb->add_option("OBJECT", options->object, "Name of the object, as 'objects' lists it")
      ->required();
}

void AddAttachment(CLI::App* verb, const OptionsPtr& options) {
  AddPlace(verb, options);
  verb->add_option("ATTACHMENT", options->attachment, "As 'attachments' lists it")->required();
}

void AddChange(CLI::App* verb, const OptionsPtr& options) {
  verb->add_option("--instance", options->instances,
                   "Only there: M for the series, or when it begins, 20260131T090000Z [all]")
      ->type_name("TIME")
      ->allow_extra_args(false);
  verb->add_option("--if-match", options->if_match, "Only if the object has this ETag")
      ->type_name("ETAG");
}

}  // namespace

void AddAttachmentVerbs(CommandLine* line) {
  const auto options = std::make_shared<Options>();
  AddPlace(line->Add({.name = "attachments",
                      .group = kGroup,
                      .description = "The files that are attached to an object",
                      .examples = "podctl --as anna attachments work standup.ics"},
                     [options](Session& session) { return ShowAttachments(session, *options); }),
           options);

  CLI::App* const attach =
      line->Add({.name = "attach",
                 .group = kGroup,
                 .description = "Attach a file to an object, or replace one that is attached",
                 .details = "A file travels in parts of 1 MiB and is attached when all are there.",
                 .examples = "podctl --as anna attach work standup.ics plan.pdf --type "
                             "application/pdf\n"
                             "podctl --as emma attach work standup.ics notes.txt --instance "
                             "20260105T083000Z"},
                [options](Session& session) { return Attach(session, *options); });
  AddPlace(attach, options);
  attach->add_option("FILE", options->file, "What to attach; - for standard input")->required();
  attach->add_option("--name", options->name, "What it is called [the name of FILE]")
      ->type_name("NAME");
  attach->add_option("--type", options->type, "Its media type [application/octet-stream]")
      ->type_name("TYPE");
  attach->add_option("--replace", options->replaces, "In the place of this attachment")
      ->type_name("ATTACHMENT");
  AddChange(attach, options);

  CLI::App* const detach =
      line->Add({.name = "detach",
                 .group = kGroup,
                 .description = "Take an attachment off an object",
                 .examples = "podctl --as anna detach work standup.ics "
                             "0b6f1c7e-5f0a-4d11-9b6e-2f6f0f5a8c3d"},
                [options](Session& session) { return Detach(session, *options); });
  AddAttachment(detach, options);
  AddChange(detach, options);

  CLI::App* const get =
      line->Add({.name = "get-attachment",
                 .group = kGroup,
                 .description = "The bytes of an attachment, to standard output or a file",
                 .examples = "podctl --as anna get-attachment work standup.ics "
                             "0b6f1c7e-5f0a-4d11-9b6e-2f6f0f5a8c3d --output plan.pdf"},
                [options](Session& session) { return GetAttachment(session, *options); });
  AddAttachment(get, options);
  get->add_option("--output", options->output, "Write to this file")->type_name("FILE");
}

}  // namespace podkit::podctl
