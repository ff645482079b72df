// Verbs for the chunks of a gateway.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "podkit/conduit/message.h"
#include "podkit/replica/client.h"
#include "podkit/replica/replica_set.h"
#include "servers/common/admin_messages.h"
#include "servers/common/files.h"
#include "servers/common/signing_key.h"
#include "servers/podctl/command_line.h"
#include "servers/podctl/errors.h"
#include "servers/podctl/gateway_client.h"
#include "servers/podctl/settings.h"

namespace podkit::podctl {
namespace {

using replica::ChunkName;
using replica::ReplicaClient;

constexpr const char* kGroup = "Chunks";
constexpr const char* kFamily = "chunk";
constexpr size_t kMaxFileBytes = size_t{1} << 30;

struct ChunkOptions {
  std::string gateway;
  int timeout = 60;  // Seconds.
  std::string name;
  std::string hash;
  std::string path;
  std::string new_path;
  std::string output;
  std::vector<std::string> words;
  bool only_if_absent = false;

  absl::Time deadline() const { return absl::Now() + absl::Seconds(timeout); }
};

// One row of an answer.
struct ChunkRow {
  std::string chunk;
  std::string outcome;
  std::string hash;
  int64_t error = 0;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("chunk", &ChunkRow::chunk),
                           conduit::Required("outcome", &ChunkRow::outcome),
                           conduit::Optional("hash", &ChunkRow::hash),
                           conduit::Optional("error", &ChunkRow::error));
  }
};

// The same of one gateway among several.
struct RepairRow {
  std::string gateway;
  std::string chunk;
  std::string outcome;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("gateway", &RepairRow::gateway),
                           conduit::Required("chunk", &RepairRow::chunk),
                           conduit::Required("outcome", &RepairRow::outcome));
  }
};

// "photos/1F.0/7.2" or "photos/1F.0/manifest.1700000000.0": a chunk's path without the file's.
absl::StatusOr<ChunkName> ParseName(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash != std::string::npos) {
    auto parsed = replica::ParseChunkPath(
        fmt::format("/DATA/{}/.{}", text.substr(0, slash), text.substr(slash + 1)));
    if (parsed.ok() && parsed->fs_path == "/") return std::move(parsed->name);
  }
  return Usage(
      fmt::format("'{}' is no name of a chunk, like photos/1F.0/7.2 or "
                  "photos/1F.0/manifest.1700000000.0: volume, file and its version, "
                  "block and its version",
                  text));
}

std::string TextOf(const ChunkName& name) {
  return fmt::format("{}/{}.{}/{}{}.{}", name.volume, name.file, name.file_version,
                     name.kind == replica::ChunkKind::kManifest ? "manifest." : "", name.id,
                     name.version);
}

absl::StatusOr<replica::ChunkHash> ParseHash(const std::string& hex) {
  const auto hash = replica::ChunkHash::FromHex(hex);
  if (hash) return *hash;
  return Usage(fmt::format("'{}' is no hash of a chunk, which is 64 hexadecimal digits", hex));
}

// NAME or NAME=HASH.
absl::StatusOr<replica::ChunkRef> ParseRef(const std::string& text) {
  const size_t equals = text.find('=');
  replica::ChunkRef ref;
  PODKIT_ASSIGN_OR_RETURN(ref.name, ParseName(text.substr(0, equals)));
  if (equals == std::string::npos) return ref;
  PODKIT_ASSIGN_OR_RETURN(ref.hash, ParseHash(text.substr(equals + 1)));
  return ref;
}

absl::StatusOr<std::vector<replica::ChunkRef>> ParseRefs(const std::vector<std::string>& words) {
  std::vector<replica::ChunkRef> refs;
  for (const std::string& word : words) {
    PODKIT_ASSIGN_OR_RETURN(refs.emplace_back(), ParseRef(word));
  }
  return refs;
}

absl::StatusOr<std::unique_ptr<ReplicaClient>> Connect(const Session& session,
                                                       const ChunkOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const Settings settings,
                          LoadSettings(SettingsPath(session.globals().config)));
  return ConnectGateway(settings, options.gateway);
}

