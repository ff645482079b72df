#include "podkit/replica/control.h"

#include <array>
#include <optional>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "json.h"

namespace podkit::replica {
namespace {

constexpr std::array<std::string_view, 4> kOperations = {"put", "delete", "rename", "lacking"};
constexpr std::array<std::string_view, 8> kOutcomes = {
    "stored", "present", "deleted", "absent", "conflict", "failed", "not-tried", "over-quota"};
constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxText = 1024;

// The enumerator that has the name, or nothing.
template <typename Enum, size_t kCount>
std::optional<Enum> Named(const std::array<std::string_view, kCount>& names,
                          std::string_view name) {
  for (size_t i = 0; i < kCount; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

void WriteChunk(const ControlChunk& chunk, Operation operation, JsonWriter* json) {
  json->Begin().Text("file", chunk.name.file).Number("file_version", chunk.name.file_version);
  json->Text("kind", chunk.name.kind == ChunkKind::kManifest ? "manifest" : "block");
  json->Number("id", chunk.name.id).Number("version", chunk.name.version);
  if (chunk.has_hash) json->Text("hash", chunk.hash.Hex());
  if (operation == Operation::kPut || operation == Operation::kRename) {
    json->Number("size", chunk.size);
  }
  if (chunk.offset != 0 || chunk.length != 0) {
    json->Number("offset", chunk.offset).Number("length", chunk.length);
  }
  json->End();
}

void ReadName(JsonMembers* members, std::string_view volume, ChunkName* name) {
  name->volume = volume;
  name->file = members->Text("file", 128);
  name->file_version = members->Number("file_version");
  const std::string kind = members->Text("kind", 16);
  if (kind != "block" && kind != "manifest") members->Fail("kind", "'block' or 'manifest'");
  name->kind = kind == "manifest" ? ChunkKind::kManifest : ChunkKind::kBlock;
  name->id = members->Number("id");
  name->version = members->Number("version");
}

absl::StatusOr<ControlChunk> ReadChunk(const rapidjson::Value& value, const ControlMessage& message,
                                       const ControlLimits& limits) {
  absl::Status status;
  JsonMembers members(value, &status);
  ControlChunk chunk;
  ReadName(&members, message.volume, &chunk.name);
  if (status.ok()) status = ValidateChunkName(chunk.name);
  const bool with_data =
      message.operation == Operation::kPut || message.operation == Operation::kRename;
  if (with_data) chunk.size = members.Number("size");
  chunk.offset = members.NumberOr("offset", 0);
  chunk.length = members.NumberOr("length", 0);
  if (with_data || members.Has("hash")) {
    const auto hash = ChunkHash::FromHex(members.Text("hash", 64));
    if (!hash) members.Fail("hash", "64 hexadecimal digits");
    chunk.hash = hash.value_or(ChunkHash());
    chunk.has_hash = true;
  }
  PODKIT_RETURN_IF_ERROR(status);
  if (chunk.length > kMaxJsonNumber - chunk.offset) {
    return absl::InvalidArgumentError("the member 'length' goes beyond any file");
  }
  if (chunk.name.kind == ChunkKind::kManifest && chunk.length != 0) {
    return absl::InvalidArgumentError("a manifest has no place in its file: leave out 'length'");
  }
  if (chunk.size > limits.max_chunk_bytes) {
    return absl::ResourceExhaustedError(fmt::format("a chunk of {} bytes; at most {} are taken",
                                                    chunk.size, limits.max_chunk_bytes));
  }
  return chunk;
}

absl::Status ReadChunks(const rapidjson::Value* array, const ControlLimits& limits,
                        ControlMessage* message) {
  if (array == nullptr) return absl::OkStatus();
  if (array->Size() > limits.max_chunks) {
    return absl::ResourceExhaustedError(fmt::format(
        "{} chunks in one request; at most {} are taken", array->Size(), limits.max_chunks));
  }
  uint64_t total = 0;
  for (const auto& value : array->GetArray()) {
    PODKIT_ASSIGN_OR_RETURN(ControlChunk chunk, ReadChunk(value, *message, limits));
    total += chunk.size;  // Cannot wrap: each is within its limit, and so is their number.
    message->chunks.push_back(std::move(chunk));
  }
  if (total > limits.max_data_bytes) {
    return absl::ResourceExhaustedError(fmt::format(
        "{} bytes of chunks in one request; at most {} are taken", total, limits.max_data_bytes));
  }
  return absl::OkStatus();
}

bool IsPathOrEmpty(std::string_view path) {
  return (path.empty() || path.front() == '/') && path.find('\0') == std::string_view::npos;
}

// What the operation needs beside the members that all have.
absl::Status CheckWhole(const ControlMessage& message) {
  if (message.nonce.empty()) return absl::InvalidArgumentError("the member 'nonce' is empty");
  if (!IsPathOrEmpty(message.path) || !IsPathOrEmpty(message.new_path)) {
    return absl::InvalidArgumentError("a path begins with '/' and has no zero byte");
  }
  if (message.operation == Operation::kRename) {
    if (message.path.empty() || message.new_path.empty()) {
      return absl::InvalidArgumentError("a rename needs the members 'path' and 'new_path'");
    }
    if (message.chunks.size() > 1 ||
        (message.chunks.size() == 1 && message.chunks[0].name.kind != ChunkKind::kManifest)) {
      return absl::InvalidArgumentError("a rename has no chunk but the manifest, or none");
    }
    return absl::OkStatus();
  }
  if (message.chunks.empty()) return absl::InvalidArgumentError("the request names no chunk");
  return absl::OkStatus();
}

}  // namespace

std::string_view NameOf(Operation operation) { return kOperations[static_cast<size_t>(operation)]; }
std::string_view NameOf(ChunkOutcome outcome) { return kOutcomes[static_cast<size_t>(outcome)]; }

std::string EncodeControl(const ControlMessage& message) {
  JsonWriter json;
  json.Begin().Text("operation", NameOf(message.operation)).Text("gateway", message.gateway);
  json.Text("volume", message.volume).Signed("time", absl::ToUnixMillis(message.sent));
  json.Text("nonce", message.nonce);
  if (!message.path.empty()) json.Text("path", message.path);
  if (!message.new_path.empty()) json.Text("new_path", message.new_path);
  if (message.only_if_absent) json.Flag("only_if_absent", true);
  json.BeginArray("chunks");
  for (const ControlChunk& chunk : message.chunks) WriteChunk(chunk, message.operation, &json);
  return json.EndArray().End().Take();
}

absl::StatusOr<ControlMessage> ParseControl(std::string_view text, const ControlLimits& limits) {
  rapidjson::Document document;
  PODKIT_RETURN_IF_ERROR(ParseJsonObject(text, &document));
  absl::Status status;
  JsonMembers members(document, &status);
  ControlMessage message;
  const auto operation = Named<Operation>(kOperations, members.Text("operation", 16));
  if (!operation) members.Fail("operation", "'put', 'delete', 'rename' or 'lacking'");
  message.operation = operation.value_or(Operation::kPut);
  message.gateway = members.Text("gateway", 64);
  message.volume = members.Text("volume", 64);
  message.sent = absl::FromUnixMillis(static_cast<int64_t>(members.Number("time")));
  message.nonce = members.Text("nonce", 64);
  message.path = members.TextOr("path", kMaxPath, "");
  message.new_path = members.TextOr("new_path", kMaxPath, "");
  message.only_if_absent = members.FlagOr("only_if_absent", false);
  const auto* chunks = members.ArrayOr("chunks");
  PODKIT_RETURN_IF_ERROR(status);
  PODKIT_RETURN_IF_ERROR(ReadChunks(chunks, limits, &message));
  PODKIT_RETURN_IF_ERROR(CheckWhole(message));
  return message;
}

std::string EncodeReply(const ControlReply& reply) {
  JsonWriter json;
  json.Begin().Text("gateway", reply.gateway).Text("request", reply.request.Hex());
  json.Signed("error", reply.error);
  if (!reply.text.empty()) json.Text("text", std::string_view(reply.text).substr(0, kMaxText));
  json.BeginArray("results");
  for (const ChunkResult& result : reply.results) {
    json.Begin().Text("outcome", NameOf(result.outcome));
    if (result.error != 0) json.Signed("error", result.error);
    json.End();
  }
  return json.EndArray().End().Take();
}

absl::StatusOr<ControlReply> ParseReply(std::string_view text) {
  rapidjson::Document document;
  PODKIT_RETURN_IF_ERROR(ParseJsonObject(text, &document));
  absl::Status status;
  JsonMembers members(document, &status);
  ControlReply reply;
  reply.gateway = members.Text("gateway", 64);
  const auto request = ChunkHash::FromHex(members.Text("request", 64));
  if (!request) members.Fail("request", "64 hexadecimal digits");
  reply.request = request.value_or(ChunkHash());
  reply.error = members.ErrorNumberOr("error", 0);
  reply.text = members.TextOr("text", kMaxText, "");
  const auto* results = members.ArrayOr("results");
  PODKIT_RETURN_IF_ERROR(status);
  if (results == nullptr) return reply;
  for (const auto& value : results->GetArray()) {
    JsonMembers one(value, &status);
    const auto outcome = Named<ChunkOutcome>(kOutcomes, one.Text("outcome", 16));
    if (!outcome) one.Fail("outcome", "what became of a chunk");
    reply.results.push_back(
        {outcome.value_or(ChunkOutcome::kFailed), one.ErrorNumberOr("error", 0)});
    PODKIT_RETURN_IF_ERROR(status);
  }
  return reply;
}

}  // namespace podkit::replica
