// Whole schedules in virtual time: hosts that pause, die and have clocks that run unevenly,
// messages that are lost or late, and a directory that dies between any two of its commits. A late
// message arrives once: that nobody replays an answered request is the transport's promise.
//
// One thread, one seed: a host that waits for something runs the others meanwhile. What runs is the
// real Session, WriteLock and directory; only clocks, network and disk are made up.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "directory_bed.h"
#include "journaled_directory.h"
#include "link.h"
#include "podkit/lock/session.h"

namespace podkit::lock {
namespace {

constexpr int kHosts = 4;
constexpr int kStores = 3;
constexpr int kEvents = 120;
constexpr int kDeepest = 6;  // Of hosts that wait at the same time.
constexpr absl::Duration kTerm = absl::Seconds(10);

// Over all schedules: a simulation in which nothing goes wrong tests nothing.
struct Seen {
  int64_t grants = 0;
  int64_t handed_over = 0;
  int64_t woken = 0;
  int64_t heads = 0;
  int64_t writes = 0;
  int64_t stale_writes = 0;  // Refused by the storage.
  int64_t expired = 0;
  int64_t crashes = 0;
  int64_t late = 0;
};

class World;

// What the directory's disk keeps.
class SimulatedDisk final : public Journal {
 public:
  explicit SimulatedDisk(World& world) : world_(world) {}
  absl::StatusOr<DurableState> Load() override;
  absl::Status Commit(const Changes& changes) override;
  absl::StatusOr<std::vector<AuditEntry>> ReadAudit(int64_t) override {
    return std::vector<AuditEntry>();
  }

 private:
  World& world_;
};

struct Host final : Network {
  Host(World& in, int number) : world(in), name(fmt::format("host {}", number)) {}
  WriteLockDirectory* Deliver(const Message& message) override;
  bool Return() override;

  World& world;
  const std::string name;
  double rate = 1;  // Of its clock.
  int starts = 0;
  bool waits = false;
  std::shared_ptr<Link> link = std::make_shared<Link>(*this);
  std::unique_ptr<Session> session;
  std::map<std::string, std::unique_ptr<WriteLock>> locks;  // By store.
  std::set<std::string> to_claim;
};

class World : public ChunkSink {
 public:
  World(uint64_t seed, Seen& seen) : random_(seed), seen_(seen), rate_(Rate()) {
    StartDirectory();
    for (int i = 0; i < kHosts; ++i) {
      hosts_.push_back(std::make_unique<Host>(*this, i));
      hosts_.back()->rate = Rate();
    }
  }
  ~World() override {
    for (const auto& host : hosts_) Kill(*host);
  }

  // The first promise that was broken; empty: none.
  std::string Run() {
    for (int i = 0; i < kEvents && failure_.empty(); ++i) Something();
    if (failure_.empty()) Settle();
    return failure_;
  }

  absl::Status Put(std::string_view, std::string_view) override { return absl::OkStatus(); }

  // --- For the network and the disk. ---

  bool OneIn(int n) { return Below(n) == 0; }
  absl::Duration Some(absl::Duration most) { return most * Below(1000) / 1000; }
  bool quiet() const { return quiet_; }
  LocalDirectory* directory() { return directory_.get(); }
  void ArriveLater(Network::Message message) {
    late_.emplace(now_ + Some(kTerm * 3), std::move(message));
  }

  // `host` waits for `time` while the others go on.
  void Wait(Host& host, absl::Duration time) {
    if (quiet_ || depth_ >= kDeepest) return;
    host.waits = true;
    ++depth_;
    const absl::Duration end = now_ + time;
    while (now_ < end && failure_.empty()) Something();
    --depth_;
    host.waits = false;
  }

  DurableState& disk() { return disk_; }

  // True: the process dies at this commit; `written` says if the disk has it.
  bool DiesAt(bool* written) {
    *written = true;
    if (quiet_ || !OneIn(60)) return false;
    *written = OneIn(2);
    dying_ = true;
    return true;
  }

