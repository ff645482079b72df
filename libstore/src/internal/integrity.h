// Whether a user's file holds what it must.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sqlite/database.h"

namespace podkit::store {

// What is wrong, each in a sentence that names the row; the first hundred of each kind. Reads the
// whole file. Inside of UserStore::Read.
absl::StatusOr<std::vector<std::string>> FindDamage(Database& database);

}  // namespace podkit::store
