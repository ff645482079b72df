// The command that stops a call which the same pod made before, sent where the transport cannot say
// it by itself: docs/conduit-protocol.md.
#pragma once

#include <string>
#include <tuple>

#include "podkit/conduit/command.h"
#include "podkit/conduit/message.h"

namespace podkit::conduit::internal {

struct Cancel {
  static constexpr CommandInfo kInfo = {
      .name = "cancel", .since = 2, .effect = Effect::kIdempotent};
  struct Arguments {
    std::string call;
    static constexpr auto Fields() { return std::make_tuple(Required("call", &Arguments::call)); }
  };
  using Response = Nothing;
  using Errors = ErrorList<>;
};

}  // namespace podkit::conduit::internal