  void Committed(const Changes& changes) {
    for (const Change& change : changes.list) {
      const auto* const row = std::get_if<StoreRow>(&change);
      if (const auto* const entry = std::get_if<AuditEntry>(&change)) {
        if (entry->kind == AuditEntry::Kind::kExpired) ++seen_.expired;
        if (entry->kind == AuditEntry::Kind::kBroken) broken_.insert(entry->token);
      }
      if (row == nullptr || row->session.empty()) continue;
      const auto grant = std::make_pair(row->store, row->session);
      const auto known = grants_.find(row->token);
      if (known == grants_.end()) {
        if (!grants_.empty() && grants_.rbegin()->first > row->token) {
          Fail(fmt::format("token {} comes after {}", row->token, grants_.rbegin()->first));
        }
        grants_.emplace(row->token, grant);
        ++seen_.grants;
        if (row->reason == GrantReason::kHandedOver) ++seen_.handed_over;
        if (row->reason == GrantReason::kWokenUp) ++seen_.woken;
      } else if (known->second != grant) {
        Fail(fmt::format("token {} was granted twice", row->token));
      }
    }
  }

  // After everything that the directory did. True if it died of it.
  bool BuryDead() {
    if (!dying_) return false;
    dying_ = false;
    ++seen_.crashes;
    directory_.reset();
    restart_at_ = now_ + Some(kTerm / 2);
    return true;
  }

 private:
  void Fail(std::string what) {
    if (failure_.empty()) failure_ = std::move(what);
  }

  int Below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  double Rate() { return 0.95 + 0.0001 * Below(1001); }
  absl::Time Wall() const { return BedClock::Start() + now_; }

  void StartDirectory() {
    LocalDirectoryOptions options;
    options.steady_clock = [this] { return now_ * rate_; };
    options.wall_clock = [this] { return Wall(); };
    options.random = [this] { return fmt::format("directory {:06}", ++names_); };
    options.limits.wake_retry = kTerm / 2;
    options.timer = false;
    directory_ = ValueOf(
        JournaledDirectory::Open(std::move(options), std::make_unique<SimulatedDisk>(*this), true));
  }

  void StartHost(Host& host) {
    SessionOptions options;
    options.host = host.name;
    // Now and then with the session of before, as a host that remembers it.
    if (host.starts == 0 || OneIn(2)) ++host.starts;
    options.id = fmt::format("{} session {}", host.name, host.starts);
    options.term = kTerm;
    options.runs_wakeups = true;
    options.retry_for = absl::ZeroDuration();
    options.steady_clock = [this, &host] { return now_ * host.rate; };
    options.random = [this] { return fmt::format("{:08} unique", ++names_); };
    options.on_event = [&host](const SessionEvent& event) {
      if (event.kind == SessionEvent::Kind::kGranted) host.to_claim.insert(event.grant.store);
    };
    options.threads = false;
    auto session = Session::Open(host.link, std::move(options));
    if (session.ok()) host.session = *std::move(session);
  }

  // As a process dies: nothing is said to anybody.
  static void Kill(Host& host) {
    host.session.reset();
    host.locks.clear();
    host.to_claim.clear();
  }

  // A step of time, and one host that is not waiting does something.
  void Something() {
    now_ += Some(absl::Seconds(1));
    if (directory_ == nullptr && now_ >= restart_at_) StartDirectory();
    if (directory_ != nullptr) {
      directory_->Tick();
      BuryDead();
    }
    while (directory_ != nullptr && !late_.empty() && late_.begin()->first <= now_) {
      ++seen_.late;
      late_.extract(late_.begin()).mapped()(*directory_);
      BuryDead();
    }
    Host& host = *hosts_[static_cast<size_t>(Below(kHosts))];
    if (!host.waits) Act(host);
    if (OneIn(3)) CheckWriters();
  }

