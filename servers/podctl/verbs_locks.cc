// The verbs that look into a lock directory, and those by which an operator takes a store away from
// its holder.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "common/text.h"
#include "podkit/lock/wire_types.h"
#include "servers/common/lock_messages.h"
#include "servers/podctl/command_line.h"
#include "servers/podctl/errors.h"

namespace podkit::podctl {
namespace {

using lock::AuditEntry;
using lock::LockEvent;
using lock::LockInfo;

constexpr const char* kFamily = "lock";

Session AskLockd(const Session& session) {
  Globals globals = session.globals();
  if (globals.pod.empty()) globals.pod = "locks";
  return Session(std::move(globals), session.output());
}

std::string Holder(const LockInfo& info) {
  if (info.host.empty()) return "free";
  return fmt::format("{}, {} left", info.host,
                     absl::FormatDuration(absl::Trunc(info.remaining, absl::Seconds(1))));
}

std::string HeadText(const lock::Head& head) {
  if (head.manifest.empty()) return "never saved";
  return fmt::format("{} (position {}, token {})", head.manifest, head.position, head.token);
}

std::string WakeText(absl::Time wake_at) {
  return wake_at == absl::InfiniteFuture() ? "never" : ShortTime(wake_at);
}

struct ListOptions {
  std::string prefix;
  std::string host;
};

// Page by page.
absl::Status ListLocks(Session& asked, const ListOptions& options) {
  Session session = AskLockd(asked);
  std::vector<LockInfo> locks;
  for (lock::ListPage page{.more = true}; page.more;) {
    PODKIT_ASSIGN_OR_RETURN(page,
                            session.Fetch<lock::ListPage>(
                                {.path = {"locks"},
                                 .query = {{"prefix", options.prefix},
                                           {"host", options.host},
                                           {"after", locks.empty() ? "" : locks.back().store}}}));
    if (page.locks.empty()) break;
    std::ranges::move(page.locks, std::back_inserter(locks));
  }
  if (session.json()) {
    session.Print(servers::ToJsonMember("locks", locks) + '\n');
    return absl::OkStatus();
  }
  const std::vector<Column<LockInfo>> columns = {
      {"STORE", &LockInfo::store},
      {"HOLDER", Holder},
      {"TOKEN", [](const auto& info) { return std::to_string(info.token); }},
      {"WAITING", [](const auto& info) { return std::to_string(info.waiting); }},
      {"WAKE-UP", [](const auto& info) { return WakeText(info.wake_at); }},
  };
  session.Print(locks.empty() ? "no locks\n" : Session::Table(locks, columns));
  return absl::OkStatus();
}

absl::Status ShowLock(Session& asked, const std::string& store) {
  return AskLockd(asked).Show<LockInfo>({.path = {"locks", store}}, [](const LockInfo& info) {
    std::string text =
        fmt::format("store {}, token {}: {}\n", Printable(info.store), info.token, Holder(info));
    text += fmt::format("head: {}\n", Printable(HeadText(info.head)));
    text += fmt::format("wake-up: {}\nwaiting: {}\n", WakeText(info.wake_at), info.waiting);
    return text;
  });
}

struct WatchOptions {
  std::string prefix;
  std::optional<double> seconds;  // None: for ever.
};

std::string SecondsFault(const std::string& text) {
  const auto seconds = ParseNumber<double>(text);
  return seconds && *seconds > 0 ? "" : fmt::format("'{}' is not a number above 0", text);
}

void PrintEvent(const Session& session, const LockEvent& event) {
  if (session.json()) return session.Print(conduit::ToJson(event) + '\n');
  session.Print(fmt::format("{:>10}  {:<10}  {}  token {}{}\n", event.revision,
                            conduit::EnumName(event.kind), Printable(event.store), event.token,
                            event.host.empty() ? "" : "  " + Printable(event.host)));
}

absl::Status WatchLocks(Session& asked, const WatchOptions& options) {
  Session session = AskLockd(asked);
  PODKIT_ASSIGN_OR_RETURN(const auto start, session.Fetch<lock::ListPage>(
                                                {.path = {"locks"}, .query = {{"limit", "1"}}}));
  if (!session.json()) session.Print(fmt::format("watching from {} on\n", start.revision));
  const absl::Time end =
      options.seconds ? absl::Now() + absl::Seconds(*options.seconds) : absl::InfiniteFuture();
  for (lock::Revision at = start.revision; absl::Now() < end;) {
    // Whoever reads a pipe learns of each event at once.
    PODKIT_RETURN_IF_ERROR(session.output()->Flush());
    PODKIT_ASSIGN_OR_RETURN(
        const auto page,
        session.Fetch<lock::WatchPage>(
            {.path = {"lock-events"},
             .query = {{"prefix", options.prefix},
                       {"after", std::to_string(at)},
                       {"wait_ms", std::to_string(absl::ToInt64Milliseconds(
                                       std::min(end - absl::Now(), absl::Seconds(20))))}}}));
    for (const LockEvent& event : page.events) PrintEvent(session, event);
    at = page.revision;
  }
  return absl::OkStatus();
}

struct OrderOptions {
  std::string store;
  servers::LockOrder order = {.by = "operator"};
};

ApiRequest OrderRequest(const OrderOptions& options, const std::string& what) {
  return {.method = "POST",
          .path = {"locks", options.store, what},
          .body = conduit::ToJson(options.order)};
}

struct BrokenLock {
  lock::Token token = 0;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("token", &BrokenLock::token));
  }
};

