#include "podkit/replica/replica_set.h"

#include <algorithm>
#include <set>
#include <stop_token>
#include <tuple>
#include <utility>

#include "absl/time/clock.h"
#include "client_errors.h"
#include "fmt/format.h"
#include "gateway_lane.h"
#include "hedged_read.h"
#include "memory_file.h"
#include "set_round.h"

namespace podkit::replica {
namespace {

constexpr size_t kMaxGateways = 64;

// Puts what the gateway lacks; what it has counts as done.
BatchResult PutMissing(ReplicaClient* client, const std::vector<ChunkToPut>& chunks,
                       const PutOptions& options, const CallLimits& limits) {
  std::vector<ChunkRef> refs;
  refs.reserve(chunks.size());
  for (const ChunkToPut& chunk : chunks) refs.push_back({chunk.name, HashOf(chunk.bytes)});
  BatchResult batch = client->Lacking(refs, limits);
  std::vector<ChunkToPut> missing;
  std::vector<size_t> places;
  for (size_t i = 0; i < batch.results.size(); ++i) {
    ChunkResult& result = batch.results[i];
    if (result.outcome == ChunkOutcome::kConflict && batch.status.ok()) {
      batch.status = Named(ClientError::kConflict,
                           fmt::format("gateway '{}': has other bytes under the name {}",
                                       client->gateway(), ChunkPath(chunks[i].name)));
    }
    if (result.outcome != ChunkOutcome::kAbsent) continue;
    result = {};
    missing.push_back(chunks[i]);
    places.push_back(i);
  }
  if (missing.empty() || (!batch.status.ok() && ErrorOf(batch.status) != ClientError::kConflict)) {
    return batch;
  }
  const BatchResult put = client->Put(missing, options, limits);
  for (size_t i = 0; i < places.size(); ++i) batch.results[places[i]] = put.results[i];
  if (!put.status.ok()) batch.status = put.status;
  return batch;
}

absl::Status NoBytes(const ChunkName& name, const std::vector<GatewayLane*>& asked,
                     const HedgedRead& read) {
  std::vector<absl::Status> failures;
  failures.reserve(asked.size());
  for (size_t i = 0; i < asked.size(); ++i) {
    failures.push_back(read.failures[i].ok() ? Unanswered(asked[i]->client().gateway())
                                             : read.failures[i]);
  }
  return Combined(fmt::format("no gateway gives chunk {}", ChunkPath(name)), failures);
}

}  // namespace

class ReplicaSet::Impl {
 public:
  explicit Impl(ReplicaSetOptions options)
      : options_(std::move(options)),
        budget_(std::make_shared<MemoryBudget>(options_.background_bytes)) {
    for (const auto& client : options_.gateways) {
      lanes_.push_back(std::make_unique<GatewayLane>(client, lanes_.size(), options_));
    }
  }
  ~Impl() { closing_.request_stop(); }

  SetResult Put(const std::vector<ChunkToPut>& chunks, const SetPutOptions& options,
                absl::Time deadline);
  SetResult Delete(const std::vector<ChunkRef>& chunks, absl::Time deadline);
  SetResult Lacking(const std::vector<ChunkRef>& chunks, absl::Time deadline);
  SetResult Repair(const std::vector<ChunkRef>& chunks, absl::Time deadline);
  absl::StatusOr<std::string> Get(const ChunkName& name, const ChunkHash& hash,
                                  absl::Time deadline);
  bool Settle(absl::Time deadline);
  std::vector<GatewayHealth> Health() const;

 private:
  using Ask = std::function<BatchResult(GatewayLane*, const std::stop_token&)>;

  std::vector<GatewayLane*> Lanes() const;
  std::vector<GatewayLane*> BestFirst() const;
  std::shared_ptr<Round> Begin(const std::vector<GatewayLane*>& lanes,
                               const std::vector<ChunkName>& writes, size_t chunks, const Ask& ask);
  void Mend(GatewayLane* lane, const std::shared_ptr<const OwnedChunks>& chunk);
  void MendAfter(const HedgedRead& read, const std::vector<GatewayLane*>& lanes,
                 const ChunkName& name);
  absl::Status RepairOne(const ChunkRef& chunk, size_t index, SetResult* result,
                         absl::Time deadline);

