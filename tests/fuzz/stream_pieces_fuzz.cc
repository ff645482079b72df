// What the other end of a stream can send. The first byte chooses who it is: a caller of this pod,
// with any pieces in any order, as several pods and users and over time; or a responder, with any
// answers to an upload or to a download of this pod.
//
// A responder's sink gets one payload without a gap and ends once; a caller's sink likewise; a
// stream ends well only with the right length and hash; and everything ends.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "podkit/conduit/stream_piece.h"
#include "sha256.h"

namespace podkit::conduit::internal {
namespace {

void Require(bool good) {
  if (!good) std::abort();
}

class Input {
 public:
  explicit Input(std::string_view bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return byte;
  }
  // Mostly small, and sometimes as large as can be.
  uint64_t Offset() {
    const uint8_t byte = Byte();
    return byte < 200 ? byte : UINT64_MAX - (byte - 200);
  }

 private:
  std::string_view rest_;
};

constexpr uint64_t kLength = 150;  // Of the payload; where each byte tells its place.

std::string PayloadAt(uint64_t offset, size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(offset + i);
  return bytes;
}

std::string HashOf(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Hex();
}

struct Source : StreamSource {
  absl::StatusOr<std::string> Read(uint64_t offset, size_t max) override {
    if (offset >= kLength) return std::string();
    return PayloadAt(offset, static_cast<size_t>(std::min<uint64_t>(max, kLength - offset)));
  }
};

struct Sink : StreamSink {
  ~Sink() override { Require(ends == 1); }
  absl::Status Write(uint64_t offset, std::string_view bytes) override {
    Require(ends == 0 && offset == text.size() && !bytes.empty());
    text += bytes;
    return bytes[0] == 'F' ? absl::DataLossError("broken") : absl::OkStatus();
  }
  std::string text;
  int ends = 0;
};

// What a hostile caller does to a table of streams.
class Caller {
 public:
  Caller() : table_(Limits(), [this] { return now_; }) {
    for (size_t i = 0; i < pods_.size(); ++i) {
      auto pod = std::make_shared<Pod>();
      pod->id = std::string(1, static_cast<char>('A' + i));
      pods_[i] = std::move(pod);
    }
  }

  void Step(Input& input) {
    const uint8_t who = input.Byte();
    const uint8_t what = input.Byte();
    CallContext context{.caller = pods_[who % 2], .actor = who & 2 ? "ann" : "bob", .deadline = {}};
    StreamPiece piece;
    piece.id = std::string(1 + (who >> 2) % 3, 'i');
    if (who >= 250) piece.id.resize(who - 250 + 61);
    piece.offset = input.Offset();
    piece.max = input.Byte();
    piece.drop = what % 16 == 0;
    const std::string bytes = PayloadAt(piece.offset, input.Byte() % 64);
    if (what % 4 == 1) piece.end = End(piece.offset + bytes.size(), what);
    if (what % 16 == 2) now_ += absl::Seconds(input.Byte());
    context.payload = bytes;
    const bool download = (what & 64) != 0;
    StreamTable::Open open;
    if ((what & 32) != 0) open = download ? Download(piece) : Upload();
    const auto answer = table_.Answer(context, download ? "get" : "put", piece, open);
    if (answer.ok() && answer->result && !download) Require(piece.end.has_value());
    Require(table_.open_streams() <= 2 * Limits().max_per_pod);
  }

 private:
  static StreamLimits Limits() {
    return {.max_per_pod = 2,
            .max_ahead_bytes = 100,
            .max_piece_bytes = 40,
            .max_length = 400,
            .idle_timeout = absl::Seconds(100),
            .max_ended_per_pod = 2};
  }
  static StreamEnd End(uint64_t length, uint8_t what) {
    const bool lies = (what & 128) != 0;
    const size_t size = std::min<uint64_t>(length, 500);
    return {length, lies ? std::string(what, 'f') : HashOf(PayloadAt(0, size))};
  }

  static StreamTable::Open Upload() {
    return [] {
      auto sink = std::make_unique<Sink>();
      Sink* const raw = sink.get();
      return ServeUpload(
          std::move(sink),
          [raw](const StreamEnd& end) -> absl::StatusOr<std::string> {
            Require(end.length == raw->text.size() && end.sha256 == HashOf(raw->text));
            ++raw->ends;
            return "{}";
          },
          [raw] { ++raw->ends; }, Limits());
    };
  }
  static StreamTable::Open Download(const StreamPiece& piece) {
    return [from = piece.offset] {
      return ServeDownload(
          std::make_unique<Source>(),
          [](const StreamEnd& end) -> absl::StatusOr<std::string> {
            Require(end.length == kLength && end.sha256 == HashOf(PayloadAt(0, kLength)));
            return "{}";
          },
          from, Limits());
    };
  }

  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  std::array<std::shared_ptr<const Pod>, 2> pods_;
  StreamTable table_;
};

// What a hostile responder answers to a piece.
absl::StatusOr<PieceAnswer> AnswerTo(const StreamPiece& piece, Input& input) {
  const uint8_t what = input.Byte();
  switch (input.empty() ? 0 : what % 8) {
    case 0:
      return MakeError(StreamGone{}, "gone");
    case 1:
      return MakeError(StreamAt{input.Offset()}, "at");
    case 2:
      return TransportError(Outcome::kUnknown, "lost");
    default:
      break;
  }
  PieceAnswer answer{.next = piece.offset + piece.max, .bytes = {}, .end = {}, .result = {}};
  if (what % 8 == 3) answer.next = input.Offset();
  const size_t size = what % 8 == 4 ? input.Byte() : static_cast<size_t>(piece.max);
  if (piece.offset < kLength) {
    answer.bytes = PayloadAt(piece.offset, std::min<uint64_t>(size, kLength - piece.offset));
  }
  if (what & 64) answer.end = StreamEnd{kLength, HashOf(PayloadAt(0, kLength))};
  if (what & 128) answer.result = "{}";
  return answer;
}

void Respond(Input& input, bool upload) {
  const SendPiece send = [&](const StreamPiece& piece, bool, const CallOptions& options,
                             const std::function<void(absl::StatusOr<PieceAnswer>)>& done) {
    *options.used_host = "b";
    done(AnswerTo(piece, input));
  };
  const StreamOptions options{.piece_bytes = 1U + input.Byte() % 50,
                              .window = 1U + input.Byte() % 5,
                              .max_repeats = 2,
                              .repeat_after = absl::ZeroDuration()};
  const auto now = [] { return absl::FromUnixSeconds(1'700'000'000); };
  if (upload) {
    Source source;
    static_cast<void>(RunUpload(send, source, options, now));
    return;
  }
  Sink sink;
  const auto result = RunDownload(send, sink, options, now);
  if (result.ok()) Require(sink.text == PayloadAt(0, kLength));
  ++sink.ends;
}

}  // namespace
}  // namespace podkit::conduit::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using podkit::conduit::internal::Caller;
  using podkit::conduit::internal::Input;
  Input input({reinterpret_cast<const char*>(data), size});
  const uint8_t who = input.Byte() % 3;
  if (who != 0) {
    podkit::conduit::internal::Respond(input, who == 1);
    return 0;
  }
  Caller caller;
  while (!input.empty()) caller.Step(input);
  return 0;
}
