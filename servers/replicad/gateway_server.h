// One chunk gateway, running: its driver started, its files open, and everything mounted on an HTTP
// server.
//
// Thread-safe after Start. Errors of Start say what is wrong and what to do, in one line.
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "servers/replicad/config.h"

namespace podkit::servers {

class GatewayServer {
 public:
  // Serves until Stop.
  static absl::StatusOr<std::unique_ptr<GatewayServer>> Start(const ReplicadConfig& config,
                                                              std::shared_ptr<spdlog::logger> log);
  // Reads every file that Start reads and changes nothing; starts neither driver nor server.
  static absl::Status Check(const ReplicadConfig& config);

  ~GatewayServer();

  uint16_t port() const;
  // As clients must know it: 64 hexadecimal digits.
  std::string public_key() const;

  // Reads the writers file and the driver file again, starts the driver anew and logs the result;
  // what is wrong leaves everything as it was.
  void Reload();

  // Takes no more requests, answers those in work within `grace`, and ends the driver.
  void Stop(absl::Duration grace);

 private:
  struct Parts;
  explicit GatewayServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace podkit::servers
