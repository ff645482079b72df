#include "podkit/conduit/testing/golden.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "envelope.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "schema_samples.h"

namespace podkit::conduit::testing {
namespace {

namespace fs = std::filesystem;

// One golden file.
struct Version {
  std::string command;
  int number = 0;
  std::string path;
  std::string text;
  CommandSchema schema;
  std::vector<std::string> requests;
  std::vector<std::string> replies;

  std::string Name() const { return fmt::format("version {} of '{}'", number, command); }
};

CommandInfo InfoOf(const CommandSchema& schema) {
  return {.name = schema.name, .since = schema.since, .effect = schema.effect};
}

std::string_view Message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

// "eat-cheez.2.json" is version 2 of 'eat-cheez'.
std::optional<std::pair<std::string, int>> ParseFileName(const std::string& name) {
  const std::vector<std::string_view> parts = SplitText(name, '.');
  if (parts.size() != 3 || parts[2] != "json") return std::nullopt;
  const auto number = ParseNumber<int>(parts[1]);
  if (!number || *number < 1) return std::nullopt;
  return std::pair(std::string(parts[0]), *number);
}

absl::Status ReadFrames(const JsonValue& file, std::string_view member,
                        std::vector<std::string>* frames) {
  const auto list = file.Member(member);
  if (!list || list->kind() != JsonValue::Kind::kArray || list->size() == 0) {
    return absl::InvalidArgumentError(fmt::format("$.{}: must be a list of frames", member));
  }
  for (size_t i = 0; i < list->size(); ++i) frames->push_back(list->Element(i).ToText());
  return absl::OkStatus();
}

absl::Status ParseVersion(Version* version) {
  PODKIT_ASSIGN_OR_RETURN(const JsonDocument file, JsonDocument::Parse(version->text));
  const auto schema = file.root().Member("schema");
  if (!schema) return absl::InvalidArgumentError("$.schema: is missing");
  PODKIT_RETURN_IF_ERROR(Codec<CommandSchema>::Decode(*schema, &version->schema));
  if (version->schema.name != version->command) {
    return absl::InvalidArgumentError(fmt::format("is about '{}'", version->schema.name));
  }
  PODKIT_RETURN_IF_ERROR(ReadFrames(file.root(), "requests", &version->requests));
  return ReadFrames(file.root(), "replies", &version->replies);
}

JsonDocument Parsed(const std::string& text) {
  auto document = JsonDocument::Parse(text);
  // Frames are made by our own writer, or were read once already.
  return document.ok() ? *std::move(document) : *JsonDocument::Parse("null");
}

// A call as today's code sends it, made up by `variation`.
absl::StatusOr<std::string> MakeRequest(const GoldenCommand& command, size_t variation) {
  const JsonDocument sample = Parsed(conduit::internal::SampleCall(command.schema, variation));
  PODKIT_ASSIGN_OR_RETURN(const std::string members, command.call(sample.root()));
  CallOptions options;
  if (variation > 0) options.actor = "an actor";
  return conduit::internal::EncodeRequest(InfoOf(command.schema), options,
                                          {.timeout = options.timeout}, members);
}

absl::StatusOr<std::string> MakeAnswer(const GoldenCommand& command, size_t variation) {
  const JsonDocument sample = Parsed(fmt::format(
      R"({{"value":{}}})", conduit::internal::SampleValue(command.schema.response, variation)));
  PODKIT_ASSIGN_OR_RETURN(const std::string value, command.response(sample.root()));
  return conduit::internal::OkReply(value).body;
}

std::string MakeException(const ErrorSchema& error) {
  return conduit::internal::ExceptionReply(
             conduit::internal::MakeError(error.code, error.error_class,
                                          conduit::internal::SampleValue(error.fields, 3),
                                          "what went wrong, and what to do"))
      .body;
}

// Everything that today's code sends for a command.
absl::StatusOr<Version> Today(const GoldenCommand& command) {
  Version today{.command = command.schema.name, .schema = command.schema};
  for (size_t i = 0; i < conduit::internal::SampleCount(command.schema); ++i) {
    PODKIT_ASSIGN_OR_RETURN(today.requests.emplace_back(), MakeRequest(command, i));
    PODKIT_ASSIGN_OR_RETURN(today.replies.emplace_back(), MakeAnswer(command, i));
  }
  for (const ErrorSchema& error : command.schema.errors) {
    today.replies.push_back(MakeException(error));
  }
  return today;
}

// One line for each part that changes by itself, so that a difference shows what it is.
std::string SchemaText(const CommandSchema& schema) {
  const JsonDocument document = Parsed(ToJson(schema));
  std::string text = "{";
  for (size_t i = 0; i < document.root().size(); ++i) {
    const auto [name, value] = document.root().MemberAt(i);
    text += fmt::format("{}\n    \"{}\": ", i == 0 ? "" : ",", name);
    if (name != "errors" || value.size() == 0) {
      text += value.ToText();
      continue;
    }
    text += "{";
    for (size_t j = 0; j < value.size(); ++j) {
      const auto [error_class, error] = value.MemberAt(j);
      text += fmt::format("{}\n      \"{}\": {}", j == 0 ? "" : ",", error_class, error.ToText());
    }
    text += "\n    }";
  }
  return text + "\n  }";
}

std::string FileText(const Version& version) {
  const auto list = [](const std::vector<std::string>& frames) {
    std::string text = "[";
    for (size_t i = 0; i < frames.size(); ++i) {
      text += fmt::format("{}\n    {}", i == 0 ? "" : ",", frames[i]);
    }
    return text + "\n  ]";
  };
  return fmt::format("{{\n  \"schema\": {},\n  \"requests\": {},\n  \"replies\": {}\n}}\n",
                     SchemaText(version.schema), list(version.requests), list(version.replies));
}

// Each place of a declaration with what it says there.
class Outline {
 public:
  explicit Outline(const CommandSchema& schema) {
    places_["effect"] = EnumName(schema.effect);
    places_["since"] = std::to_string(schema.since);
    Add("target", schema.target);
    Add("arguments", schema.arguments);
    Add("response", schema.response);
    for (const ErrorSchema& error : schema.errors) {
      places_[error.error_class] = absl::StatusCodeToString(error.code);
      Add(error.error_class + " fields", error.fields);
    }
  }

