// The verbs for delegates: who acts for whom.

#include <fmt/format.h>

#include <memory>

#include "podkit/store/types.h"
#include "servers/podctl/command_line.h"

namespace podkit::podctl {
namespace {

using store::Delegate;
using store::Delegator;

constexpr const char* kGroup = "Delegates";

absl::Status ShowDelegates(Session& session) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"delegates"}));
  return session.ShowList<Delegate>(
      "delegates", {.path = std::move(path)},
      {{"WHO", &Delegate::principal},
       {"KIND", [](const Delegate& one) { return one.is_group ? "group" : "user"; }},
       {"ACCESS", [](const Delegate& one) { return std::string(conduit::EnumName(one.access)); }}});
}

absl::Status ShowDelegators(Session& session) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"delegators"}));
  return session.ShowList<Delegator>(
      "delegators", {.path = std::move(path)},
      {{"HOME", &Delegator::owner_uid}, {"ACCESS", [](const Delegator& one) {
                                           return std::string(conduit::EnumName(one.access));
                                         }}});
}

absl::Status SetDelegate(Session& session, const std::string& who, const std::string& access) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"delegates", who}));
  const servers::DelegateTerms terms{
      .access = conduit::EnumFromName<store::Access>(access).value_or(store::Access::kRead)};
  return session.Show<Delegate>(
      {.method = "PUT", .path = std::move(path), .body = conduit::ToJson(terms)},
      [](const Delegate& delegate) {
        return fmt::format("{} '{}' is a delegate ({})\n", delegate.is_group ? "group" : "user",
                           delegate.principal, conduit::EnumName(delegate.access));
      });
}

absl::Status RemoveDelegate(Session& session, const std::string& who) {
  PODKIT_ASSIGN_OR_RETURN(auto path, session.HomePath({"delegates", who}));
  return session.Do({.method = "DELETE", .path = std::move(path)},
                    fmt::format("'{}' is no delegate any more", who));
}

}  // namespace

void AddDelegateVerbs(CommandLine* line) {
  struct Options {
    std::string who, access = "read";
  };
  auto options = std::make_shared<Options>();
  line->Add({.name = "delegates",
             .group = kGroup,
             .description = "Who may act for the user of a home",
             .examples = "podctl --as anna delegates"},
            ShowDelegates);
  line->Add({.name = "delegators",
             .group = kGroup,
             .description = "For whom a user may act",
             .examples = "podctl --as emma delegators"},
            ShowDelegators);
  CLI::App* const set = line->Add(
      {.name = "delegate",
       .group = kGroup,
       .description = "Let a user or a group, on this pod or another, act for the user of a home",
       .details = "A delegate uses the home with --home.",
       .examples = "podctl --as anna delegate emma --access read-write\n"
                   "podctl --as emma --home anna collections"},
      [options](Session& session) { return SetDelegate(session, options->who, options->access); });
  set->add_option("WHO", options->who, "Uid of a user, or id of a group")->required();
  set->add_option("--access", options->access, "read-write or read [read]")
      ->type_name("ACCESS")
      ->check(CLI::IsMember({"read-write", "read"}));
  line->Add({.name = "undelegate",
             .group = kGroup,
             .description = "Let somebody act no more for the user of a home",
             .examples = "podctl --as anna undelegate emma"},
            [options](Session& session) { return RemoveDelegate(session, options->who); })
      ->add_option("WHO", options->who, "Uid of a user, or id of a group")
      ->required();
}

}  // namespace podkit::podctl
