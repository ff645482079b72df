#include "messages/postman.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "common/mutex.h"
#include "common/status_macros.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(250);
constexpr absl::Duration kLongestPause = absl::Seconds(30);

// A quarter of a second, doubled with every attempt, half a minute at most.
absl::Duration PauseAfter(int64_t attempts) {
  return std::min(kLongestPause, kFirstPause * (int64_t{1} << std::min<int64_t>(attempts, 10)));
}

struct QueuedMessage {
  Message message;
  int64_t sequence = 0;
  int64_t attempts = 0;
  absl::Time next_attempt;
};

// The oldest message to each receiver: no later one may overtake it.
absl::StatusOr<std::vector<QueuedMessage>> OldestOfEach(UserStore& store) {
  std::vector<QueuedMessage> messages;
  PODKIT_RETURN_IF_ERROR(store.Read([&](Database& database) {
    return database.Query(
        "SELECT id, to_uid, kind, body, sequence, attempts, next_attempt_at FROM outbox"
        " WHERE sequence IN (SELECT MIN(sequence) FROM outbox GROUP BY to_uid) ORDER BY sequence",
        {}, [&](const Row& row) {
          messages.push_back({.message = {.id = row.Text(0),
                                          .from_uid = store.uid(),
                                          .to_uid = row.Text(1),
                                          .kind = row.Text(2),
                                          .body = row.Text(3)},
                              .sequence = row.Integer(4),
                              .attempts = row.Integer(5),
                              .next_attempt = FromSqlTime(row.Integer(6))});
        });
  }));
  return messages;
}

absl::Status DeleteDelivered(UserStore& store, int64_t sequence) {
  return store.Write([&](Database& database) {
    return database.Execute("DELETE FROM outbox WHERE sequence = ?", {sequence});
  });
}

absl::Status NoteFailure(UserStore& store, const QueuedMessage& queued, absl::Time next_attempt,
                         const std::string& error) {
  return store.Write([&](Database& database) {
    return database.Execute(
        "UPDATE outbox SET attempts = attempts + 1, next_attempt_at = ?, last_error = ?"
        " WHERE sequence = ?",
        {ToSqlTime(next_attempt), error, queued.sequence});
  });
}

}  // namespace

struct Postman::State {
  // A user whose outbox may hold messages.
  struct Sender {
    int writers = 0;       // Inside of Post.
    bool closing = false;  // Being forgotten: Post waits.
    absl::Time next_due = absl::InfinitePast();
  };

  UserStores* const stores;
  const StoreOptions& options;
  const Carrier carry;
  std::atomic<int64_t> delivered = 0;
  std::atomic<int64_t> failed = 0;
  std::thread thread;

  Mutex mutex;
  CondVar changed;
  std::map<std::string, Sender> senders ABSL_GUARDED_BY(mutex);
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  bool posted ABSL_GUARDED_BY(mutex) = false;  // Since the thread last looked.
  bool delivering ABSL_GUARDED_BY(mutex) =
      false;  // One at a time, or messages overtake each other.

  State(UserStores* all_stores, const StoreOptions& store_options, Carrier carrier)
      : stores(all_stores), options(store_options), carry(std::move(carrier)) {}

  void Run();
  absl::Time DeliverDue();
  std::vector<std::string> DueSenders(absl::Time now);
  absl::StatusOr<absl::Time> DeliverFrom(const std::string& uid, std::set<std::string>* failing);
  absl::Status DeliverOne(UserStore& store, const QueuedMessage& queued,
                          std::set<std::string>* failing, absl::Time* next_due);
  void SetNextDue(const std::string& uid, absl::Time time);
  absl::Status ForgetIfEmpty(const std::string& uid);
  void Warn(const std::string& text) const {
    if (options.log) options.log(conduit::LogLevel::kWarning, text);
  }
};

