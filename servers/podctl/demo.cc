#include "servers/podctl/demo.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "podkit/store/types.h"
#include "servers/common/files.h"
#include "servers/podctl/child_process.h"
#include "servers/podctl/errors.h"
#include "servers/podctl/gateway_client.h"
#include "servers/podctl/import.h"
#include "servers/podctl/output.h"
#include "servers/podctl/progress.h"
#include "servers/podctl/session.h"

namespace podkit::podctl {
namespace {

constexpr absl::Duration kLongestStart = absl::Seconds(30);
constexpr absl::Duration kLongestDelivery = absl::Seconds(15);
constexpr absl::Duration kLongestStop = absl::Seconds(30);
constexpr absl::Duration kPause = absl::Milliseconds(50);
constexpr size_t kMaxLogBytes = size_t{64} << 20;

// The text as one word of a shell command.
std::string ShellWord(const std::string& text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./@+:").find(c) != std::string_view::npos;
  });
  if (plain) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

absl::Status CheckPortIsFree(uint16_t port, std::string_view option) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool is_free =
      bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      listen(fd, 1) == 0;
  const int error = errno;
  close(fd);
  if (is_free) return absl::OkStatus();
  return absl::UnavailableError(fmt::format(
      "port {} cannot be used ({}): is another demo running? Choose another port with {}", port,
      error == EADDRINUSE ? "it is in use" : "the system refuses it", option));
}

// The last line of a log; empty if there is none.
std::string LastLine(const std::string& file) {
  const auto text = servers::ReadFile(file, kMaxLogBytes);
  if (!text.ok()) return "";
  const auto lines = SplitText(TrimSpace(*text), '\n');
  return std::string(lines.back());
}

class Demo {
 public:
  explicit Demo(const DemoOptions& options) : options_(options), layout_(options.layout) {
    sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&signals_, signal);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  absl::Status Run() {
    PODKIT_RETURN_IF_ERROR(CheckPortIsFree(layout_.port_a, "--port-a"));
    PODKIT_RETURN_IF_ERROR(CheckPortIsFree(layout_.port_b, "--port-b"));
    if (layout_.with_replica) {
      PODKIT_RETURN_IF_ERROR(CheckPortIsFree(layout_.port_gateway, "--port-gateway"));
    }
    if (layout_.with_lockd) {
      PODKIT_RETURN_IF_ERROR(CheckPortIsFree(layout_.port_lockd, "--port-lockd"));
    }
    PODKIT_RETURN_IF_ERROR(WriteDemoFiles(layout_));
    absl::Status status = StartAndFill();
    if (status.ok()) {
      PrintWhatToTry();
      status = WaitForTheEnd();
    }
    StopAll();
    return stop_asked_ ? absl::OkStatus() : status;
  }

 private:
  struct Running {
    std::string name;  // "pod A"
    std::string log;
    ChildProcess process;
  };

  Session As(const std::string& uid, const std::string& pod) {
    return {Globals{.config = layout_.settings(), .pod = pod, .as = uid}, &output_};
  }

  absl::Status StartAndFill() {
    for (const char* id : {"A", "B"}) PODKIT_RETURN_IF_ERROR(StartPod(id));
    for (const char* id : {"A", "B"}) PODKIT_RETURN_IF_ERROR(WaitUntilReady(id));
    if (layout_.with_replica) PODKIT_RETURN_IF_ERROR(RunGateway());
    if (layout_.with_lockd) PODKIT_RETURN_IF_ERROR(RunLockd());
    Say(fmt::format(
        "pod A on http://127.0.0.1:{}, pod B on http://127.0.0.1:{}, everything in '{}'",
        layout_.port_a, layout_.port_b, layout_.folder));
    PODKIT_RETURN_IF_ERROR(ImportAll());
    if (shared_.empty()) return absl::OkStatus();
    PODKIT_RETURN_IF_ERROR(ShareAndAccept());
    return ShowOtherSide();
  }