absl::Status BreakLock(Session& asked, const OrderOptions& options) {
  return AskLockd(asked).Show<BrokenLock>(
      OrderRequest(options, "break"), [&](const BrokenLock& broken) {
        return fmt::format(
            "the lock of {} is broken: storage takes no token below {} once it has seen it\n",
            Printable(options.store), broken.token);
      });
}

absl::Status AskToHandOver(Session& asked, const OrderOptions& options) {
  return AskLockd(asked).Do(OrderRequest(options, "ask-to-hand-over"),
                            fmt::format("the holder of {} is asked to hand it over or to release "
                                        "it: see podctl lock show",
                                        Printable(options.store)));
}

absl::Status ShowAudit(Session& asked, int64_t after) {
  std::vector<std::pair<std::string, std::string>> query = {{"after", std::to_string(after)}};
  return AskLockd(asked).ShowList<AuditEntry>(
      "entries", {.path = {"lock-audit"}, .query = std::move(query)},
      {{"NUMBER", [](const auto& entry) { return std::to_string(entry.number); }},
       {"AT", [](const auto& entry) { return ShortTime(entry.at); }},
       {"WHAT", [](const auto& entry) { return std::string(conduit::EnumName(entry.kind)); }},
       {"STORE", &AuditEntry::store},
       {"TOKEN", [](const auto& entry) { return std::to_string(entry.token); }},
       {"HELD BY", &AuditEntry::host},
       {"BY", &AuditEntry::by},
       {"WHY", &AuditEntry::reason},
       {"LAST HEAD", [](const auto& entry) { return HeadText(entry.head); }}});
}

void AddReaders(CommandLine* line) {
  auto list = std::make_shared<ListOptions>();
  CLI::App* const lister =
      line->Add({.name = "list",
                 .family = kFamily,
                 .description = "The stores, and which host holds each",
                 .examples = "podctl lock list\npodctl lock list --host A"},
                [list](Session& session) { return ListLocks(session, *list); });
  lister->add_option("--prefix", list->prefix, "Stores whose names begin so [all]");
  lister->add_option("--host", list->host, "What this host holds [all]");
  auto store = std::make_shared<std::string>();
  line->Add({.name = "show",
             .family = kFamily,
             .description = "A store: its holder, token, head and next wake-up",
             .examples = "podctl lock show ann"},
            [store](Session& session) { return ShowLock(session, *store); })
      ->add_option("STORE", *store, "Name of the store")
      ->required();
  auto watch = std::make_shared<WatchOptions>();
  CLI::App* const watcher =
      line->Add({.name = "watch",
                 .family = kFamily,
                 .description = "What happens to stores from now on, a line for each event",
                 .examples = "podctl lock watch\npodctl lock watch --prefix ann --for 60"},
                [watch](Session& session) { return WatchLocks(session, *watch); });
  watcher->add_option("--prefix", watch->prefix, "Stores whose names begin so [all]");
  watcher->add_option("--for", watch->seconds, "End after so many seconds [never]")
      ->type_name("SECONDS")
      ->check(CLI::Validator(SecondsFault, ""));
  auto after = std::make_shared<int64_t>(0);
  line->Add(
          {.name = "audit",
           .family = kFamily,
           .description = "What ended otherwise than by a release after saving: when, by whom, why",
           .details = "1000 lines at most; --after goes on from there.",
           .examples = "podctl lock audit\npodctl lock audit --after 1000"},
          [after](Session& session) { return ShowAudit(session, *after); })
      ->add_option("--after", *after, "Lines behind this number [0]")
      ->type_name("N")
      ->check(CLI::Range(int64_t{0}, std::numeric_limits<int64_t>::max()).description(""));
}

void AddOrder(CommandLine* line, VerbInfo info,
              absl::Status (*run)(Session&, const OrderOptions&)) {
  auto options = std::make_shared<OrderOptions>();
  info.family = kFamily;
  CLI::App* const verb =
      line->Add(info, [options, run](Session& session) { return run(session, *options); });
  verb->add_option("STORE", options->store, "Name of the store")->required();
  verb->add_option("--by", options->order.by, "Who wants it, for the holder and the audit log")
      ->default_str("operator");
  verb->add_option("--reason", options->order.reason, "Why, for the holder and the audit log")
      ->type_name("WORDS");
}

}  // namespace

void AddLockVerbs(CommandLine* line) {
  line->AddFamily({.name = kFamily,
                   .group = "Locks",
                   .description = "See who may write which store, and take it away (lockd)",
                   .details =
                       "Asks the pod called 'locks' of the configuration, unless --pod names "
                       "another."});
  AddReaders(line);
  AddOrder(line,
           {.name = "hand-over",
            .description = "Ask the holder of a store to hand it over or to release it",
            .details = "The holder is told who asks and why, and decides when.",
            .examples = "podctl lock hand-over ann --reason maintenance"},
           AskToHandOver);
  AddOrder(line,
           {.name = "break",
            .description = "Take a store away from its holder, whose unsaved work stays with it",
            .details = "For a holder that does not answer. Its later writes are refused by storage "
                       "that compares tokens.",
            .examples = "podctl lock break ann --by root --reason 'host A2 hangs'"},
           BreakLock);
}

}  // namespace podkit::podctl
