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
#include "messages/delivery_schedule.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

// How long a user's outbox is left alone that could not be read.
constexpr absl::Duration kReadPause = absl::Seconds(30);

struct QueuedMessage {
  Message message;
  int64_t sequence = 0;
  int64_t attempts = 0;
  absl::Time next_attempt;
};

// The oldest message to each receiver: no later one may overtake it.
absl::StatusOr<std::vector<QueuedMessage>> OldestOfEach(UserStore& store) {
  std::vector<QueuedMessage> messages;
  PODKIT_RETURN_IF_ERROR(store.ReadWhilePurging([&](Database& database) {
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

absl::Status AddPending(UserStores& stores, const std::string& uid,
                        std::vector<PendingMessage>* pending) {
  PODKIT_ASSIGN_OR_RETURN(const auto store, stores.GetUntilGone(uid));
  return store->ReadWhilePurging([&](Database& database) {
    return database.Query(
        "SELECT id, to_uid, kind, attempts, created_at, next_attempt_at, last_error FROM outbox"
        " ORDER BY sequence",
        {}, [&](const Row& row) {
          pending->push_back({.id = row.Text(0),
                              .from_uid = uid,
                              .to_uid = row.Text(1),
                              .kind = row.Text(2),
                              .attempts = row.Integer(3),
                              .created = FromSqlTime(row.Integer(4)),
                              .next_attempt = FromSqlTime(row.Integer(5)),
                              .last_error = row.Text(6)});
        });
  });
}

absl::Status DeleteDelivered(UserStore& store, int64_t sequence) {
  return store.WriteWhilePurging([&](Database& database) {
    return database.Execute("DELETE FROM outbox WHERE sequence = ?", {sequence});
  });
}

absl::Status NoteFailure(UserStore& store, const QueuedMessage& queued, absl::Time next_attempt,
                         const std::string& error) {
  return store.WriteWhilePurging([&](Database& database) {
    return database.Execute(
        "UPDATE outbox SET attempts = attempts + 1, next_attempt_at = ?, last_error = ?"
        " WHERE sequence = ?",
        {ToSqlTime(next_attempt), error, queued.sequence});
  });
}

// The home was purged.
bool IsGone(const absl::Status& status) { return GetError<NoSuchHome>(status).has_value(); }

// False for an error that is about the message or its receiver.
bool IsPodDown(const absl::Status& status) {
  switch (conduit::OutcomeOf(status)) {
    case conduit::Outcome::kNotExecuted:
    case conduit::Outcome::kUnknown:
    case conduit::Outcome::kTimedOut:
    case conduit::Outcome::kCancelled:
      return true;
    default:
      return conduit::ErrorClass(status).empty() && absl::IsUnavailable(status);
  }
}

}  // namespace

struct Postman::State {
  // Who is inside of Post, or being forgotten.
  struct Writers {
    int count = 0;
    bool closing = false;  // Post waits.
  };
  // What came of an attempt.
  struct Attempt {
    bool delivered = false;
    bool pod_failed = false;
    absl::Time next_due = absl::InfiniteFuture();
  };

  UserStores* const stores;
  const StoreOptions& options;
  const PostmanRoutes routes;
  std::atomic<int64_t> delivered = 0;
  std::atomic<int64_t> failed = 0;
  std::thread sorter;

  Mutex mutex;
  CondVar changed;
  DeliverySchedule schedule ABSL_GUARDED_BY(mutex);
  std::map<std::string, Writers> writers ABSL_GUARDED_BY(mutex);
  std::map<std::string, std::thread> workers ABSL_GUARDED_BY(mutex);  // By pod.
  bool stopping ABSL_GUARDED_BY(mutex) = false;

  State(UserStores* all_stores, const StoreOptions& store_options, PostmanRoutes all_routes)
      : stores(all_stores), options(store_options), routes(std::move(all_routes)) {}

  void RunSorter();
  void RunWorker(const std::string& pod);
  void StartWorkers();
  bool WaitUntil(absl::Time due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  void Sort();
  absl::StatusOr<std::set<std::string>> PodsOf(const std::string& uid) const;
  void Serve(const std::string& pod);
  absl::StatusOr<Attempt> DeliverFrom(const std::string& uid, const std::string& pod);
  absl::StatusOr<Attempt> DeliverOne(UserStore& store, const std::string& pod,
                                     const QueuedMessage& queued);
  void ForgetIfEmpty(const std::string& uid);
  bool Stopping() {
    MutexLock lock(&mutex);
    return stopping;
  }
  void Warn(const std::string& text) const {
    if (options.log) options.log(conduit::LogLevel::kWarning, text);
  }
};

// Waits until then, or until something has changed; false if it is the end.
bool Postman::State::WaitUntil(absl::Time due) {
  if (stopping) return false;
  if (due == absl::InfiniteFuture()) {
    changed.Wait(&mutex);
  } else if (const absl::Duration pause = due - options.now(); pause > absl::ZeroDuration()) {
    changed.WaitFor(&mutex, std::max(pause, absl::Milliseconds(1)));
  }
  return !stopping;
}

void Postman::State::RunSorter() {
  for (;;) {
    Sort();
    StartWorkers();
    MutexLock lock(&mutex);
    if (!WaitUntil(schedule.NextSort())) return;
  }
}

void Postman::State::RunWorker(const std::string& pod) {
  for (;;) {
    Serve(pod);
    MutexLock lock(&mutex);
    if (!WaitUntil(schedule.NextService(pod))) return;
  }
}

void Postman::State::StartWorkers() {
  MutexLock lock(&mutex);
  if (stopping) return;
  for (const std::string& pod : schedule.Pods()) {
    std::thread& worker = workers[pod];
    if (!worker.joinable()) worker = std::thread([this, pod] { RunWorker(pod); });
  }
}

// Finds out for which pods there are messages.
void Postman::State::Sort() {
  std::vector<std::string> uids;
  {
    const absl::Time now = options.now();
    MutexLock lock(&mutex);
    uids = schedule.TakeUnsorted(now);
  }
  for (const std::string& uid : uids) {
    auto pods = PodsOf(uid);
    if (IsGone(pods.status())) pods = std::set<std::string>();
    if (!pods.ok() && !GetError<HomeDisabled>(pods.status()))
      Warn(fmt::format("messages of '{}': {}", uid, pods.status().ToString()));
    const absl::Time later = options.now() + kReadPause;
    {
      MutexLock lock(&mutex);
      if (pods.ok()) {
        schedule.Sorted(uid, *pods);
      } else {
        schedule.SortLater(uid, later);
      }
      changed.SignalAll();
    }
    if (pods.ok() && pods->empty()) ForgetIfEmpty(uid);
  }
}

absl::StatusOr<std::set<std::string>> Postman::State::PodsOf(const std::string& uid) const {
  PODKIT_ASSIGN_OR_RETURN(const auto store, stores->GetUntilGone(uid));
  PODKIT_ASSIGN_OR_RETURN(const auto oldest, OldestOfEach(*store));
  std::set<std::string> pods;
  for (const QueuedMessage& queued : oldest) pods.insert(routes.pod_of(queued.message.to_uid));
  return pods;
}

// Tries what is due for the pod, once; until it does not answer.
void Postman::State::Serve(const std::string& pod) {
  std::vector<std::string> uids;
  {
    const absl::Time now = options.now();
    MutexLock lock(&mutex);
    while (schedule.IsServed(pod)) changed.Wait(&mutex);
    uids = schedule.Begin(pod, now);
  }
  bool pod_failed = false;
  for (const std::string& uid : uids) {
    absl::StatusOr<Attempt> attempt = Attempt{.next_due = absl::InfinitePast()};
    if (!pod_failed && !Stopping()) attempt = DeliverFrom(uid, pod);
    const absl::Time now = options.now();
    if (IsGone(attempt.status())) attempt = Attempt();
    if (!attempt.ok()) {
      Warn(fmt::format("messages of '{}': {}", uid, attempt.status().ToString()));
      attempt = Attempt{.next_due = now + kReadPause};
    }
    bool idle = false;
    {
      MutexLock lock(&mutex);
      schedule.Finish(pod, uid, attempt->next_due);
      if (attempt->pod_failed) schedule.PodFailed(pod, uid, now);
      idle = schedule.IsIdle(uid);
    }
    pod_failed = pod_failed || attempt->pod_failed;
    if (idle) ForgetIfEmpty(uid);
  }
  MutexLock lock(&mutex);
  schedule.End(pod);
  changed.SignalAll();
}

// Delivers the user's messages to the pod, in order, as long as they go.
absl::StatusOr<Postman::State::Attempt> Postman::State::DeliverFrom(const std::string& uid,
                                                                    const std::string& pod) {
  PODKIT_ASSIGN_OR_RETURN(const auto store, stores->GetUntilGone(uid));
  for (;;) {
    PODKIT_ASSIGN_OR_RETURN(const auto oldest, OldestOfEach(*store));
    Attempt all;
    std::set<std::string> others;
    for (const QueuedMessage& queued : oldest) {
      if (Stopping()) return Attempt{.next_due = absl::InfinitePast()};
      const std::string goes_to = routes.pod_of(queued.message.to_uid);
      if (goes_to != pod) {
        others.insert(goes_to);
        continue;
      }
      Attempt one = {.next_due = queued.next_attempt};
      if (queued.next_attempt <= options.now()) {
        PODKIT_ASSIGN_OR_RETURN(one, DeliverOne(*store, pod, queued));
      }
      all.delivered = all.delivered || one.delivered;
      all.next_due = std::min(all.next_due, one.next_due);
      if (!one.pod_failed) continue;
      // How long the pod is left alone says when to go on.
      return Attempt{.pod_failed = true, .next_due = absl::InfinitePast()};
    }
    if (all.delivered) continue;
    // Of a receiver who has moved since it was sorted.
    MutexLock lock(&mutex);
    schedule.AlsoServe(uid, others);
    changed.SignalAll();
    return all;
  }
}

absl::StatusOr<Postman::State::Attempt> Postman::State::DeliverOne(UserStore& store,
                                                                   const std::string& pod,
                                                                   const QueuedMessage& queued) {
  const Message& message = queued.message;
  const absl::Status status = routes.carry(message);
  const bool pod_failed = IsPodDown(status);
  if (!pod_failed) {
    MutexLock lock(&mutex);
    schedule.PodAnswered(pod);
  }
  if (status.ok()) {
    ++delivered;
    PODKIT_RETURN_IF_ERROR(DeleteDelivered(store, queued.sequence));
    return Attempt{.delivered = true};
  }
  ++failed;
  Warn(fmt::format("message {} ({}) from '{}' to '{}' is not delivered, attempt {}: {}", message.id,
                   message.kind, message.from_uid, message.to_uid, queued.attempts + 1,
                   status.ToString()));
  const absl::Time later = options.now() + PauseAfter(queued.attempts + 1);
  PODKIT_RETURN_IF_ERROR(NoteFailure(store, queued, later, std::string(status.message())));
  return Attempt{.pod_failed = pod_failed, .next_due = later};
}

void Postman::State::ForgetIfEmpty(const std::string& uid) {
  {
    MutexLock lock(&mutex);
    if (writers.contains(uid) || !schedule.IsIdle(uid)) return;
    writers[uid].closing = true;
  }
  const auto clear_if_empty = [&]() -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(const auto store, stores->GetUntilGone(uid));
    PODKIT_ASSIGN_OR_RETURN(const auto left, OldestOfEach(*store));
    if (!left.empty()) return absl::UnknownError("there is another message");
    return stores->ClearPending(uid);
  };
  const absl::Status cleared = clear_if_empty();
  {
    MutexLock lock(&mutex);
    writers.erase(uid);
    changed.SignalAll();
  }
  const bool done = IsGone(cleared) || (cleared.ok() && (!routes.emptied || routes.emptied(uid)));
  if (done) return;
  const absl::Time later = options.now() + kReadPause;
  MutexLock lock(&mutex);
  schedule.SortLater(uid, later);
  changed.SignalAll();
}

Postman::Postman(UserStores* stores, const StoreOptions& options, PostmanRoutes routes)
    : state_(std::make_unique<State>(stores, options, std::move(routes))) {}

Postman::~Postman() {
  std::map<std::string, std::thread> workers;
  {
    MutexLock lock(&state_->mutex);
    state_->stopping = true;
    state_->changed.SignalAll();
    workers.swap(state_->workers);
  }
  if (state_->sorter.joinable()) state_->sorter.join();
  for (auto& [pod, worker] : workers) worker.join();
}

absl::Status Postman::Start() {
  PODKIT_ASSIGN_OR_RETURN(const auto pending, state_->stores->ListPending());
  {
    MutexLock lock(&state_->mutex);
    for (const std::string& uid : pending) state_->schedule.Post(uid);
  }
  if (state_->options.deliver_in_background) {
    state_->sorter = std::thread([state = state_.get()] { state->RunSorter(); });
  }
  return absl::OkStatus();
}

absl::Status Postman::Post(const std::string& uid, const std::function<absl::Status()>& write) {
  {
    MutexLock lock(&state_->mutex);
    while (state_->writers[uid].closing) state_->changed.Wait(&state_->mutex);
    ++state_->writers[uid].count;
  }
  absl::Status status = state_->stores->MarkPending(uid);
  if (status.ok()) status = write();
  MutexLock lock(&state_->mutex);
  const auto entry = state_->writers.find(uid);
  if (--entry->second.count == 0) state_->writers.erase(entry);
  state_->schedule.Post(uid);
  state_->changed.SignalAll();
  return status;
}

absl::Time Postman::DeliverDue() {
  state_->Sort();
  std::vector<std::string> pods;
  {
    MutexLock lock(&state_->mutex);
    pods = state_->schedule.Pods();
  }
  for (const std::string& pod : pods) state_->Serve(pod);
  MutexLock lock(&state_->mutex);
  return state_->schedule.NextDue();
}

absl::StatusOr<std::vector<PendingMessage>> Postman::Pending() {
  PODKIT_ASSIGN_OR_RETURN(const auto uids, state_->stores->ListPending());
  std::vector<PendingMessage> pending;
  for (const std::string& uid : uids) {
    const absl::Status read = AddPending(*state_->stores, uid, &pending);
    if (read.ok() || IsGone(read)) continue;
    // Those of the others are to be seen all the same.
    pending.push_back(
        {.from_uid = uid,
         .created = state_->options.now(),
         .next_attempt = state_->options.now() + kReadPause,
         .last_error = "the messages of this home cannot be read: " + std::string(read.message())});
  }
  for (PendingMessage& message : pending) {
    if (message.id.empty()) continue;
    message.pod = state_->routes.pod_of(message.to_uid);
    MutexLock lock(&state_->mutex);
    message.next_attempt =
        std::max(message.next_attempt, state_->schedule.LeftAloneUntil(message.pod));
  }
  return pending;
}

int64_t Postman::delivered() const { return state_->delivered; }

int64_t Postman::failed() const { return state_->failed; }

}  // namespace podkit::store