// Errors of the client as podctl knows them.
absl::Status Told(const absl::Status& status) {
  const auto error = replica::ErrorOf(status);
  if (error != replica::ClientError::kUnreachable && error != replica::ClientError::kNoAnswer) {
    return status;
  }
  return conduit::MakeError(PodUnreachable{}, std::string(status.message()));
}

absl::Status ShowRows(const Session& session, const std::vector<ChunkRow>& rows,
                      const absl::Status& status) {
  if (session.json()) {
    session.Print(servers::ToJsonMember("chunks", rows) + '\n');
  } else {
    session.Print(Session::Table<ChunkRow>(rows, {{"CHUNK", &ChunkRow::chunk},
                                                  {"OUTCOME", &ChunkRow::outcome},
                                                  {"HASH", &ChunkRow::hash},
                                                  {"ERRNO", [](const ChunkRow& row) {
                                                     return row.error == 0
                                                                ? ""
                                                                : std::to_string(-row.error);
                                                   }}}));
  }
  return Told(status);
}

absl::Status ShowBatch(const Session& session, const std::vector<replica::ChunkRef>& chunks,
                       const replica::BatchResult& batch) {
  const auto tried = [](const replica::ChunkResult& result) {
    return result.outcome != replica::ChunkOutcome::kNotTried;
  };
  if (std::none_of(batch.results.begin(), batch.results.end(), tried)) return Told(batch.status);
  std::vector<ChunkRow> rows;
  for (size_t i = 0; i < chunks.size(); ++i) {
    const replica::ChunkResult& result = batch.results[i];
    const auto& hash = chunks[i].hash;
    rows.push_back({.chunk = TextOf(chunks[i].name),
                    .outcome = std::string(replica::NameOf(result.outcome)),
                    .hash = hash ? hash->Hex() : "",
                    .error = result.error});
  }
  return ShowRows(session, rows, batch.status);
}

absl::Status Keygen(const Session& session, const ChunkOptions& options) {
  PODKIT_RETURN_IF_ERROR(servers::EnsureSecret(options.output));
  PODKIT_ASSIGN_OR_RETURN(const auto key, servers::ReadSigningKey(options.output));
  const std::string hex = key.public_key().Hex();
  session.Print(session.json() ? servers::ToJsonMember("public_key", hex) + '\n' : hex + '\n');
  return absl::OkStatus();
}

// The files as blocks that follow each other, the first one called `name`.
absl::Status Put(const Session& session, const ChunkOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(ChunkName name, ParseName(options.name));
  if (options.words.size() > 1 && name.kind == replica::ChunkKind::kManifest) {
    return Usage("a manifest is one file; see podctl chunk put --help");
  }
  std::vector<std::string> files;
  for (const std::string& file : options.words) {
    PODKIT_ASSIGN_OR_RETURN(files.emplace_back(), servers::ReadFile(file, kMaxFileBytes));
  }
  std::vector<replica::ChunkToPut> chunks;
  std::vector<replica::ChunkRef> refs;
  uint64_t offset = 0;
  for (const std::string& bytes : files) {
    replica::ChunkToPut chunk{.name = name, .bytes = bytes};
    if (name.kind == replica::ChunkKind::kBlock) {
      chunk.offset = offset;
      chunk.length = bytes.size();
    }
    refs.push_back({name, replica::HashOf(bytes)});
    chunks.push_back(std::move(chunk));
    offset += bytes.size();
    ++name.id;
  }
  PODKIT_ASSIGN_OR_RETURN(const auto client, Connect(session, options));
  const auto batch = client->Put(
      chunks, {.path = options.path, .only_if_absent = options.only_if_absent}, options.deadline());
  return ShowBatch(session, refs, batch);
}

absl::Status Get(const Session& session, const ChunkOptions& options) {
  PODKIT_RETURN_IF_ERROR(session.CheckShowsBytes(options.output));
  PODKIT_ASSIGN_OR_RETURN(const ChunkName name, ParseName(options.name));
  std::optional<replica::ChunkHash> hash;
  if (!options.hash.empty()) {
    PODKIT_ASSIGN_OR_RETURN(hash, ParseHash(options.hash));
  }
  PODKIT_ASSIGN_OR_RETURN(const auto client, Connect(session, options));
  if (!hash) {
    const auto info = client->Look(name, options.deadline());
    if (!info.ok()) return Told(info.status());
    hash = info->hash;
  }
  const auto bytes = client->Get(name, *hash, options.deadline());
  if (!bytes.ok()) return Told(bytes.status());
  if (!options.output.empty()) return session.Save(*bytes, options.output);
  session.Print(*bytes);
  return absl::OkStatus();
}

