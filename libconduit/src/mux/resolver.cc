#include "mux/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

// Names that are slow to resolve hold up the others only if there are as many of them.
constexpr size_t kMaxThreads = 4;

}  // namespace

std::string SocketAddress::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    return fmt::format("[{}]:{}", text.data(), ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
  inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  return fmt::format("{}:{}", text.data(), ntohs(v4.sin_port));
}

std::optional<SocketAddress> ParseAddress(const std::string& host, uint16_t port) {
  SocketAddress address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    address.size = sizeof(v4);
  } else if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    address.size = sizeof(v6);
  } else {
    return std::nullopt;
  }
  return address;
}

absl::StatusOr<std::vector<SocketAddress>> ResolveWithSystem(const std::string& host,
                                                             uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(list, &freeaddrinfo);
  if (error != 0) {
    const std::string text = fmt::format("'{}': {}", host, gai_strerror(error));
    const bool passing = error == EAI_AGAIN || error == EAI_SYSTEM || error == EAI_MEMORY;
    return passing ? absl::UnavailableError(text) : absl::NotFoundError(text);
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
  }
  if (addresses.empty()) return absl::NotFoundError(fmt::format("'{}' has no address", host));
  return addresses;
}

Resolver::~Resolver() {
  std::vector<std::thread> threads;
  std::deque<Task> dropped;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    threads.swap(threads_);
    dropped.swap(tasks_);
  }
  changed_.SignalAll();
  for (std::thread& thread : threads) thread.join();
}

void Resolver::Resolve(std::string host, uint16_t port, Done done) {
  {
    MutexLock lock(&mutex_);
    tasks_.push_back({std::move(host), port, std::move(done)});
    if (tasks_.size() > idle_ && threads_.size() < kMaxThreads && !stopping_) {
      threads_.emplace_back([this] { Work(); });
    }
  }
  changed_.Signal();
}

void Resolver::Work() {
  for (;;) {
    Task task;
    {
      MutexLock lock(&mutex_);
      ++idle_;
      while (tasks_.empty() && !stopping_) changed_.Wait(&mutex_);
      --idle_;
      if (stopping_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task.done(resolve_(task.host, task.port));
  }
}

}  // namespace podkit::conduit::internal
