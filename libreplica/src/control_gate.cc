#include "control_gate.h"

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/text.h"
#include "fmt/format.h"

namespace podkit::replica {
namespace {

absl::Status NotSigned() {
  return absl::UnauthenticatedError("the request is not signed by a writer known here");
}

std::string SignedRead(std::string_view method, std::string_view path, int64_t milliseconds) {
  return fmt::format("{} {}\n{}", method, path, milliseconds);
}

// 64 bytes, or nothing.
std::string FromHex128(std::string_view hex) {
  const auto first = ChunkHash::FromHex(hex.substr(0, 64));
  const auto second = ChunkHash::FromHex(hex.size() < 64 ? "" : hex.substr(64));
  if (!first || !second) return {};
  std::string bytes(first->bytes.begin(), first->bytes.end());
  return bytes.append(second->bytes.begin(), second->bytes.end());
}

}  // namespace

ControlGate::ControlGate(std::string gateway, ControlLimits limits, absl::Duration max_clock_skew,
                         absl::Time start, std::shared_ptr<const Writers> writers)
    : gateway_(std::move(gateway)),
      limits_(limits),
      max_clock_skew_(max_clock_skew),
      replay_(max_clock_skew, start),
      writers_(std::move(writers)) {}

absl::StatusOr<AdmittedControl> ControlGate::Admit(std::string_view control_part, absl::Time now) {
  const auto text = SignedText::Split(control_part);
  if (!text) return NotSigned();
  const auto known = writers();
  const Writer* writer = known->Find(text->signer);
  if (writer == nullptr ||
      !Writers::Verify(*writer, SignedFor::kRequest, text->bytes, text->signature)) {
    return NotSigned();
  }
  PODKIT_ASSIGN_OR_RETURN(ControlMessage message, ParseControl(text->bytes, limits_));
  if (message.gateway != gateway_) {
    return absl::UnauthenticatedError(fmt::format(
        "the request is for gateway '{}', and this is '{}'", message.gateway, gateway_));
  }
  if (!Writers::May(*writer, message.volume, message.operation)) {
    return absl::PermissionDeniedError(
        fmt::format("writer '{}' may not use operation '{}' in volume '{}'", writer->id,
                    NameOf(message.operation), message.volume));
  }
  const ChunkHash request = HashOf(text->bytes);
  PODKIT_RETURN_IF_ERROR(replay_.Take(request, message.sent, now));
  return AdmittedControl{std::move(message), writer->id, request};
}

absl::Status ControlGate::AdmitRead(std::string_view method, std::string_view path,
                                    std::string_view volume, std::string_view authorization,
                                    absl::Time now) const {
  const auto words = SplitText(authorization, ' ');
  if (words.size() != 4 || words[0] != "Podkit") return NotSigned();
  const auto milliseconds = ParseNumber<int64_t>(words[2]);
  const auto known = writers();
  const Writer* writer = known->Find(words[1]);
  if (writer == nullptr || !milliseconds ||
      !Writers::Verify(*writer, SignedFor::kRead, SignedRead(method, path, *milliseconds),
                       FromHex128(words[3]))) {
    return NotSigned();
  }
  if (absl::AbsDuration(absl::FromUnixMillis(*milliseconds) - now) > max_clock_skew_) {
    return absl::UnauthenticatedError("the request is too old or too new: check the clocks");
  }
  if (!Writers::MayRead(*writer, volume)) {
    return absl::PermissionDeniedError(
        fmt::format("writer '{}' may not read volume '{}'", writer->id, volume));
  }
  return absl::OkStatus();
}

void ControlGate::SetWriters(std::shared_ptr<const Writers> writers) {
  MutexLock lock(&mutex_);
  writers_ = std::move(writers);
}

std::shared_ptr<const Writers> ControlGate::writers() const {
  MutexLock lock(&mutex_);
  return writers_;
}

std::string AuthorizeRead(const SigningKey& key, std::string_view signer, std::string_view method,
                          std::string_view path, absl::Time now) {
  const int64_t milliseconds = absl::ToUnixMillis(now);
  const std::string signature = key.Sign(SignedFor::kRead, SignedRead(method, path, milliseconds));
  return fmt::format("Podkit {} {} {}", signer, milliseconds, HexEncode(signature));
}

}  // namespace podkit::replica