absl::Status Delete(const Session& session, const ChunkOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const auto refs, ParseRefs(options.words));
  PODKIT_ASSIGN_OR_RETURN(const auto client, Connect(session, options));
  return ShowBatch(session, refs, client->Delete(refs, options.deadline()));
}

absl::Status Lack(const Session& session, const ChunkOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const auto refs, ParseRefs(options.words));
  PODKIT_ASSIGN_OR_RETURN(const auto client, Connect(session, options));
  return ShowBatch(session, refs, client->Lacking(refs, options.deadline()));
}

absl::Status Look(const Session& session, const ChunkOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const ChunkName name, ParseName(options.name));
  PODKIT_ASSIGN_OR_RETURN(const auto client, Connect(session, options));
  const auto info = client->Look(name, options.deadline());
  if (!info.ok()) return Told(info.status());
  const std::string hex = info->hash.Hex();
  session.Print(session.json() ? fmt::format("{{\"chunk\":\"{}\",\"hash\":\"{}\",\"size\":{}}}\n",
                                             TextOf(name), hex, info->size)
                               : fmt::format("{}, {} bytes, {}\n", TextOf(name), info->size, hex));
  return absl::OkStatus();
}

absl::Status Rename(const Session& session, const ChunkOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const auto client, Connect(session, options));
  PODKIT_RETURN_IF_ERROR(Told(client->Rename(options.name, options.path, options.new_path,
                                             std::nullopt, options.deadline())));
  session.Print(session.json()
                    ? "{}\n"
                    : fmt::format("'{}' is called '{}' now\n", options.path, options.new_path));
  return absl::OkStatus();
}

void PrintMembers(const Session& session, const conduit::JsonValue& object) {
  std::vector<std::vector<std::string>> rows;
  const bool has_members = object.kind() == conduit::JsonValue::Kind::kObject;
  for (size_t i = 0; has_members && i < object.size(); ++i) {
    const auto [name, value] = object.MemberAt(i);
    const auto said = value.AsString();
    rows.push_back({std::string(name), said ? std::string(*said) : value.ToText()});
  }
  session.Print(FormatTable({"WHAT", "VALUE"}, rows));
}

absl::Status ShowStatus(const Session& session, const ChunkOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const auto client, Connect(session, options));
  const auto text = client->Status(options.deadline());
  if (!text.ok()) return Told(text.status());
  if (session.json()) {
    session.Print(*text + '\n');
    return absl::OkStatus();
  }
  PODKIT_ASSIGN_OR_RETURN(const auto document, conduit::JsonDocument::Parse(*text));
  PrintMembers(session, document.root());
  return absl::OkStatus();
}

absl::Status ShowScrub(const Session& session, const ChunkOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const auto client, Connect(session, options));
  const auto text = client->Status(options.deadline());
  if (!text.ok()) return Told(text.status());
  PODKIT_ASSIGN_OR_RETURN(const auto document, conduit::JsonDocument::Parse(*text));
  const auto scrub = document.root().Member("scrub");
  if (!scrub || scrub->kind() != conduit::JsonValue::Kind::kObject) {
    return absl::FailedPreconditionError(
        fmt::format("gateway '{}': does not scrub; start it without --scrub-bytes-per-second 0",
                    client->gateway()));
  }
  if (session.json()) {
    session.Print(scrub->ToText() + '\n');
  } else {
    PrintMembers(session, *scrub);
  }
  return absl::OkStatus();
}