  const ReplicaSetOptions options_;
  const std::shared_ptr<MemoryBudget> budget_;
  std::stop_source closing_;
  std::vector<std::unique_ptr<GatewayLane>> lanes_;  // Their tasks use all of the above.
};

std::vector<GatewayLane*> ReplicaSet::Impl::Lanes() const {
  std::vector<GatewayLane*> lanes;
  lanes.reserve(lanes_.size());
  for (const auto& lane : lanes_) lanes.push_back(lane.get());
  return lanes;
}

// Those put aside last; else the fastest first, and what nobody asked yet before all.
std::vector<GatewayLane*> ReplicaSet::Impl::BestFirst() const {
  std::vector<std::tuple<bool, absl::Duration, size_t>> order;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const GatewayHealth health = lanes_[i]->health();
    order.emplace_back(health.put_aside, health.latency, i);
  }
  std::sort(order.begin(), order.end());
  std::vector<GatewayLane*> lanes;
  lanes.reserve(order.size());
  for (const auto& [aside, latency, index] : order) lanes.push_back(lanes_[index].get());
  return lanes;
}

// Asks these gateways, each on a thread of its own. The round ends with the set, too.
std::shared_ptr<Round> ReplicaSet::Impl::Begin(const std::vector<GatewayLane*>& lanes,
                                               const std::vector<ChunkName>& writes, size_t chunks,
                                               const Ask& ask) {
  auto round = std::make_shared<Round>(lanes, chunks);
  for (size_t i = 0; i < lanes.size(); ++i) {
    GatewayLane* const lane = lanes[i];
    const absl::Status runs = lane->Run(writes, [this, round, lane, i, ask] {
      const std::stop_callback close(closing_.get_token(), [&round] { round->Cancel(); });
      round->Answer(i, ask(lane, round->stop_token()));
    });
    if (!runs.ok()) round->Answer(i, {.results = {}, .status = runs});
  }
  return round;
}

SetResult ReplicaSet::Impl::Put(const std::vector<ChunkToPut>& chunks, const SetPutOptions& options,
                                absl::Time deadline) {
  const auto owned = std::make_shared<const OwnedChunks>(chunks, budget_);
  const absl::Time until = std::max(deadline, absl::Now() + options_.late_timeout);
  const auto round = Begin(Lanes(), NamesOf(chunks), chunks.size(),
                           [owned, options, until](GatewayLane* lane, const std::stop_token& stop) {
                             const PutOptions put = {.path = options.path};
                             const CallLimits limits(until, stop);
                             return options.resume
                                        ? PutMissing(&lane->client(), owned->chunks(), put, limits)
                                        : lane->client().Put(owned->chunks(), put, limits);
                           });
  const size_t quorum = options_.write_quorum;
  round->AwaitQuorum(quorum, deadline);
  SetResult result = round->Result();
  if (!owned->counted()) round->Cancel();
  const auto late = static_cast<size_t>(std::count_if(
      result.gateways.begin(), result.gateways.end(), [](const auto& one) { return one.late; }));
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (result.copies[i] >= quorum) continue;
    const bool hopeless = result.copies[i] + late < quorum;  // Whatever the late ones say.
    result.status =
        Combined(fmt::format("{} of {} gateways must keep chunk {}, and it is known to be at {}",
                             quorum, lanes_.size(), ChunkPath(chunks[i].name), result.copies[i]),
                 FailuresOf(result, /*late_too=*/!hopeless));
    break;
  }
  return result;
}

SetResult ReplicaSet::Impl::Delete(const std::vector<ChunkRef>& chunks, absl::Time deadline) {
  const std::vector<ChunkName> names = NamesOf(chunks);
  const auto round =
      Begin(Lanes(), {}, chunks.size(),
            [chunks, names, deadline](GatewayLane* lane, const std::stop_token& stop) {
              if (lane->AwaitWrites(names, deadline)) {
                return lane->client().Delete(chunks, CallLimits(deadline, stop));
              }
              return BatchResult{.results = {}, .status = Unanswered(lane->client().gateway())};
            });
  round->AwaitAll(deadline);
  SetResult result = round->Result();
  const std::vector<absl::Status> failures = FailuresOf(result);
  if (!failures.empty()) {
    result.status = Combined("the chunks are not deleted at every gateway", failures);
  }
  return result;
}

SetResult ReplicaSet::Impl::Lacking(const std::vector<ChunkRef>& chunks, absl::Time deadline) {
  const auto round = Begin(Lanes(), {}, chunks.size(),
                           [chunks, deadline](GatewayLane* lane, const std::stop_token& stop) {
                             return lane->client().Lacking(chunks, CallLimits(deadline, stop));
                           });
  round->AwaitAll(deadline);
  SetResult result = round->Result();
  const std::vector<absl::Status> failures = FailuresOf(result);
  if (!failures.empty()) result.status = Combined("not every gateway told", failures);
  return result;
}

