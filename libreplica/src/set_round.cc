#include "set_round.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/time/clock.h"
#include "client_errors.h"
#include "fmt/format.h"

namespace podkit::replica {

OwnedChunks::OwnedChunks(const std::vector<ChunkToPut>& chunks,
                         std::shared_ptr<MemoryBudget> budget)
    : chunks_(chunks), budget_(std::move(budget)) {
  uint64_t size = 0;
  for (const ChunkToPut& chunk : chunks_) size += chunk.bytes.size();
  bytes_.reserve(size);
  for (ChunkToPut& chunk : chunks_) {
    const size_t at = bytes_.size();
    bytes_.append(chunk.bytes);
    chunk.bytes = std::string_view(bytes_).substr(at);
  }
  counted_ = budget_->Take(size);
}

OwnedChunks::~OwnedChunks() {
  if (counted_) budget_->Give(bytes_.size());
}

Round::Round(const std::vector<GatewayLane*>& lanes, size_t chunks)
    : lanes_(lanes), chunks_(chunks), answers_(lanes.size()) {}

void Round::Answer(size_t index, BatchResult batch) {
  batch.results.resize(chunks_);  // A request that was refused at once has none.
  MutexLock lock(&mutex_);
  answers_[index] = std::make_unique<BatchResult>(std::move(batch));
  changed_.Signal();
}

void Round::AwaitQuorum(size_t quorum, absl::Time deadline) {
  MutexLock lock(&mutex_);
  while (!IsDecided(quorum)) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return;
    changed_.WaitFor(&mutex_, std::min<absl::Duration>(left, absl::Hours(1)));
  }
}

void Round::AwaitAll(absl::Time deadline) {
  MutexLock lock(&mutex_);
  while (Open() > 0) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return;
    changed_.WaitFor(&mutex_, std::min<absl::Duration>(left, absl::Hours(1)));
  }
}

SetResult Round::Result() {
  SetResult result;
  MutexLock lock(&mutex_);
  result.copies = Copies();
  for (size_t i = 0; i < lanes_.size(); ++i) {
    GatewayResult& one = result.gateways.emplace_back();
    one.gateway = lanes_[i]->client().gateway();
    one.late = answers_[i] == nullptr;
    if (one.late) {
      one.batch.results.resize(chunks_);
    } else {
      one.batch = *answers_[i];
    }
  }
  return result;
}

size_t Round::Open() const {
  return static_cast<size_t>(std::count(answers_.begin(), answers_.end(), nullptr));
}

std::vector<size_t> Round::Copies() const {
  std::vector<size_t> copies(chunks_);
  for (const auto& answer : answers_) {
    for (size_t i = 0; answer != nullptr && i < chunks_; ++i) {
      copies[i] += IsCopy(answer->results[i].outcome) ? 1 : 0;
    }
  }
  return copies;
}

bool Round::IsDecided(size_t quorum) const {
  if (Open() == 0 || chunks_ == 0) return true;
  const std::vector<size_t> copies = Copies();
  const size_t fewest = *std::min_element(copies.begin(), copies.end());
  return fewest >= quorum || fewest + Open() < quorum;
}

bool IsCopy(ChunkOutcome outcome) {
  return outcome == ChunkOutcome::kStored || outcome == ChunkOutcome::kPresent ||
         outcome == ChunkOutcome::kDeleted;
}

absl::Status Combined(const std::string& what, const std::vector<absl::Status>& failures) {
  std::string text = what;
  std::set<std::optional<ClientError>> errors;
  std::set<absl::StatusCode> codes;
  for (const absl::Status& failure : failures) {
    text += fmt::format("; {}", std::string(failure.message()));
    errors.insert(ErrorOf(failure));
    codes.insert(failure.code());
  }
  if (codes.size() != 1) return absl::UnavailableError(text);
  const auto error = *errors.begin();
  if (errors.size() != 1 || !error) return {*codes.begin(), text};
  return Named(*error, *codes.begin(), text);
}

absl::Status Unanswered(const std::string& gateway) {
  return Named(ClientError::kNoAnswer, fmt::format("gateway '{}': has not answered yet", gateway));
}

std::vector<absl::Status> FailuresOf(const SetResult& result, bool late_too) {
  std::vector<absl::Status> failures;
  for (const GatewayResult& one : result.gateways) {
    if (one.late && late_too) failures.push_back(Unanswered(one.gateway));
    if (!one.batch.status.ok()) failures.push_back(one.batch.status);
  }
  return failures;
}

}  // namespace podkit::replica
