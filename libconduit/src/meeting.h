// The commands by which two pods learn what the other one serves.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "podkit/conduit/command.h"
#include "podkit/conduit/raw_json.h"

namespace podkit::conduit::internal {

struct ServedCommand {
  std::string name;
  int since = 1;
  std::string fingerprint;  // Of its schema.
  std::string answers;      // The id of its AnswerStore; empty: no answers are kept.
  absl::Duration answers_for;
  static constexpr auto Fields() {
    return std::make_tuple(Required("name", &ServedCommand::name),
                           Required("since", &ServedCommand::since),
                           Required("fingerprint", &ServedCommand::fingerprint),
                           Optional("answers", &ServedCommand::answers),
                           Optional("answers_for_ms", &ServedCommand::answers_for));
  }
};

// Which commands a host serves.
struct Hello {
  static constexpr CommandInfo kInfo = {.name = "hello", .since = 2, .effect = Effect::kRead};
  struct Arguments {
    std::string version;  // Of the caller's software.
    static constexpr auto Fields() {
      return std::make_tuple(Optional("version", &Arguments::version));
    }
  };
  struct Response {
    std::string version;  // Of the responder's software.
    std::vector<ServedCommand> commands;
    static constexpr auto Fields() {
      return std::make_tuple(Required("version", &Response::version),
                             Required("commands", &Response::commands));
    }
  };
  using Errors = ErrorList<>;
};

// The schemas of commands, of all if none is named; those that are not known are left out. Each is
// to be read by itself, since a newer pod may say of one what is not understood.
struct DescribeCommands {
  static constexpr CommandInfo kInfo = {
      .name = "describe-commands", .since = 2, .effect = Effect::kRead};
  struct Arguments {
    std::vector<std::string> names;
    static constexpr auto Fields() { return std::make_tuple(Optional("names", &Arguments::names)); }
  };
  struct Response {
    std::map<std::string, RawJson> schemas;  // By name.
    static constexpr auto Fields() {
      return std::make_tuple(Required("schemas", &Response::schemas));
    }
  };
  using Errors = ErrorList<>;
};

}  // namespace podkit::conduit::internal
