#include "common/status_macros.h"

#include <memory>
#include <string>

#include "tests/support/catch.h"

namespace podkit {
namespace {

absl::Status Forward(const absl::Status& status, bool* reached_end) {
  PODKIT_RETURN_IF_ERROR(status);
  *reached_end = true;
  return absl::OkStatus();
}

TEST_CASE("PODKIT_RETURN_IF_ERROR returns an error and passes OK", "[common][status]") {
  bool reached_end = false;
  CHECK(Forward(absl::AbortedError("lost"), &reached_end) == absl::AbortedError("lost"));
  CHECK_FALSE(reached_end);
  CHECK(Forward(absl::OkStatus(), &reached_end) == absl::OkStatus());
  CHECK(reached_end);
}

absl::StatusOr<std::string> Join(absl::StatusOr<std::string> first,
                                 absl::StatusOr<std::string> second, int* evaluations) {
  const auto evaluate = [evaluations](absl::StatusOr<std::string> value) {
    ++*evaluations;
    return value;
  };
  PODKIT_ASSIGN_OR_RETURN(std::string text, evaluate(std::move(first)));
  PODKIT_ASSIGN_OR_RETURN(const std::string more, evaluate(std::move(second)));
  return text + more;
}

TEST_CASE("PODKIT_ASSIGN_OR_RETURN assigns the value or returns the status", "[common][status]") {
  int evaluations = 0;
  CHECK(Join("a", "b", &evaluations).value() == "ab");
  CHECK(evaluations == 2);
  CHECK(Join("a", absl::NotFoundError("b"), &evaluations).status() == absl::NotFoundError("b"));
  evaluations = 0;
  CHECK(Join(absl::NotFoundError("a"), "b", &evaluations).status() == absl::NotFoundError("a"));
  CHECK(evaluations == 1);
}

absl::StatusOr<int> Unwrap(absl::StatusOr<std::unique_ptr<int>> owned) {
  std::unique_ptr<int> value;
  PODKIT_ASSIGN_OR_RETURN(value, std::move(owned));
  return *value;
}

TEST_CASE("PODKIT_ASSIGN_OR_RETURN moves what cannot be copied into a variable that exists",
          "[common][status]") {
  CHECK(Unwrap(std::make_unique<int>(7)).value() == 7);
}

}  // namespace
}  // namespace podkit
