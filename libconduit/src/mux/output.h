// What one end of a multiplexed connection has to send, in the order in which it should go: short
// frames first, as they came; behind them the long bodies, one chunk of each in turn, as far as the
// other side gave credit for them. So a short call waits for a few chunks at most.
//
// A plain object for one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "mux/frame.h"

namespace podkit::conduit::internal {

// The credit of a body and of all bodies of a connection together when they begin, and so the most
// that travels unread: a protocol constant. Counts the bytes in chunks.
inline constexpr size_t kBodyWindowBytes = size_t{1} << 20;
inline constexpr size_t kConnectionWindowBytes = size_t{4} << 20;

class MuxOutput {
 public:
  // Of a record's frames without its header; a record leaves room for a seal.
  struct Record {
    std::string bytes;                   // Begins with kRecordHeaderBytes of room; empty for none.
    uint64_t last_call = 0;              // The greatest id of a Call in it; 0 if there is none.
    std::vector<uint64_t> ended_bodies;  // Whose last chunk is in it.
  };

  // Sends `frame`, whose body is copied.
  void Add(const Frame& frame);

  // Sends `body` in chunks, after the Call or Reply that announced it.
  void AddBody(uint64_t id, std::string body);

  // Sends no more of that body, if there is one.
  void DropBody(uint64_t id);

  // The other side can take `bytes` more of the body, or of all (id 0). A body that is gone is no
  // mistake; kInvalidArgument for credit beyond the window.
  absl::Status AddCredit(uint64_t id, size_t bytes);

  bool has_body(uint64_t id) const { return bodies_.contains(id); }
  // True if there is something that may be sent.
  bool ready() const { return !short_.empty() || (!turns_.empty() && credit_ > 0); }
  // True if nothing waits, for credit neither.
  bool empty() const { return short_.empty() && bodies_.empty(); }
  // Of frames that wait to be sent.
  size_t waiting_bytes() const { return waiting_bytes_; }

  Record TakeRecord();

 private:
  struct Body {
    std::string bytes;
    size_t sent = 0;
    size_t credit = kBodyWindowBytes;
    bool in_turn = false;
  };

  void AddChunks(Record* record);
  // One chunk of the body whose turn it is.
  void AddChunk(Record* record);

  std::deque<Record> short_;
  size_t waiting_bytes_ = 0;
  absl::flat_hash_map<uint64_t, Body> bodies_;
  std::deque<uint64_t> turns_;  // The bodies that have credit, in the order of their next chunks.
  size_t credit_ = kConnectionWindowBytes;
};

}  // namespace podkit::conduit::internal
