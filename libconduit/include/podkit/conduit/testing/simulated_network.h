// A network of hosts on a clock that a test moves: what they send each other takes time, is lost,
// comes twice, is damaged, held up or cut, as the test wants and a seed decides. Conduits of many
// pods run on it without a thread or a socket, and the same seed gives the same course every time.
//
//   const auto scheduler = std::make_shared<ManualScheduler>();
//   SimulatedNetwork network(scheduler.get(), seed);
//   network.Start("http://b1.example:80", {.receive = ..., .accept = transport_of_b->Acceptor()});
//   const auto requests = network.RequestsFrom("http://a1.example:80");  // For a Conduit, or:
//   MuxTransport::Create(pods, {.scheduler = scheduler,
//                               .dialer = network.DialerOf("http://a1.example:80"), .seed = seed});
//   network.SetWays({.delay = absl::Milliseconds(5), .loss = 0.1});
//   while (scheduler->RunNext()) {}
//
// A conduit on it needs that scheduler, a seed and an executor of its own; whatever has a thread is
// not simulated. Requests are like HTTP's: each travels alone, so one overtakes another. A stream
// is like a connection of TCP: what it carries keeps its order, and is late in place of lost.
//
// For one thread. A host's receiver may move the clock to take its time: other things then happen
// meanwhile. Users of streams must not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "podkit/conduit/byte_stream.h"
#include "podkit/conduit/stream_dialer.h"
#include "podkit/conduit/testing/manual_scheduler.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit::testing {

// How what one host sends travels to another one. Probabilities are from 0 to 1.
struct SimulatedWay {
  absl::Duration delay = absl::Milliseconds(1);
  absl::Duration jitter = absl::ZeroDuration();  // Up to so much more, each time another one.
  // Of a request or a reply: the caller hears that the connection broke, or nothing until its
  // deadline. A piece of a stream is sent again, 200 ms later.
  double loss = 0;
  // Of a request: it arrives a second time, within the next `again_within`. Nobody gets that reply.
  double again = 0;
  absl::Duration again_within = absl::Seconds(1);
  double damage = 0;  // One bit of a request, a reply or a piece of a stream is another.
  // Nothing arrives: requests are lost, no connection is made, and streams wait until the way is
  // free again.
  bool blocked = false;
};

// What answers at an address. Either may be empty: then it is as if nobody listened there.
struct SimulatedHost {
  std::function<WireReply(const WireRequest&)> receive = {};
  StreamAcceptor accept = {};
};

// One thing that happened.
struct SimulatedEvent {
  absl::Time at;
  std::string_view what;  // "request", "reply", "lost", "again", "damaged", "stream", "bytes", ...
  std::string_view from;
  std::string_view to;
  size_t bytes = 0;
};

class SimulatedNetwork {
 public:
  // `scheduler` must outlive the network and all that was taken from it.
  SimulatedNetwork(ManualScheduler* scheduler, uint64_t seed);
  ~SimulatedNetwork();
  SimulatedNetwork(const SimulatedNetwork&) = delete;
  SimulatedNetwork& operator=(const SimulatedNetwork&) = delete;

  // From now on `host` answers at `address`: scheme://host:port in lower case, as Pods have it. An
  // address has to be started before anything leaves from it, too.
  void Start(const std::string& address, SimulatedHost host);
  // The host crashes, or its machine loses the network: its streams are gone at once, on its side,
  // and what it was asked is not answered. With `silently` the others hear nothing of it; else they
  // learn that their connections broke.
  void Stop(const std::string& address, bool silently = false);
  bool runs(std::string_view address) const;

  // From now on, from one host to another; or between all of them, in place of what was set before.
  // Start is not needed first.
  void SetWay(const std::string& from, const std::string& to, const SimulatedWay& way);
  void SetWays(const SimulatedWay& way);
  const SimulatedWay& way(std::string_view from, std::string_view to) const;

  // Breaks the streams between two hosts: what is on its way is lost, and both hear of it soon.
  void CutStreams(std::string_view one, std::string_view other);

  // Sends requests as the host at that address. Outlives neither the network nor a conduit's calls.
  std::unique_ptr<Transport> RequestsFrom(const std::string& address);
  // Opens streams as that host.
  std::shared_ptr<StreamDialer> DialerOf(const std::string& address);

  // Sees all that happens, in order; for logs, and to compare two runs. May be empty.
  void SetTap(std::function<void(const SimulatedEvent&)> tap);

  // Streams that have not ended at both ends, and requests under way or being answered.
  size_t streams() const;
  size_t requests() const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace podkit::conduit::testing
