// The pieces of one stream that are in flight, seen by the thread that carries the stream. Sends a
// piece again whose end is not known. From the first piece on that a host may have taken, all go to
// that host.
//
// For one thread. What is still in flight when this is destroyed is stopped.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/stream_piece.h"

namespace podkit::conduit::internal {

struct Flight {
  StreamPiece piece;
  bool open = false;  // Carries what begins the stream.
  std::shared_ptr<const std::string> bytes;
  int repeats = 0;
  bool alone = false;  // Nothing else was in flight when it was sent; set by Send.
};

class PieceWindow {
 public:
  // What is passed must outlive this.
  PieceWindow(const SendPiece* send, const StreamOptions* options, std::function<absl::Time()> now,
              absl::Time deadline);
  ~PieceWindow();
  PieceWindow(const PieceWindow&) = delete;
  PieceWindow& operator=(const PieceWindow&) = delete;

  void Send(Flight flight);

  // Waits for the end of any piece; `*landed` is that piece. Requires in_flight() > 0.
  absl::StatusOr<PieceAnswer> Next(Flight* landed);

  // Tells the other end, without waiting, that the stream is wanted no more.
  void Drop(const std::string& id);

  size_t in_flight() const { return offsets_.size(); }
  // True if a piece that ends at `end` is not too far from the first one in flight.
  bool Fits(uint64_t end) const;

 private:
  struct State;

  bool MayRepeat(const absl::Status& failure, const Flight& flight) const;
  void AwaitRepeat(const absl::Status& failure, const Flight& flight);
  void StayWith(const std::string& host);

  const SendPiece* const send_;
  const StreamOptions* const options_;
  const std::function<absl::Time()> now_;
  const absl::Time deadline_;
  std::string host_;                 // "" until there is one.
  std::multiset<uint64_t> offsets_;  // Of what is in flight.
  std::stop_source stop_;
  const std::shared_ptr<State> state_;
};

}  // namespace podkit::conduit::internal