// Reads the chunk from a gateway that says that it has it, and sends it to those that lack it.
absl::Status ReplicaSet::Impl::RepairOne(const ChunkRef& chunk, size_t index, SetResult* result,
                                         absl::Time deadline) {
  std::vector<GatewayLane*> lacking;
  std::vector<GatewayLane*> having;
  for (GatewayLane* lane : BestFirst()) {
    const ChunkOutcome outcome = result->gateways[lane->index()].batch.results[index].outcome;
    if (outcome == ChunkOutcome::kAbsent) lacking.push_back(lane);
    if (outcome == ChunkOutcome::kPresent) having.push_back(lane);
  }
  if (lacking.empty()) return absl::OkStatus();
  if (having.empty()) {
    return Named(ClientError::kNoSuchChunk,
                 fmt::format("no gateway has chunk {}", ChunkPath(chunk.name)));
  }
  if (!chunk.hash) return absl::InvalidArgumentError("a chunk without its hash");
  HedgedRead read = ReadHedged(having, chunk.name, *chunk.hash, options_.hedge_after, deadline);
  if (!read.bytes) return NoBytes(chunk.name, having, read);
  const auto owned = std::make_shared<const OwnedChunks>(
      std::vector<ChunkToPut>{{.name = chunk.name, .bytes = *read.bytes}}, budget_);
  const auto round = Begin(
      lacking, {chunk.name}, 1, [owned, deadline](GatewayLane* lane, const std::stop_token& stop) {
        return lane->client().Put(owned->chunks(), {}, CallLimits(deadline, stop));
      });
  round->AwaitAll(deadline);
  const SetResult put = round->Result();
  for (size_t i = 0; i < lacking.size(); ++i) {
    const ChunkResult& one = put.gateways[i].batch.results[0];
    result->gateways[lacking[i]->index()].batch.results[index] = one;
    result->copies[index] += IsCopy(one.outcome) ? 1 : 0;
  }
  const std::vector<absl::Status> failures = FailuresOf(put);
  if (failures.empty()) return absl::OkStatus();
  return Combined(fmt::format("chunk {} is not at every gateway", ChunkPath(chunk.name)), failures);
}

SetResult ReplicaSet::Impl::Repair(const std::vector<ChunkRef>& chunks, absl::Time deadline) {
  for (const ChunkRef& chunk : chunks) {
    if (chunk.hash) continue;
    SetResult refused;
    refused.status = absl::InvalidArgumentError(
        fmt::format("chunk {} has no hash to know its bytes by", ChunkPath(chunk.name)));
    return refused;
  }
  SetResult result = Lacking(chunks, deadline);
  for (size_t i = 0; i < chunks.size() && absl::Now() < deadline; ++i) {
    const absl::Status repaired = RepairOne(chunks[i], i, &result, deadline);
    if (result.status.ok()) result.status = repaired;
  }
  for (size_t i = 0; i < chunks.size() && result.status.ok(); ++i) {
    if (result.copies[i] == lanes_.size()) continue;
    result.status = absl::UnavailableError(fmt::format("chunk {} is at {} of {} gateways",
                                                       ChunkPath(chunks[i].name), result.copies[i],
                                                       lanes_.size()));
  }
  return result;
}

absl::StatusOr<std::string> ReplicaSet::Impl::Get(const ChunkName& name, const ChunkHash& hash,
                                                  absl::Time deadline) {
  const std::vector<GatewayLane*> lanes = BestFirst();
  HedgedRead read = ReadHedged(lanes, name, hash, options_.hedge_after, deadline);
  if (read.bytes) {
    if (options_.mend) MendAfter(read, lanes, name);
    return *std::move(read.bytes);
  }
  return NoBytes(name, lanes, read);
}

// Sends the chunk to those of the gateways that should have had it.
void ReplicaSet::Impl::MendAfter(const HedgedRead& read, const std::vector<GatewayLane*>& lanes,
                                 const ChunkName& name) {
  std::shared_ptr<const OwnedChunks> owned;
  for (size_t i = 0; i < lanes.size(); ++i) {
    const auto error = ErrorOf(read.failures[i]);
    if (error != ClientError::kNoSuchChunk && error != ClientError::kWrongBytes &&
        error != ClientError::kFailed) {
      continue;
    }
    if (owned == nullptr && read.bytes) {
      owned = std::make_shared<const OwnedChunks>(
          std::vector<ChunkToPut>{{.name = name, .bytes = *read.bytes}}, budget_);
    }
    if (owned != nullptr && owned->counted()) Mend(lanes[i], owned);
  }
}

