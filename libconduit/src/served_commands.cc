#include "served_commands.h"

#include "podkit/conduit/message.h"

namespace podkit::conduit::internal {

void ServedCommands::Add(std::string_view name, MakeSchema make_schema,
                         const AnswerStore* answers) {
  commands_.try_emplace(std::string(name), Served{make_schema, answers, {}, {}});
}

std::vector<ServedCommand> ServedCommands::List() {
  Prepare();
  std::vector<ServedCommand> all;
  all.reserve(commands_.size());
  for (const auto& [name, served] : commands_) all.push_back(served.summary);
  return all;
}

std::map<std::string, RawJson> ServedCommands::Describe(const std::vector<std::string>& names) {
  Prepare();
  std::map<std::string, RawJson> schemas;
  if (names.empty()) {
    for (const auto& [name, served] : commands_) schemas.emplace(name, served.schema);
  }
  for (const std::string& name : names) {
    const auto found = commands_.find(name);
    if (found != commands_.end()) schemas.emplace(name, found->second.schema);
  }
  return schemas;
}

void ServedCommands::Prepare() {
  std::call_once(prepared_, [this] {
    for (auto& [name, served] : commands_) {
      const CommandSchema schema = served.make_schema();
      served.summary = {name, schema.since, Fingerprint(schema)};
      if (served.answers != nullptr) {
        served.summary.answers = served.answers->Id();
        served.summary.answers_for = served.answers->Window();
      }
      served.schema = {ToJson(schema)};
    }
  });
}

}  // namespace podkit::conduit::internal
