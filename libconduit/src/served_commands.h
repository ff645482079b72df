// What this pod serves, as other pods ask for it: which commands, and their schemas.
//
// Schemas are made when the first pod asks. Thread-safe once all commands are added.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "meeting.h"
#include "podkit/conduit/answers.h"
#include "podkit/conduit/raw_json.h"
#include "podkit/conduit/schema.h"

namespace podkit::conduit::internal {

class ServedCommands {
 public:
  using MakeSchema = CommandSchema (*)();

  // `answers` may be null; else it outlives this.
  void Add(std::string_view name, MakeSchema make_schema, const AnswerStore* answers);

  // By name.
  std::vector<ServedCommand> List();

  // The schemas of these, of all if there are none; names that are not served are left out.
  std::map<std::string, RawJson> Describe(const std::vector<std::string>& names);

 private:
  struct Served {
    MakeSchema make_schema;
    const AnswerStore* answers;
    ServedCommand summary;
    RawJson schema;
  };
  void Prepare();

  std::once_flag prepared_;
  std::map<std::string, Served, std::less<>> commands_;  // Constant once prepared.
};

}  // namespace podkit::conduit::internal