  // The server called `name` for people, whose files are in `folder`.
  absl::Status StartServer(const std::string& name, const std::string& program,
                           const std::string& folder) {
    const std::string file =
        layout_.File(folder + "/" + std::filesystem::path(program).filename().string());
    PODKIT_ASSIGN_OR_RETURN(
        auto process, ChildProcess::Start({program, "--config", file + ".json"}, file + ".log"));
    running_.push_back({name, file + ".log", std::move(process)});
    return absl::OkStatus();
  }

  absl::Status StartPod(const std::string& id) {
    return StartServer("pod " + id, options_.podd, id);
  }

  absl::Status RunGateway() {
    PODKIT_RETURN_IF_ERROR(StartServer("the gateway", options_.replicad, "G"));
    PODKIT_ASSIGN_OR_RETURN(const Settings settings, LoadSettings(layout_.settings()));
    PODKIT_ASSIGN_OR_RETURN(const auto client, ConnectGateway(settings, "g1"));
    PODKIT_RETURN_IF_ERROR(
        WaitUntil([&] { return client->Status(absl::Now() + absl::Seconds(5)).status(); }));
    Say(fmt::format("gateway g1 on http://127.0.0.1:{}", layout_.port_gateway));
    return absl::OkStatus();
  }

  absl::Status RunLockd() {
    PODKIT_RETURN_IF_ERROR(StartServer("the lock directory", options_.lockd, "locks"));
    PODKIT_RETURN_IF_ERROR(WaitUntilReady("locks"));
    Say(fmt::format("lock directory on http://127.0.0.1:{}", layout_.port_lockd));
    return absl::OkStatus();
  }

  absl::Status WaitUntilReady(const std::string& id) {
    Session session = As("", id);
    return WaitUntil(
        [&] { return session.Call({.path = {"status"}, .timeout = absl::Seconds(5)}).status(); });
  }

  // Tries until it works, or for kLongestStart.
  absl::Status WaitUntil(const std::function<absl::Status()>& works) {
    absl::Status status;
    for (const absl::Time end = absl::Now() + kLongestStart; absl::Now() < end;) {
      status = works();
      if (status.ok()) break;
      PODKIT_RETURN_IF_ERROR(Pause(kPause));
    }
    return status;
  }

  absl::Status ImportAll() {
    PODKIT_ASSIGN_OR_RETURN(const auto files, CalendarFiles({options_.calendars}));
    Say(fmt::format("{} on pod A gets the calendars in '{}':", kDemoOwner, options_.calendars));
    Session owner = As(kDemoOwner, "A");
    Progress progress(static_cast<int64_t>(files.size()));
    for (size_t i = 0; i < files.size(); ++i) {
      PODKIT_RETURN_IF_ERROR(Pause(absl::ZeroDuration()));
      progress.Show(static_cast<int64_t>(i), files[i]);
      const std::string name = std::filesystem::path(files[i]).stem().string();
      PODKIT_ASSIGN_OR_RETURN(const size_t there, ObjectsThere(&owner, name));
      if (there > 0) {  // What users did with it since is not undone.
        progress.Clear();
        Say(fmt::format("  '{}' is there with {} objects", name, there));
        if (shared_.empty()) shared_ = name;
        continue;
      }
      FileReport report = ImportFile(&owner, name, files[i], {});
      report.file = std::filesystem::path(files[i]).filename().string();
      progress.Clear();
      if (!report.status.ok()) {
        Say("  " + RefusalText(report));
        continue;
      }
      Say("  " + CountsText(report));
      if (shared_.empty() && !report.items.empty()) shared_ = name;
    }
    return absl::OkStatus();
  }

