// What runs inside of a transaction.
#pragma once

#include <exception>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "sqlite/database.h"

namespace podkit::store {

using TransactionBody = std::function<absl::Status(Database&)>;

// Calls `body`. It must not throw; if it does, that is its own failure and nobody else's.
inline absl::Status CallBody(const TransactionBody& body, Database& database) {
  try {
    return body(database);
  } catch (const std::exception& error) {
    return absl::InternalError(std::string("a transaction threw: ") + error.what());
  } catch (...) {
    return absl::InternalError("a transaction threw something unknown");
  }
}

}  // namespace podkit::store
