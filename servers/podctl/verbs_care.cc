// The verbs that look after homes: whether they are sound, what they hold in vain, and their end.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "podkit/store/store.h"
#include "servers/podctl/command_line.h"
#include "servers/podctl/errors.h"
#include "servers/podctl/table.h"

namespace podkit::podctl {
namespace {

constexpr const char* kGroup = "Pods";

absl::Status CheckHome(Session& session, const std::string& home) {
  PODKIT_ASSIGN_OR_RETURN(const std::string body,
                          session.Call({.method = "POST", .path = {"homes", home, "check"}}));
  PODKIT_ASSIGN_OR_RETURN(const auto check, conduit::FromJson<store::HomeCheck>(body));
  if (session.json()) {
    session.Print(body + '\n');
  } else {
    for (const std::string& problem : check.problems) session.Print(problem + '\n');
    if (check.problems.empty()) session.Print("sound\n");
    session.Print(fmt::format("{} with {} bytes, and {} with {} bytes that nothing uses\n",
                              Plural(check.attachments, "attachment"), check.attachment_bytes,
                              Plural(check.orphans, "chunk"), check.orphan_bytes));
  }
  if (check.problems.empty()) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("the home of '{}' is damaged: restore it from a backup", home));
}

std::string Describe(const store::PurgedHome& purged, const std::string& home) {
  if (purged.gone) return fmt::format("the home of '{}' is gone\n", Printable(home));
  const std::string then =
      purged.messages == 0
          ? "when nobody holds it any more"
          : fmt::format("when {} delivered ('podctl messages' shows what hinders)",
                        purged.messages == 1 ? "1 message is"
                                             : fmt::format("{} messages are", purged.messages));
  return fmt::format(
      "the home of '{}' is closed, and goes by itself {}: ask again to see how far it is\n",
      Printable(home), then);
}

// What is done to a home is for the operator.
absl::Status RefuseAs(const Session& session, std::string_view verb) {
  if (session.globals().as.empty()) return absl::OkStatus();
  return Usage(fmt::format("{} is for the operator, in nobody's name: leave out --as", verb));
}

absl::Status PurgeHome(Session& session, const std::string& home, bool yes) {
  PODKIT_RETURN_IF_ERROR(RefuseAs(session, "purge"));
  if (!yes) {
    return Usage(
        fmt::format("purge removes the home of '{}', its collections and attachments, for "
                    "ever, and ends its shares: 'podctl export' what is to be kept, then "
                    "say --yes",
                    home));
  }
  ApiRequest request{.method = "POST", .path = {"homes", home, "purge"}};
  request.body = conduit::ToJson(servers::PurgeConfirmation{.confirm = home});
  return session.Show<store::PurgedHome>(
      std::move(request),
      [&home](const store::PurgedHome& purged) { return Describe(purged, home); });
}

absl::Status DisableHome(Session& session, const std::string& home) {
  PODKIT_RETURN_IF_ERROR(RefuseAs(session, "disable"));
  return session.Show<store::DisabledHome>(
      {.method = "POST", .path = {"homes", home, "disable"}},
      [&home](const store::DisabledHome& disabled) {
        return fmt::format("the home of '{}' is closed{}\n", Printable(home),
                           disabled.closed ? ", and its files are not in use"
                                           : "; its files are still held: ask again before "
                                             "they are touched");
      });
}

absl::Status EnableHome(Session& session, const std::string& home) {
  PODKIT_RETURN_IF_ERROR(RefuseAs(session, "enable"));
  return session.Do({.method = "POST", .path = {"homes", home, "enable"}},
                    fmt::format("the home of '{}' is open", home));
}

absl::Status CollectOrphans(Session& session, const std::string& home) {
  return session.Show<store::CollectedOrphans>(
      {.method = "POST", .path = {"homes", home, "collect-orphans"}},
      [](const store::CollectedOrphans& collected) {
        return fmt::format("removed {} of {} bytes\n", Plural(collected.chunks, "chunk"),
                           collected.bytes);
      });
}

void Add(const store::ReconciledShares& part, store::ReconciledShares* sum) {
  constexpr size_t kMostProblems = 20;  // As of one part.
  sum->homes += part.homes;
  sum->shares += part.shares;
  sum->in_flight += part.in_flight;
  sum->unknown += part.unknown;
  sum->calls += part.calls;
  sum->healed += part.healed;
  sum->next = part.next;
  for (const std::string& problem : part.problems) {
    if (sum->problems.size() == kMostProblems) return;
    // A pod that is down is one for every part.
    if (std::ranges::find(sum->problems, problem) == sum->problems.end()) {
      sum->problems.push_back(problem);
    }
  }
}

std::string Describe(const store::ReconciledShares& sum) {
  std::string text =
      fmt::format("compared {} of {}, with {} to other pods\n", Plural(sum.shares, "share"),
                  Plural(sum.homes, "home"), Plural(sum.calls, "call"));
  const std::pair<int64_t, std::string_view> outcomes[] = {
      {sum.in_flight, "left alone, for a message about it waits"},
      {sum.unknown, "left alone, for the other side could not be asked"},
      {sum.healed.invited_again, "invited again, for the viewer had other terms"},
      {sum.healed.asked_anew, "asked anew, for the viewer had lost it or his answer"},
      {sum.healed.replied_again, "replied again, for the owner had another answer"},
      {sum.healed.removed, "removed, for the owner does not share it"},
      {sum.healed.withdrawn, "withdrawn, for the collection is gone"}};
  bool agree = true;
  for (const auto& [count, what] : outcomes) {
    if (count == 0) continue;
    agree = false;
    text += fmt::format("{} {}\n", count, what);
  }
  return agree ? text + "nothing to heal\n" : text;
}

// The pod does it in parts, each of which it answers soon. What was done before one failed is told.
absl::Status ReconcileShares(Session& session) {
  store::ReconciledShares sum;
  absl::Status failed;
  do {
    const auto part = session.Fetch<store::ReconciledShares>(
        {.method = "POST", .path = {"reconcile-shares"}, .query = {{"after", sum.next}}});
    failed = part.status();
    if (failed.ok()) Add(*part, &sum);
  } while (failed.ok() && !sum.next.empty());
  if (failed.ok() || sum.homes > 0) {
    session.Print(session.json() ? conduit::ToJson(sum) + '\n' : Describe(sum));
  }
  PODKIT_RETURN_IF_ERROR(failed);
  if (sum.problems.empty()) return absl::OkStatus();
  return conduit::MakeError(PodUnreachable{}, fmt::format("{}", fmt::join(sum.problems, "; ")));
}

}  // namespace

