// A connection between two hosts of a SimulatedNetwork, with its two streams.
//
// For one thread. The network holds it as long as one end has a user.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "podkit/conduit/byte_stream.h"
#include "simulated/network.h"

namespace podkit::conduit::internal {

class SimulatedConnection : public std::enable_shared_from_this<SimulatedConnection> {
 public:
  // End 0 is at `dialler`, end 1 at `acceptor`.
  SimulatedConnection(const std::shared_ptr<SimulatedState>& network, std::string dialler,
                      std::string acceptor);

  std::shared_ptr<ByteStream> StreamOf(int end);
  // The user speaks on that end from now on.
  void Attach(int end, std::shared_ptr<StreamUser> user);
  std::optional<int> EndAt(std::string_view address) const;
  const std::string& address(int end) const { return At(end).address; }

  void Wake(int end);
  void Close(int end);

  // The user of that end hears that the connection broke, now, or when it is through with what it
  // is at.
  void Break(int end, const absl::Status& why);
  // The host of that address is gone.
  void Crash(std::string_view address, bool silently);
  // The connection ends for `end` now, and the other end learns that it broke.
  void Drop(int end, const absl::Status& why);
  // Nobody speaks on that end.
  void Refused(int end);
  void Cut();
  void WayChanged();

 private:
  enum class Kind { kBytes, kEnd, kBroken };
  struct Flight {
    absl::Time arrival;
    Kind kind;
    std::string bytes;
  };
  struct End {
    std::string address;
    std::shared_ptr<StreamUser> user;
    bool speaks = false;         // The user may have output.
    bool collecting = false;     // It will be asked for it.
    bool closing = false;        // By its user.
    bool receiving = false;      // Its user is called just now.
    std::deque<Flight> flights;  // What it sent.
    size_t in_flight = 0;
    std::optional<absl::Status> broken;  // Once its user is through.
  };

  End& At(int end) { return ends_[static_cast<size_t>(end)]; }
  const End& At(int end) const { return ends_[static_cast<size_t>(end)]; }
  void CollectSoon(int end);
  void Collect(int end);
  void Post(int end, Kind kind, std::string bytes);
  void DeliverAt(int end, absl::Time when);
  // What `end` sent, as far as it has arrived.
  void Deliver(int end);
  void Arrive(int end, const Flight& flight);
  void Receive(End& receiver, std::string_view bytes);
  void Finish(int end, const absl::Status& why);

  const std::weak_ptr<SimulatedState> network_;
  std::array<End, 2> ends_;
};

}  // namespace podkit::conduit::internal
