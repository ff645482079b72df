// The list of pods and their hosts that a directory gives: read and written.
// docs/conduit-discovery.md has the format.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "podkit/conduit/pods.h"

namespace podkit::conduit::internal {

inline constexpr size_t kMaxHostListBytes = size_t{1} << 20;
inline constexpr int kMaxHostListDepth = 8;
inline constexpr size_t kMaxListedPods = 10'000;
inline constexpr size_t kMaxListedHosts = 256;  // Of one pod.

// In the order of the text; whether ids and addresses are good, Pods::SetHosts says.
// kInvalidArgument and kResourceExhausted say what is wrong where.
absl::StatusOr<std::vector<PodHosts>> ParseHostList(std::string text);

// `source`: where the list came from, for people.
std::string WriteHostList(const std::vector<PodHosts>& pods, std::string_view source);

// The member "source" of a list that ParseHostList takes; "" if it has none.
std::string SourceOfHostList(std::string text);

}  // namespace podkit::conduit::internal
