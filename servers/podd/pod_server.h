// One pod, running: its files loaded, its store open, and everything mounted on an HTTP server.
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
#include "servers/podd/config.h"

namespace podkit::servers {

class PodServer {
 public:
  // Serves until Stop.
  static absl::StatusOr<std::unique_ptr<PodServer>> Start(const PoddConfig& config,
                                                          std::shared_ptr<spdlog::logger> log);
  // Reads every file that Start reads and changes nothing, but opens neither store nor port.
  static absl::Status Check(const PoddConfig& config);

  ~PodServer();

  uint16_t port() const;

  // Reads the pods file and the users file again and logs the result; one that is wrong leaves
  // everything as it was.
  void Reload();

  // Takes no more requests, answers those in work within `grace`, and closes the store.
  void Stop(absl::Duration grace);

 private:
  struct Parts;
  explicit PodServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace podkit::servers
