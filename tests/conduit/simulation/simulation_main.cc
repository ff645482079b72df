// usage: conduit_simulation [--schedules N] [--seed S] [--twice] [--log]
//
// Runs N schedules (1 unless named), one for each seed from S (1) on. What is wrong with a schedule
// is printed with its seed and the command that runs it again, and the exit code is 1 then; also
// for one that crashes or hangs, which ends the run. --twice runs each schedule two times and
// compares all that happened; --log prints it.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "fmt/format.h"
#include "world.h"

namespace {

using podkit::conduit::simulation::Result;
using podkit::conduit::simulation::RunSchedule;

constexpr unsigned kMostSeconds = 30;  // Of one schedule, on a machine that has other things to do.

struct Flags {
  uint64_t schedules = 1;
  uint64_t seed = 1;
  bool twice = false;
  bool log = false;
};

bool ReadNumber(const char* text, uint64_t* number) {
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, *number);
  return error == std::errc() && stop == end;
}

bool ReadFlags(int argc, char** argv, Flags* flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--twice") {
      flags->twice = true;
    } else if (flag == "--log") {
      flags->log = true;
    } else if ((flag == "--schedules" || flag == "--seed") && i + 1 < argc) {
      if (!ReadNumber(argv[++i], flag == "--seed" ? &flags->seed : &flags->schedules)) return false;
    } else {
      return false;
    }
  }
  return true;
}

// What a handler of signals prints, made before each schedule.
std::array<char, 512> last_words;

constexpr std::array kDeadly = {SIGSEGV, SIGABRT, SIGFPE, SIGALRM};
std::array<struct sigaction, kDeadly.size()> handlers_before;

// Says which schedule it was, then leaves the rest to who was there before: a sanitizer, or the
// system.
void OnDeadly(int signal, siginfo_t*, void*) {
  const ssize_t written = write(STDOUT_FILENO, last_words.data(), std::strlen(last_words.data()));
  static_cast<void>(written);
  for (size_t i = 0; i < kDeadly.size(); ++i) {
    if (kDeadly[i] == signal) sigaction(signal, &handlers_before[i], nullptr);
  }
  // A fault comes again by itself.
  if (signal != SIGSEGV && signal != SIGFPE) raise(signal);
}

void WatchSignals() {
  struct sigaction action = {};
  action.sa_sigaction = &OnDeadly;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  for (size_t i = 0; i < kDeadly.size(); ++i) sigaction(kDeadly[i], &action, &handlers_before[i]);
}

std::string HowAgain(const char* program, uint64_t seed) {
  return fmt::format("again: {} --seed {} --log\n", program, seed);
}

Result Run(uint64_t seed, const Flags& flags, const char* program) {
  const std::string words = fmt::format("schedule {} crashed, or took more than {} s; {}", seed,
                                        kMostSeconds, HowAgain(program, seed));
  last_words.fill('\0');
  words.copy(last_words.data(), last_words.size() - 1);
  std::fflush(stdout);
  alarm(kMostSeconds);
  Result result = RunSchedule(seed, flags.log);
  for (const std::string& line : result.lines) fmt::print("{}\n", line);
  if (flags.twice && RunSchedule(seed).sum != result.sum) {
    result.problems.emplace_back("it ran another way the second time");
  }
  alarm(0);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (!ReadFlags(argc, argv, &flags)) {
    fmt::print(stderr, "usage: {} [--schedules N] [--seed S] [--twice] [--log]\n", argv[0]);
    return 2;
  }
  WatchSignals();
  uint64_t failed = 0;
  Result all;
  for (uint64_t seed = flags.seed; seed < flags.seed + flags.schedules; ++seed) {
    const Result result = Run(seed, flags, argv[0]);
    all.calls += result.calls;
    all.executions += result.executions;
    all.events += result.events;
    if (result.problems.empty()) continue;
    ++failed;
    for (const std::string& problem : result.problems) fmt::print("{}\n", problem);
    fmt::print("schedule {} failed; {}", seed, HowAgain(argv[0], seed));
  }
  fmt::print("{} schedules: {} calls, {} executions, {} events; {} failed\n", flags.schedules,
             all.calls, all.executions, all.events, failed);
  return failed == 0 ? 0 : 1;
}