void Postman::State::Run() {
  for (;;) {
    const absl::Time due = DeliverDue();
    MutexLock lock(&mutex);
    if (!posted && !stopping) {
      if (due == absl::InfiniteFuture()) {
        changed.Wait(&mutex);
      } else {
        changed.WaitFor(&mutex, std::max(due - options.now(), absl::Milliseconds(1)));
      }
    }
    if (stopping) return;
    posted = false;
  }
}

absl::Time Postman::State::DeliverDue() {
  {
    MutexLock lock(&mutex);
    while (delivering) changed.Wait(&mutex);
    delivering = true;
  }
  std::set<std::string>
      failing;  // Receivers' pods that failed in this round: not tried again in it.
  for (const std::string& uid : DueSenders(options.now())) {
    auto next_due = DeliverFrom(uid, &failing);
    if (!next_due.ok()) {
      Warn(fmt::format("messages of '{}': {}", uid, next_due.status().ToString()));
      next_due = options.now() + kLongestPause;
    }
    SetNextDue(uid, *next_due);
    if (*next_due != absl::InfiniteFuture()) continue;
    if (const absl::Status status = ForgetIfEmpty(uid); !status.ok()) {
      Warn(fmt::format("messages of '{}': {}", uid, status.ToString()));
    }
  }
  MutexLock lock(&mutex);
  delivering = false;
  changed.SignalAll();
  absl::Time earliest = absl::InfiniteFuture();
  for (const auto& [uid, sender] : senders) earliest = std::min(earliest, sender.next_due);
  return earliest;
}

std::vector<std::string> Postman::State::DueSenders(absl::Time now) {
  MutexLock lock(&mutex);
  std::vector<std::string> due;
  for (auto& [uid, sender] : senders) {
    if (sender.next_due > now) continue;
    due.push_back(uid);
    sender.next_due = absl::InfiniteFuture();  // Unless somebody posts while it is delivered.
  }
  return due;
}

void Postman::State::SetNextDue(const std::string& uid, absl::Time time) {
  MutexLock lock(&mutex);
  const auto sender = senders.find(uid);
  if (sender != senders.end()) sender->second.next_due = std::min(sender->second.next_due, time);
}

// Returns when the next message of `uid` is due.
absl::StatusOr<absl::Time> Postman::State::DeliverFrom(const std::string& uid,
                                                       std::set<std::string>* failing) {
  PODKIT_ASSIGN_OR_RETURN(const auto store, stores->GetExisting(uid));
  for (;;) {
    PODKIT_ASSIGN_OR_RETURN(const auto oldest, OldestOfEach(*store));
    absl::Time next_due = absl::InfiniteFuture();
    bool progress = false;
    for (const QueuedMessage& queued : oldest) {
      {
        MutexLock lock(&mutex);
        if (stopping) return options.now();
      }
      if (queued.next_attempt > options.now()) {
        next_due = std::min(next_due, queued.next_attempt);
        continue;
      }
      absl::Time due = absl::InfiniteFuture();
      PODKIT_RETURN_IF_ERROR(DeliverOne(*store, queued, failing, &due));
      progress = progress || due == absl::InfiniteFuture();
      next_due = std::min(next_due, due);
    }
    if (!progress) return next_due;
  }
}

// Leaves in `next_due` when to try again; unchanged if the message is delivered.
absl::Status Postman::State::DeliverOne(UserStore& store, const QueuedMessage& queued,
                                        std::set<std::string>* failing, absl::Time* next_due) {
  const Message& message = queued.message;
  const absl::Time later = options.now() + PauseAfter(queued.attempts);
  if (failing->contains(message.to_uid)) {
    *next_due = later;
    return absl::OkStatus();
  }
  const absl::Status status = carry(message);
  if (status.ok()) {
    ++delivered;
    return DeleteDelivered(store, queued.sequence);
  }
  ++failed;
  failing->insert(message.to_uid);
  *next_due = later;
  Warn(fmt::format("message {} ({}) from '{}' to '{}' is not delivered, attempt {}: {}", message.id,
                   message.kind, message.from_uid, message.to_uid, queued.attempts + 1,
                   status.ToString()));
  return NoteFailure(store, queued, later, status.ToString());
}

