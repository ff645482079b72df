#include "mux/upgrade.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/text.h"
#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

constexpr std::string_view kEndOfHead = "\r\n\r\n";

// True if a field `name` of `lines` lists `element`.
bool Lists(const std::vector<std::string_view>& lines, std::string_view name,
           std::string_view element) {
  for (size_t i = 1; i < lines.size(); ++i) {
    const size_t colon = lines[i].find(':');
    if (colon == std::string_view::npos) continue;
    if (!EqualsIgnoreCase(lines[i].substr(0, colon), name)) continue;
    for (const std::string_view part : SplitText(lines[i].substr(colon + 1), ',')) {
      if (EqualsIgnoreCase(TrimSpace(part), element)) return true;
    }
  }
  return false;
}

// The three digits of "HTTP/1.1 101 Switching Protocols".
std::optional<int> StatusOf(std::string_view line) {
  if (!line.starts_with("HTTP/1.1 ") && !line.starts_with("HTTP/1.0 ")) return std::nullopt;
  line.remove_prefix(9);
  if (line.size() > 3 && line[3] != ' ' && line[3] != '\r') return std::nullopt;
  const auto status = ParseNumber<int>(line.substr(0, 3));
  return status && *status >= 100 ? status : std::nullopt;
}

absl::Status Refusal(int status) {
  const std::string text = fmt::format("the answer to the upgrade is HTTP {}", status);
  switch (status) {
    case 401:
    case 403:
      return absl::PermissionDeniedError(text);
    case 408:
    case 429:
      return absl::UnavailableError(text);
    case 501:
      return absl::UnimplementedError(text);
    default:
      return status >= 500 ? absl::UnavailableError(text) : absl::UnimplementedError(text);
  }
}

}  // namespace

std::string UpgradeRequest(std::string_view authority) {
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: {}\r\nUser-Agent: "
      "podkit\r\n\r\n",
      kUpgradePath, authority, kUpgradeProtocol);
}

std::optional<absl::StatusOr<std::string>> UpgradeReply::Feed(std::string_view bytes) {
  // Looked through once, whatever the pieces.
  size_t from = input_.size() < kEndOfHead.size() ? 0 : input_.size() - kEndOfHead.size() + 1;
  input_.append(bytes);
  for (;;) {
    const size_t end = input_.find(kEndOfHead, from);
    if (end > kMaxHeadBytes) {  // Also when there is none yet.
      if (input_.size() <= kMaxHeadBytes) return std::nullopt;
      return absl::DataLossError(
          fmt::format("the answer's head is larger than {} bytes", kMaxHeadBytes));
    }
    bool interim = false;
    const absl::Status status = Read(std::string_view(input_).substr(0, end), &interim);
    if (!status.ok()) return status;
    input_.erase(0, end + kEndOfHead.size());
    if (!interim) return std::move(input_);
    from = 0;
  }
}

absl::Status UpgradeReply::Read(std::string_view head, bool* interim) const {
  const std::vector<std::string_view> lines = SplitText(head, '\n');
  const std::optional<int> status = StatusOf(lines.front());
  if (!status) return absl::DataLossError("the answer is no HTTP/1.1");
  if (*status != 101) {
    *interim = *status < 200;
    return *interim ? absl::OkStatus() : Refusal(*status);
  }
  if (!Lists(lines, "Connection", "Upgrade") || !Lists(lines, "Upgrade", kUpgradeProtocol)) {
    return absl::UnimplementedError(
        fmt::format("the answer switches, but not to {}", kUpgradeProtocol));
  }
  return absl::OkStatus();
}

}  // namespace podkit::conduit::internal
