#include "worker_messages.h"

#include <array>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "json.h"

namespace podkit::replica {
namespace {

constexpr std::array<std::string_view, kDriverMethods> kMethods = {
    "read", "write", "delete", "rename", "serialize", "deserialize"};
constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxPaths = 64;

std::vector<std::string> ReadPaths(const char* name, JsonMembers* members) {
  std::vector<std::string> paths;
  const auto* array = members->ArrayOr(name);
  if (array == nullptr) return paths;
  for (const auto& path : array->GetArray()) {
    if (!path.IsString() || HasLoneSurrogate({path.GetString(), path.GetStringLength()}) ||
        paths.size() == kMaxPaths) {
      members->Fail(name, "an array of at most 64 paths");
      return {};
    }
    paths.emplace_back(path.GetString(), path.GetStringLength());
  }
  return paths;
}

void WritePaths(std::string_view name, const std::vector<std::string>& paths, JsonWriter* json) {
  json->BeginArray(name);
  for (const std::string& path : paths) json->Element(path);
  json->EndArray();
}

std::string Text(const rapidjson::Value& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace

std::string_view NameOf(DriverMethod method) { return kMethods[static_cast<size_t>(method)]; }

std::optional<DriverMethod> MethodNamed(std::string_view name) {
  for (size_t i = 0; i < kMethods.size(); ++i) {
    if (kMethods[i] == name) return static_cast<DriverMethod>(i);
  }
  return std::nullopt;
}

bool TakesChunk(DriverMethod method) {
  return method == DriverMethod::kWrite || method == DriverMethod::kSerialize ||
         method == DriverMethod::kDeserialize;
}

bool GivesChunk(DriverMethod method) {
  return method == DriverMethod::kRead || method == DriverMethod::kSerialize ||
         method == DriverMethod::kDeserialize;
}

std::string Encode(const HelloMessage& message) {
  JsonWriter json;
  const Confinement& limits = message.confinement;
  json.Begin().Number("protocol", kWorkerProtocol).Text("method", NameOf(message.method));
  json.Text("driver", message.driver);
  WritePaths("readable", limits.readable_paths, &json);
  WritePaths("writable", limits.writable_paths, &json);
  json.Flag("network", limits.network).Number("memory_bytes", limits.memory_bytes);
  json.Number("file_bytes", limits.file_bytes).Number("user", limits.user);
  return json.Number("group", limits.group).End().Take();
}

absl::StatusOr<HelloMessage> ParseHello(std::string_view text) {
  rapidjson::Document document;
  PODKIT_RETURN_IF_ERROR(ParseJsonObject(text, &document));
  absl::Status status;
  JsonMembers members(document, &status);
  if (members.Number("protocol") != kWorkerProtocol) members.Fail("protocol", "1");
  HelloMessage message;
  const auto method = MethodNamed(members.Text("method", 16));
  if (!method) members.Fail("method", "a method of drivers");
  message.method = method.value_or(DriverMethod::kRead);
  message.driver = members.Text("driver", kMaxPath);
  Confinement& limits = message.confinement;
  limits.readable_paths = ReadPaths("readable", &members);
  limits.writable_paths = ReadPaths("writable", &members);
  limits.network = members.FlagOr("network", true);
  limits.memory_bytes = members.NumberOr("memory_bytes", 0);
  limits.file_bytes = members.NumberOr("file_bytes", 0);
  limits.user = static_cast<uint32_t>(members.NumberOr("user", 0, 0xFFFFFFFE));
  limits.group = static_cast<uint32_t>(members.NumberOr("group", 0, 0xFFFFFFFE));
  PODKIT_RETURN_IF_ERROR(status);
  return message;
}

std::string Encode(const ReadyMessage& message) {
  JsonWriter json;
  json.Begin().Number("protocol", kWorkerProtocol).Flag("implemented", message.implemented);
  return json.Text("name", message.name).Text("error", message.error).End().Take();
}

absl::StatusOr<ReadyMessage> ParseReady(std::string_view text) {
  rapidjson::Document document;
  PODKIT_RETURN_IF_ERROR(ParseJsonObject(text, &document));
  absl::Status status;
  JsonMembers members(document, &status);
  if (members.Number("protocol") != kWorkerProtocol) members.Fail("protocol", "1");
  ReadyMessage message;
  message.implemented = members.FlagOr("implemented", false);
  message.name = members.TextOr("name", 256, "");
  message.error = members.TextOr("error", 4096, "");
  PODKIT_RETURN_IF_ERROR(status);
  return message;
}

std::string Encode(const CallMessage& message) {
  const DriverRequest& request = message.request;
  JsonWriter json;
  json.Begin().Text("volume", request.name.volume).Text("file", request.name.file);
  json.Number("file_version", request.name.file_version);
  json.Flag("manifest", request.name.kind == ChunkKind::kManifest);
  json.Number("id", request.name.id).Number("version", request.name.version);
  json.Text("path", request.path).Text("new_path", request.new_path).Text("hash", request.hash);
  json.Number("offset", request.offset).Number("length", request.length);
  return json.Number("chunk_offset", message.offset)
      .Number("chunk_size", message.size)
      .End()
      .Take();
}

absl::StatusOr<CallMessage> ParseCall(std::string_view text) {
  rapidjson::Document document;
  PODKIT_RETURN_IF_ERROR(ParseJsonObject(text, &document));
  absl::Status status;
  JsonMembers members(document, &status);
  CallMessage message;
  DriverRequest& request = message.request;
  request.name.volume = members.Text("volume", 64);
  request.name.file = members.Text("file", 128);
  request.name.file_version = members.Number("file_version");
  request.name.kind = members.FlagOr("manifest", false) ? ChunkKind::kManifest : ChunkKind::kBlock;
  request.name.id = members.Number("id");
  request.name.version = members.Number("version");
  request.path = members.Text("path", kMaxPath);
  request.new_path = members.Text("new_path", kMaxPath);
  request.hash = members.Text("hash", 64);
  request.offset = members.Number("offset");
  request.length = members.Number("length");
  message.offset = members.Number("chunk_offset");
  message.size = members.Number("chunk_size");
  PODKIT_RETURN_IF_ERROR(status);
  return message;
}

std::string Encode(const AnswerMessage& message) {
  return JsonWriter().Begin().Signed("error", message.error).End().Take();
}

absl::StatusOr<AnswerMessage> ParseAnswer(std::string_view text) {
  rapidjson::Document document;
  PODKIT_RETURN_IF_ERROR(ParseJsonObject(text, &document));
  absl::Status status;
  JsonMembers members(document, &status);
  if (!members.Has("error")) members.Fail("error", "0 or a negative error number");
  AnswerMessage message = {members.ErrorNumberOr("error", 0)};
  PODKIT_RETURN_IF_ERROR(status);
  return message;
}

std::string Encode(const DriverSettings& settings) {
  return JsonWriter()
      .Begin()
      .Raw("config", settings.config)
      .Raw("secrets", settings.secrets)
      .End()
      .Take();
}

absl::StatusOr<DriverSettings> ParseSettings(std::string_view text) {
  rapidjson::Document document;
  PODKIT_RETURN_IF_ERROR(ParseJsonObject(text, &document));
  DriverSettings settings;
  for (const auto& [name, to] :
       {std::pair("config", &settings.config), std::pair("secrets", &settings.secrets)}) {
    const auto member = document.FindMember(name);
    if (member == document.MemberEnd() || !member->value.IsObject()) {
      return absl::InvalidArgumentError(fmt::format("the driver's {} are not a JSON object", name));
    }
    *to = Text(member->value);
    if (HasLoneSurrogate(*to)) {
      return absl::InvalidArgumentError(fmt::format("the driver's {} are no Unicode", name));
    }
  }
  return settings;
}

}  // namespace podkit::replica
