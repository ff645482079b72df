#include "sqlite/store_cache.h"

#include <algorithm>
#include <utility>

namespace podkit::store {

// One file. Guarded by the mutex of the cache.
struct StoreCache::Slot {
  enum class Phase { kOpening, kOpen, kClosing, kFailed };

  Phase phase = Phase::kOpening;
  std::shared_ptr<UserStore> store;  // In kOpen.
  absl::Status status;               // In kFailed: why.
  int64_t last_used = 0;
};

StoreCache::StoreCache(size_t max_open, Opener open)
    : max_open_(max_open), open_(std::move(open)) {}
StoreCache::~StoreCache() = default;

absl::StatusOr<std::shared_ptr<UserStore>> StoreCache::Get(const std::string& uid,
                                                           bool may_create) {
  const auto slot = std::make_shared<Slot>();
  {
    MutexLock lock(&mutex_);
    for (auto found = slots_.find(uid); found != slots_.end(); found = slots_.find(uid)) {
      const std::shared_ptr<Slot> present = found->second;
      if (present->phase == Slot::Phase::kOpen) {
        present->last_used = ++uses_;
        return present->store;
      }
      changed_.Wait(&mutex_);
      if (present->phase == Slot::Phase::kFailed) return present->status;
    }
    slots_[uid] = slot;
  }
  return OpenInto(*slot, uid, may_create);
}

absl::StatusOr<std::shared_ptr<UserStore>> StoreCache::OpenInto(Slot& slot, const std::string& uid,
                                                                bool may_create) {
  auto opened = open_(uid, may_create);
  Stores idle;
  {
    MutexLock lock(&mutex_);
    if (opened.ok()) {
      slot.phase = Slot::Phase::kOpen;
      slot.store = *opened;
      slot.last_used = ++uses_;
      ++open_count_;
      idle = TakeIdle();
    } else {
      slot.phase = Slot::Phase::kFailed;
      slot.status = opened.status();
      slots_.erase(uid);
    }
    changed_.SignalAll();
  }
  Close(std::move(idle));
  return opened;
}

// Takes what is open beyond the limit and held by nobody else. Only the cache hands stores out, so
// nobody can begin to hold one meanwhile.
StoreCache::Stores StoreCache::TakeIdle() {
  std::vector<Slot*> idle;
  for (const auto& [uid, slot] : slots_) {
    if (slot->phase == Slot::Phase::kOpen && slot->store.use_count() == 1) {
      idle.push_back(slot.get());
    }
  }
  std::sort(idle.begin(), idle.end(),
            [](const Slot* a, const Slot* b) { return a->last_used < b->last_used; });
  const size_t excess = open_count_ > max_open_ ? open_count_ - max_open_ : 0;
  idle.resize(std::min(idle.size(), excess));
  Stores stores;
  for (Slot* const slot : idle) {
    slot->phase = Slot::Phase::kClosing;
    stores.push_back(std::move(slot->store));
  }
  return stores;
}

void StoreCache::Close(Stores stores) {
  for (auto& store : stores) {
    const std::string uid = store->uid();
    const UserStore::Counters counters = store->counters();
    store.reset();
    MutexLock lock(&mutex_);
    closed_ += counters;
    --open_count_;
    slots_.erase(uid);
    changed_.SignalAll();
  }
}

absl::StatusOr<bool> StoreCache::Remove(
    const std::string& uid, const std::function<absl::StatusOr<bool>(UserStore&)>& ready,
    const std::function<absl::Status()>& remove) {
  auto opened = Get(uid, false);
  if (!opened.ok()) return std::move(opened).status();
  std::shared_ptr<UserStore> store = *std::move(opened);
  std::shared_ptr<Slot> slot;
  {
    MutexLock lock(&mutex_);
    // That is, here and in the slot.
    if (store.use_count() > 2) return false;
    slot = slots_[uid];
    slot->phase = Slot::Phase::kClosing;
    slot->store.reset();
  }
  auto done = ready(*store);
  const bool goes = done.ok() && *done;
  const UserStore::Counters counters = store->counters();
  if (goes) {
    store.reset();
    const absl::Status removed = remove();
    if (!removed.ok()) done = removed;
  }
  MutexLock lock(&mutex_);
  if (goes) {
    closed_ += counters;
    --open_count_;
    slots_.erase(uid);
  } else {
    slot->store = std::move(store);
    slot->phase = Slot::Phase::kOpen;
  }
  changed_.SignalAll();
  return done;
}

// The slot of a store that is open, when it is opened or closed; null if it is not.
StoreCache::Slot* StoreCache::AwaitOpen(const std::string& uid) {
  for (auto found = slots_.find(uid); found != slots_.end(); found = slots_.find(uid)) {
    if (found->second->phase == Slot::Phase::kOpen) return found->second.get();
    changed_.Wait(&mutex_);
  }
  return nullptr;
}

std::shared_ptr<UserStore> StoreCache::GetIfOpen(const std::string& uid) {
  MutexLock lock(&mutex_);
  const Slot* const slot = AwaitOpen(uid);
  return slot == nullptr ? nullptr : slot->store;
}

bool StoreCache::CloseIfIdle(const std::string& uid) {
  Stores idle;
  {
    MutexLock lock(&mutex_);
    Slot* const slot = AwaitOpen(uid);
    if (slot == nullptr) return true;
    if (slot->store.use_count() > 1) return false;
    slot->phase = Slot::Phase::kClosing;
    idle.push_back(std::move(slot->store));
  }
  Close(std::move(idle));
  return true;
}

size_t StoreCache::open_files() const {
  MutexLock lock(&mutex_);
  return open_count_;
}

UserStore::Counters StoreCache::counters() const {
  MutexLock lock(&mutex_);
  UserStore::Counters sum = closed_;
  for (const auto& [uid, slot] : slots_) {
    if (slot->phase == Slot::Phase::kOpen) sum += slot->store->counters();
  }
  return sum;
}

}  // namespace podkit::store