  // How many objects the collection holds, which is made if it is not there.
  static absl::StatusOr<size_t> ObjectsThere(Session* owner, const std::string& collection) {
    PODKIT_ASSIGN_OR_RETURN(const bool made, EnsureCollection(owner, collection));
    if (made) return 0;
    PODKIT_ASSIGN_OR_RETURN(const auto objects, Objects(owner, collection));
    return objects.size();
  }

  static absl::StatusOr<std::vector<store::ObjectInfo>> Objects(Session* session,
                                                                const std::string& collection) {
    PODKIT_ASSIGN_OR_RETURN(auto path, session->CollectionPath(collection, {"objects"}));
    PODKIT_ASSIGN_OR_RETURN(std::string body, session->Call({.path = std::move(path)}));
    return servers::FromJsonMember<std::vector<store::ObjectInfo>>("objects", std::move(body));
  }

  absl::Status ShareAndAccept() {
    Session owner = As(kDemoOwner, "A");
    PODKIT_ASSIGN_OR_RETURN(auto path, owner.CollectionPath(shared_, {"shares", kDemoViewer}));
    const servers::Invitation invitation{.access = store::Access::kReadWrite,
                                         .summary = "Have a look, and add what you like"};
    PODKIT_ASSIGN_OR_RETURN(
        const auto share,
        owner.Fetch<store::ShareInfo>(
            {.method = "PUT", .path = std::move(path), .body = conduit::ToJson(invitation)}));
    PODKIT_RETURN_IF_ERROR(WaitForInvitation(share.share_uid));
    Session viewer = As(kDemoViewer, "B");
    PODKIT_ASSIGN_OR_RETURN(auto accept,
                            viewer.HomePath({"invitations", share.share_uid, "accept"}));
    PODKIT_ASSIGN_OR_RETURN(const auto info,
                            viewer.Fetch<store::CollectionInfo>(
                                {.method = "POST", .path = std::move(accept), .body = "{}"}));
    shared_there_ = info.name;
    Say(fmt::format("{} shares '{}' read-write with {} on pod B, who accepted it.", kDemoOwner,
                    shared_, kDemoViewer));
    return absl::OkStatus();
  }

  // Messages between the pods take their time when one of them has just started.
  absl::Status WaitForInvitation(const std::string& share_uid) {
    Session viewer = As(kDemoViewer, "B");
    PODKIT_ASSIGN_OR_RETURN(const auto path, viewer.HomePath({"invitations"}));
    for (const absl::Time end = absl::Now() + kLongestDelivery; absl::Now() < end;) {
      PODKIT_ASSIGN_OR_RETURN(std::string body, viewer.Call({.path = path}));
      PODKIT_ASSIGN_OR_RETURN(
          const auto invitations,
          servers::FromJsonMember<std::vector<store::ShareInfo>>("invitations", std::move(body)));
      const auto found = std::ranges::find(invitations, share_uid, &store::ShareInfo::share_uid);
      if (found != invitations.end()) return absl::OkStatus();
      PODKIT_RETURN_IF_ERROR(Pause(kPause));
    }
    return absl::DeadlineExceededError(
        fmt::format("the invitation does not reach pod B: see '{}'", layout_.File("A/podd.log")));
  }

  absl::Status ShowOtherSide() {
    Session viewer = As(kDemoViewer, "B");
    PODKIT_ASSIGN_OR_RETURN(const auto objects, Objects(&viewer, shared_there_));
    if (objects.empty()) return absl::OkStatus();
    first_object_ = objects.front().name;
    Say(fmt::format("What {} sees of it from pod B:", kDemoViewer));
    constexpr size_t kMost = 5;
    for (size_t i = 0; i < std::min(objects.size(), kMost); ++i) {
      Say(fmt::format(
          "  {}", Printable(objects[i].summary.empty() ? objects[i].name : objects[i].summary)));
    }
    if (objects.size() > kMost) Say(fmt::format("  and {} more", objects.size() - kMost));
    return absl::OkStatus();
  }

