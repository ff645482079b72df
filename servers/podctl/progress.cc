#include "servers/podctl/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "servers/podctl/table.h"

namespace podkit::podctl {
namespace {

constexpr size_t kBarWidth = 30;

size_t TerminalColumns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string Cut(std::string line, size_t columns) {
  if (line.size() > columns) line.resize(columns);
  return line;
}

}  // namespace

std::string ProgressLine(int64_t done, int64_t total, std::string_view label, size_t columns) {
  const double part =
      total > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0) : 0;
  const auto filled = static_cast<size_t>(part * kBarWidth);
  return Cut(fmt::format("[{:<{}}] {:3.0f}% {}", std::string(filled, '#'), kBarWidth, part * 100,
                         Printable(label)),
             columns);
}

std::string StoringLine(std::string_view label, absl::Duration elapsed, size_t columns) {
  return Cut(fmt::format("storing {}, {} s", Printable(label), absl::ToInt64Seconds(elapsed)),
             columns);
}

Progress::Progress(int64_t total) : total_(total), terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::Show(int64_t done, std::string_view label) {
  if (IsTime()) Draw(ProgressLine(done, total_, label, TerminalColumns() - 1));
}

void Progress::ShowStoring(std::string_view label, absl::Duration elapsed) {
  if (IsTime()) Draw(StoringLine(label, elapsed, TerminalColumns() - 1));
}

bool Progress::IsTime() {
  const absl::Time now = absl::Now();
  if (!terminal_ || now < next_draw_) return false;
  next_draw_ = now + absl::Milliseconds(100);
  return true;
}

void Progress::Draw(const std::string& line) {
  drawn_ = true;
  fmt::print(stderr, "\r\x1b[K{}", line);
  std::fflush(stderr);
}

void Progress::Clear() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
  drawn_ = false;
}

}  // namespace podkit::podctl
