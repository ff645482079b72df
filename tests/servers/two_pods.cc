#include "tests/servers/two_pods.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <fstream>
#include <utility>

#include "absl/time/clock.h"
#include "servers/podctl/settings.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"

namespace podkit::testing {

TwoPods::TwoPods(std::vector<std::string> flags) : flags_(std::move(flags)) {
  layout_ = {.folder = folder_.path().string(), .port_a = FreePort(), .port_b = FreePort()};
  REQUIRE(podctl::WriteDemoFiles(layout_) == absl::OkStatus());
  Start("A");
  Start("B");
}

void TwoPods::Start(const std::string& pod) {
  Launch(pod);
  AwaitStart(pod);
}

void TwoPods::Launch(const std::string& pod) {
  std::vector<std::string> command = {PODKIT_PODD, "--config", File(pod + "/podd.json")};
  command.insert(command.end(), flags_.begin(), flags_.end());
  pods_[pod] = std::make_unique<ProcessUnderTest>(std::move(command));
}

void TwoPods::AwaitStart(const std::string& pod) { pods_.at(pod)->WaitForErr(" listening on "); }

void TwoPods::Kill(const std::string& pod) { pods_.at(pod)->Kill(); }

int TwoPods::Stop(const std::string& pod) {
  pods_.at(pod)->Signal(SIGTERM);
  return pods_.at(pod)->Wait();
}

std::string TwoPods::NewFile(std::string_view name, std::string_view text) const {
  std::ofstream(File(name), std::ios::binary) << text;
  return File(name);
}

std::unique_ptr<podctl::PodClient> TwoPods::Api(const std::string& pod) const {
  const auto settings = ValueOf(podctl::LoadSettings(layout_.settings()));
  return ValueOf(podctl::PodClient::Create(ValueOf(podctl::ChoosePod(settings, pod))));
}

ProcessResult TwoPods::Podctl(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {PODKIT_PODCTL, "--config", layout_.settings()});
  return RunProcess(std::move(arguments), {.folder = layout_.folder});
}

std::string TwoPods::PodctlJson(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), "--json");
  const ProcessResult result = Podctl(std::move(arguments));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return result.out;
}

void Eventually(std::string_view what, const std::function<bool()>& is_so, absl::Duration limit) {
  constexpr int kPauseMs = 10;
  const absl::Time end = absl::Now() + limit;
  while (!is_so()) {
    INFO("still not so: " << std::string(what));
    REQUIRE(absl::Now() < end);
    poll(nullptr, 0, kPauseMs);
  }
}

std::string Event(std::string_view uid, std::string_view summary) {
  return fmt::format(
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Podkit//Test//EN\r\nBEGIN:VEVENT\r\nUID:{}\r\n"
      "DTSTAMP:20260105T080000Z\r\nDTSTART:20260105T120000Z\r\nDTEND:20260105T130000Z\r\n"
      "SUMMARY:{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
      uid, summary);
}

}  // namespace podkit::testing
