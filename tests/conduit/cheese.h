// The commands and errors that the tests of the conduit share.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "podkit/conduit/command.h"

namespace podkit::conduit {

struct NoSuchCheese {
  static constexpr std::string_view kClass = "NoSuchCheese";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
  std::string name;
  int64_t stock = 0;
  static constexpr auto Fields() {
    return std::make_tuple(Required("name", &NoSuchCheese::name),
                           Optional("stock", &NoSuchCheese::stock));
  }
};

struct ShopClosed {
  static constexpr std::string_view kClass = "ShopClosed";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kFailedPrecondition;
  static constexpr auto Fields() { return std::make_tuple(); }
};

// Arguments and response by name.
struct EatCheez {
  static constexpr CommandInfo kInfo = {.name = "eat-cheez", .since = 3, .effect = Effect::kRead};
  struct Arguments {
    std::string name;
    std::string origin = "unknown";
    static constexpr auto Fields() {
      return std::make_tuple(Required("name", &Arguments::name),
                             Optional("origin", &Arguments::origin));
    }
  };
  struct Response {
    int64_t rating = 0;
    std::string text;
    static constexpr auto Fields() {
      return std::make_tuple(Required("rating", &Response::rating),
                             Optional("text", &Response::text));
    }
  };
  using Errors = ErrorList<NoSuchCheese>;
};

// Any text there and back.
struct Echo {
  static constexpr CommandInfo kInfo = {.name = "echo", .effect = Effect::kRead};
  using Arguments = std::tuple<Bytes>;
  using Response = Bytes;
  using Errors = ErrorList<>;
};

// With a target, arguments by position, and nothing to say.
struct Rename {
  static constexpr CommandInfo kInfo = {.name = "rename"};
  struct Target {
    std::string home;
    std::optional<std::string> child;
    static constexpr auto Fields() {
      return std::make_tuple(Required("homeUID", &Target::home),
                             Optional("homeChildID", &Target::child));
    }
  };
  using Arguments = std::tuple<std::string, std::optional<int>>;
  using Response = Nothing;
  using Errors = ErrorList<NoSuchCheese, ShopClosed>;
};

}  // namespace podkit::conduit
