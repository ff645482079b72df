// The HTTP/1.1 exchange that turns a fresh connection into one that speaks podkit-conduit.
//
// Thread-compatible.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "podkit/conduit/mux_transport.h"

namespace podkit::conduit::internal {

inline constexpr std::string_view kUpgradePath = kMuxPath;
inline constexpr std::string_view kUpgradeProtocol = kMuxProtocol;

// What the dialling side sends. `authority` as in an URL: "a1.example:8443" or "[::1]:80".
std::string UpgradeRequest(std::string_view authority);

// Reads the answer, which may come in pieces.
class UpgradeReply {
 public:
  static constexpr size_t kMaxHeadBytes = size_t{16} << 10;

  // Nothing as long as the answer is not complete. Then the bytes that came behind a 101; or what
  // the answer means: kUnimplemented = the peer speaks HTTP and not this protocol; kUnavailable =
  // it does not want to now; kPermissionDenied = it wants somebody else; kDataLoss = no HTTP/1.1.
  // Call it no more then.
  std::optional<absl::StatusOr<std::string>> Feed(std::string_view bytes);

 private:
  absl::Status Read(std::string_view head, bool* interim) const;

  std::string input_;
};

}  // namespace podkit::conduit::internal
