// Two connected ByteStreams without a socket, and a hand that moves the bytes: what a protocol on a
// byte stream is tested with. The bytes arrive cut at random, and as late, damaged or incomplete as
// the test wants.
//
//   BytePump pump(&scheduler, seed);
//   pump.Attach(BytePump::kA, user_on(pump.stream(BytePump::kA)));
//   pump.Attach(BytePump::kB, user_on(pump.stream(BytePump::kB)));
//   pump.Inject(BytePump::kA, BytePump::Fault::kCorrupt, 17);
//   pump.Pump();
//
// The streams can be woken and closed from any thread; everything else is for one thread, which is
// the one that calls the users.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "podkit/conduit/byte_stream.h"
#include "podkit/conduit/testing/manual_scheduler.h"

namespace podkit::conduit::testing {

struct BytePumpOptions {
  std::string channel_binding_of_a = {};  // As with TLS, if they are not empty.
  std::string channel_binding_of_b = {};
  // Bytes in flight in one direction before the sender is not asked for more, as with a socket.
  size_t capacity = 256 << 10;
  size_t max_piece = 4096;  // The bytes of one Receive: 1 to this many.
};

class BytePump {
 public:
  enum End { kA, kB };

  enum class Fault {
    kDrop,       // The bytes do not arrive.
    kDuplicate,  // They arrive twice.
    kReorder,    // They arrive behind the same number of bytes that follow; until those are sent
                 // they wait.
    kCorrupt,    // One bit of each is another.
    kCut,        // Neither they nor anything else arrives: the connection breaks, both ways.
  };

  // `scheduler` must outlive the pump; it is what Delay goes by.
  BytePump(ManualScheduler* scheduler, uint64_t seed, BytePumpOptions options = {});
  // Cuts.
  ~BytePump();
  BytePump(const BytePump&) = delete;
  BytePump& operator=(const BytePump&) = delete;

  std::shared_ptr<ByteStream> stream(End end) const;
  // `user` speaks on that end from now on.
  void Attach(End end, std::shared_ptr<StreamUser> user);

  // Moves bytes until nothing more can move now; true if anything did. Also tells the users of the
  // end of the connection.
  bool Pump();
  // Moves at most one piece in each direction.
  bool PumpOnce();

  // From now on; counts the bytes that `sender` sends from the first one on.
  void Inject(End sender, Fault fault, uint64_t first, uint64_t length = 1);
  // What `sender` sends does not arrive until the stall is lifted.
  void Stall(End sender, bool stalled);
  // What `sender` sends from now on arrives that much later, by the scheduler's clock: pump again
  // when that has moved.
  void Delay(End sender, absl::Duration delay);
  // Breaks the connection: what is in flight is lost, both users get Closed with `why`.
  void Cut(const absl::Status& why = absl::UnavailableError("the connection was cut"));

  // Bytes that `sender` sent, and that waited at most in its direction.
  uint64_t sent(End sender) const;
  size_t in_flight(End sender) const;
  // The connection has ended, and both users know.
  bool closed() const;

 private:
  struct State;
  class Stream;
  std::shared_ptr<State> state_;
};

}  // namespace podkit::conduit::testing
