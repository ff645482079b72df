// A lock directory, running: its file open, and everything mounted on an HTTP server.
//
// Thread-safe after Start. Errors of Start say what is wrong and what to do, in one line.
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "servers/lockd/config.h"

namespace podkit::servers {

class LockServer {
 public:
  // Serves until Stop.
  static absl::StatusOr<std::unique_ptr<LockServer>> Start(const LockdConfig& config,
                                                           std::shared_ptr<spdlog::logger> log);
  // Reads every file that Start reads and changes nothing, but opens neither directory nor port.
  static absl::Status Check(const LockdConfig& config);

  ~LockServer();

  uint16_t port() const;

  // Reads the pods file again and logs the result; one that is wrong leaves everything as it was.
  void Reload();

  // Ends what waits, takes no more requests, answers those in work within `grace`, and closes the
  // directory.
  void Stop(absl::Duration grace);

 private:
  struct Parts;
  explicit LockServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace podkit::servers
