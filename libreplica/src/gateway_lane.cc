#include "gateway_lane.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "client_errors.h"
#include "fmt/format.h"

namespace podkit::replica {
namespace {

constexpr size_t kMaxWaiting = 256;
constexpr double kNewShare = 0.2;  // Of one read in the latency.

}  // namespace

GatewayLane::GatewayLane(std::shared_ptr<ReplicaClient> client, size_t index,
                         const ReplicaSetOptions& options)
    : client_(std::move(client)),
      index_(index),
      put_aside_for_(options.put_aside_for),
      pool_(options.threads_per_gateway, kMaxWaiting) {
  MutexLock lock(&mutex_);
  health_.gateway = client_->gateway();
}

absl::Status GatewayLane::Run(std::vector<ChunkName> writes, std::function<void()> task) {
  {
    MutexLock lock(&mutex_);
    writing_.insert(writes.begin(), writes.end());
    ++tasks_;
  }
  const bool runs = pool_.Submit([this, writes, task = std::move(task)] {
    task();
    EndWrites(writes);
  });
  if (runs) return absl::OkStatus();
  EndWrites(writes);
  return Named(ClientError::kBusy,
               fmt::format("gateway '{}': {} requests to it wait already; nothing was asked",
                           client_->gateway(), kMaxWaiting));
}

void GatewayLane::EndWrites(const std::vector<ChunkName>& writes) {
  MutexLock lock(&mutex_);
  for (const ChunkName& chunk : writes) writing_.erase(writing_.find(chunk));
  --tasks_;
  changed_.SignalAll();
}

bool GatewayLane::AwaitWrites(const std::vector<ChunkName>& chunks, absl::Time deadline) {
  MutexLock lock(&mutex_);
  const auto written = [this](const ChunkName& chunk)
                           ABSL_NO_THREAD_SAFETY_ANALYSIS { return writing_.contains(chunk); };
  while (std::any_of(chunks.begin(), chunks.end(), written)) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mutex_, left);
  }
  return true;
}

bool GatewayLane::AwaitIdle(absl::Time deadline) {
  MutexLock lock(&mutex_);
  while (tasks_ > 0) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mutex_, left);
  }
  return true;
}

bool GatewayLane::BeginMending(const ChunkName& chunk) {
  MutexLock lock(&mutex_);
  return mending_.insert(chunk).second;
}

void GatewayLane::EndMending(const ChunkName& chunk, const absl::Status& status) {
  MutexLock lock(&mutex_);
  mending_.erase(chunk);
  ++(status.ok() ? health_.mended : health_.not_mended);
}

void GatewayLane::NoteRead(const absl::Status& status, absl::Duration took) {
  const auto error = ErrorOf(status);
  MutexLock lock(&mutex_);
  ++health_.reads;
  const bool first = health_.latency == absl::ZeroDuration();
  if (status.ok()) {
    health_.latency = first ? took : health_.latency * (1 - kNewShare) + took * kNewShare;
    aside_until_ = absl::InfinitePast();
  } else if (error == ClientError::kStopped) {
    health_.latency = std::max(health_.latency, took);  // It would have taken longer.
  } else if (error == ClientError::kNoSuchChunk) {
    ++health_.failed;  // Which says nothing about other chunks.
  } else {
    ++(error == ClientError::kWrongBytes ? health_.wrong : health_.failed);
    aside_until_ = absl::Now() + put_aside_for_;
  }
}

GatewayHealth GatewayLane::health() const {
  MutexLock lock(&mutex_);
  GatewayHealth health = health_;
  health.put_aside = absl::Now() < aside_until_;
  return health;
}

}  // namespace podkit::replica
