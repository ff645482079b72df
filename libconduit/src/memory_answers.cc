#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "hmac.h"
#include "podkit/conduit/answers.h"

namespace podkit::conduit {
namespace {

class MemoryAnswers final : public AnswerStore {
 public:
  MemoryAnswers(const AnswerLimits& limits, std::function<absl::Time()> now)
      : limits_(limits), now_(std::move(now)), id_(internal::RandomHex(8)) {}

  std::string Id() const override { return id_; }
  absl::Duration Window() const override { return limits_.window; }
  absl::StatusOr<std::optional<WireReply>> Begin(const KeyedCall& call) override;
  absl::Status End(const KeyedCall& call, const WireReply* reply) override;
  size_t Keys() const override {
    MutexLock lock(&mutex_);
    return keys_;
  }

 private:
  struct Kept {
    std::string command;
    std::string digest;
    std::optional<WireReply> reply;  // Nothing while the call runs.
  };
  struct Peer {
    std::map<std::string, Kept> calls;                         // By key.
    std::deque<std::pair<absl::Time, std::string>> by_expiry;  // Of those with a reply.
    size_t bytes = 0;
  };

  // What a reply counts for.
  static size_t BytesOf(const WireReply& reply) { return reply.body.size(); }
  void Expire(Peer& peer, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ExpireAll(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration UntilRoom(const Peer& peer, absl::Time now) const;

  const AnswerLimits limits_;
  const std::function<absl::Time()> now_;
  const std::string id_;
  mutable Mutex mutex_;
  std::map<std::string, Peer> peers_ ABSL_GUARDED_BY(mutex_);
  size_t keys_ ABSL_GUARDED_BY(mutex_) = 0;
};

absl::StatusOr<std::optional<WireReply>> MemoryAnswers::Begin(const KeyedCall& call) {
  const absl::Time now = now_();
  MutexLock lock(&mutex_);
  ExpireAll(now);
  Peer& peer = peers_[call.caller];
  const auto found = peer.calls.find(call.key);
  if (found != peer.calls.end()) {
    const Kept& kept = found->second;
    if (kept.command != call.command || kept.digest != call.digest) {
      return KeyReusedError(call, kept.command, kept.digest);
    }
    if (!kept.reply) return StillRunningError(call);
    return kept.reply;
  }
  if (peer.calls.size() >= limits_.max_keys || peer.bytes >= limits_.max_bytes) {
    return NoRoomForKeyError(call, UntilRoom(peer, now));
  }
  peer.calls.emplace(call.key, Kept{call.command, call.digest, std::nullopt});
  ++keys_;
  return std::nullopt;
}

absl::Status MemoryAnswers::End(const KeyedCall& call, const WireReply* reply) {
  const absl::Time now = now_();
  MutexLock lock(&mutex_);
  Peer& peer = peers_[call.caller];
  const auto found = peer.calls.find(call.key);
  if (found == peer.calls.end() || found->second.reply) return absl::OkStatus();
  if (reply == nullptr) {
    peer.calls.erase(found);
    --keys_;
    return absl::OkStatus();
  }
  const bool fits = reply->body.size() <= limits_.max_answer_bytes;
  WireReply kept =
      fits ? *reply : TooLargeToKeep(call, reply->body.size(), limits_.max_answer_bytes);
  peer.bytes += BytesOf(kept);
  found->second.reply = std::move(kept);
  peer.by_expiry.emplace_back(now + limits_.window, call.key);
  return absl::OkStatus();
}

void MemoryAnswers::Expire(Peer& peer, absl::Time now) {
  while (!peer.by_expiry.empty() && peer.by_expiry.front().first <= now) {
    const auto call = peer.calls.find(peer.by_expiry.front().second);
    if (const auto& reply = call->second.reply; reply) peer.bytes -= BytesOf(*reply);
    peer.calls.erase(call);
    peer.by_expiry.pop_front();
    --keys_;
  }
}

// Of all pods: one that calls no more must not hold memory for ever.
void MemoryAnswers::ExpireAll(absl::Time now) {
  for (auto peer = peers_.begin(); peer != peers_.end();) {
    Expire(peer->second, now);
    peer = peer->second.calls.empty() ? peers_.erase(peer) : std::next(peer);
  }
}

absl::Duration MemoryAnswers::UntilRoom(const Peer& peer, absl::Time now) const {
  if (peer.by_expiry.empty()) return absl::Seconds(1);
  return std::max(peer.by_expiry.front().first - now, absl::Milliseconds(1));
}

}  // namespace

std::unique_ptr<AnswerStore> MakeMemoryAnswers(const AnswerLimits& limits,
                                               std::function<absl::Time()> now) {
  return std::make_unique<MemoryAnswers>(limits, std::move(now));
}

}  // namespace podkit::conduit
