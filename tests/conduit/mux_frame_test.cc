#include <optional>
#include <string>

#include "mux/frame.h"
#include "mux/record.h"
#include "tests/support/catch.h"

namespace podkit::conduit::internal {
namespace {

std::string Bytes(const Frame& frame) {
  std::string bytes;
  AppendFrame(frame, &bytes);
  return bytes;
}

absl::StatusOr<Frame> Read(std::string_view bytes) {
  Frame frame;
  const absl::Status status = ReadFrame(&bytes, &frame);
  if (!status.ok()) return status;
  if (!bytes.empty()) return absl::InternalError("bytes are left");
  return frame;
}

void CheckSame(const Frame& frame) {
  const std::string bytes = Bytes(frame);
  CHECK(bytes.size() <= kMaxFrameBytes);
  const auto read = Read(bytes);
  REQUIRE(read.status() == absl::OkStatus());
  CHECK(read->type == frame.type);
  CHECK(read->code == frame.code);
  CHECK(read->id == frame.id);
  CHECK(read->status == frame.status);
  CHECK(read->number == frame.number);
  CHECK(read->body == frame.body);
}

TEST_CASE("Every frame comes out of its bytes as it went in", "[mux][frame]") {
  constexpr uint64_t kMaxId = ~uint64_t{0};
  constexpr uint32_t kMaxNumber = ~uint32_t{0};
  const std::string largest(kMaxChunkBytes, '\xff');
  const std::string nul(1, '\0');
  for (const uint64_t id : {uint64_t{1}, uint64_t{2}, uint64_t{1} << 32, kMaxId}) {
    for (const uint8_t code : {0, 1, 2}) {
      for (const std::string& body : {std::string(), nul, std::string("{}"), largest}) {
        const auto size = static_cast<uint32_t>(body.size());
        CheckSame({.type = FrameType::kCall, .code = code, .id = id, .number = size, .body = body});
        for (const uint16_t status : {100, 200, 503, 599}) {
          CheckSame({.type = FrameType::kReply,
                     .code = code,
                     .id = id,
                     .status = status,
                     .number = size,
                     .body = body});
        }
      }
    }
    for (const uint32_t size : {uint32_t{kMaxChunkBytes + 1}, kMaxNumber}) {
      CheckSame({.type = FrameType::kCall, .id = id, .number = size});
      CheckSame({.type = FrameType::kReply, .id = id, .status = 200, .number = size});
    }
    CheckSame({.type = FrameType::kChunk, .id = id, .body = nul});
    CheckSame({.type = FrameType::kChunk, .id = id, .body = largest});
    CheckSame({.type = FrameType::kRefuse, .code = 1, .id = id, .number = kMaxNumber});
    CheckSame({.type = FrameType::kCancel, .id = id});
    CheckSame({.type = FrameType::kCancelled, .code = 1, .id = id});
    CheckSame({.type = FrameType::kWindow, .id = id, .number = kMaxNumber});
    CheckSame({.type = FrameType::kGoAway, .code = 255, .id = id, .number = 1});
  }
  CheckSame({.type = FrameType::kWindow});
  CheckSame({.type = FrameType::kPing});
  CheckSame({.type = FrameType::kPong, .id = kMaxId});
  CheckSame({.type = FrameType::kGoAway});
}

TEST_CASE("Frames have the bytes that the documentation shows", "[mux][frame]") {
  using std::string_literals::operator""s;
  CHECK(Bytes({.type = FrameType::kCall, .code = 1, .id = 3, .number = 2, .body = "{}"}) ==
        "\x00\x06\x01\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x02{}"s);
  CHECK(Bytes({.type = FrameType::kReply, .id = 3, .status = 503}) ==
        "\x00\x06\x02\x00\x00\x00\x00\x00\x00\x00\x00\x03\x01\xf7\x00\x00\x00\x00"s);
  CHECK(Bytes({.type = FrameType::kCancel, .id = 258}) ==
        "\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01\x02"s);
}

TEST_CASE("A frame that is not as documented is refused", "[mux][frame]") {
  const auto refused = [](std::string bytes) {
    return Read(bytes).status().code() == absl::StatusCode::kInvalidArgument;
  };
  const auto with = [](std::string bytes, size_t at, char byte) {
    bytes[at] = byte;
    return bytes;
  };
  const std::string call =
      Bytes({.type = FrameType::kCall, .code = 1, .id = 3, .number = 2, .body = "{}"});
  REQUIRE(Read(call).ok());
  for (size_t size = 0; size < call.size(); ++size) CHECK(refused(call.substr(0, size)));
  CHECK(refused(with(call, 2, 0)));
  CHECK(refused(with(call, 2, 11)));
  CHECK(refused(with(call, 2, '\xff')));
  CHECK(refused(with(call, 3, 3)));
  CHECK(refused(with(call, 11, 0)));
  // A short body that is not all there, one that is too long, and a long one that is there.
  CHECK(refused(with(call, 15, 3)));
  CHECK(refused(with(call, 15, 1)));
  CHECK(refused(with(call, 12, 1)));
  CHECK(refused(Bytes({.type = FrameType::kReply, .id = 1, .status = 99})));
  CHECK(refused(Bytes({.type = FrameType::kReply, .id = 1, .status = 600})));
  CHECK(refused(Bytes({.type = FrameType::kChunk, .id = 1})));
  CHECK(refused(
      Bytes({.type = FrameType::kChunk, .id = 1, .body = std::string(kMaxChunkBytes + 1, 'x')})));
  CHECK(refused(Bytes({.type = FrameType::kCancel, .code = 1, .id = 1})));
  CHECK(refused(with(Bytes({.type = FrameType::kPing}), 1, 1) + "x"));
  CHECK(refused(with(Bytes({.type = FrameType::kWindow, .number = 1}), 1, 3)));
}

TEST_CASE("RecordReader gives whole records, however they are cut", "[mux][record]") {
  std::string stream;
  for (const std::string& record : {std::string("a"), std::string(300, 'b'), std::string("cc")}) {
    AppendBigEndian(record.size(), kRecordHeaderBytes, &stream);
    stream += record;
  }
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    for (const size_t second_cut : {cut, std::min(cut + 3, stream.size()), stream.size()}) {
      RecordReader reader(300);
      std::string got;
      for (std::string_view piece : {std::string_view(stream).substr(0, cut),
                                     std::string_view(stream).substr(cut, second_cut - cut),
                                     std::string_view(stream).substr(second_cut)}) {
        while (auto record = podkit::testing::ValueOf(reader.Next(&piece)))
          got += std::string(*record) + '.';
        CHECK(piece.empty());
      }
      CHECK(got == "a." + std::string(300, 'b') + ".cc.");
    }
  }
}

TEST_CASE("RecordReader refuses a bad length as soon as it is there", "[mux][record]") {
  for (const std::string& length :
       {std::string(4, '\0'), std::string("\x00\x00\x01\x2d", 4), std::string(4, '\xff')}) {
    for (const size_t cut : {0, 3}) {
      RecordReader reader(300);
      std::string_view first = std::string_view(length).substr(0, cut);
      CHECK(podkit::testing::ValueOf(reader.Next(&first)) == std::nullopt);
      std::string_view rest = std::string_view(length).substr(cut);
      CHECK(reader.Next(&rest).status().code() == absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST_CASE("A sealed message opens once, in its place and unchanged", "[mux][record]") {
  const Cipher::Key key = {.key = std::string(32, 'k'), .iv = std::string(12, 'i')};
  auto sealer = podkit::testing::ValueOf(Cipher::Create(Cipher::Use::kSeal, key));
  const auto seal = [&](std::string text) {
    REQUIRE(sealer.Seal("head", 0, &text));
    return text;
  };
  const std::string first = seal("one");
  const std::string second = seal("one");
  CHECK(first != second);
  const auto opens = [&](std::initializer_list<std::string> messages, std::string_view aad) {
    auto opener = podkit::testing::ValueOf(Cipher::Create(Cipher::Use::kOpen, key));
    bool good = true;
    for (const std::string& message : messages) {
      std::string plain;
      good = good && opener.Open(aad, message, &plain) && plain == "one";
    }
    return good;
  };
  CHECK(opens({first, second}, "head"));
  CHECK_FALSE(opens({first}, "heap"));
  CHECK_FALSE(opens({second}, "head"));
  CHECK_FALSE(opens({first, first}, "head"));
  CHECK_FALSE(opens({first.substr(1)}, "head"));
  CHECK_FALSE(opens({""}, "head"));
  for (size_t i = 0; i < first.size(); ++i) {
    std::string changed = first;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(opens({changed}, "head"));
  }
}

}  // namespace
}  // namespace podkit::conduit::internal