  // "removed arguments.origin: optional string", ...
  static std::string Difference(const Outline& before, const Outline& after) {
    std::vector<std::string> lines;
    for (const auto& [place, text] : before.places_) {
      const auto now = after.places_.find(place);
      if (now == after.places_.end()) {
        lines.push_back(fmt::format("removed {}: {}", place, text));
      } else if (now->second != text) {
        lines.push_back(fmt::format("{}: {} became {}", place, text, now->second));
      }
    }
    for (const auto& [place, text] : after.places_) {
      if (!before.places_.contains(place)) lines.push_back(fmt::format("new {}: {}", place, text));
    }
    return fmt::format("{}", fmt::join(lines, "; "));
  }

 private:
  void Add(const std::string& place, const TypeSchema& type, const std::string& prefix = "",
           const std::string& suffix = "") {
    places_[place] =
        fmt::format("{}{}{}{}{}{}", prefix, type.open ? "open " : "", TypeKindName(type.kind),
                    type.names.empty() ? "" : fmt::format(" of {}", fmt::join(type.names, ", ")),
                    type.levels == 0 ? "" : fmt::format(" {}", type.levels), suffix);
    for (size_t i = 0; i < type.elements.size(); ++i) {
      Add(fmt::format("{}[{}]", place, i), type.elements[i]);
    }
    for (const FieldSchema& field : type.fields) {
      Add(fmt::format("{}.{}", place, field.name), field.type,
          field.required ? "required " : "optional ",
          field.default_json.empty() ? "" : " = " + field.default_json);
    }
  }

  std::map<std::string, std::string> places_;
};

class GoldenCheck {
 public:
  GoldenCheck(const GoldenOptions& options, GoldenReport* report)
      : options_(options), report_(*report) {}

  void Run(const std::vector<GoldenCommand>& commands) {
    ReadFiles();
    for (const GoldenCommand& command : commands) CheckCommand(command);
    for (const auto& [name, versions] : versions_) {
      const bool known = std::any_of(commands.begin(), commands.end(), [&](const auto& command) {
        return command.schema.name == name;
      });
      if (known) continue;
      Problem(
          "'{}' has golden files and is not declared any more: older pods still call it. Keep "
          "it, or remove its files when no supported version is left that knows it",
          name);
    }
  }

 private:
  template <typename... T>
  void Problem(fmt::format_string<T...> format, T&&... arguments) {
    report_.problems.push_back(fmt::format(format, std::forward<T>(arguments)...));
  }

  void ReadFiles() {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(options_.directory, error)) {
      const auto name = ParseFileName(entry.path().filename().string());
      if (!name) {
        Problem("{}: a golden file is called <command>.<number>.json", entry.path().string());
        continue;
      }
      Version version{
          .command = name->first, .number = name->second, .path = entry.path().string()};
      std::ifstream file(version.path);
      version.text.assign(std::istreambuf_iterator<char>(file), {});
      const absl::Status status = ParseVersion(&version);
      if (!status.ok()) {
        Problem("{}: {}", version.path, Message(status));
        continue;
      }
      versions_[version.command].push_back(std::move(version));
    }
    for (auto& [name, versions] : versions_) {
      std::sort(versions.begin(), versions.end(),
                [](const Version& a, const Version& b) { return a.number < b.number; });
    }
  }