void AddCareVerbs(CommandLine* line) {
  auto home = std::make_shared<std::string>();
  line->Add({.name = "check",
             .group = kGroup,
             .description =
                 "Read a home and its attachments, all of it, and say what is wrong with it",
             .examples = "podctl check anna\npodctl --pod B check emma"},
            [home](Session& session) { return CheckHome(session, *home); })
      ->add_option("HOME", *home, "Uid of a user who lives on the pod")
      ->required();
  line->Add({.name = "collect-orphans",
             .group = kGroup,
             .description = "Remove what attachments that are gone have left behind for a day",
             .examples = "podctl collect-orphans anna"},
            [home](Session& session) { return CollectOrphans(session, *home); })
      ->add_option("HOME", *home, "Uid of a user who lives on the pod")
      ->required();
  line->Add({.name = "disable",
             .group = kGroup,
             .description = "Close a home for everybody until it is enabled again",
             .details = "So its files can be copied, mended or replaced while the pod runs. "
                        "Messages to it and from it wait.",
             .examples = "podctl disable anna\npodctl enable anna"},
            [home](Session& session) { return DisableHome(session, *home); })
      ->add_option("HOME", *home, "Uid of a user who lives on the pod")
      ->required();
  line->Add({.name = "enable",
             .group = kGroup,
             .description = "Open a home again that was disabled",
             .examples = "podctl enable anna"},
            [home](Session& session) { return EnableHome(session, *home); })
      ->add_option("HOME", *home, "Uid of a user who lives on the pod")
      ->required();
  auto yes = std::make_shared<bool>(false);
  CLI::App* const purge = line->Add(
      {.name = "purge",
       .group = kGroup,
       .description = "Remove a home for ever, and tell everybody who shares with it",
       .details =
           "At once the home can be used no more. It goes by itself when the others are told, "
           "those on pods that\nare down later, and when nobody holds it any more. Ask again "
           "to see how far it is: that the user has\nno home says that it is gone. Take him out "
           "of the users file then, for a new and empty home is made\nwhen somebody asks for "
           "it; not before, for his messages would not be taken, and a home of somebody\nwhom "
           "the file does not have is not purged.",
       .examples = "podctl --as anna export work --output work.ics\npodctl purge anna --yes"},
      [home, yes](Session& session) { return PurgeHome(session, *home, *yes); });
  purge->add_option("HOME", *home, "Uid of a user who lives on the pod")->required();
  purge->add_flag("--yes", *yes, "It cannot be undone, and is meant so");
  line->Add(
      {.name = "reconcile",
       .group = kGroup,
       .description = "Compare the shares of this pod's homes with what their other side has, "
                      "and heal what differs",
       .details = "Each pod does so by itself once a day. A share that only one side has is "
                  "found on the pod of that side.\nExit status 3 if not everybody could be "
                  "asked.",
       .examples = "podctl reconcile\npodctl --pod B reconcile --json"},
      ReconcileShares);
}

}  // namespace podkit::podctl
