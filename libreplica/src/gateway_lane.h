// One gateway of a replica set: threads that ask it, which chunks they are writing, and how well it
// answers.
//
// Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/worker_pool.h"
#include "podkit/replica/chunk.h"
#include "podkit/replica/client.h"
#include "podkit/replica/replica_set.h"

namespace podkit::replica {

class GatewayLane {
 public:
  // As the set's options say.
  GatewayLane(std::shared_ptr<ReplicaClient> client, size_t index,
              const ReplicaSetOptions& options);
  // Ends the tasks that wait and waits for those that run.
  ~GatewayLane() { pool_.Stop(); }

  ReplicaClient& client() { return *client_; }
  size_t index() const { return index_; }  // Which one of its set it is.

  // Runs `task`, which writes these chunks, or none. An error, at once, if too much waits already.
  absl::Status Run(std::vector<ChunkName> writes, std::function<void()> task);
  // Waits until no task writes any of these; false if one still does at `deadline`.
  bool AwaitWrites(const std::vector<ChunkName>& chunks, absl::Time deadline);
  bool AwaitIdle(absl::Time deadline);
  // False if the chunk is being mended already. Whoever gets true calls EndMending.
  bool BeginMending(const ChunkName& chunk);
  void EndMending(const ChunkName& chunk, const absl::Status& status);

  void NoteRead(const absl::Status& status, absl::Duration took);
  GatewayHealth health() const;

 private:
  void EndWrites(const std::vector<ChunkName>& writes);

  const std::shared_ptr<ReplicaClient> client_;
  const size_t index_;
  const absl::Duration put_aside_for_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::multiset<ChunkName> writing_ ABSL_GUARDED_BY(mutex_);
  std::set<ChunkName> mending_ ABSL_GUARDED_BY(mutex_);
  size_t tasks_ ABSL_GUARDED_BY(mutex_) = 0;
  GatewayHealth health_ ABSL_GUARDED_BY(mutex_);
  absl::Time aside_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  podkit::WorkerPool pool_;  // Its tasks use all of the above.
};

}  // namespace podkit::replica