  void PrintWhatToTry() const {
    namespace fs = std::filesystem;
    std::error_code ignored;
    const std::string bin = fs::absolute(options_.podd, ignored).parent_path().string();
    const std::string config = fs::absolute(layout_.settings(), ignored).string();
    std::string text = fmt::format(
        "\nTo look around, in another terminal:\n\n"
        "  export PATH={}:\"$PATH\" PODCTL_CONFIG={}\n"
        "  podctl pods\n"
        "  podctl users\n"
        "  podctl --as {} collections\n",
        ShellWord(bin), ShellWord(config), kDemoOwner);
    if (!shared_there_.empty()) {
      const std::string there = ShellWord(shared_there_);
      text += fmt::format("  podctl --pod B --as {} objects {}\n", kDemoViewer, there);
      if (!first_object_.empty()) {
        const std::string object = ShellWord(first_object_);
        text += fmt::format("  podctl --pod B --as {} print {} {}\n", kDemoViewer, there, object);
        text += fmt::format("  podctl --pod B --as {} get {} {} > event.ics\n", kDemoViewer, there,
                            object);
        text += fmt::format("  podctl --pod B --as {} put {} {} event.ics\n", kDemoViewer, there,
                            object);
      }
      text += fmt::format("  podctl --as {} shares {}\n", kDemoOwner, ShellWord(shared_));
    }
    if (layout_.with_replica) {
      text +=
          "  podctl chunk put demo/1F.0/0.0 /etc/os-release\n"
          "  podctl chunk get demo/1F.0/0.0\n"
          "  podctl chunk status\n";
    }
    if (layout_.with_lockd) text += "  podctl lock list\n  podctl lock watch\n";
    text += fmt::format("  podctl --as {} notifications\n  podctl --help\n", kDemoOwner);
    Say(text + "\nCtrl-C stops everything. The next start finds everything again.");
  }

  absl::Status WaitForTheEnd() {
    for (;;) PODKIT_RETURN_IF_ERROR(Pause(absl::InfiniteDuration()));
  }

  // Waits for the time given, but not past a signal. An error if the demo is to end.
  absl::Status Pause(absl::Duration time) {
    const timespec limit = absl::ToTimespec(std::min(time, absl::Hours(1)));
    const int signal = sigtimedwait(&signals_, nullptr, &limit);
    if (signal == SIGINT || signal == SIGTERM) {
      stop_asked_ = true;
      return absl::CancelledError("asked to stop");
    }
    for (Running& one : running_) {
      if (one.process.Running()) continue;
      return absl::AbortedError(fmt::format("{} ended with {}; its last word in '{}': {}", one.name,
                                            one.process.End(), one.log, LastLine(one.log)));
    }
    return absl::OkStatus();
  }

  bool AnyRuns() {
    return std::ranges::any_of(running_, [](Running& one) { return one.process.Running(); });
  }

  void StopAll() {
    if (running_.empty()) return;
    Say("stopping");
    for (Running& one : running_) one.process.Signal(SIGTERM);
    const timespec pause = absl::ToTimespec(kPause);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (const absl::Time end = absl::Now() + kLongestStop; AnyRuns() && absl::Now() < end;) {
      sigtimedwait(&child, nullptr, &pause);
    }
    Say(AnyRuns() ? "they did not stop in time and are killed" : "stopped");
    running_.clear();
  }

  static void Say(std::string_view text) {
    fmt::print("{}\n", text);
    std::fflush(stdout);
  }

  const DemoOptions options_;
  const DemoLayout layout_;
  Output output_;
  sigset_t signals_;
  std::vector<Running> running_;
  bool stop_asked_ = false;
  std::string shared_;        // The collection as the owner calls it,
  std::string shared_there_;  // and as the viewer does.
  std::string first_object_;
};

}  // namespace

absl::Status RunDemo(const DemoOptions& options) { return Demo(options).Run(); }

}  // namespace podkit::podctl
