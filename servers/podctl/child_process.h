// A program that runs beside this one and ends with it.
//
// Owner-thread: the thread that starts a child must live as long as it does.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace podkit::podctl {

class ChildProcess {
 public:
  // Runs `arguments`, the first of which is the path of the program; what it prints is appended to
  // `log_file`.
  static absl::StatusOr<ChildProcess> Start(std::vector<std::string> arguments,
                                            const std::string& log_file);
  ChildProcess(ChildProcess&& other) noexcept;
  // Kills it if it still runs.
  ~ChildProcess();

  // False from the moment on at which it is found to have ended.
  bool Running();
  // How it ended: "exit status 1", "signal 9".
  std::string End() const;
  void Signal(int signal);

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  pid_t pid_;  // 0 when it has ended.
  int wait_status_ = 0;
};

}  // namespace podkit::podctl
