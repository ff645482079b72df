// Early return for absl::Status and absl::StatusOr, with the names and arguments that later Abseil
// releases use, so that the macros can be replaced by theirs.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns the status of `expr` from the enclosing function unless it is OK.
#define PODKIT_RETURN_IF_ERROR(expr)               \
  do {                                             \
    absl::Status podkit_status = (expr);           \
    if (!podkit_status.ok()) return podkit_status; \
  } while (false)

// Evaluates `expr` (a StatusOr) once; assigns its value to `lhs` or returns its status.
#define PODKIT_ASSIGN_OR_RETURN(lhs, expr) \
  PODKIT_ASSIGN_OR_RETURN_IMPL(PODKIT_CONCAT(podkit_status_or_, __LINE__), lhs, expr)

// NOLINTBEGIN(bugprone-macro-parentheses): `lhs` may be a declaration.
#define PODKIT_ASSIGN_OR_RETURN_IMPL(result, lhs, expr) \
  auto result = (expr);                                 \
  if (!result.ok()) return std::move(result).status();  \
  lhs = *std::move(result)
// NOLINTEND(bugprone-macro-parentheses)

#define PODKIT_CONCAT(a, b) PODKIT_CONCAT_IMPL(a, b)
#define PODKIT_CONCAT_IMPL(a, b) a##b
