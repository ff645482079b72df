#include "simulated/stream.h"

#include <algorithm>
#include <utility>

namespace podkit::conduit::internal {
namespace {

constexpr size_t kCapacity = 256 << 10;  // Bytes in flight before a sender is asked for no more.
constexpr absl::Duration kResend = absl::Milliseconds(200);
constexpr size_t kMostPieces = 3;  // That a piece is cut into on its way.

class SimulatedStream final : public ByteStream {
 public:
  SimulatedStream(std::shared_ptr<SimulatedConnection> connection, int end)
      : connection_(std::move(connection)), end_(end) {}

  void Wake() override { connection_->Wake(end_); }
  void Close() override { connection_->Close(end_); }
  std::string ChannelBinding() const override { return {}; }
  std::string peer() const override { return connection_->address(1 - end_); }

 private:
  const std::shared_ptr<SimulatedConnection> connection_;
  const int end_;
};

}  // namespace

SimulatedConnection::SimulatedConnection(const std::shared_ptr<SimulatedState>& network,
                                         std::string dialler, std::string acceptor)
    : network_(network) {
  At(0).address = std::move(dialler);
  At(1).address = std::move(acceptor);
}

std::shared_ptr<ByteStream> SimulatedConnection::StreamOf(int end) {
  return std::make_shared<SimulatedStream>(shared_from_this(), end);
}

void SimulatedConnection::Attach(int end, std::shared_ptr<StreamUser> user) {
  At(end).user = std::move(user);
  Wake(end);
}

std::optional<int> SimulatedConnection::EndAt(std::string_view address) const {
  for (const int end : {0, 1}) {
    if (At(end).address == address) return end;
  }
  return std::nullopt;
}

void SimulatedConnection::Wake(int end) {
  At(end).speaks = true;
  CollectSoon(end);
}

void SimulatedConnection::Close(int end) {
  At(end).closing = true;
  CollectSoon(end);
}

void SimulatedConnection::CollectSoon(int end) {
  const auto network = network_.lock();
  if (network == nullptr || At(end).user == nullptr) return;
  if (std::exchange(At(end).collecting, true)) return;
  network->After<SimulatedConnection>(absl::ZeroDuration(), weak_from_this(),
                                      [end](SimulatedConnection& self) { self.Collect(end); });
}

void SimulatedConnection::Collect(int end) {
  End& from = At(end);
  from.collecting = false;
  while (from.user != nullptr && from.speaks && from.in_flight < kCapacity) {
    from.speaks = false;
    const auto user = from.user;
    std::string bytes = user->TakeOutput();
    if (bytes.empty()) break;
    from.speaks = true;
    Post(end, Kind::kBytes, std::move(bytes));
  }
  if (from.user == nullptr || !from.closing || from.speaks) return;
  Post(end, Kind::kEnd, {});
  Break(end, absl::OkStatus());
}

void SimulatedConnection::Post(int end, Kind kind, std::string bytes) {
  const auto network = network_.lock();
  if (network == nullptr) return;
  End& from = At(end);
  const std::string& to = At(1 - end).address;
  const testing::SimulatedWay& way = network->WayOf(from.address, to);
  absl::Time arrival = network->Now() + network->Travel(from.address, to);
  if (network->Happens(way.loss)) arrival += kResend;
  if (kind == Kind::kBytes && network->Happens(way.damage)) {
    network->Damage(&bytes);
    network->Tell("damaged", from.address, to, bytes.size());
  }
  // They keep their order, also when the way becomes shorter.
  if (!from.flights.empty()) arrival = std::max(arrival, from.flights.back().arrival);
  from.in_flight += bytes.size();
  from.flights.push_back({arrival, kind, std::move(bytes)});
  DeliverAt(end, arrival);
}

void SimulatedConnection::DeliverAt(int end, absl::Time when) {
  const auto network = network_.lock();
  if (network == nullptr) return;
  network->After<SimulatedConnection>(when - network->Now(), weak_from_this(),
                                      [end](SimulatedConnection& self) { self.Deliver(end); });
}

void SimulatedConnection::Deliver(int end) {
  const auto network = network_.lock();
  End& from = At(end);
  const End& to = At(1 - end);
  while (network != nullptr && !to.receiving && !from.flights.empty() &&
         from.flights.front().arrival <= network->Now() &&
         !network->Blocked(from.address, to.address)) {
    const Flight flight = std::move(from.flights.front());
    from.flights.pop_front();
    from.in_flight -= flight.bytes.size();
    Arrive(end, flight);
  }
  if (from.speaks) CollectSoon(end);
}

void SimulatedConnection::Arrive(int end, const Flight& flight) {
  const auto network = network_.lock();
  End& receiver = At(1 - end);
  if (receiver.user == nullptr) {
    // Whoever sends to a connection that is gone there is told so, if anything runs there.
    const bool answers = flight.kind == Kind::kBytes && At(end).user != nullptr;
    if (answers && network->HostAt(receiver.address)) Post(1 - end, Kind::kBroken, {});
    return;
  }
  switch (flight.kind) {
    case Kind::kBytes:
      network->Tell("bytes", At(end).address, receiver.address, flight.bytes.size());
      Receive(receiver, flight.bytes);
      if (receiver.broken) Finish(1 - end, *receiver.broken);
      return;
    case Kind::kEnd:
      network->Tell("ended", At(end).address, receiver.address);
      return Break(1 - end, absl::OkStatus());
    case Kind::kBroken:
      network->Tell("broken", At(end).address, receiver.address);
      return Break(1 - end, absl::UnavailableError("the connection broke"));
  }
}

// In pieces, cut anywhere.
void SimulatedConnection::Receive(End& receiver, std::string_view bytes) {
  const auto network = network_.lock();
  const auto user = receiver.user;
  receiver.receiving = true;
  size_t pieces = 1 + network->Below(kMostPieces);
  while (!bytes.empty() && !receiver.broken) {
    const size_t size = pieces == 1 ? bytes.size() : 1 + network->Below(bytes.size());
    user->Receive(bytes.substr(0, size));
    bytes.remove_prefix(size);
    pieces = std::max<size_t>(pieces - 1, 1);
  }
  receiver.receiving = false;
}

void SimulatedConnection::Break(int end, const absl::Status& why) {
  End& one = At(end);
  if (one.user == nullptr) return;
  if (one.receiving) {
    if (!one.broken) one.broken = why;
    return;
  }
  Finish(end, why);
}

void SimulatedConnection::Finish(int end, const absl::Status& why) {
  const auto self = shared_from_this();
  const auto user = std::exchange(At(end).user, nullptr);
  if (user != nullptr) user->Closed(why);
  const auto network = network_.lock();
  if (network != nullptr && At(0).user == nullptr && At(1).user == nullptr) network->Remove(this);
}

void SimulatedConnection::Crash(std::string_view address, bool silently) {
  const auto self = shared_from_this();
  for (const int end : {0, 1}) {
    if (At(end).address != address) continue;
    At(end).flights.clear();
    At(end).in_flight = 0;
    if (!silently) Post(end, Kind::kBroken, {});
    Break(end, absl::UnavailableError("this host has lost the network"));
  }
}

void SimulatedConnection::Drop(int end, const absl::Status& why) {
  const auto self = shared_from_this();
  Post(end, Kind::kBroken, {});
  Break(end, why);
}

void SimulatedConnection::Refused(int end) {
  Post(end, Kind::kBroken, {});
  Finish(end, absl::OkStatus());
}

void SimulatedConnection::Cut() {
  for (const int end : {0, 1}) {
    At(end).flights.clear();
    At(end).in_flight = 0;
    Post(end, Kind::kBroken, {});
  }
}

void SimulatedConnection::WayChanged() {
  for (const int end : {0, 1}) {
    if (!At(end).flights.empty()) DeliverAt(end, At(end).flights.front().arrival);
  }
}

}  // namespace podkit::conduit::internal
