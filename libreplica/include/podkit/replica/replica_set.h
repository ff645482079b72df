// Several gateways that keep the same chunks: writes to enough of them, reads from whichever gives
// the right bytes first, and mends the others.
//
// A chunk is written when `write_quorum` gateways have it, durable. The rest is not waited for: it
// goes on in the background, until `late_timeout` after the call began. A read asks the gateway
// that answered best of late; at once after a failure or a wrong byte, and after `hedge_after`
// without an answer, it asks the next one, too; what is not needed any more is cancelled. A gateway
// that turns out to lack a chunk, or to have damaged it, is sent it in the background, without its
// place in a file: gateways that keep real files have to be sent it by Put.
//
// Nothing is kept for the time after a crash, because nothing has to be: put the same chunks again
// with `resume`, and only what a gateway lacks travels.
//
// Thread-safe, but that no call may run while it is destroyed. A call blocks, no longer than to its
// deadline. Owns `threads_per_gateway` threads for each gateway, so that a slow one keeps only its
// own busy.
//
// Errors have a ClientError where all gateways that failed have the same; else kUnavailable: repeat
// it. Their text names each gateway and what went wrong there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/replica/chunk.h"
#include "podkit/replica/client.h"

namespace podkit::replica {

struct ReplicaSetOptions {
  std::vector<std::shared_ptr<ReplicaClient>> gateways;  // At least one, with ids that differ.
  size_t write_quorum = 0;                               // 0: more than half of them.
  absl::Duration hedge_after = absl::Milliseconds(200);
  absl::Duration put_aside_for = absl::Seconds(5);  // A gateway that failed a read.
  bool mend = true;  // Reads send the chunk to gateways that lack it.
  absl::Duration late_timeout = absl::Seconds(60);
  // Of chunks that are held for the background. Beyond it a write cancels what is late when it
  // returns, and a read mends nothing.
  uint64_t background_bytes = uint64_t{256} << 20;
  int threads_per_gateway = 4;
  // What was mended, or could not be. Called from any thread.
  std::function<void(std::string_view)> log = [](std::string_view) {};
};

struct SetPutOptions {
  std::string path;     // Of the file: a hint for gateways that keep real files.
  bool resume = false;  // Ask each gateway first which chunks it lacks, and send only those.
};

// What became of the chunks at one gateway.
struct GatewayResult {
  std::string gateway;
  BatchResult batch;
  bool late = false;  // It had not answered yet, so `batch` tells nothing; it goes on.
};

struct SetResult {
  absl::Status status;                  // OK: what was asked is done.
  std::vector<size_t> copies;           // For each chunk, how many gateways said that it is done.
  std::vector<GatewayResult> gateways;  // In the order of the options.
};

struct GatewayHealth {
  std::string gateway;
  absl::Duration latency;   // Of reads of late; zero before the first.
  bool put_aside = false;   // It failed just now, so the others are asked first.
  uint64_t reads = 0;       // It was asked,
  uint64_t failed = 0;      // failed,
  uint64_t wrong = 0;       // or gave wrong bytes.
  uint64_t mended = 0;      // Chunks that it was sent because it lacked or damaged them,
  uint64_t not_mended = 0;  // and those that it did not take.
};

class ReplicaSet {
 public:
  // kInvalidArgument names the option at fault. Asks nothing yet.
  static absl::StatusOr<std::unique_ptr<ReplicaSet>> Create(ReplicaSetOptions options);
  // Cancels what goes on in the background; Settle first to let it end.
  ~ReplicaSet();

  // Chunks of one volume, which are copied once. OK as soon as the quorum has every chunk; an error
  // as soon as it cannot have one of them any more.
  SetResult Put(const std::vector<ChunkToPut>& chunks, const SetPutOptions& options,
                absl::Time deadline);
  // OK once every gateway has deleted them. Waits for writes of the same chunks first, so that none
  // comes back.
  SetResult Delete(const std::vector<ChunkRef>& chunks, absl::Time deadline);
  // What each gateway has of these; OK if all gateways told.
  SetResult Lacking(const std::vector<ChunkRef>& chunks, absl::Time deadline);
  // Sends each gateway what it lacks of these chunks, read from the others; each ref has a hash, or
  // it is kInvalidArgument. OK once every gateway has all.
  SetResult Repair(const std::vector<ChunkRef>& chunks, absl::Time deadline);

  // The bytes, which have the hash. kNotFound only if no gateway has the chunk.
  absl::StatusOr<std::string> Get(const ChunkName& name, const ChunkHash& hash,
                                  absl::Time deadline);

  // Waits until nothing goes on in the background; false if something still does at `deadline`.
  bool Settle(absl::Time deadline);
  std::vector<GatewayHealth> Health() const;  // In the order of the options.

 private:
  class Impl;
  explicit ReplicaSet(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace podkit::replica
