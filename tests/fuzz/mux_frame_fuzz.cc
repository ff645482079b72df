// Frames from outside: what is read must have these very bytes when it is written again, and no
// input is read beyond its end. Records too, cut into pieces.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "mux/frame.h"
#include "mux/record.h"

namespace podkit::conduit::internal {
namespace {

void Require(bool good) {
  if (!good) std::abort();
}

void ReadFrames(std::string_view input) {
  while (!input.empty()) {
    const std::string_view before = input;
    Frame frame;
    if (!ReadFrame(&input, &frame).ok()) return;
    std::string again;
    AppendFrame(frame, &again);
    Require(again == before.substr(0, before.size() - input.size()));
  }
}

// The same records come out, however the input is cut.
std::string ReadRecords(std::string_view input, size_t piece_bytes) {
  RecordReader reader(1000);
  std::string records;
  while (!input.empty()) {
    std::string_view piece = input.substr(0, piece_bytes);
    input.remove_prefix(piece.size());
    while (!piece.empty()) {
      const auto record = reader.Next(&piece);
      if (!record.ok()) return records + "bad";
      if (!record->has_value()) break;
      Require(!(*record)->empty() && (*record)->size() <= 1000);
      records += std::string(**record) + '|';
    }
    Require(piece.empty());
  }
  return records;
}

}  // namespace
}  // namespace podkit::conduit::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using podkit::conduit::internal::ReadFrames;
  using podkit::conduit::internal::ReadRecords;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  ReadFrames(input);
  const std::string whole = ReadRecords(input, size + 1);
  if (whole != ReadRecords(input, 1) || whole != ReadRecords(input, 7)) std::abort();
  return 0;
}
