// The streams that other pods have open here: who may reach them, how many there may be, and when
// they are dropped.
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "podkit/conduit/stream_piece.h"

namespace podkit::conduit::internal {
namespace {

constexpr size_t kMaxIdBytes = 64;
constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);

struct Key {
  std::string pod;
  std::string command;
  std::string id;
  friend auto operator<=>(const Key&, const Key&) = default;
};

struct Entry {
  std::string actor;
  absl::Time last_used;
  int users = 0;
  bool ended = false;
  // Set once, by who begins the stream; whoever has the entry keeps it.
  std::shared_ptr<ServedStream> stream;
};

absl::Status Busy(std::string_view what) {
  return conduit::MakeError(
      Overloaded{kRetryAfter},
      fmt::format("{}; try again in {}", what, absl::FormatDuration(kRetryAfter)));
}

absl::Status Gone() {
  return conduit::MakeError(StreamGone{}, "no such stream is open here: begin it again");
}

}  // namespace

struct StreamTable::State {
  const StreamLimits limits;
  const std::function<absl::Time()> now;

  mutable Mutex mutex;
  std::map<Key, Entry> entries ABSL_GUARDED_BY(mutex);
  std::map<std::string, std::deque<Key>> ended ABSL_GUARDED_BY(mutex);  // Oldest first, by pod.

  using Dropped = std::vector<std::shared_ptr<ServedStream>>;

  // What is dropped goes when the lock is gone: it may abort a sink.
  void SweepIdle(Dropped& dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<std::shared_ptr<ServedStream>> Find(const Key& key, const std::string& actor,
                                                     bool may_open, Dropped& dropped);
  absl::StatusOr<std::shared_ptr<ServedStream>> Begin(const Key& key, const Open& open);
  void Drop(const Key& key, const std::string& actor);
  void Leave(const Key& key);
};

void StreamTable::State::SweepIdle(Dropped& dropped) {
  const absl::Time oldest = now() - limits.idle_timeout;
  for (auto entry = entries.begin(); entry != entries.end();) {
    const bool idle = entry->second.users <= 0 && entry->second.last_used <= oldest;
    if (idle) dropped.push_back(std::move(entry->second.stream));
    entry = idle ? entries.erase(entry) : std::next(entry);
  }
}

// The stream, with one more user; null, likewise, for one that the caller is to begin.
absl::StatusOr<std::shared_ptr<ServedStream>> StreamTable::State::Find(const Key& key,
                                                                       const std::string& actor,
                                                                       bool may_open,
                                                                       Dropped& dropped) {
  MutexLock lock(&mutex);
  SweepIdle(dropped);
  const auto found = entries.find(key);
  if (found != entries.end()) {
    if (found->second.actor != actor) return Gone();
    if (found->second.stream == nullptr) return Busy("the stream is being begun");
    ++found->second.users;
    return found->second.stream;
  }
  if (!may_open) return Gone();
  size_t open_streams = 0;
  for (auto entry = entries.lower_bound(Key{key.pod, {}, {}});
       entry != entries.end() && entry->first.pod == key.pod; ++entry) {
    if (!entry->second.ended) ++open_streams;
  }
  if (open_streams >= limits.max_per_pod) return Busy("too many streams of this pod are open");
  entries.emplace(key, Entry{.actor = actor, .last_used = now(), .users = 1, .stream = nullptr});
  return nullptr;
}

absl::StatusOr<std::shared_ptr<ServedStream>> StreamTable::State::Begin(const Key& key,
                                                                        const Open& open) {
  PODKIT_ASSIGN_OR_RETURN(std::shared_ptr<ServedStream> stream, open());
  MutexLock lock(&mutex);
  const auto entry = entries.find(key);
  if (entry == entries.end()) return Gone();  // The caller gave it up meanwhile.
  entry->second.stream = stream;
  return stream;
}

void StreamTable::State::Drop(const Key& key, const std::string& actor) {
  std::shared_ptr<ServedStream> dropped;
  MutexLock lock(&mutex);
  const auto entry = entries.find(key);
  if (entry == entries.end() || entry->second.actor != actor || entry->second.ended) return;
  dropped = std::move(entry->second.stream);
  entries.erase(entry);
}

void StreamTable::State::Leave(const Key& key) {
  Dropped dropped;
  MutexLock lock(&mutex);
  const auto entry = entries.find(key);
  if (entry == entries.end()) return;
  --entry->second.users;
  entry->second.last_used = now();
  if (entry->second.stream == nullptr) {
    entries.erase(entry);  // It could not be begun.
    return;
  }
  if (entry->second.ended || !entry->second.stream->ended()) return;
  entry->second.ended = true;
  std::deque<Key>& order = ended[key.pod];
  order.push_back(key);
  if (order.size() <= limits.max_ended_per_pod) return;
  if (auto oldest = entries.extract(order.front())) {
    dropped.push_back(std::move(oldest.mapped().stream));
  }
  order.pop_front();
}

StreamTable::StreamTable(StreamLimits limits, std::function<absl::Time()> now)
    : state_(std::make_unique<State>(limits, std::move(now))) {}
StreamTable::~StreamTable() = default;

absl::StatusOr<PieceAnswer> StreamTable::Answer(const CallContext& context,
                                                std::string_view command, const StreamPiece& piece,
                                                const Open& open) {
  if (piece.id.empty() || piece.id.size() > kMaxIdBytes) {
    return conduit::MakeError(InvalidArguments{},
                              "$.keywords.stream.id: must be a string of 1 to 64 bytes");
  }
  const Key key{context.caller->id, std::string(command), piece.id};
  if (piece.drop) {
    state_->Drop(key, context.actor);
    return PieceAnswer{};
  }
  State::Dropped dropped;
  auto stream = state_->Find(key, context.actor, open != nullptr, dropped);
  dropped.clear();
  if (!stream.ok()) return std::move(stream).status();
  struct User {  // Also when the application's code throws.
    State* const state;
    const Key& key;
    ~User() { state->Leave(key); }
  };
  const User user{state_.get(), key};
  if (*stream == nullptr) {
    stream = state_->Begin(key, open);
    if (!stream.ok()) return std::move(stream).status();
  }
  return (*stream)->Answer(piece, context.payload, context.stop);
}

void StreamTable::DropIdle() {
  State::Dropped dropped;
  MutexLock lock(&state_->mutex);
  state_->SweepIdle(dropped);
}

size_t StreamTable::open_streams() const {
  MutexLock lock(&state_->mutex);
  size_t count = 0;
  for (const auto& [key, entry] : state_->entries) count += entry.ended ? 0 : 1;
  return count;
}

const StreamLimits& StreamTable::limits() const { return state_->limits; }

}  // namespace podkit::conduit::internal
