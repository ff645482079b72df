// What calls of a replica set share: the bytes of a write, one request to several gateways, and one
// error for what went wrong at several.
#pragma once

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "gateway_lane.h"
#include "memory_file.h"
#include "podkit/replica/client.h"
#include "podkit/replica/replica_set.h"

namespace podkit::replica {

// The chunks of a write with bytes of its own, which count against a budget if there is room.
//
// Immutable.
class OwnedChunks {
 public:
  OwnedChunks(const std::vector<ChunkToPut>& chunks, std::shared_ptr<MemoryBudget> budget);
  ~OwnedChunks();
  OwnedChunks(const OwnedChunks&) = delete;
  OwnedChunks& operator=(const OwnedChunks&) = delete;

  const std::vector<ChunkToPut>& chunks() const { return chunks_; }
  bool counted() const { return counted_; }

 private:
  std::vector<ChunkToPut> chunks_;
  const std::shared_ptr<MemoryBudget> budget_;
  std::string bytes_;
  bool counted_ = false;
};

template <typename Chunks>
std::vector<ChunkName> NamesOf(const Chunks& chunks) {
  std::vector<ChunkName> names;
  names.reserve(chunks.size());
  for (const auto& chunk : chunks) names.push_back(chunk.name);
  return names;
}

// One request to several gateways, and what they answer.
//
// Thread-safe.
class Round {
 public:
  Round(const std::vector<GatewayLane*>& lanes, size_t chunks);

  std::stop_token stop_token() const { return stop_.get_token(); }
  void Cancel() { stop_.request_stop(); }

  void Answer(size_t index, BatchResult batch);
  // Waits until each chunk has `quorum` copies, one of them cannot get as many, all gateways have
  // answered, or `deadline` has come.
  void AwaitQuorum(size_t quorum, absl::Time deadline);
  void AwaitAll(absl::Time deadline);
  // All but the status; results for every chunk, also of gateways that did not answer.
  SetResult Result();

 private:
  size_t Open() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<size_t> Copies() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsDecided(size_t quorum) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::vector<GatewayLane*> lanes_;
  const size_t chunks_;
  std::stop_source stop_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::unique_ptr<BatchResult>> answers_ ABSL_GUARDED_BY(mutex_);
};

// True if the gateway has done what a write or delete asks for.
bool IsCopy(ChunkOutcome outcome);

// With the name of the failures if they have the same one, else kUnavailable.
absl::Status Combined(const std::string& what, const std::vector<absl::Status>& failures);
absl::Status Unanswered(const std::string& gateway);
// Of gateways that failed, and if `late_too` of those that did not answer.
std::vector<absl::Status> FailuresOf(const SetResult& result, bool late_too = true);

}  // namespace podkit::replica
