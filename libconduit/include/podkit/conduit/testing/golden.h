// Holds commands against golden files: for every released version of a command its declaration, and
// calls and answers as that version sent them. A test that runs this fails when a change of a
// declaration would leave older pods behind.
//
//   GoldenReport report = CheckGolden(
//       {.directory = "tests/golden", .how_to_write = "MY_GOLDEN=1 my_test", .write = ...},
//       {GoldenOf<EatCheez>(), GoldenOf<Rename>()});
//   // Fail with report.problems.
//
// A file, <directory>/<command>.<number>.json, is written once and never changed: the first one for
// a new command, the next one when the declaration of a command has changed compatibly. The
// newest one must be today's declaration. Rules: docs/conduit-compatibility.md.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/conduit/call_codec.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/error.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/message.h"
#include "podkit/conduit/schema.h"

namespace podkit::conduit::testing {

// A command with what its own code does to its frames: read them and write them again.
struct GoldenCommand {
  CommandSchema schema;
  std::function<absl::StatusOr<std::string>(const JsonValue& request)> call;
  std::function<absl::StatusOr<std::string>(const JsonValue& reply)> response;
  // By class: the fields again, if the status is that error.
  std::map<std::string, std::function<std::optional<std::string>(const absl::Status&)>> errors;
};

struct GoldenOptions {
  std::string directory;
  std::string how_to_write;  // The command that a person types to have new versions written.
  bool write = false;        // Write the versions that are missing; what is incompatible stays out.
};

struct GoldenReport {
  std::vector<std::string> problems;  // Each names the command, the versions, and what to do.
  std::vector<std::string> written;   // Files.
  int versions = 0;                   // That were held against today's code.
  int frames = 0;                     // That were read, by code or by a schema.
};

// Every version against today's code and against every other version, in both directions.
GoldenReport CheckGolden(const GoldenOptions& options, const std::vector<GoldenCommand>& commands);

namespace internal {

template <NamedError... E>
auto ErrorReaders(ErrorList<E...>) {
  decltype(GoldenCommand::errors) readers;
  (readers.emplace(std::string(std::string_view(E::kClass)),
                   [](const absl::Status& status) -> std::optional<std::string> {
                     const auto error = GetError<E>(status);
                     if (!error) return std::nullopt;
                     return ToJson(*error);
                   }),
   ...);
  return readers;
}

}  // namespace internal

template <Command C>
GoldenCommand GoldenOf() {
  GoldenCommand command;
  command.schema = SchemaOf<C>();
  command.call = [](const JsonValue& request) -> absl::StatusOr<std::string> {
    conduit::TargetOf<C> target{};
    typename C::Arguments arguments{};
    const absl::Status status = conduit::internal::DecodeCall<C>(request, &target, &arguments);
    if (!status.ok()) return status;
    return conduit::internal::EncodeCall<C>(target, arguments);
  };
  command.response = [](const JsonValue& reply) -> absl::StatusOr<std::string> {
    typename C::Response response{};
    const absl::Status status = conduit::internal::DecodeResponse<C>(reply, &response);
    if (!status.ok()) return status;
    if constexpr (std::is_same_v<typename C::Response, Nothing>) {
      return std::string();
    } else {
      return ToJson(response);
    }
  };
  command.errors = internal::ErrorReaders(typename C::Errors());
  return command;
}

}  // namespace podkit::conduit::testing
