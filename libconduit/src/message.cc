#include "podkit/conduit/message.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cmath>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace podkit::conduit::internal {
namespace {

constexpr std::string_view kNan = "NaN";
constexpr std::string_view kInfinity = "Infinity";
constexpr std::string_view kMinusInfinity = "-Infinity";

// Whole groups of 3 bytes, so that pieces can be joined.
constexpr size_t kPieceBytes = size_t{3} << 20;
constexpr size_t kPieceText = kPieceBytes / 3 * 4;

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4 + 1);
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kPieceBytes);
    const size_t old_size = text.size();
    const size_t length = (piece.size() + 2) / 3 * 4;
    text.resize(old_size + length + 1);  // One more for the zero that OpenSSL writes.
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data() + old_size),
                    reinterpret_cast<const unsigned char*>(piece.data()),
                    static_cast<int>(piece.size()));
    text.resize(old_size + length);
    bytes.remove_prefix(piece.size());
  }
  return text;
}

// Only the canonical form: what EncodeBase64 would have written.
std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view piece = rest.substr(0, kPieceText);
    const size_t old_size = bytes.size();
    bytes.resize(old_size + piece.size() / 4 * 3);
    const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data() + old_size),
                                       reinterpret_cast<const unsigned char*>(piece.data()),
                                       static_cast<int>(piece.size()));
    if (length < 0) return std::nullopt;
    bytes.resize(old_size + static_cast<size_t>(length));
    rest.remove_prefix(piece.size());
  }
  // OpenSSL counts padding as zero bytes.
  if (text.ends_with("==") && !bytes.empty()) bytes.pop_back();
  if (text.ends_with('=') && !bytes.empty()) bytes.pop_back();
  if (EncodeBase64(bytes) != text) return std::nullopt;
  return bytes;
}

// A path is written as in JSONPath: "$" is the value that is being decoded, "$.list[3].name" lies
// inside it. Each level puts its own step behind the "$".
absl::Status Inside(std::string_view step, const absl::Status& status) {
  const std::string message(status.message());
  const std::string_view rest =
      message.starts_with('$') ? std::string_view(message).substr(1) : std::string_view();
  return absl::Status(status.code(), rest.empty() ? fmt::format("${}: {}", step, message)
                                                  : fmt::format("${}{}", step, rest));
}

}  // namespace

absl::Status WrongKind(std::string_view expected, const JsonValue& got) {
  return absl::InvalidArgumentError(
      fmt::format("$: expected {}, got {}", expected, got.kind_name()));
}

absl::Status MissingField(std::string_view name) {
  return absl::InvalidArgumentError(fmt::format("$.{}: is missing", name));
}

absl::Status MissingElement(size_t index) {
  return absl::InvalidArgumentError(fmt::format("$[{}]: is missing", index));
}

absl::Status UnknownEnumName(std::string_view name, std::span<const std::string_view> known) {
  return absl::InvalidArgumentError(
      fmt::format("$: unknown name '{}' (known: {})", name.substr(0, 64), fmt::join(known, ", ")));
}

absl::Status NumberOutOfRange(const JsonValue& value) {
  return absl::InvalidArgumentError(fmt::format("$: {} is out of range", value.ToText()));
}

absl::Status InField(std::string_view name, const absl::Status& status) {
  return Inside(fmt::format(".{}", name.substr(0, 64)), status);
}

absl::Status InElement(size_t index, const absl::Status& status) {
  return Inside(fmt::format("[{}]", index), status);
}

void EncodeBytes(JsonWriter& writer, const Bytes& bytes) {
  if (IsUtf8(bytes.data)) {
    writer.String(bytes.data);
    return;
  }
  writer.BeginObject();
  writer.Key("base64");
  writer.String(EncodeBase64(bytes.data));
  writer.EndObject();
}

absl::Status DecodeBytes(const JsonValue& value, Bytes* bytes) {
  if (const auto text = value.AsString()) {
    bytes->data = *text;
    return absl::OkStatus();
  }
  const auto member = value.Member("base64");
  if (!member) return WrongKind("string or {\"base64\"}", value);
  const auto text = member->AsString();
  if (!text) return InField("base64", WrongKind("string", *member));
  auto decoded = DecodeBase64(*text);
  if (!decoded) return absl::InvalidArgumentError("$.base64: is not base64 with padding");
  bytes->data = *std::move(decoded);
  return absl::OkStatus();
}

void EncodeTime(JsonWriter& writer, absl::Time time) {
  writer.String(absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone()));
}

absl::Status DecodeTime(const JsonValue& value, absl::Time* time) {
  const auto text = value.AsString();
  if (!text) return WrongKind("string", value);
  std::string why;
  if (!absl::ParseTime(absl::RFC3339_full, std::string(*text), time, &why)) {
    return absl::InvalidArgumentError(
        fmt::format("$: '{}' is not an RFC 3339 time", text->substr(0, 64)));
  }
  return absl::OkStatus();
}

void EncodeDouble(JsonWriter& writer, double value) {
  if (std::isfinite(value)) {
    writer.Number(value);
  } else if (std::isnan(value)) {
    writer.String(kNan);
  } else {
    writer.String(value > 0 ? kInfinity : kMinusInfinity);
  }
}

absl::Status DecodeDouble(const JsonValue& value, double* number) {
  if (const auto got = value.AsNumber()) {
    *number = *got;
    return absl::OkStatus();
  }
  const auto name = value.AsString();
  if (!name) return WrongKind("number", value);
  using Limits = std::numeric_limits<double>;
  if (*name == kNan) {
    *number = Limits::quiet_NaN();
  } else if (*name == kInfinity) {
    *number = Limits::infinity();
  } else if (*name == kMinusInfinity) {
    *number = -Limits::infinity();
  } else {
    return WrongKind("number", value);
  }
  return absl::OkStatus();
}

// Infinite durations are as long as the longest number of milliseconds.
void EncodeDuration(JsonWriter& writer, absl::Duration duration) {
  writer.Integer(absl::ToInt64Milliseconds(duration));
}

absl::Status DecodeDuration(const JsonValue& value, absl::Duration* duration) {
  using Limits = std::numeric_limits<int64_t>;
  if (value.kind() != JsonValue::Kind::kInteger) return WrongKind("integer", value);
  const auto got = value.AsInteger();
  if (!got) return NumberOutOfRange(value);
  *duration = *got == Limits::max()   ? absl::InfiniteDuration()
              : *got == Limits::min() ? -absl::InfiniteDuration()
                                      : absl::Milliseconds(*got);
  return absl::OkStatus();
}

}  // namespace podkit::conduit::internal
