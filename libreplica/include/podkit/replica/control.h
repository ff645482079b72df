// The control part of a request, which says what the sender wants, and the reply to it.
//
// Both travel as JSON in a signed text (keys.h); docs/replica-protocol.md lists every member.
//
// Thread-compatible: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/replica/chunk.h"
#include "podkit/replica/keys.h"

namespace podkit::replica {

enum class Operation { kPut, kDelete, kRename, kLacking };
// "put", "delete", "rename", "lacking".
std::string_view NameOf(Operation operation);

struct ControlChunk {
  ChunkName name;
  // Of the bytes as they travel. For kDelete and kLacking optional: has_hash is false, or a chunk
  // with other bytes counts as another chunk.
  ChunkHash hash;
  bool has_hash = false;
  // kPut: how many bytes of the data part are this chunk's; chunks lie there in this order, with
  // nothing between them.
  uint64_t size = 0;
  // A block's place in its file; 0 and 0 for a manifest.
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct ControlMessage {
  Operation operation = Operation::kPut;
  std::string gateway;  // Whom it is for; nobody else takes it.
  std::string volume;
  absl::Time sent;              // Whole milliseconds.
  std::string nonce;            // 1 to 64 bytes that make two alike requests differ.
  std::string path;             // A hint for gateways that keep real files; "" or begins with '/'.
  std::string new_path;         // kRename only.
  bool only_if_absent = false;  // kPut: refuse with 412 what is there already, also if equal.
  std::vector<ControlChunk> chunks;  // kRename: the manifest under its new name, or none.
};

struct ControlLimits {
  size_t max_chunks = 4096;
  uint64_t max_chunk_bytes = 64 << 20;
  uint64_t max_data_bytes = uint64_t{256} << 20;
};

std::string EncodeControl(const ControlMessage& message);
// kInvalidArgument names the member at fault; kResourceExhausted names the limit.
absl::StatusOr<ControlMessage> ParseControl(std::string_view json,
                                            const ControlLimits& limits = {});

// What became of one chunk.
enum class ChunkOutcome {
  kStored,     // kPut: durable.
  kPresent,    // kPut, kLacking: it was there already, with the same bytes.
  kDeleted,    // kDelete: it is gone, or never was there.
  kAbsent,     // kLacking: it is not here, so send it.
  kConflict,   // Other bytes are there under its name.
  kFailed,     // The driver refused; `error` is its negative errno.
  kNotTried,   // The request failed before it was this chunk's turn.
  kOverQuota,  // kPut: its volume has no room for it.
};
std::string_view NameOf(ChunkOutcome outcome);

struct ChunkResult {
  ChunkOutcome outcome = ChunkOutcome::kNotTried;
  int error = 0;  // A negative errno of the driver, or 0.
};

struct ControlReply {
  std::string gateway;
  ChunkHash request;  // HashOf the JSON that it answers: a reply fits one request only.
  int error = 0;      // 0, or the first driver error.
  std::string text;   // For people: why, if not all went well.
  std::vector<ChunkResult> results;  // One for each chunk of the request, in its order.
};

// The Authorization header for reading a chunk of a private volume: "Podkit <signer> <milliseconds>
// <signature in hex>", signed over "<method> <path>\n<milliseconds>". `path` is that of the request
// line, `method` GET or HEAD.
std::string AuthorizeRead(const SigningKey& key, std::string_view signer, std::string_view method,
                          std::string_view path, absl::Time now);

std::string EncodeReply(const ControlReply& reply);
absl::StatusOr<ControlReply> ParseReply(std::string_view json);

}  // namespace podkit::replica
