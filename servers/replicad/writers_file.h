// Reads the file that says who may do what in which volume of a gateway.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "podkit/replica/writers.h"

namespace podkit::servers {

// Errors name the file and what is wrong in it. An empty path gives a list of nobody.
absl::StatusOr<std::shared_ptr<const replica::Writers>> ReadWritersFile(const std::string& path);

}  // namespace podkit::servers