void ReplicaSet::Impl::Mend(GatewayLane* lane, const std::shared_ptr<const OwnedChunks>& chunk) {
  const ChunkName name = chunk->chunks()[0].name;
  if (!lane->BeginMending(name)) return;
  const absl::Status runs = lane->Run({name}, [this, lane, chunk, name] {
    const CallLimits limits(absl::Now() + options_.late_timeout, closing_.get_token());
    BatchResult put = lane->client().Put(chunk->chunks(), {}, limits);
    if (put.status.ok() && put.results[0].outcome == ChunkOutcome::kPresent) {
      put.status = absl::FailedPreconditionError(
          fmt::format("gateway '{}': says that it has the chunk", lane->client().gateway()));
    }
    lane->EndMending(name, put.status);
    options_.log(put.status.ok() ? fmt::format("gateway '{}': chunk {} mended",
                                               lane->client().gateway(), ChunkPath(name))
                                 : fmt::format("chunk {} is not mended: {}", ChunkPath(name),
                                               std::string(put.status.message())));
  });
  if (!runs.ok()) lane->EndMending(name, runs);
}

bool ReplicaSet::Impl::Settle(absl::Time deadline) {
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [&](const auto& lane) { return lane->AwaitIdle(deadline); });
}

std::vector<GatewayHealth> ReplicaSet::Impl::Health() const {
  std::vector<GatewayHealth> all;
  all.reserve(lanes_.size());
  for (const auto& lane : lanes_) all.push_back(lane->health());
  return all;
}

ReplicaSet::ReplicaSet(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReplicaSet::~ReplicaSet() = default;

absl::StatusOr<std::unique_ptr<ReplicaSet>> ReplicaSet::Create(ReplicaSetOptions options) {
  const size_t gateways = options.gateways.size();
  if (gateways == 0 || gateways > kMaxGateways) {
    return absl::InvalidArgumentError(
        fmt::format("gateways: there are {}, and a set has 1 to {}", gateways, kMaxGateways));
  }
  std::set<std::string> ids;
  for (const auto& client : options.gateways) {
    if (client == nullptr) return absl::InvalidArgumentError("gateways: one of them is null");
    if (ids.insert(client->gateway()).second) continue;
    return absl::InvalidArgumentError(
        fmt::format("gateways: '{}' is there twice", client->gateway()));
  }
  if (options.write_quorum == 0) options.write_quorum = gateways / 2 + 1;
  if (options.write_quorum > gateways) {
    return absl::InvalidArgumentError(fmt::format("write_quorum: {} is more than the {} gateways",
                                                  options.write_quorum, gateways));
  }
  if (options.threads_per_gateway < 1 || options.threads_per_gateway > 64) {
    return absl::InvalidArgumentError("threads_per_gateway is 1 to 64");
  }
  return std::unique_ptr<ReplicaSet>(new ReplicaSet(std::make_unique<Impl>(std::move(options))));
}

SetResult ReplicaSet::Put(const std::vector<ChunkToPut>& chunks, const SetPutOptions& options,
                          absl::Time deadline) {
  return impl_->Put(chunks, options, deadline);
}
SetResult ReplicaSet::Delete(const std::vector<ChunkRef>& chunks, absl::Time deadline) {
  return impl_->Delete(chunks, deadline);
}
SetResult ReplicaSet::Lacking(const std::vector<ChunkRef>& chunks, absl::Time deadline) {
  return impl_->Lacking(chunks, deadline);
}
SetResult ReplicaSet::Repair(const std::vector<ChunkRef>& chunks, absl::Time deadline) {
  return impl_->Repair(chunks, deadline);
}
absl::StatusOr<std::string> ReplicaSet::Get(const ChunkName& name, const ChunkHash& hash,
                                            absl::Time deadline) {
  return impl_->Get(name, hash, deadline);
}
bool ReplicaSet::Settle(absl::Time deadline) { return impl_->Settle(deadline); }
std::vector<GatewayHealth> ReplicaSet::Health() const { return impl_->Health(); }

}  // namespace podkit::replica
