// A driver whose methods run in worker processes, one method in each, as many as the load asks.
//
// A worker that crashes, hangs or answers rubbish costs the one call that it had; another takes its
// place. New driver code is another DriverProcesses: start it, hand it to the gateway, and the old
// one ends with its last call; if it does not start, nothing has changed.
//
// Thread-safe. Owns a thread and the processes, which end with it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/replica/chunk_driver.h"

namespace podkit::replica {

// Code of a driver and what it is told. Config and secrets are JSON objects; they reach the workers
// through a file in memory, never by command line, environment or disk.
struct DriverSource {
  std::string path;  // Absolute: a shared object (driver.h), or a Python 3 file that ends in ".py".
  std::string config = "{}";
  std::string secrets = "{}";
  // The files and folders that it may read, or use in any way, beside its own folder and the
  // system's programs and libraries. Only where the kernel has Landlock.
  std::vector<std::string> readable_paths;
  std::vector<std::string> writable_paths;
  bool network = false;  // May open sockets other than local ones.
};

struct WorkerLimits {
  int min_workers = 1;  // Of each method.
  int max_workers = 4;
  size_t max_waiting = 256;  // Calls that wait for a worker of a method.
  absl::Duration start_timeout = absl::Seconds(10);
  absl::Duration idle_timeout = absl::Minutes(1);  // Of workers beyond min_workers.
  uint64_t memory_bytes = 0;                       // Address space of a worker; 0: no limit.
  uint64_t file_bytes = uint64_t{256} << 20;       // The largest file that it may write.
  uint32_t user = 0;  // Whom workers run as if this process is root; 0: as this process.
  uint32_t group = 0;
};

struct DriverProcessesOptions {
  std::string worker_program;  // Absolute path of rg-driver.
  DriverSource storage;
  // Serializes and deserializes in place of `storage`; none if its path is empty.
  DriverSource stage;
  WorkerLimits limits;
  // What workers print, line by line, and what becomes of them. Called from one thread at a time.
  std::function<void(std::string_view)> log = [](std::string_view) {};
};

struct WorkerCounters {
  uint64_t started = 0;  // Processes.
  uint64_t calls = 0;
  uint64_t crashed = 0;  // Calls whose worker ended,
  uint64_t hung = 0;     // was killed at the deadline,
  uint64_t garbage = 0;  // or answered rubbish.
  uint64_t refused = 0;  // Calls for which there was no worker.
};

class DriverProcesses final : public ChunkDriver {
 public:
  // Starts a worker of each method and waits until all are ready. kInvalidArgument says what is
  // wrong with the driver or its settings; kDeadlineExceeded if it did not get ready in time.
  static absl::StatusOr<std::unique_ptr<DriverProcesses>> Start(DriverProcessesOptions options);
  ~DriverProcesses() override;

  bool Has(DriverMethod method) const override;
  absl::StatusOr<int> Call(DriverMethod method, const DriverRequest& request,
                           const FileBytes& input, int output_fd, absl::Time deadline) override;

  WorkerCounters counters(DriverMethod method) const;

 private:
  class Impl;

  explicit DriverProcesses(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace podkit::replica
