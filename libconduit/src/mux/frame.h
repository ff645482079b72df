// The frames that a multiplexed connection is made of; docs/conduit-connection.md has their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace podkit::conduit::internal {

enum class FrameType : uint8_t {
  kCall = 1,       // A call: what its body is and how long, and the body if it is short.
  kReply = 2,      // Its answer, likewise.
  kChunk = 3,      // The next part of a long body.
  kRefuse = 4,     // The call was not executed and will not be.
  kCancel = 5,     // Its caller wants no answer.
  kCancelled = 6,  // And gets none.
  kWindow = 7,     // So many more bytes of chunks may be sent.
  kPing = 8,
  kPong = 9,
  kGoAway = 10,  // No call beyond this one is executed.
};

// What a body is.
enum class Content : uint8_t {
  kNone = 0,
  kJson = 1,     // application/json
  kPayload = 2,  // application/vnd.podkit
};

// The media type; "" for kNone. ContentOf gives nothing for a type that no code stands for.
std::string_view ContentName(Content content);
std::optional<Content> ContentOf(std::string_view media_type);

enum class RefuseReason : uint8_t { kOverloaded = 0, kBodyTooLarge = 1 };

enum class GoAwayReason : uint8_t {
  kShutdown = 0,
  kProtocolError = 1,  // The other side broke the protocol.
  kFlood = 2,          // It sent too much that does nothing.
  kKeyWithdrawn = 3,   // Its key is valid no more.
};

inline constexpr size_t kFrameHeaderBytes = 12;
// A body up to this size travels in its Call or Reply, a longer one in chunks of at most this size.
inline constexpr size_t kMaxChunkBytes = 16384;
inline constexpr size_t kMaxFrameBytes = kFrameHeaderBytes + 6 + kMaxChunkBytes;

struct Frame {
  FrameType type = FrameType::kPing;
  // kCall, kReply: a Content. kRefuse, kGoAway: a reason. kCancelled: 1 if it was not begun. Else
  // 0.
  uint8_t code = 0;
  // The call; for kWindow 0 means the connection, for kGoAway the last call that counts, for kPing
  // and kPong anything.
  uint64_t id = 0;
  uint16_t status = 0;  // kReply: as in HTTP.
  // kCall, kReply: bytes of the whole body. kWindow: bytes. kRefuse, kGoAway: milliseconds to wait.
  uint32_t number = 0;
  std::string_view body = {};  // kCall, kReply, kChunk; of what was read, valid as long as that.
};

// Appends the bytes of `frame`, which must be valid.
void AppendFrame(const Frame& frame, std::string* out);

// Takes the first frame off `*input`. kInvalidArgument says what is wrong with it.
absl::Status ReadFrame(std::string_view* input, Frame* frame);

// Big-endian numbers, also for records and the handshake.
void AppendBigEndian(uint64_t value, size_t bytes, std::string* out);
void WriteBigEndian(uint64_t value, size_t bytes, char* out);
uint64_t ReadBigEndian(std::string_view bytes);

}  // namespace podkit::conduit::internal