// All gateways of the configuration.
absl::StatusOr<std::unique_ptr<replica::ReplicaSet>> ConnectAll(const Session& session) {
  PODKIT_ASSIGN_OR_RETURN(const Settings settings,
                          LoadSettings(SettingsPath(session.globals().config)));
  if (settings.gateways.empty()) return Usage("the configuration names no gateway");
  replica::ReplicaSetOptions together;
  together.gateways.reserve(settings.gateways.size());
  for (const GatewayAddress& gateway : settings.gateways) {
    PODKIT_ASSIGN_OR_RETURN(auto client, ConnectGateway(settings, gateway.id));
    together.gateways.push_back(std::move(client));
  }
  auto set = replica::ReplicaSet::Create(std::move(together));
  if (!set.ok()) return Usage(std::string(set.status().message()));
  return set;
}

absl::Status CheckCanRepair(const std::vector<replica::ChunkRef>& refs) {
  for (const replica::ChunkRef& ref : refs) {
    if (!ref.hash) {
      return Usage(
          fmt::format("'{0}' has no hash to know its bytes by: write {0}=HASH", TextOf(ref.name)));
    }
    if (ref.name.volume != refs.front().name.volume) {
      return Usage(fmt::format("'{}' and '{}' are of two volumes: repair one after the other",
                               TextOf(refs.front().name), TextOf(ref.name)));
    }
  }
  return absl::OkStatus();
}

absl::Status Repair(const Session& session, const ChunkOptions& options) {
  PODKIT_ASSIGN_OR_RETURN(const auto refs, ParseRefs(options.words));
  PODKIT_RETURN_IF_ERROR(CheckCanRepair(refs));
  PODKIT_ASSIGN_OR_RETURN(const auto set, ConnectAll(session));
  const replica::SetResult result = set->Repair(refs, options.deadline());
  std::vector<RepairRow> rows;
  for (const replica::GatewayResult& one : result.gateways) {
    for (size_t i = 0; i < refs.size(); ++i) {
      rows.push_back({.gateway = one.gateway,
                      .chunk = TextOf(refs[i].name),
                      .outcome = std::string(replica::NameOf(one.batch.results[i].outcome))});
    }
  }
  session.Print(session.json()
                    ? servers::ToJsonMember("chunks", rows) + '\n'
                    : Session::Table<RepairRow>(rows, {{"GATEWAY", &RepairRow::gateway},
                                                       {"CHUNK", &RepairRow::chunk},
                                                       {"OUTCOME", &RepairRow::outcome}}));
  return Told(result.status);
}

using Verb = absl::Status (*)(const Session&, const ChunkOptions&);

// Adds a verb with the options that all of them have, and returns it with its own ones.
std::pair<CLI::App*, std::shared_ptr<ChunkOptions>> AddVerb(CommandLine* line, VerbInfo info,
                                                            Verb verb) {
  auto options = std::make_shared<ChunkOptions>();
  info.family = kFamily;
  info.group = kGroup;
  CLI::App* const app =
      line->Add(info, [options, verb](Session& session) { return verb(session, *options); });
  if (verb == Keygen) return {app, options};
  if (verb != Repair) {
    app->add_option("--gateway", options->gateway,
                    "Ask this gateway [the first of the configuration]")
        ->type_name("ID");
  }
  app->add_option("--timeout", options->timeout, "Seconds [60]")
      ->type_name("N")
      ->check(CLI::Range(1, 86400));
  return {app, options};
}

