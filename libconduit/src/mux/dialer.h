// Opens connections that speak podkit-conduit to hosts, and carries their streams, on one thread.
//
// Thread-safe. A dialler may own thousands of streams.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "mux/io_loop.h"
#include "mux/resolver.h"
#include "mux/tls_client.h"
#include "podkit/conduit/byte_stream.h"
#include "podkit/conduit/scheduler.h"
#include "podkit/conduit/stream_dialer.h"

namespace podkit::conduit::internal {

struct DialerOptions {
  std::shared_ptr<Scheduler> scheduler;
  ResolveFunction resolve = ResolveWithSystem;
};

class Dialer final : public StreamDialer {
 public:
  // Fails only if the system gives no descriptors or no thread: kResourceExhausted.
  static absl::StatusOr<std::unique_ptr<Dialer>> Create(DialerOptions options);
  // Stops, and waits for a name that is being resolved. Not on the dialler's own thread.
  ~Dialer() override;

  // Not on the dialler's own thread.
  void Stop() override;

  // Calls back on the dialler's own thread. Failures: kInvalidArgument = `host` is no such address;
  // kUnimplemented = somebody else, or an older pod, listens there: it speaks HTTP but not this
  // protocol; kPermissionDenied = it refuses; kFailedPrecondition = TLS: the peer is
  // not who it should be, or ca_file is of no use; kNotFound = no such name; kDeadlineExceeded;
  // kUnavailable and kDataLoss = the connection could not be made, or broke; kCancelled = the
  // dialler ends.
  void Dial(DialTarget target, StreamAcceptor opened,
            std::function<void(absl::Status)> failed) override;

 private:
  class Attempt;
  struct Shared {  // What attempts use.
    std::shared_ptr<IoLoop> loop;
    std::shared_ptr<Scheduler> scheduler;
    Resolver* resolver;  // Outlives the loop's run.
    TlsClient tls;       // The loop thread's.
  };

  Dialer(std::shared_ptr<Shared> shared, std::unique_ptr<Resolver> resolver);

  const std::unique_ptr<Resolver> resolver_;
  const std::shared_ptr<Shared> shared_;
  Mutex mutex_;
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