  void Act(Host& host) {
    if (host.session == nullptr) {
      StartHost(host);
      return;
    }
    if (host.session->state() == Session::State::kLost || OneIn(60)) {
      Kill(host);
      return;
    }
    host.session->Step();
    const std::string store = fmt::format("store {}", Below(kStores));
    if (!host.to_claim.empty()) {
      const std::string claimed = *host.to_claim.begin();
      host.to_claim.erase(claimed);
      Take(host, claimed, host.session->Claim(claimed));
    } else if (!host.locks.contains(store)) {
      if (OneIn(2)) Take(host, store, host.session->Acquire(store, {.create = true}));
    } else {
      Use(host, store, *host.locks[store]);
    }
    if (OneIn(80) && directory_ != nullptr) {
      directory_->Break(store, "operator", "").IgnoreError();
      BuryDead();
    }
  }

  static void Take(Host& host, const std::string& store,
                   absl::StatusOr<std::unique_ptr<WriteLock>> lock) {
    if (lock.ok()) host.locks[store] = *std::move(lock);
  }

  void Use(Host& host, const std::string& store, WriteLock& lock) {
    absl::Status status;
    switch (Below(8)) {
      case 0:
        status = lock.Abandon("");
        break;
      case 1:
        status = lock.HandOver(fmt::format("host {}", Below(kHosts))).status();
        break;
      case 2:
        status = lock.SetWakeUp(Wall() + Some(kTerm));
        break;
      case 3:
      case 4:
        status = Save(host, store, lock);
        break;
      default:
        status = Write(host, store, lock);
    }
    const LockError error = GetLockError(lock.Check()).error;
    if (error == LockError::kAlreadyReleased || error == LockError::kLockLost) {
      host.locks.erase(store);
    }
  }

