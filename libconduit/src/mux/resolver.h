// Finds the addresses of hosts on threads of its own, as the system's resolver blocks.
//
// Thread-safe.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"

namespace podkit::conduit::internal {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  std::string ToString() const;  // "127.0.0.1:80" or "[::1]:80".
};

// The address that `host` is written as, if it is no name.
std::optional<SocketAddress> ParseAddress(const std::string& host, uint16_t port);

// The addresses in the order in which to try them, at least one. May block.
using ResolveFunction = std::function<absl::StatusOr<std::vector<SocketAddress>>(
    const std::string& host, uint16_t port)>;

// With getaddrinfo: `host` is a name, or an IPv4 or IPv6 address without brackets. kNotFound: there
// is no such name; kUnavailable: the name servers do not answer.
absl::StatusOr<std::vector<SocketAddress>> ResolveWithSystem(const std::string& host,
                                                             uint16_t port);

class Resolver {
 public:
  using Done = std::function<void(absl::StatusOr<std::vector<SocketAddress>>)>;

  explicit Resolver(ResolveFunction resolve) : resolve_(std::move(resolve)) {}
  // Waits for what runs, and drops what waits without calling its `done`.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Calls `done` on one of its threads.
  void Resolve(std::string host, uint16_t port, Done done);

 private:
  struct Task {
    std::string host;
    uint16_t port;
    Done done;
  };

  void Work();

  const ResolveFunction resolve_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