void AddReadingVerbs(CommandLine* line) {
  auto [get, get_options] = AddVerb(
      line,
      {.name = "get",
       .description = "Print a chunk, checked against its hash",
       .details = "Without --hash it is checked against what the gateway says its hash is, which\n"
                  "shows damage on the way, but not a gateway that lies.",
       .examples = "podctl chunk get photos/1F.0/0.0 --output block\n"
                   "podctl chunk get photos/1F.0/0.0 --hash 9f86d0..."},
      Get);
  get->add_option("NAME", get_options->name, "The chunk")->required();
  get->add_option("--hash", get_options->hash, "What its bytes must hash to")->type_name("HEX");
  get->add_option("--output", get_options->output, "Write it there")->type_name("FILE");
  auto [look, look_options] = AddVerb(line,
                                      {.name = "look",
                                       .description = "The hash and size of a chunk",
                                       .examples = "podctl chunk look photos/1F.0/0.0"},
                                      Look);
  look->add_option("NAME", look_options->name, "The chunk")->required();
  auto [lack, lack_options] =
      AddVerb(line,
              {.name = "lack",
               .description = "Which of these chunks the gateway lacks",
               .details = "absent: it lacks it; present; conflict: it has other bytes than HASH.",
               .examples = "podctl chunk lack photos/1F.0/0.0 photos/1F.0/1.0=9f86d0..."},
              Lack);
  lack->add_option("NAME[=HASH]", lack_options->words, "The chunks, of one volume")->required();
  AddVerb(line,
          {.name = "status",
           .description = "What the gateway is, did, and whether its driver works",
           .examples = "podctl chunk status\npodctl chunk status --gateway g2 --json"},
          ShowStatus);
  AddVerb(line,
          {.name = "scrub",
           .description = "How far the gateway is with reading its chunks back, and what it found",
           .examples = "podctl chunk scrub\npodctl chunk scrub --gateway g2 --json"},
          ShowScrub);
  auto [repair, repair_options] =
      AddVerb(line,
              {.name = "repair",
               .description = "Send every gateway what it lacks of these chunks",
               .details = "All gateways of the configuration are asked; a chunk is read from one\n"
                          "that has it, checked against HASH, and sent to those that lack it.",
               .examples = "podctl chunk repair photos/1F.0/0.0=9f86d0..."},
              Repair);
  repair->add_option("NAME=HASH", repair_options->words, "The chunks, of one volume")->required();
}

}  // namespace

void AddChunkVerbs(CommandLine* line) {
  line->AddFamily(
      {.name = kFamily,
       .group = kGroup,
       .description = "Put, get and delete the chunks of a gateway (replicad)",
       .details =
           "A chunk is called VOLUME/FILE.VERSION/BLOCK.VERSION, or\n"
           "VOLUME/FILE.VERSION/manifest.SECONDS.NANOSECONDS. The gateways are those of the\n"
           "configuration:\n"
           "  {\"gateways\": [{\"id\": \"g1\", \"url\": \"http://127.0.0.1:8401\",\n"
           "                 \"public_key\": \"<see replicad's log>\", \"writer\": \"ann\",\n"
           "                 \"key_file\": \"ann.key\"}]}"});
  auto [keygen, keygen_options] =
      AddVerb(line,
              {.name = "keygen",
               .description = "Make a signing key, unless it is there, and print its public half",
               .details = "The public half goes into the writers file of replicad.",
               .examples = "podctl chunk keygen ann.key"},
              Keygen);
  keygen->add_option("FILE", keygen_options->output, "Where the key is kept")->required();
  auto [put, put_options] =
      AddVerb(line,
              {.name = "put",
               .description = "Store files as chunks",
               .details = "Several files become blocks that follow each other, from NAME on.",
               .examples = "podctl chunk put photos/1F.0/0.0 block\n"
                           "podctl chunk put photos/1F.0/0.0 part-0 part-1 --path /cat.jpg"},
              Put);
  put->add_option("NAME", put_options->name, "The first chunk")->required();
  put->add_option("FILE", put_options->words, "What to store")->required();
  put->add_option("--path", put_options->path, "Where the file is, for gateways that keep files")
      ->type_name("PATH");
  put->add_flag("--only-if-absent", put_options->only_if_absent,
                "Refuse what is there already, also with the same bytes");
  auto [remove, remove_options] =
      AddVerb(line,
              {.name = "delete",
               .description = "Delete chunks; with a hash only if they have these bytes",
               .examples = "podctl chunk delete photos/1F.0/0.0 photos/1F.0/1.0"},
              Delete);
  remove->add_option("NAME[=HASH]", remove_options->words, "The chunks, of one volume")->required();
  auto [rename, rename_options] =
      AddVerb(line,
              {.name = "rename",
               .description = "Tell the gateway that a file has another path",
               .examples = "podctl chunk rename photos /cat.jpg /animals/cat.jpg"},
              Rename);
  rename->add_option("VOLUME", rename_options->name, "Its volume")->required();
  rename->add_option("PATH", rename_options->path, "Where it was")->required();
  rename->add_option("NEW_PATH", rename_options->new_path, "Where it is now")->required();
  AddReadingVerbs(line);
}

}  // namespace podkit::podctl
