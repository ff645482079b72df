// The command that carries a batch: docs/conduit-batches.md. Its calls travel as bytes beside the
// JSON, and so do their answers: frames.h.
#pragma once

#include "podkit/conduit/command.h"

namespace podkit::conduit::internal {

struct BatchCommand {
  static constexpr CommandInfo kInfo = {.name = "batch", .since = 3, .effect = Effect::kWrite};
  using Arguments = Nothing;
  using Response = Nothing;
  using Errors = ErrorList<>;
};

}  // namespace podkit::conduit::internal
