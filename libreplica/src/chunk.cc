#include "podkit/replica/chunk.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "common/status_macros.h"
#include "common/text.h"
#include "fmt/format.h"

namespace podkit::replica {
namespace {

constexpr uint64_t kMaxNumber = std::numeric_limits<int64_t>::max();
constexpr size_t kMaxPath = 4096;  // Decoded.
constexpr std::string_view kManifest = "manifest.";

bool IsId(std::string_view text, size_t max_size) {
  return !text.empty() && text.size() <= max_size &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

absl::Status NotAPath(std::string_view why) {
  return absl::InvalidArgumentError(fmt::format(
      "not the path of a chunk, /DATA/<volume>/<path>.<file>.<version>/<block>.<version>: {}",
      why));
}

absl::StatusOr<std::string> Decode(std::string_view path) {
  std::string text;
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      const auto high = i + 1 < path.size() ? HexDigit(path[i + 1]) : std::nullopt;
      const auto low = i + 2 < path.size() ? HexDigit(path[i + 2]) : std::nullopt;
      if (!high || !low) return NotAPath("a '%' without two hexadecimal digits");
      c = static_cast<char>(*high * 16 + *low);
      i += 2;
    }
    if (c == '\0') return NotAPath("a zero byte");
    if (c == '/' && !text.empty() && text.back() == '/') continue;
    text.push_back(c);
  }
  return text;
}

// Only what ChunkPath would write: no sign, no leading zero, so that a chunk has one path.
std::optional<uint64_t> Number(std::string_view text) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return ParseNumber<uint64_t>(text);
}

// Takes ".<number>" off the end of `text`.
std::optional<uint64_t> TakeNumber(std::string_view* text) {
  const size_t dot = text->rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto number = Number(text->substr(dot + 1));
  *text = text->substr(0, dot);
  return number;
}

bool HasDotSegment(std::string_view path) {
  const auto segments = SplitText(path, '/');
  return std::any_of(segments.begin(), segments.end(),
                     [](std::string_view segment) { return segment == "." || segment == ".."; });
}

absl::Status ParseLast(std::string_view last, ChunkName* name) {
  if (last.starts_with(kManifest)) {
    name->kind = ChunkKind::kManifest;
    last.remove_prefix(kManifest.size());
  }
  const auto version = TakeNumber(&last);
  const auto id = Number(last);
  if (!version || !id) return NotAPath("no <block>.<version> or manifest.<seconds>.<nanoseconds>");
  name->id = *id;
  name->version = *version;
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateChunkName(const ChunkName& name) {
  const auto bad = [](std::string_view what) {
    return absl::InvalidArgumentError(fmt::format("the name of a chunk has a bad {}", what));
  };
  if (!IsId(name.volume, 64)) return bad("volume: 1 to 64 letters, digits, '-' and '_'");
  if (!IsId(name.file, 128)) return bad("file: 1 to 128 letters, digits, '-' and '_'");
  if (name.file_version > kMaxNumber) return bad("file version: beyond 63 bits");
  if (name.id > kMaxNumber) return bad("number: beyond 63 bits");
  const bool manifest = name.kind == ChunkKind::kManifest;
  if (name.version > (manifest ? 999'999'999 : kMaxNumber)) {
    return bad(manifest ? "time: a billion nanoseconds or more" : "version: beyond 63 bits");
  }
  return absl::OkStatus();
}

std::string ChunkPath(const ChunkName& name, std::string_view fs_path) {
  std::string encoded;
  for (const char c : fs_path) {
    const auto byte = static_cast<unsigned char>(c);
    if (IsId({&c, 1}, 1) || c == '/' || c == '.' || c == '~') {
      encoded.push_back(c);
    } else {
      encoded += fmt::format("%{:02X}", byte);
    }
  }
  return fmt::format("/DATA/{}{}.{}.{}/{}{}.{}", name.volume, encoded, name.file, name.file_version,
                     name.kind == ChunkKind::kManifest ? kManifest : "", name.id, name.version);
}

absl::StatusOr<ParsedChunkPath> ParseChunkPath(std::string_view path) {
  if (path.size() > 3 * kMaxPath + 1024) return NotAPath("longer than 4096 bytes");
  PODKIT_ASSIGN_OR_RETURN(const std::string text, Decode(path));
  if (text.size() > kMaxPath) return NotAPath("longer than 4096 bytes");
  std::string_view rest = text;
  constexpr std::string_view kRoot = "/DATA/";
  if (!rest.starts_with(kRoot)) return NotAPath("it does not begin with /DATA/");
  rest.remove_prefix(kRoot.size());
  ParsedChunkPath parsed;
  const size_t volume_end = rest.find('/');
  const size_t last_begin = rest.rfind('/');
  if (volume_end == std::string_view::npos || volume_end == last_begin) {
    return NotAPath("it has too few segments");
  }
  parsed.name.volume = rest.substr(0, volume_end);
  PODKIT_RETURN_IF_ERROR(ParseLast(rest.substr(last_begin + 1), &parsed.name));
  std::string_view file = rest.substr(volume_end, last_begin - volume_end);
  const auto file_version = TakeNumber(&file);
  const size_t dot = file.rfind('.');
  if (!file_version || dot == std::string_view::npos) return NotAPath("no .<file>.<version>");
  parsed.name.file_version = *file_version;
  parsed.name.file = file.substr(dot + 1);
  parsed.fs_path = file.substr(0, dot);
  if (!parsed.fs_path.starts_with('/')) return NotAPath("no path behind the volume");
  if (HasDotSegment(parsed.fs_path)) return NotAPath("it has '.' or '..' as a segment");
  PODKIT_RETURN_IF_ERROR(ValidateChunkName(parsed.name));
  return parsed;
}

std::string ChunkHash::Hex() const {
  return HexEncode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::optional<ChunkHash> ChunkHash::FromHex(std::string_view hex) {
  if (hex.size() != 2 * kSize) return std::nullopt;
  ChunkHash hash;
  for (size_t i = 0; i < kSize; ++i) {
    const auto high = HexDigit(hex[2 * i]);
    const auto low = HexDigit(hex[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    hash.bytes[i] = static_cast<uint8_t>(*high * 16 + *low);
  }
  return hash;
}

}  // namespace podkit::replica
