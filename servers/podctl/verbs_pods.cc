// The verbs that look at a pod as a whole.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "podkit/store/store.h"
#include "podkit/store/types.h"
#include "servers/podctl/command_line.h"
#include "servers/podctl/errors.h"

namespace podkit::podctl {
namespace {

using servers::HostEntry;
using servers::MessageEntry;
using servers::PingResult;
using servers::PodEntry;
using servers::PodStatus;
using servers::UserEntry;

constexpr const char* kGroup = "Pods";

std::string Plural(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string Reachable(const PingResult& ping) {
  return ping.reachable ? fmt::format("yes, {:.1f} ms", ping.milliseconds) : "no: " + ping.problem;
}

absl::Status ShowStatus(Session& session) {
  return session.Show<PodStatus>({.path = {"status"}}, [](const PodStatus& pod) {
    std::string text =
        fmt::format("pod {}, podd {}, up since {}: {}, {}, {} pending\n", pod.pod, pod.version,
                    ShortTime(pod.started), Plural(pod.users, "user"), Plural(pod.homes, "home"),
                    Plural(pod.pending_messages, "message"));
    if (!pod.hosts_from.empty()) text += "hosts of other pods from " + pod.hosts_from + '\n';
    if (pod.problems.empty()) return text + "ready\n";
    for (const std::string& problem : pod.problems) text += "not ready: " + problem + '\n';
    return text;
  });
}

// {"pods": [...]} as `podctl pods` shows them, each with its ping.
struct PodWithPing {
  PodEntry pod;
  PingResult ping;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("pod", &PodWithPing::pod),
                           conduit::Required("ping", &PodWithPing::ping));
  }
};

absl::Status ShowPods(Session& session) {
  PODKIT_ASSIGN_OR_RETURN(std::string pods_json, session.Call({.path = {"pods"}}));
  PODKIT_ASSIGN_OR_RETURN(std::string pings_json,
                          session.Call({.method = "POST", .path = {"pings"}}));
  PODKIT_ASSIGN_OR_RETURN(const auto pods, servers::FromJsonMember<std::vector<PodEntry>>(
                                               "pods", std::move(pods_json)));
  PODKIT_ASSIGN_OR_RETURN(const auto pings, servers::FromJsonMember<std::vector<PingResult>>(
                                                "pings", std::move(pings_json)));
  std::vector<PodWithPing> both;
  for (const PodEntry& pod : pods) {
    const auto ping = std::ranges::find(pings, pod.id, &PingResult::pod);
    both.push_back(
        {pod, ping == pings.end() ? PingResult{.pod = pod.id, .reachable = true} : *ping});
  }
  if (session.json()) {
    session.Print(servers::ToJsonMember("pods", both) + '\n');
    return absl::OkStatus();
  }
  const std::vector<Column<PodWithPing>> columns = {
      {"POD", [](const auto& one) { return one.pod.id; }},
      {"HOSTS", [](const auto& one) { return fmt::format("{}", fmt::join(one.pod.hosts, " ")); }},
      {"REACHABLE",
       [](const auto& one) { return one.pod.own ? "this pod answers" : Reachable(one.ping); }},
      {"ACTS FOR",
       [](const auto& one) { return one.pod.acts_for_any_user ? "any user" : "its users"; }},
  };
  session.Print(Session::Table(both, columns));
  return absl::OkStatus();
}

std::string LinkText(const HostEntry& host) {
  std::string text(conduit::EnumName(host.link));
  if (host.link_since) text += " since " + ShortTime(*host.link_since);
  return host.reason.empty() ? text : text + ": " + host.reason;
}

absl::Status ShowHosts(Session& session) {
  return session.ShowList<HostEntry>(
      "hosts", {.path = {"hosts"}},
      {{"POD", &HostEntry::pod},
       {"HOST", &HostEntry::host},
       {"STATE", [](const HostEntry& host) { return std::string(EnumName(host.state)); }},
       {"CALLS", [](const HostEntry& host) { return std::to_string(host.calls); }},
       {"FAILED", [](const HostEntry& host) { return std::to_string(host.failures); }},
       {"MS", [](const HostEntry& host) { return fmt::format("{:.1f}", host.milliseconds); }},
       {"VERSION", &HostEntry::version},
       {"LINK", LinkText}});
}

absl::Status PingPods(Session& session, const std::string& pod) {
  std::vector<PingResult> pings;
  if (pod.empty()) {
    PODKIT_ASSIGN_OR_RETURN(std::string body, session.Call({.method = "POST", .path = {"pings"}}));
    PODKIT_ASSIGN_OR_RETURN(
        pings, servers::FromJsonMember<std::vector<PingResult>>("pings", std::move(body)));
  } else {
    ApiRequest request{.method = "POST", .path = {"pods", pod, "ping"}};
    PODKIT_ASSIGN_OR_RETURN(pings.emplace_back(), session.Fetch<PingResult>(std::move(request)));
  }
  if (session.json()) session.Print(servers::ToJsonMember("pings", pings) + '\n');
  std::vector<std::string> problems;
  for (const PingResult& ping : pings) {
    if (!ping.reachable) problems.push_back(fmt::format("pod '{}': {}", ping.pod, ping.problem));
    if (ping.reachable && !session.json()) {
      session.Print(fmt::format("{}: {}\n", ping.pod, Reachable(ping)));
    }
  }
  if (problems.empty()) return absl::OkStatus();
  return conduit::MakeError(PodUnreachable{}, fmt::format("{}", fmt::join(problems, "; ")));
}

absl::Status ShowUsers(Session& session) {
  return session.ShowList<UserEntry>(
      "users", {.path = {"users"}},
      {{"UID", &UserEntry::uid}, {"NAME", &UserEntry::name}, {"POD", &UserEntry::pod}});
}

absl::Status ShowGroups(Session& session) {
  using servers::GroupEntry;
  return session.ShowList<GroupEntry>(
      "groups", {.path = {"groups"}},
      {{"GROUP", &GroupEntry::id},
       {"NAME", &GroupEntry::name},
       {"USERS", [](const GroupEntry& group) { return std::to_string(group.users); }},
       {"MEMBERS",
        [](const GroupEntry& group) { return fmt::format("{}", fmt::join(group.members, " ")); }}});
}

absl::Status ShowHomes(Session& session) {
  using store::HomeInfo;
  return session.ShowList<HomeInfo>(
      "homes", {.path = {"homes"}},
      {{"HOME", &HomeInfo::uid}, {"POD", &HomeInfo::pod}, {"CREATED", [](const HomeInfo& home) {
                                                             return ShortTime(home.created);
                                                           }}});
}

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

absl::Status PurgeHome(Session& session, const std::string& home, bool yes) {
  if (!session.globals().as.empty()) {
    return Usage("purge is for the operator, in nobody's name: leave out --as");
  }
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

absl::Status CollectOrphans(Session& session, const std::string& home) {
  return session.Show<store::CollectedOrphans>(
      {.method = "POST", .path = {"homes", home, "collect-orphans"}},
      [](const store::CollectedOrphans& collected) {
        return fmt::format("removed {} chunks of {} bytes\n", collected.chunks, collected.bytes);
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

// The pod does it in parts, each of which it answers soon.
absl::Status ReconcileShares(Session& session) {
  store::ReconciledShares sum;
  do {
    PODKIT_ASSIGN_OR_RETURN(
        const auto part,
        session.Fetch<store::ReconciledShares>(
            {.method = "POST", .path = {"reconcile-shares"}, .query = {{"after", sum.next}}}));
    Add(part, &sum);
  } while (!sum.next.empty());
  session.Print(session.json() ? conduit::ToJson(sum) + '\n' : Describe(sum));
  if (sum.problems.empty()) return absl::OkStatus();
  return conduit::MakeError(PodUnreachable{}, fmt::format("{}", fmt::join(sum.problems, "; ")));
}

absl::Status ShowMessages(Session& session) {
  return session.ShowList<MessageEntry>(
      "messages", {.path = {"messages"}},
      {{"FROM", &MessageEntry::from},
       {"TO", &MessageEntry::to},
       {"POD", &MessageEntry::pod},
       {"KIND", &MessageEntry::kind},
       {"CREATED", [](const MessageEntry& message) { return ShortTime(message.created); }},
       {"ATTEMPTS", [](const MessageEntry& message) { return std::to_string(message.attempts); }},
       {"LAST ERROR", &MessageEntry::last_error}});
}

}  // namespace

void AddPodVerbs(CommandLine* line) {
  line->Add({.name = "status",
             .group = kGroup,
             .description = "What the pod is, how many live there, and whether it is ready",
             .examples = "podctl status\npodctl --pod B status --json"},
            ShowStatus);
  line->Add({.name = "pods",
             .group = kGroup,
             .description = "The pods that this pod knows, and whether it can reach them",
             .examples = "podctl pods\npodctl --pod B pods"},
            ShowPods);
  line->Add(
      {.name = "hosts",
       .group = kGroup,
       .description = "The hosts of the other pods: how calls to them go, and the links to them",
       .examples = "podctl hosts\npodctl --json hosts"},
      ShowHosts);
  auto pod = std::make_shared<std::string>();
  line->Add(
          {.name = "ping",
           .group = kGroup,
           .description = "Call other pods through the conduit; exit status 3 if one is not there",
           .examples = "podctl ping\npodctl ping B"},
          [pod](Session& session) { return PingPods(session, *pod); })
      ->add_option("POD", *pod, "Id of the pod to call [all of them]");
  line->Add({.name = "users",
             .group = kGroup,
             .description = "The directory: who there is, and on which pod each one lives",
             .examples = "podctl users"},
            ShowUsers);
  line->Add(
      {.name = "groups",
       .group = kGroup,
       .description = "The groups of the directory, to be invited or delegated to as users are",
       .examples = "podctl groups"},
      ShowGroups);
  line->Add({.name = "homes",
             .group = kGroup,
             .description = "The homes that exist on this pod",
             .examples = "podctl homes\npodctl --pod B homes"},
            ShowHomes);
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
  line->Add({.name = "messages",
             .group = kGroup,
             .description = "Messages to other homes that wait for their delivery",
             .examples = "podctl messages"},
            ShowMessages);
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
