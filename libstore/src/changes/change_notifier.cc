#include "changes/change_notifier.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <thread>
#include <utility>

#include "common/mutex.h"
#include "common/status_macros.h"
#include "sharing/binds.h"

namespace podkit::store {
namespace {

// A pod that did not answer is left alone for this long.
constexpr absl::Duration kPause = absl::Seconds(15);
constexpr absl::Duration kCallTimeout = absl::Seconds(3);

}  // namespace

struct ChangeNotifier::State {
  const Context& context;
  const Callback callback;
  std::thread thread;

  Mutex mutex;
  CondVar changed;
  // Collections by owner that other pods have not been told of.
  std::set<std::pair<std::string, std::string>> waiting ABSL_GUARDED_BY(mutex);
  std::map<std::string, absl::Time> silent_until ABSL_GUARDED_BY(mutex);  // By pod.
  bool stopping ABSL_GUARDED_BY(mutex) = false;

  State(const Context& store_context, Callback store_callback)
      : context(store_context), callback(std::move(store_callback)) {}

  void Run();
  void Flush();
  absl::StatusOr<std::set<std::string>> PodsOfViewers(const std::string& owner_uid,
                                                      const std::string& collection_id) const;
  void Tell(const std::string& pod, const std::string& owner_uid, const std::string& collection_id);
};

void ChangeNotifier::State::Run() {
  for (;;) {
    {
      MutexLock lock(&mutex);
      while (waiting.empty() && !stopping) changed.Wait(&mutex);
      if (stopping) return;
    }
    Flush();
  }
}

void ChangeNotifier::State::Flush() {
  std::set<std::pair<std::string, std::string>> batch;
  {
    MutexLock lock(&mutex);
    batch.swap(waiting);
  }
  for (const auto& [owner_uid, collection_id] : batch) {
    const auto pods = PodsOfViewers(owner_uid, collection_id);
    if (!pods.ok()) continue;  // The collection or the home went away meanwhile.
    for (const std::string& pod : *pods) Tell(pod, owner_uid, collection_id);
  }
}

absl::StatusOr<std::set<std::string>> ChangeNotifier::State::PodsOfViewers(
    const std::string& owner_uid, const std::string& collection_id) const {
  PODKIT_ASSIGN_OR_RETURN(const auto store, context.stores->GetExisting(owner_uid));
  std::vector<Bind> binds;
  PODKIT_RETURN_IF_ERROR(store->Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(binds, BindsOfOthers(database, collection_id));
    return absl::OkStatus();
  }));
  std::set<std::string> pods;
  for (const Bind& bind : binds) {
    if (bind.status != ShareStatus::kAccepted) continue;
    const auto pod = PodOf(context, bind.viewer_uid);
    if (pod.ok() && *pod != context.pod_id) pods.insert(*pod);
  }
  return pods;
}

void ChangeNotifier::State::Tell(const std::string& pod, const std::string& owner_uid,
                                 const std::string& collection_id) {
  {
    MutexLock lock(&mutex);
    if (stopping || context.options.now() < silent_until[pod]) return;
  }
  const auto answer = context.conduit->CallTarget<CollectionChanged>(
      pod, {.homeUID = owner_uid, .homeChildID = collection_id}, {}, {.timeout = kCallTimeout});
  if (answer.ok()) return;
  MutexLock lock(&mutex);
  silent_until[pod] = context.options.now() + kPause;
}

ChangeNotifier::ChangeNotifier(const Context& context, Callback callback)
    : state_(std::make_unique<State>(context, std::move(callback))) {}

ChangeNotifier::~ChangeNotifier() {
  {
    MutexLock lock(&state_->mutex);
    state_->stopping = true;
    state_->changed.SignalAll();
  }
  if (state_->thread.joinable()) state_->thread.join();
}

void ChangeNotifier::Start() {
  if (!state_->context.options.deliver_in_background || state_->context.conduit == nullptr) return;
  state_->thread = std::thread([state = state_.get()] { state->Run(); });
}

void ChangeNotifier::Changed(const CollectionChange& change) {
  if (state_->callback) state_->callback(change);
  if (state_->context.conduit == nullptr) return;
  MutexLock lock(&state_->mutex);
  state_->waiting.emplace(change.owner_uid, change.collection_id);
  state_->changed.Signal();
}

void ChangeNotifier::Flush() { state_->Flush(); }

absl::Status ChangeNotifier::Receive(const conduit::CallContext& call,
                                     const CollectionChange& change) {
  PODKIT_ASSIGN_OR_RETURN(const std::string pod, PodOf(state_->context, change.owner_uid));
  if (pod != call.caller->id) {
    return MakeError(
        AccessDenied{.actor = change.owner_uid},
        fmt::format("'{}' does not live on pod '{}'", change.owner_uid, call.caller->id));
  }
  if (state_->callback) state_->callback(change);
  return absl::OkStatus();
}

}  // namespace podkit::store
