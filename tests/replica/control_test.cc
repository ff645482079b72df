#include "podkit/replica/control.h"

#include <functional>

#include "tests/support/catch.h"

namespace podkit::replica {
namespace {

ControlChunk Chunk(std::string file, std::string_view bytes) {
  return {.name = {.volume = "v", .file = std::move(file), .id = 1},
          .hash = HashOf(bytes),
          .has_hash = true,
          .size = bytes.size(),
          .offset = 4096,
          .length = bytes.size()};
}

ControlMessage Put() {
  return {.operation = Operation::kPut,
          .gateway = "g1",
          .volume = "v",
          .sent = absl::FromUnixMillis(1'700'000'000'123),
          .nonce = "n",
          .path = "/a",
          .chunks = {Chunk("f", "abc"), Chunk("g", "d")}};
}

absl::Status Parse(const ControlMessage& message, const ControlLimits& limits = {}) {
  return ParseControl(EncodeControl(message), limits).status();
}

// Parses a good put with one text in it replaced.
absl::Status ParseWith(std::string_view from, std::string_view to) {
  std::string json = EncodeControl(Put());
  const size_t at = json.find(from);
  REQUIRE(at != std::string::npos);
  return ParseControl(json.replace(at, from.size(), to)).status();
}

}  // namespace

TEST_CASE("A control message is read back as it was written", "[replica][control]") {
  const auto parsed = testing::ValueOf(ParseControl(EncodeControl(Put())));
  CHECK(EncodeControl(parsed) == EncodeControl(Put()));
  CHECK(parsed.sent == Put().sent);
  REQUIRE(parsed.chunks.size() == 2);
  CHECK(parsed.chunks[1].name == Put().chunks[1].name);
  CHECK(parsed.chunks[0].hash == HashOf("abc"));
  CHECK(parsed.chunks[0].offset == 4096);

  ControlMessage rename = Put();
  rename.operation = Operation::kRename;
  rename.new_path = "/b";
  rename.chunks.clear();
  CHECK(testing::ValueOf(ParseControl(EncodeControl(rename))).new_path == "/b");
}

TEST_CASE("A control message with a bad member is refused by its name", "[replica][control]") {
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"\"put\"", "\"take\""},
      {"\"put\"", "7"},
      {"\"v\"", "null"},
      {"1700000000123", "-1"},
      {"1700000000123", "1.5"},
      {"\"nonce\":\"n\"", "\"nonce\":\"\""},
      {"\"path\":\"/a\"", "\"path\":\"a\""},
      {"\"path\":\"/a\"", "\"path\":\"/\\uDDDD\""},  // It would be rubbish to a worker.
      {"\"kind\":\"block\"", "\"kind\":\"blob\""},
      {"\"kind\":\"block\"", "\"kind\":\"manifest\""},  // Which has no place in a file.
      {"\"file\":\"f\"", "\"file\":\"../f\""},
      {"\"size\":3", "\"size\":18446744073709551615"},
      {"\"offset\":4096", "\"offset\":9223372036854775807"},
      {HashOf("abc").Hex(), "abc"},
      {"\"chunks\":[", "\"chunks\":[7,"},
      {"\"chunks\":", "\"pieces\":"},
      {"}", "}}"}};
  for (const auto& [from, to] : changes) {
    CAPTURE(from, to);
    CHECK(ParseWith(from, to).code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK(ParseControl(std::string(100'000, '[')).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("A control message is held to its limits", "[replica][control]") {
  constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;
  CHECK(Parse(Put(), {.max_chunks = 2, .max_chunk_bytes = 3, .max_data_bytes = 4}) ==
        absl::OkStatus());
  CHECK(Parse(Put(), {.max_chunks = 1}).code() == kExhausted);
  CHECK(Parse(Put(), {.max_chunk_bytes = 2}).code() == kExhausted);
  CHECK(Parse(Put(), {.max_data_bytes = 3}).code() == kExhausted);
}

TEST_CASE("Each operation needs its own members", "[replica][control]") {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  ControlMessage message = Put();
  message.chunks.clear();
  CHECK(Parse(message).code() == kInvalid);
  message.operation = Operation::kRename;
  CHECK(Parse(message).code() == kInvalid);  // No new path.
  message.new_path = "/b";
  CHECK(Parse(message) == absl::OkStatus());
  message.chunks = Put().chunks;
  CHECK(Parse(message).code() == kInvalid);  // Blocks.
  message = Put();
  message.operation = Operation::kDelete;
  message.chunks[0].has_hash = false;
  CHECK(Parse(message) == absl::OkStatus());
  message.operation = Operation::kPut;
  CHECK(Parse(message).code() == kInvalid);  // A put without a hash.
}

TEST_CASE("A reply is read back as it was written", "[replica][control]") {
  const ControlReply reply = {.gateway = "g1",
                              .request = HashOf("r"),
                              .error = -5,
                              .text = "why",
                              .results = {{ChunkOutcome::kStored, 0}, {ChunkOutcome::kFailed, -5}}};
  const auto parsed = testing::ValueOf(ParseReply(EncodeReply(reply)));
  CHECK(EncodeReply(parsed) == EncodeReply(reply));
  CHECK(parsed.results[1].error == -5);
  CHECK(ParseReply("{\"gateway\":\"g\"}").status().code() == absl::StatusCode::kInvalidArgument);
}

}  // namespace podkit::replica
