#include "servers/http/http_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "servers/http/io_thread.h"

namespace podkit::servers {
namespace {

absl::Status Need(bool condition, std::string_view what) {
  return condition ? absl::OkStatus()
                   : absl::InvalidArgumentError(fmt::format("HTTP server: {}", what));
}

absl::Status CheckOptions(const HttpServerOptions& o) {
  PODKIT_RETURN_IF_ERROR(Need(o.io_threads > 0, "io_threads must be at least 1"));
  PODKIT_RETURN_IF_ERROR(Need(o.worker_threads > 0, "worker_threads must be at least 1"));
  PODKIT_RETURN_IF_ERROR(Need(o.queue_limit > 0, "queue_limit must be at least 1"));
  PODKIT_RETURN_IF_ERROR(Need(o.max_connections > 0, "max_connections must be at least 1"));
  PODKIT_RETURN_IF_ERROR(Need(o.max_header_bytes >= 1024 && o.max_header_bytes <= 1 << 20,
                              "max_header_bytes must be 1 KiB to 1 MiB"));
  PODKIT_RETURN_IF_ERROR(Need(o.min_bytes_per_second > 0, "min_bytes_per_second must not be 0"));
  const auto timeouts = {o.header_timeout, o.body_timeout, o.write_timeout, o.idle_timeout,
                         o.linger_timeout};
  const bool sane = std::all_of(timeouts.begin(), timeouts.end(), [](absl::Duration timeout) {
    return timeout > absl::ZeroDuration() && timeout <= absl::Hours(24);
  });
  PODKIT_RETURN_IF_ERROR(Need(sane, "each time-out must be more than 0 and at most 24 h"));
  PODKIT_RETURN_IF_ERROR(
      Need(o.timer_resolution >= absl::Milliseconds(1) && o.timer_resolution <= absl::Seconds(1),
           "timer_resolution must be 1 ms to 1 s"));
  return Need(o.tls_certificate_file.empty() == o.tls_key_file.empty(),
              "TLS needs both tls_certificate_file and tls_key_file");
}

}  // namespace

struct HttpServer::Impl {
  enum class State { kRunning, kJoining, kStopped };

  bool OnOwnThread() const {
    return server.workers->OnWorkerThread() ||
           std::any_of(threads.begin(), threads.end(),
                       [](const auto& thread) { return thread->OnThisThread(); });
  }
  void TellStreams() ABSL_LOCKS_EXCLUDED(mutex);
  void JoinAll() ABSL_LOCKS_EXCLUDED(mutex);

  ServerContext server;
  std::vector<std::unique_ptr<IoThread>> threads;
  uint16_t port = 0;

  Mutex mutex;
  CondVar changed;
  bool told ABSL_GUARDED_BY(mutex) = false;  // Those who speak on streams.
  State state ABSL_GUARDED_BY(mutex) = State::kRunning;
};

void HttpServer::Impl::TellStreams() {
  {
    MutexLock lock(&mutex);
    if (std::exchange(told, true)) return;
  }
  for (const auto& stopping : server.router.stopping()) stopping();
}

void HttpServer::Impl::JoinAll() {
  {
    MutexLock lock(&mutex);
    while (state == State::kJoining) changed.Wait(&mutex);
    if (state == State::kStopped) return;
    state = State::kJoining;
  }
  for (const auto& thread : threads) thread->Join();
  server.workers->Stop();
  MutexLock lock(&mutex);
  state = State::kStopped;
  changed.SignalAll();
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options,
                                                              Router router) {
  PODKIT_RETURN_IF_ERROR(CheckOptions(options));
  auto impl = std::make_unique<Impl>();
  ServerContext& server = impl->server;
  if (!options.tls_key_file.empty()) {
    PODKIT_ASSIGN_OR_RETURN(server.tls,
                            TlsContext::Load(options.tls_certificate_file, options.tls_key_file));
  }
  server.options = std::move(options);
  server.router = std::move(router);
  try {
    server.workers =
        std::make_unique<WorkerPool>(server.options.worker_threads, server.options.queue_limit);
    std::vector<IoThread*> targets;
    targets.reserve(static_cast<size_t>(server.options.io_threads));
    for (int i = 0; i < server.options.io_threads; ++i) {
      targets.push_back(impl->threads.emplace_back(std::make_unique<IoThread>(&server)).get());
    }
    PODKIT_ASSIGN_OR_RETURN(impl->port, targets.front()->Listen(targets));
    // The first one accepts: the others must run by then.
    std::unique_ptr<HttpServer> result(new HttpServer(std::move(impl)));
    for (auto thread = targets.rbegin(); thread != targets.rend(); ++thread) (*thread)->Start();
    return result;
  } catch (const std::exception& error) {
    return absl::UnavailableError(fmt::format("HTTP server cannot start: {}", error.what()));
  }
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() { Stop(absl::ZeroDuration()); }

uint16_t HttpServer::port() const { return impl_->port; }

void HttpServer::Stop(absl::Duration grace) {
  const absl::Duration bounded = std::clamp(grace, absl::ZeroDuration(), absl::Hours(24));
  const auto cut_at = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(bounded);
  impl_->TellStreams();
  for (const auto& thread : impl_->threads) thread->BeginStop(cut_at);
  if (!impl_->OnOwnThread()) impl_->JoinAll();
}

HttpCounters HttpServer::counters() const {
  HttpCounters sum;
  const ServerContext& server = impl_->server;
  sum.connections_accepted = server.connections_accepted;
  sum.connections_refused = server.connections_refused;
  sum.connections_open = server.connections_open;
  sum.queue_depth = server.workers->Depth();
  for (const auto& thread : impl_->threads) thread->stats().AddTo(&sum);
  return sum;
}

}  // namespace podkit::servers