  // What a host does for its users: checks, is perhaps stopped, writes.
  absl::Status Write(Host& host, const std::string& store, WriteLock& lock) {
    const absl::Status checked = lock.Check();
    if (!checked.ok()) return checked;
    const bool stopped = OneIn(4);
    if (stopped) Wait(host, Some(kTerm * 3));
    Token& newest = storage_[store];
    if (lock.token() >= newest) {
      newest = lock.token();
      ++seen_.writes;
    } else {
      ++seen_.stale_writes;
      if (!stopped && !broken_.contains(lock.token())) {
        Fail(fmt::format("{} was refused though it had just been told that it holds {}", host.name,
                         store));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Save(Host& host, const std::string& store, WriteLock& lock) {
    const std::string manifest = fmt::format("manifest {}", ++names_);
    const auto save = [&](const Head& parent, ChunkSink&) -> absl::StatusOr<SavedState> {
      if (OneIn(4)) Wait(host, Some(kTerm * 2));
      parents_[manifest] = parent.manifest;
      return SavedState{.manifest = manifest, .position = ++names_};
    };
    const auto head = lock.Write(save, *this);
    if (!head.ok()) return head.status();
    ++seen_.heads;
    acknowledged_[store].push_back(head->manifest);
    return absl::OkStatus();
  }

  // At most one host believes that it may write a store, and the directory knows that one.
  void CheckWriters() {
    for (int i = 0; i < kStores; ++i) {
      const std::string store = fmt::format("store {}", i);
      const Host* writer = nullptr;
      for (const auto& host : hosts_) {
        const auto found = host->locks.find(store);
        if (found == host->locks.end() || broken_.contains(found->second->token())) continue;
        if (!found->second->Check().ok()) continue;
        if (writer != nullptr) {
          Fail(fmt::format("{} and {} both hold {}", writer->name, host->name, store));
        }
        writer = host.get();
        const StoreRow& row = disk_.stores[store];
        if (row.token != found->second->token() || row.session != host->session->id()) {
          Fail(fmt::format("{} believes in token {} of {}, which is at {}", host->name,
                           found->second->token(), store, row.token));
        }
      }
    }
  }

  // At last everything works again: nothing acknowledged is lost, and no store is stuck.
  void Settle() {
    quiet_ = true;
    for (const auto& host : hosts_) Kill(*host);
    late_.clear();
    directory_.reset();
    StartDirectory();
    for (const auto& [store, manifests] : acknowledged_) {
      std::set<std::string> kept;
      for (std::string at = disk_.stores[store].head.manifest; !at.empty(); at = parents_[at]) {
        if (!kept.insert(at).second) return Fail("heads go in a circle");
      }
      for (const std::string& manifest : manifests) {
        if (!kept.contains(manifest)) Fail(fmt::format("{} of {} is lost", manifest, store));
      }
    }
    for (int i = 0; i < 20; ++i) {
      now_ += kTerm / 5;
      directory_->Tick();
    }
    OpenSession(*directory_, "last", "last");
    for (const auto& [store, row] : std::map(disk_.stores)) {
      const auto grant = TryAcquire(*directory_, "last", store);
      if (!grant.ok()) Fail(fmt::format("{} is stuck: {}", store, grant.status().ToString()));
    }
  }

  std::mt19937_64 random_;
  Seen& seen_;
  absl::Duration now_ = absl::Hours(1);
  const double rate_;  // Of the directory's clock.
  int64_t names_ = 0;
  int depth_ = 0;
  bool quiet_ = false;
  bool dying_ = false;
  absl::Duration restart_at_;
  std::string failure_;
  DurableState disk_;
  std::unique_ptr<LocalDirectory> directory_;  // Null while it is down.
  std::multimap<absl::Duration, Network::Message> late_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::map<std::string, Token> storage_;  // The greatest token that it has seen, by store.
  std::set<Token> broken_;
  std::map<Token, std::pair<std::string, std::string>> grants_;  // Store and session.
  std::map<std::string, std::string> parents_;                   // Of manifests.
  std::map<std::string, std::vector<std::string>> acknowledged_;
};

absl::StatusOr<DurableState> SimulatedDisk::Load() { return world_.disk(); }

absl::Status SimulatedDisk::Commit(const Changes& changes) {
  bool written = false;
  const bool dies = world_.DiesAt(&written);
  if (written) {
    ApplyChanges(changes, world_.disk());
    world_.Committed(changes);
  }
  return dies ? MakeLockError({.error = LockError::kDirectoryUnavailable}) : absl::OkStatus();
}

WriteLockDirectory* Host::Deliver(const Message& message) {
  if (!world.quiet()) {
    if (world.OneIn(20)) return nullptr;
    if (world.OneIn(20)) {
      world.ArriveLater(message);
      return nullptr;
    }
    if (world.OneIn(12)) world.Wait(*this, world.Some(kTerm * 2));
  }
  return world.directory();
}

bool Host::Return() {
  const bool died = world.BuryDead();
  if (world.quiet()) return !died;
  if (world.OneIn(12)) world.Wait(*this, world.Some(kTerm * 2));
  return !died && !world.OneIn(15);
}

TEST_CASE("No schedule gives a store two writers, a token twice, or loses what was acknowledged",
          "[simulation]") {
  const char* const replay = std::getenv("PODKIT_TEST_SEED");
  const char* const wanted = std::getenv("PODKIT_TEST_SCHEDULES");
  const uint64_t first = replay != nullptr ? std::strtoull(replay, nullptr, 10) : 1;
  const uint64_t count = replay != nullptr   ? 1
                         : wanted != nullptr ? std::strtoull(wanted, nullptr, 10)
                                             : 500;
  Seen seen;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const std::string failure = World(seed, seen).Run();
    if (failure.empty()) continue;
    FAIL("PODKIT_TEST_SEED=" << seed << ": " << failure);
  }
  INFO(
      fmt::format("of {} schedules: {} grants ({} handed over, {} woken), {} heads, {} writes, {} "
                  "refused as stale, {} expired, {} crashes, {} late messages",
                  count, seen.grants, seen.handed_over, seen.woken, seen.heads, seen.writes,
                  seen.stale_writes, seen.expired, seen.crashes, seen.late));
  if (wanted != nullptr) WARN("all passed");
  if (replay != nullptr) return;
  const auto often = static_cast<int64_t>(count / 100);
  for (const int64_t times : {seen.handed_over, seen.woken, seen.heads, seen.stale_writes,
                              seen.expired, seen.crashes, seen.late}) {
    CHECK(times > often);
  }
}

}  // namespace
}  // namespace podkit::lock
