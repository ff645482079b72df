#include "simulated/network.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "simulated/stream.h"

namespace podkit::conduit {
namespace internal {

uint64_t SimulatedState::After(absl::Duration wait, std::function<void()> work) {
  return scheduler_->At(Now() + wait, [weak = weak_from_this(), work = std::move(work)] {
    if (const auto self = weak.lock()) work();
  });
}

const SimulatedState::Way& SimulatedState::WayOf(std::string_view from, std::string_view to) const {
  const auto all = ways.find(from);
  if (all == ways.end()) return everywhere;
  const auto found = all->second.find(to);
  return found == all->second.end() ? everywhere : found->second;
}

absl::Duration SimulatedState::Travel(std::string_view from, std::string_view to) {
  const Way& way = WayOf(from, to);
  return way.delay + UpTo(way.jitter);
}

void SimulatedState::Damage(std::string* bytes) {
  if (bytes->empty()) return;
  char& byte = (*bytes)[Below(bytes->size())];
  byte = static_cast<char>(byte ^ (1 << Below(8)));
}

std::shared_ptr<const SimulatedState::Host> SimulatedState::HostAt(std::string_view address) const {
  const auto found = hosts.find(address);
  return found == hosts.end() ? nullptr : found->second;
}

void SimulatedState::Tell(std::string_view what, std::string_view from, std::string_view to,
                          size_t bytes) {
  if (tap) tap({.at = Now(), .what = what, .from = from, .to = to, .bytes = bytes});
}

void SimulatedState::Add(std::shared_ptr<SimulatedConnection> connection) {
  connections.push_back(std::move(connection));
}

void SimulatedState::Remove(const SimulatedConnection* connection) {
  std::erase_if(connections, [&](const auto& one) { return one.get() == connection; });
}

std::vector<std::shared_ptr<SimulatedConnection>> SimulatedState::ConnectionsOf(
    std::string_view address) const {
  std::vector<std::shared_ptr<SimulatedConnection>> found;
  for (const auto& connection : connections) {
    if (connection->EndAt(address)) found.push_back(connection);
  }
  return found;
}

}  // namespace internal

namespace testing {

struct SimulatedNetwork::Impl {
  std::shared_ptr<internal::SimulatedState> state;
};

SimulatedNetwork::SimulatedNetwork(ManualScheduler* scheduler, uint64_t seed)
    : impl_(std::make_unique<Impl>(
          Impl{std::make_shared<internal::SimulatedState>(scheduler, seed)})) {}

SimulatedNetwork::~SimulatedNetwork() {
  while (!impl_->state->connections.empty()) {
    const auto connection = impl_->state->connections.back();
    for (const int end : {0, 1}) {
      connection->Break(end, absl::CancelledError("the network has ended"));
    }
    impl_->state->Remove(connection.get());
  }
}

void SimulatedNetwork::Start(const std::string& address, SimulatedHost host) {
  impl_->state->hosts[address] = std::make_shared<const SimulatedHost>(std::move(host));
}

void SimulatedNetwork::Stop(const std::string& address, bool silently) {
  internal::SimulatedState& state = *impl_->state;
  state.hosts.erase(address);
  state.Tell("stopped", address, "");
  for (const auto& connection : state.ConnectionsOf(address)) {
    connection->Crash(address, silently);
  }
}

bool SimulatedNetwork::runs(std::string_view address) const {
  return impl_->state->HostAt(address) != nullptr;
}

void SimulatedNetwork::SetWay(const std::string& from, const std::string& to,
                              const SimulatedWay& way) {
  impl_->state->ways[from][to] = way;
  for (const auto& connection : impl_->state->ConnectionsOf(from)) connection->WayChanged();
}

void SimulatedNetwork::SetWays(const SimulatedWay& way) {
  impl_->state->ways.clear();
  impl_->state->everywhere = way;
  const auto connections = impl_->state->connections;
  for (const auto& connection : connections) connection->WayChanged();
}

const SimulatedWay& SimulatedNetwork::way(std::string_view from, std::string_view to) const {
  return impl_->state->WayOf(from, to);
}

void SimulatedNetwork::CutStreams(std::string_view one, std::string_view other) {
  for (const auto& connection : impl_->state->ConnectionsOf(one)) {
    if (connection->EndAt(other)) connection->Cut();
  }
}

std::unique_ptr<Transport> SimulatedNetwork::RequestsFrom(const std::string& address) {
  return internal::MakeSimulatedRequests(impl_->state, address);
}

std::shared_ptr<StreamDialer> SimulatedNetwork::DialerOf(const std::string& address) {
  return internal::MakeSimulatedDialer(impl_->state, address);
}

void SimulatedNetwork::SetTap(std::function<void(const SimulatedEvent&)> tap) {
  impl_->state->tap = std::move(tap);
}

size_t SimulatedNetwork::streams() const { return impl_->state->connections.size(); }

size_t SimulatedNetwork::requests() const { return impl_->state->requests; }

}  // namespace testing
}  // namespace podkit::conduit
