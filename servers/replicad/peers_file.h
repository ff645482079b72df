// Reads the file that says which other gateways keep the same chunks.
//
//   {"peers": [{"id": "g2", "url": "http://10.0.0.2:8401", "public_key": "<64 digits>"}]}
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "podkit/replica/client.h"

namespace podkit::servers {

// How gateway `id`, with its key, reads from each of them. Errors name the file and what is wrong
// in it. An empty path gives none.
absl::StatusOr<std::vector<replica::ReplicaClientOptions>> ReadPeersFile(
    const std::string& path, const std::string& id, const replica::SigningKey& key);

}  // namespace podkit::servers