  void CheckCommand(const GoldenCommand& command) {
    absl::StatusOr<Version> today = Today(command);
    if (!today.ok()) {
      Problem("'{}' cannot read a call or an answer that was made up from its own schema: {}",
              command.schema.name, Message(today.status()));
      return;
    }
    const std::vector<Version>& versions = versions_[command.schema.name];
    const size_t problems = report_.problems.size();
    for (const Version& old : versions) {
      ++report_.versions;
      CheckAgainstCode(command, old);
      CheckPair(old, *today, "version " + std::to_string(old.number), "today's");
      CheckPair(*today, old, "today's", "version " + std::to_string(old.number));
      for (const Version& other : versions) {
        if (&other == &old) continue;
        CheckPair(old, other, "version " + std::to_string(old.number),
                  "version " + std::to_string(other.number));
      }
    }
    const bool compatible = report_.problems.size() == problems;
    if (!versions.empty() && SchemaText(versions.back().schema) == SchemaText(command.schema)) {
      return;
    }
    today->number = versions.empty() ? 1 : versions.back().number + 1;
    WriteOrAsk(*today, compatible,
               versions.empty() ? "has no golden file"
                                : "was changed (" +
                                      Outline::Difference(Outline(versions.back().schema),
                                                          Outline(command.schema)) +
                                      ")");
  }

  void WriteOrAsk(const Version& today, bool compatible, const std::string& what) {
    const std::string path =
        fmt::format("{}/{}.{}.json", options_.directory, today.command, today.number);
    if (!compatible) {
      Problem(
          "'{}' {} so that it does not work with its older versions: undo that, or declare a "
          "new command of another name beside it (docs/conduit-compatibility.md)",
          today.command, what);
      return;
    }
    if (!options_.write) {
      Problem("'{}' {}: if that is meant, run {} and commit {}", today.command, what,
              options_.how_to_write, path);
      return;
    }
    std::ofstream file(path);
    file << FileText(today);
    file.close();
    if (!file) {
      Problem("{}: cannot be written", path);
      return;
    }
    report_.written.push_back(path);
  }

  // By schemas alone: `caller` calls `responder`.
  void CheckPair(const Version& caller, const Version& responder, std::string_view caller_name,
                 std::string_view responder_name) {
    const std::string pair = fmt::format("'{}', {} caller and {} responder", caller.command,
                                         caller_name, responder_name);
    for (const SchemaBreak& one : FindBreaks(caller.schema, responder.schema)) {
      Problem("{}: {}", pair, BreakText(one));
    }
    for (const std::string& request : caller.requests) {
      Count(pair, request, CheckRequest(responder.schema, Parsed(request).root()));
    }
    for (const std::string& reply : responder.replies) {
      Count(pair, reply, CheckReply(caller.schema, Parsed(reply).root()));
    }
  }

  // By today's code: it reads what the old version sent.
  void CheckAgainstCode(const GoldenCommand& command, const Version& old) {
    const std::string reader = fmt::format("today's code reads {}", old.Name());
    for (const std::string& request : old.requests) {
      Count(reader, request, ReadRequest(command, request));
    }
    for (const std::string& reply : old.replies) Count(reader, reply, ReadReply(command, reply));
    // What the old declaration allows to send beyond what its code sends: fields left out.
    const std::string least = conduit::internal::SampleCall(old.schema, 0);
    Count(reader, least, command.call(Parsed(least).root()).status());
  }

  absl::Status ReadRequest(const GoldenCommand& command, const std::string& text) {
    const JsonDocument request = Parsed(text);
    PODKIT_ASSIGN_OR_RETURN(const auto head, conduit::internal::ReadRequestHead(request.root()));
    if (head.action != command.schema.name) return absl::NotFoundError("is for another command");
    return command.call(request.root()).status();
  }

  absl::Status ReadReply(const GoldenCommand& command, const std::string& text) {
    WireReply reply{.content_type = std::string(conduit::internal::kJsonType), .body = text};
    const auto answer =
        conduit::internal::ReadReply("golden", InfoOf(command.schema), std::move(reply), {});
    if (answer.ok()) return command.response(answer->root()).status();
    // The same error with its class, whether it is declared here or not.
    const JsonDocument sent = Parsed(text);
    const auto sent_class = sent.root().Member("class");
    const std::string error_class = ErrorClass(answer.status());
    if (!sent_class || sent_class->AsString() != error_class ||
        OutcomeOf(answer.status()) != Outcome::kDeclaredError) {
      return absl::InternalError(fmt::format("arrives as {}", answer.status().ToString()));
    }
    const auto known = command.errors.find(error_class);
    if (known == command.errors.end() || known->second(answer.status())) return absl::OkStatus();
    return absl::InvalidArgumentError(
        fmt::format("the fields of {} do not fit its declaration", error_class));
  }

  void Count(const std::string& what, const std::string& frame, const absl::Status& status) {
    ++report_.frames;
    // The first one says it; the others are alike.
    if (status.ok() || !said_.insert(what).second) return;
    Problem("{}: {} in {}", what, Message(status), frame.substr(0, 300));
  }

  const GoldenOptions& options_;
  GoldenReport& report_;
  std::map<std::string, std::vector<Version>> versions_;
  std::set<std::string> said_;
};

}  // namespace

GoldenReport CheckGolden(const GoldenOptions& options, const std::vector<GoldenCommand>& commands) {
  GoldenReport report;
  GoldenCheck(options, &report).Run(commands);
  return report;
}

}  // namespace podkit::conduit::testing
