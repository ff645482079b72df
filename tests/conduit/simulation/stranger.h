// Somebody on the network who has no key: he hears what others send and sends it again.
//
// For one thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "podkit/conduit/byte_stream.h"
#include "podkit/conduit/testing/simulated_network.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit::simulation {

class Stranger {
 public:
  // `problems` gets a line for each reply that he should not have got.
  Stranger(testing::SimulatedNetwork* network, const std::string& address,
           std::vector<std::string>* problems);

  // Notes what the host at `to`, of `pod`, is sent.
  void Hear(const std::string& to, const std::shared_ptr<const Pod>& pod,
            const WireRequest& request);
  // Notes what comes on the streams that the host accepts.
  StreamAcceptor Overhear(const std::string& to, StreamAcceptor accept);

  // Sends all of it again, to the same hosts.
  void Replay(absl::Time deadline);

  // Ends his streams.
  void Stop() { dialer_->Stop(); }

 private:
  struct Heard {
    std::string to;
    std::shared_ptr<const Pod> pod;
    WireRequest request;
  };
  struct Stream {
    std::string to;
    std::string bytes;
  };

  testing::SimulatedNetwork* const network_;
  std::vector<std::string>* const problems_;
  const std::unique_ptr<Transport> requests_;
  const std::shared_ptr<StreamDialer> dialer_;
  std::vector<Heard> heard_;
  std::vector<std::shared_ptr<Stream>> streams_;
};

}  // namespace podkit::conduit::simulation
