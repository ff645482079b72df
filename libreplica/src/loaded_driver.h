// A driver that is a shared object (podkit/replica/driver.h), loaded into this process.
//
// Thread-compatible.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "podkit/replica/chunk_driver.h"
#include "worker_messages.h"

struct PodkitReplicaDriver;

namespace podkit::replica {

class LoadedDriver {
 public:
  // kInvalidArgument if the file is no driver, or refuses its settings: the message says why.
  static absl::StatusOr<std::unique_ptr<LoadedDriver>> Load(const std::string& path,
                                                            const DriverSettings& settings);
  ~LoadedDriver();

  std::string_view name() const;
  bool Has(DriverMethod method) const;
  // Calls a method that it has and returns what that returns, or -EIO for a number that is no
  // errno. `chunk` is what goes in, `chunk_fd` takes what comes out.
  int Call(DriverMethod method, const DriverRequest& request, std::string_view chunk, int chunk_fd);

 private:
  LoadedDriver(const PodkitReplicaDriver* code, void* state) : code_(code), state_(state) {}

  const PodkitReplicaDriver* const code_;  // Is never unloaded.
  void* const state_;
};

}  // namespace podkit::replica
