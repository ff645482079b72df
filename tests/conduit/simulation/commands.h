// What the pods of the simulation ask of each other: one shape of command, once for each way in
// which the conduit treats commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

#include "absl/time/time.h"
#include "podkit/conduit/command.h"

namespace podkit::conduit::simulation {

struct Refused {
  static constexpr std::string_view kClass = "Refused";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kFailedPrecondition;
  static constexpr auto Fields() { return std::make_tuple(); }
};

// How a responder ends.
enum class How { kOk, kDeclaredError, kUndeclaredError, kThrow, kHeldElsewhere };

struct Shape {
  struct Arguments {
    int64_t operation = 0;  // The same for a call and for another one that repeats it with its key.
    int64_t how = 0;
    absl::Duration takes;
    int64_t reply_bytes = 0;       // Of the payload.
    std::optional<int64_t> after;  // In a batch: the execution of the call before it.
    static constexpr auto Fields() {
      return std::make_tuple(Required("operation", &Arguments::operation),
                             Required("how", &Arguments::how), Required("takes", &Arguments::takes),
                             Required("reply_bytes", &Arguments::reply_bytes),
                             Optional("after", &Arguments::after));
    }
  };
  struct Response {
    int64_t execution = 0;  // Its place in the ledger.
    static constexpr auto Fields() {
      return std::make_tuple(Required("execution", &Response::execution));
    }
  };
  using Errors = ErrorList<Refused>;
};

// Answered on the thread that brings it.
struct Peek : Shape {
  static constexpr CommandInfo kInfo = {.name = "peek", .effect = Effect::kRead};
};
struct Read : Shape {
  static constexpr CommandInfo kInfo = {.name = "read", .effect = Effect::kRead};
};
struct Set : Shape {
  static constexpr CommandInfo kInfo = {.name = "set", .effect = Effect::kIdempotent};
};
struct Write : Shape {
  static constexpr CommandInfo kInfo = {.name = "write", .effect = Effect::kWrite};
};
// Its answers are kept in the memory of the host.
struct Keep : Shape {
  static constexpr CommandInfo kInfo = {.name = "keep", .effect = Effect::kWrite};
};
// Its answers are kept where all hosts of the pod have them, and where no crash reaches them.
struct KeepWell : Shape {
  static constexpr CommandInfo kInfo = {.name = "keep-well", .effect = Effect::kWrite};
};

}  // namespace podkit::conduit::simulation
