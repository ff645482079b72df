// Asks a gateway's driver now and then whether it works, so that everybody else can be told at once
// and nobody waits for a driver that hangs.
//
// Thread-safe. Owns a thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "podkit/replica/chunk_driver.h"

namespace podkit::servers {

struct DriverWatchOptions {
  // The driver to ask, which may be another one each time.
  std::function<std::shared_ptr<replica::ChunkDriver>()> driver;
  absl::Duration interval = absl::Seconds(10);
  absl::Duration timeout = absl::Seconds(5);
};

class DriverWatch {
 public:
  // Asks for the first time before it returns.
  explicit DriverWatch(DriverWatchOptions options);
  ~DriverWatch();
  DriverWatch(const DriverWatch&) = delete;
  DriverWatch& operator=(const DriverWatch&) = delete;

  // What was wrong when it was last asked; "" if it answered as it should.
  std::string Problem() const;

 private:
  void Ask();
  void Run();

  const DriverWatchOptions options_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::string problem_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace podkit::servers
