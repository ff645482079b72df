// A thread with an event loop and the connections that live on it.
//
// Thread-safe after Start, except the destructor.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/worker_pool.h"
#include "servers/http/http_options.h"
#include "servers/http/http_stats.h"
#include "servers/http/router.h"
#include "servers/http/tls_context.h"

namespace podkit::servers {

// What the threads of one server share; outlives them.
struct ServerContext {
  HttpServerOptions options;
  Router router;
  std::unique_ptr<TlsContext> tls;  // Null: clear text.
  std::unique_ptr<WorkerPool> workers;
  std::atomic<uint64_t> connections_accepted = 0;
  std::atomic<uint64_t> connections_refused = 0;
  std::atomic<uint64_t> connections_open = 0;
};

class IoThread {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Throws std::exception if the system is out of descriptors.
  explicit IoThread(ServerContext* server);
  // Joined, or never started.
  ~IoThread();

  // Listens at the server's address and returns the port. Each connection goes to the one of
  // `targets` with the fewest, all of which must outlive this thread's run. Before Start.
  absl::StatusOr<uint16_t> Listen(const std::vector<IoThread*>& targets);

  // Throws std::exception if the system gives no thread.
  void Start();
  // The thread ends when its last connection has: each after its request in work, all at `cut_at`.
  void BeginStop(TimePoint cut_at);
  void Join();

  bool OnThisThread() const;
  const HttpStats& stats() const;

 private:
  struct Impl;

  const std::unique_ptr<Impl> impl_;
};

}  // namespace podkit::servers
