// A real program under test: started, watched, sent signals, killed.
//
// Owner-thread. Whatever waits throws std::runtime_error with all that the program printed when its
// time is over, which fails the test. The program is killed with this object, and with
// the thread that started it, so also with a test that is killed.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace podkit::testing {

struct ProcessOptions {
  std::string folder;                    // To run in; empty: the test's own.
  std::string input_file = "/dev/null";  // What it reads from standard input.
  std::vector<std::string> environment;  // "NAME=value", in place of what the test has.
};

class ProcessUnderTest {
 public:
  // Starts the program that `arguments` begins with.
  explicit ProcessUnderTest(std::vector<std::string> arguments, const ProcessOptions& options = {});
  ~ProcessUnderTest();
  ProcessUnderTest(const ProcessUnderTest&) = delete;
  ProcessUnderTest& operator=(const ProcessUnderTest&) = delete;

  pid_t pid() const { return pid_; }

  // What it printed so far.
  std::string Out() const;
  std::string Err() const;

  // Waits until `text` is on its standard error.
  void WaitForErr(std::string_view text, absl::Duration limit = absl::Seconds(30));
  // The same for its standard output.
  void WaitForOut(std::string_view text, absl::Duration limit = absl::Seconds(30));

  void Signal(int signal);
  // Waits for its end: its exit status, or minus the signal that ended it.
  int Wait(absl::Duration limit = absl::Seconds(30));
  // SIGKILL, and waits for the end.
  void Kill();

 private:
  class Output;

  [[noreturn]] void Fail(std::string_view what) const;

  const std::string name_;
  std::unique_ptr<Output> out_;
  std::unique_ptr<Output> err_;
  pid_t pid_ = -1;
  int pid_fd_ = -1;  // Becomes readable when the process ends; -1 when that is known.
  int result_ = 0;
};

struct ProcessResult {
  int exit_code = 0;
  std::string out;
  std::string err;
};

// Runs a program to its end.
ProcessResult RunProcess(std::vector<std::string> arguments, const ProcessOptions& options = {},
                         absl::Duration limit = absl::Seconds(60));

}  // namespace podkit::testing