absl::Status Postman::State::ForgetIfEmpty(const std::string& uid) {
  {
    MutexLock lock(&mutex);
    Sender& sender = senders[uid];
    if (sender.writers > 0 || sender.next_due != absl::InfiniteFuture()) return absl::OkStatus();
    sender.closing = true;
  }
  const auto clear_if_empty = [&]() -> absl::StatusOr<bool> {
    PODKIT_ASSIGN_OR_RETURN(const auto store, stores->GetExisting(uid));
    PODKIT_ASSIGN_OR_RETURN(const auto left, OldestOfEach(*store));
    if (!left.empty()) return false;
    PODKIT_RETURN_IF_ERROR(stores->ClearPending(uid));
    return true;
  };
  const auto cleared = clear_if_empty();
  MutexLock lock(&mutex);
  if (cleared.ok() && *cleared) {
    senders.erase(uid);
  } else {
    senders[uid].closing = false;
    senders[uid].next_due = options.now() + kLongestPause;
  }
  changed.SignalAll();
  return cleared.status();
}

Postman::Postman(UserStores* stores, const StoreOptions& options, Carrier carry)
    : state_(std::make_unique<State>(stores, options, std::move(carry))) {}

Postman::~Postman() {
  {
    MutexLock lock(&state_->mutex);
    state_->stopping = true;
    state_->changed.SignalAll();
  }
  if (state_->thread.joinable()) state_->thread.join();
}

absl::Status Postman::Start() {
  PODKIT_ASSIGN_OR_RETURN(const auto pending, state_->stores->ListPending());
  {
    MutexLock lock(&state_->mutex);
    for (const std::string& uid : pending) state_->senders[uid];
  }
  if (state_->options.deliver_in_background) {
    state_->thread = std::thread([state = state_.get()] { state->Run(); });
  }
  return absl::OkStatus();
}

absl::Status Postman::Post(const std::string& uid, const std::function<absl::Status()>& write) {
  {
    MutexLock lock(&state_->mutex);
    while (state_->senders[uid].closing) state_->changed.Wait(&state_->mutex);
    ++state_->senders[uid].writers;
  }
  absl::Status status = state_->stores->MarkPending(uid);
  if (status.ok()) status = write();
  MutexLock lock(&state_->mutex);
  State::Sender& sender = state_->senders[uid];
  --sender.writers;
  sender.next_due = absl::InfinitePast();
  state_->posted = true;
  state_->changed.SignalAll();
  return status;
}

absl::Time Postman::DeliverDue() { return state_->DeliverDue(); }

absl::StatusOr<std::vector<PendingMessage>> Postman::Pending() {
  PODKIT_ASSIGN_OR_RETURN(const auto uids, state_->stores->ListPending());
  std::vector<PendingMessage> pending;
  for (const std::string& uid : uids) {
    PODKIT_ASSIGN_OR_RETURN(const auto store, state_->stores->GetExisting(uid));
    PODKIT_RETURN_IF_ERROR(store->Read([&](Database& database) {
      return database.Query(
          "SELECT id, to_uid, kind, attempts, created_at, next_attempt_at, last_error FROM outbox"
          " ORDER BY sequence",
          {}, [&](const Row& row) {
            pending.push_back({.id = row.Text(0),
                               .from_uid = uid,
                               .to_uid = row.Text(1),
                               .kind = row.Text(2),
                               .attempts = row.Integer(3),
                               .created = FromSqlTime(row.Integer(4)),
                               .next_attempt = FromSqlTime(row.Integer(5)),
                               .last_error = row.Text(6)});
          });
    }));
  }
  return pending;
}

int64_t Postman::delivered() const { return state_->delivered; }

int64_t Postman::failed() const { return state_->failed; }

}  // namespace podkit::store
