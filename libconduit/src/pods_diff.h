// What is different between two sets of pods.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "podkit/conduit/pods.h"

namespace podkit::conduit::internal {

using PodMap = std::map<std::string, std::shared_ptr<const Pod>, std::less<>>;

// By pod; a pod that comes is told before its hosts, one that goes after them. Whoever does to
// `before` what the events say has `after`, but for the order of hosts.
std::vector<PodsEvent> DiffPods(const PodMap& before, const PodMap& after, std::string_view reason);

}  // namespace podkit::conduit::internal
