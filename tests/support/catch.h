// Catch2, and how it prints our status types: include this in tests instead of <catch2/catch.hpp>.
//
// Compare with the expected status or code, CHECK(status == absl::OkStatus()): a failure then
// prints "NOT_FOUND: gone", where CHECK(status.ok()) would print "false".
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace Catch {

template <>
struct StringMaker<absl::Status> {
  static std::string convert(const absl::Status& status) { return status.ToString(); }
};

template <>
struct StringMaker<absl::StatusCode> {
  static std::string convert(absl::StatusCode code) { return absl::StatusCodeToString(code); }
};

}  // namespace Catch

namespace podkit::testing {

// The value of `result`, which must be OK, or the test ends with its status.
template <typename T>
T ValueOf(absl::StatusOr<T> result) {
  REQUIRE(result.status() == absl::OkStatus());
  return *std::move(result);
}

}  // namespace podkit::testing
