// The verbs that look at a pod as a whole.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "podkit/store/types.h"
#include "servers/podctl/command_line.h"
#include "servers/podctl/errors.h"
#include "servers/podctl/table.h"

namespace podkit::podctl {
namespace {

using servers::HostEntry;
using servers::MessageEntry;
using servers::PingResult;
using servers::PodEntry;
using servers::PodStatus;
using servers::UserEntry;

constexpr const char* kGroup = "Pods";

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
    if (!ping.reachable) problems.push_back(ping.problem);  // Names the pod.
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
      {{"HOME", &HomeInfo::uid},
       {"POD", &HomeInfo::pod},
       {"CREATED", [](const HomeInfo& home) { return ShortTime(home.created); }},
       {"STATE", [](const HomeInfo& home) { return home.disabled ? "disabled" : ""; }}});
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
  line->Add({.name = "messages",
             .group = kGroup,
             .description = "Messages to other homes that wait for their delivery",
             .examples = "podctl messages"},
            ShowMessages);
}

}  // namespace podkit::podctl
