#include "servers/podctl/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <utility>

#include "common/text.h"
#include "podkit/conduit/json.h"
#include "servers/common/admin_messages.h"
#include "servers/common/error_json.h"
#include "servers/common/option_values.h"
#include "servers/common/version.h"
#include "servers/podctl/errors.h"

namespace podkit::podctl {
namespace {

constexpr std::string_view kDescription =
    "podctl is the operator's hand: it looks into the pods and does there what users could do,\n"
    "in the name of any of them.";

constexpr std::string_view kFooter = R"(Whose home:
  --as UID acts as that user, in his home. --home UID looks into another one's, as far as the
  acting user may; without --as the operator may do everything. The home may live on any pod: the
  pod that is asked forwards what is not its own.

Output:
  Tables for people; with --json one JSON object, as docs/podctl.md describes it. Times are UTC.
  Errors are one line on standard error.

Exit status:
  0 done, 1 refused or failed, 2 wrong usage, 3 a pod cannot be reached

Configuration:
  --config FILE, else $PODCTL_CONFIG, else ./var/demo/podctl.json, else
  ~/.config/podkit/podctl.json. The first pod is asked unless --pod names another:
    {"pods": [{"id": "A", "url": "http://127.0.0.1:8201", "token_file": "A/operator.token"}]}

Examples:
  podctl pods
  podctl --as anna collections
  podctl --as anna import work holidays.ics
  podctl --as anna invite work emma --access read-write
  podctl --pod B --as emma invitations

'podctl VERB --help' explains a verb.
)";

std::string Indent(std::string_view text) {
  std::string indented;
  for (const std::string_view line : SplitText(text, '\n')) indented += fmt::format("  {}\n", line);
  return indented;
}

// "chunk put": a word and the verb behind it, as far as they were given.
std::string FullName(const CLI::App* chosen) {
  const auto behind = chosen->get_subcommands();
  return behind.empty() ? chosen->get_name()
                        : chosen->get_name() + " " + behind.front()->get_name();
}

// Words for people may be empty: that takes away what was there.
bool MayBeEmpty(const CLI::Option& option) {
  const std::string takes = option.get_type_name();
  return option.get_items_expected_max() == 0 || takes == "WORDS" || takes == "COLOR";
}

// What becomes a part of a path, where "" and dots would mean another place.
bool IsName(const CLI::Option& option) {
  const auto is_one_of = [](std::string_view text, std::initializer_list<std::string_view> known) {
    return std::ranges::find(known, text) != known.end();
  };
  if (!option.get_positional()) return is_one_of(option.get_type_name(), {"UID", "NAME", "ID"});
  return is_one_of(option.get_name(), {"ATTACHMENT", "COLLECTION", "HOME", "NAME", "OBJECT", "POD",
                                       "SHARE", "STORE", "USER", "WHO"});
}

// What a path is made of need not be text; everything else that is given is.
bool IsPath(const CLI::Option& option) {
  const std::string takes = option.get_positional() ? option.get_name() : option.get_type_name();
  return takes == "FILE" || takes.ends_with("FOLDER") || takes.ends_with("PATH");
}

std::string TextFault(const std::string& text) {
  return conduit::IsUtf8(text) ? "" : fmt::format("'{}' is not UTF-8", Printable(text));
}

std::string NameFault(const std::string& name) {
  const bool fault = name.empty() || name == "." || name == "..";
  return fault ? fmt::format("'{}' is no name", name) : "";
}

// Refuses values that no verb has a use for: of `app` and of the verbs below it.
void RefuseSenselessValues(CLI::App* app) {
  for (CLI::Option* const option : app->get_options()) {
    if (!IsPath(*option)) option->check(CLI::Validator(TextFault, ""));
    if (option->get_type_name() == "COLOR") option->check(CLI::Validator(servers::ColorFault, ""));
    if (MayBeEmpty(*option)) continue;
    const bool positional = option->get_positional();
    if (!positional || !IsName(*option)) {
      servers::RefuseEmptyValue(
          option, positional ? "give a value" : "give a value, or leave the option out");
    }
    if (IsName(*option)) option->check(CLI::Validator(NameFault, ""));
  }
  for (CLI::App* const verb : app->get_subcommands([](CLI::App*) { return true; })) {
    RefuseSenselessValues(verb);
  }
}

class Formatter final : public CLI::Formatter {
 public:
  Formatter() {
    label("REQUIRED", "");
    label("TEXT", "");
    label("SUBCOMMAND", "VERB");
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    return "\n" + CLI::Formatter::make_usage(app, std::move(name));
  }
};

}  // namespace

