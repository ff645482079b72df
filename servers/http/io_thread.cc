#include "servers/http/io_thread.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <exception>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "servers/http/connection.h"
#include "servers/http/reply_writer.h"

namespace podkit::servers {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Executor = asio::io_context::executor_type;
using Socket = Connection::Socket;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

// Connections beyond the limit that are told so at the same time; others are just closed.
constexpr uint64_t kMaxRefusals = 64;
// Until accept is tried again when the process is out of descriptors.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

std::string PeerName(const tcp::endpoint& peer) {
  const std::string address = peer.address().to_string();
  return peer.address().is_v6() ? fmt::format("[{}]:{}", address, peer.port())
                                : fmt::format("{}:{}", address, peer.port());
}

}  // namespace

struct IoThread::Impl final : ConnectionLoop {
  explicit Impl(ServerContext* shared)
      : ConnectionLoop(shared),
        work(context->get_executor()),
        tick(context->get_executor()),
        acceptor(context->get_executor()),
        accept_pause(context->get_executor()) {
    date = HttpDate(shared->options.now());
  }

  // From here on: on this thread only.
  void Accept();
  void OnAccept(Socket socket, Impl* target);
  void Adopt(Socket socket, bool refuse);
  void Remove(Connection* connection) override;
  void ArmTick();
  void OnTick();
  void Drain(TimePoint cut);
  void EndIfDone();
  std::vector<std::shared_ptr<Connection>> Connections() const;
  void Run();

  std::atomic<size_t> load = 0;  // Connections here or on the way.

  asio::executor_work_guard<Executor> work;
  Timer tick;
  Acceptor acceptor;  // Open on the thread that listens.
  Timer accept_pause;
  std::vector<Impl*> targets;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;
  bool draining = false;
  TimePoint cut_at = TimePoint::max();

  std::thread thread;
  std::thread::id id;
};

void IoThread::Impl::Accept() {
  Impl* const target =
      *std::min_element(targets.begin(), targets.end(),
                        [](const Impl* a, const Impl* b) { return a->load < b->load; });
  acceptor.async_accept(*target->context, [this, target](ErrorCode error, Socket socket) {
    if (!acceptor.is_open()) return;
    if (!error) {
      OnAccept(std::move(socket), target);
    } else if (error != asio::error::connection_aborted) {
      server->options.log(HttpLogLevel::kWarning,
                          fmt::format("accept failed, trying on: {}", error.message()));
      accept_pause.expires_after(kAcceptPause);
      accept_pause.async_wait([this](ErrorCode stopped) {
        if (!stopped && acceptor.is_open()) Accept();
      });
      return;
    }
    Accept();
  });
}

void IoThread::Impl::OnAccept(Socket socket, Impl* target) {
  ++server->connections_accepted;
  const uint64_t open = server->connections_open;
  const uint64_t limit = server->options.max_connections;
  const bool refuse = open >= limit;
  if (refuse) {
    ++server->connections_refused;
    if (server->tls != nullptr || open >= limit + kMaxRefusals) return;
  }
  ++server->connections_open;
  ++target->load;
  if (target == this) return Adopt(std::move(socket), refuse);
  asio::post(*target->context, [target, refuse, moved = std::move(socket)]() mutable {
    target->Adopt(std::move(moved), refuse);
  });
}

void IoThread::Impl::Adopt(Socket socket, bool refuse) {
  ErrorCode error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (!error) socket.non_blocking(true, error);
  ErrorCode ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  auto connection = std::make_shared<Connection>(this, std::move(socket), PeerName(peer));
  connections.emplace(connection.get(), connection);
  if (error || draining) return connection->Close();
  connection->Start(refuse);
}

void IoThread::Impl::Remove(Connection* connection) {
  connections.erase(connection);
  --load;
  --server->connections_open;
  EndIfDone();
}

std::vector<std::shared_ptr<Connection>> IoThread::Impl::Connections() const {
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections.size());
  for (const auto& [raw, connection] : connections) all.push_back(connection);
  return all;
}

void IoThread::Impl::ArmTick() {
  const auto step = absl::ToChronoNanoseconds(server->options.timer_resolution);
  tick.expires_at(std::min(Clock::now() + step, cut_at));
  tick.async_wait([this](ErrorCode error) {
    if (!error) OnTick();
  });
}

void IoThread::Impl::OnTick() {
  const TimePoint now = Clock::now();
  date = HttpDate(server->options.now());
  for (const auto& connection : Connections()) {
    if (now >= cut_at) {
      connection->Cut("the server stops");
    } else {
      connection->Tick(now);
    }
  }
  if (!draining || !connections.empty()) ArmTick();
}

void IoThread::Impl::Drain(TimePoint cut) {
  draining = true;
  cut_at = std::min(cut_at, cut);
  ErrorCode ignored;
  acceptor.close(ignored);
  accept_pause.cancel();
  for (const auto& connection : Connections()) connection->Drain();
  ArmTick();
  EndIfDone();
}

void IoThread::Impl::EndIfDone() {
  if (!draining || !connections.empty()) return;
  tick.cancel();
  work.reset();
}

void IoThread::Impl::Run() {
  // A TLS write to a closed socket must be an error, not the end of the process.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  for (;;) {
    try {
      context->run();
      return;
    } catch (const std::exception& error) {
      server->options.log(HttpLogLevel::kError,
                          fmt::format("a connection's work failed: {}", error.what()));
    }
  }
}

IoThread::IoThread(ServerContext* server) : impl_(std::make_unique<Impl>(server)) {}
IoThread::~IoThread() = default;

absl::StatusOr<uint16_t> IoThread::Listen(const std::vector<IoThread*>& targets) {
  for (IoThread* const target : targets) impl_->targets.push_back(target->impl_.get());
  const HttpServerOptions& options = impl_->server->options;
  ErrorCode error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) {
    return absl::InvalidArgumentError(fmt::format("'{}' is no IP address", options.address));
  }
  const tcp::endpoint endpoint(address, options.port);
  Acceptor& acceptor = impl_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  const tcp::endpoint local = error ? endpoint : acceptor.local_endpoint(error);
  if (error) {
    return absl::UnavailableError(fmt::format("cannot listen on {} port {}: {}", options.address,
                                              options.port, error.message()));
  }
  return local.port();
}

void IoThread::Start() {
  impl_->ArmTick();
  if (impl_->acceptor.is_open()) impl_->Accept();
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
  impl_->id = impl_->thread.get_id();
}

void IoThread::BeginStop(TimePoint cut_at) {
  asio::post(*impl_->context, [impl = impl_.get(), cut_at] { impl->Drain(cut_at); });
}

void IoThread::Join() {
  if (impl_->thread.joinable()) impl_->thread.join();
}

bool IoThread::OnThisThread() const { return std::this_thread::get_id() == impl_->id; }

const HttpStats& IoThread::stats() const { return impl_->stats; }

}  // namespace podkit::servers
