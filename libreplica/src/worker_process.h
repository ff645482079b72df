// One worker process and the way to it.
//
// Thread-compatible, except that Kill may be called from another thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/unique_fd.h"
#include "worker_channel.h"
#include "worker_messages.h"

namespace podkit::replica {

class WorkerProcess {
 public:
  // Starts `program` for the method of `hello` and sends it that; `settings` is the file that goes
  // with it.
  static absl::StatusOr<std::unique_ptr<WorkerProcess>> Start(const std::string& program,
                                                              const HelloMessage& hello,
                                                              int settings);
  // Kills the process if it runs, and waits for its end.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // What it answers to the hello. Errors as WorkerChannel::Receive.
  absl::StatusOr<ReadyMessage> ReceiveReady(absl::Time deadline) const;

  enum class Outcome {
    kAnswered,
    kNotSent,  // It was gone before: nothing was asked.
    kCrashed,
    kHung,
    kGarbage,
  };
  struct Exchanged {
    Outcome outcome;
    int error = 0;  // If answered, what the driver returned.
  };
  Exchanged Exchange(DriverMethod method, const CallMessage& call, int input, int output,
                     absl::Time deadline);

  // What the process printed: whole lines, and what follows them at its end. Never waits; false if
  // nothing more will come.
  bool ReadOutput(std::string* lines);

  // With all processes that it has started.
  void Kill() const;
  // True once the process has ended; never waits.
  bool HasEnded();

  pid_t pid() const { return pid_; }
  int socket() const { return channel_.fd(); }
  int output() const { return output_.get(); }

 private:
  WorkerProcess(pid_t pid, UniqueFd socket, UniqueFd output);

  const pid_t pid_;
  bool reaped_ = false;
  const WorkerChannel channel_;
  UniqueFd output_;
  std::string partial_line_;
  uint32_t next_call_ = 1;
};

// A file in memory with the settings, for hellos.
absl::StatusOr<UniqueFd> SettingsFile(const DriverSettings& settings);

}  // namespace podkit::replica