CommandLine::CommandLine() : app_(std::string(kDescription), "podctl") {
  app_.footer(std::string(kFooter));
  app_.formatter(std::make_shared<Formatter>());
  app_.set_version_flag("--version", fmt::format("podctl {}", servers::kVersion));
  app_.require_subcommand(1);
  app_.add_option("--config", globals_.config, "Where the pods are")->type_name("FILE");
  app_.add_option("--pod", globals_.pod, "Ask this pod [the first of the configuration]")
      ->type_name("ID");
  app_.add_option("--as", globals_.as, "Act as this user [the operator]")->type_name("UID");
  app_.add_option("--home", globals_.home, "In the home of this user [the one of --as]")
      ->type_name("UID");
  app_.add_flag("--json", globals_.json, "Print JSON");
}

void CommandLine::AddFamily(const VerbInfo& info) {
  CLI::App* const family = app_.add_subcommand(info.name, info.description);
  family->group(info.group);
  family->fallthrough();
  family->require_subcommand(1);
  family->footer(
      fmt::format("{}\n\n'podctl {} VERB --help' explains a verb.\n", info.details, info.name));
  families_.push_back(family);
}

CLI::App* CommandLine::Add(const VerbInfo& info, Run run) {
  CLI::App* const parent = info.family.empty() ? &app_ : app_.get_subcommand(info.family);
  CLI::App* const verb = parent->add_subcommand(info.name, info.description);
  verb->group(info.family.empty() ? info.group : "Verbs");
  verb->fallthrough();
  verb->footer(fmt::format("{}{}Examples:\n{}", info.details, info.details.empty() ? "" : "\n\n",
                           Indent(info.examples)));
  verbs_.emplace_back(verb, std::move(run));
  return verb;
}

absl::Status CommandLine::ParseAndRun(const std::vector<std::string>& arguments) {
  RefuseSenselessValues(&app_);
  try {
    const auto given = servers::WithEmptyValues(arguments);
    app_.parse(std::vector<std::string>(given.rbegin(), given.rend()));
  } catch (const CLI::CallForHelp&) {
    output_.Print(app_.help());
    return absl::OkStatus();
  } catch (const CLI::CallForVersion& call) {
    output_.Print(fmt::format("{}\n", call.what()));
    return absl::OkStatus();
  } catch (const CLI::Error& error) {
    globals_.json = std::ranges::count(arguments, "--json") > 0;  // Nothing was set.
    const auto chosen = app_.get_subcommands();
    if (chosen.empty() && !app_.remaining().empty()) {
      return Usage(fmt::format("there is no verb or option '{}'; see podctl --help",
                               app_.remaining().front()));
    }
    return Usage(fmt::format("{}; see podctl {}--help", error.what(),
                             chosen.empty() ? "" : FullName(chosen.front()) + " "));
  }
  Session session(globals_, &output_);
  for (const auto& [verb, run] : verbs_) {
    if (verb->parsed()) return run(session);
  }
  return absl::OkStatus();
}

int CommandLine::Main(const std::vector<std::string>& arguments) {
  absl::Status status = ParseAndRun(arguments);
  const absl::Status written = output_.Flush();
  bool told = status.ok() || conduit::ErrorClass(status) == AlreadyReported::kClass;
  if (told && !written.ok()) {
    status = written;
    told = false;
  }
  if (!told) {
    const std::string text = globals_.json ? servers::ErrorJson(status)
                                           : "podctl: " + Printable(std::string(status.message()));
    fmt::print(stderr, "{}\n", text);
  }
  return ExitCode(status);
}

std::string CommandLine::Manual() const {
  std::string manual = "```\n" + app_.help() + "```\n";
  const auto add = [&](const CLI::App* app) {
    const CLI::App* const parent = app->get_parent();
    const std::string before = parent == &app_ ? "podctl" : "podctl " + parent->get_name();
    manual += fmt::format("\n## {} {}\n\n```\n{}```\n", before, app->get_name(), app->help(before));
  };
  for (const CLI::App* const family : families_) add(family);
  for (const auto& [verb, run] : verbs_) add(verb);
  return manual;
}

void AddAllVerbs(CommandLine* line) {
  AddPodVerbs(line);
  AddCareVerbs(line);
  AddReplayVerb(line);
  AddCollectionVerbs(line);
  AddImportVerbs(line);
  AddObjectVerbs(line);
  AddAttachmentVerbs(line);
  AddSharingVerbs(line);
  AddDelegateVerbs(line);
  AddLockVerbs(line);
  AddChunkVerbs(line);
  AddDemoVerb(line);
}

}  // namespace podkit::podctl
