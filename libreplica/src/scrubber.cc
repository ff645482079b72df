#include "podkit/replica/scrubber.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "gateway_core.h"

namespace podkit::replica {
namespace {

constexpr uint64_t kLeastBytes = 4096;  // What a chunk costs at least.
constexpr absl::Duration kSaveEvery = absl::Seconds(10);
constexpr absl::Duration kRetryAfter = absl::Seconds(1);
constexpr int kTries = 3;

}  // namespace

class Scrubber::Impl {
 public:
  Impl(GatewayCore* core, ScrubOptions options, ScrubState state)
      : core_(*core), options_(std::move(options)), state_(std::move(state)) {}
  ~Impl() { Save(); }

  absl::Time Step();
  void Run(const std::stop_token& stop);
  void BeginPass() {
    MutexLock lock(&mutex_);
    begin_now_ = true;
    changed_.SignalAll();
  }
  ScrubReport report() const {
    MutexLock lock(&mutex_);
    return state_.report;
  }

 private:
  bool TakeBegin() {
    MutexLock lock(&mutex_);
    return std::exchange(begin_now_, false);
  }
  ScrubState state() const {
    MutexLock lock(&mutex_);
    return state_;
  }
  template <typename Change>
  void Update(const Change& change) {
    MutexLock lock(&mutex_);
    change(&state_);
  }
  void Save();
  void EndPass(absl::Time now);
  absl::StatusOr<ChunkDamage> Check(const ChunkName& name, const std::string& key);
  bool Mend(const ChunkName& name, const std::string& key);
  absl::StatusOr<std::shared_ptr<const void>> Source(const ChunkName& name, const std::string& key,
                                                     const CatalogEntry& entry, FileBytes* bytes);

  GatewayCore& core_;
  const ScrubOptions options_;
  absl::Time saved_ = absl::InfinitePast();  // This and the next: of the thread that steps.
  int tries_ = 0;
  mutable Mutex mutex_;
  CondVar changed_;
  ScrubState state_ ABSL_GUARDED_BY(mutex_);
  bool begin_now_ ABSL_GUARDED_BY(mutex_) = false;
};

absl::Time Scrubber::Impl::Step() {
  const absl::Time now = options_.now();
  ScrubState state = this->state();
  const bool asked = TakeBegin();
  if (!state.report.running) {
    const absl::Time due = state.report.began + options_.interval;
    if (!asked && now < due) return due;
    Update([&](ScrubState* to) {
      *to = {.report = {.running = true,
                        .began = now,
                        .ended = to->report.ended,
                        .passes = to->report.passes}};
    });
    Save();
    state = this->state();
  }
  auto found = core_.catalog->Next(state.after);
  if (!found.ok()) {
    core_.options.log(fmt::format("scrub: {}", found.status().ToString()));
    return now + kRetryAfter;
  }
  const std::optional<std::pair<std::string, CatalogEntry>> next = *std::move(found);
  if (!next) {
    EndPass(now);
    return state.report.began + options_.interval;
  }
  const auto& [key, entry] = *next;
  const auto name = NameOfKey(key);
  absl::StatusOr<ChunkDamage> damage = ChunkDamage::kNone;
  if (name) damage = Check(*name, key);
  if (!damage.ok() && ++tries_ < kTries) return now + kRetryAfter;
  tries_ = 0;
  if (!damage.ok()) {
    core_.options.log(fmt::format("scrub: chunk {} is not checked: {}", key,
                                  std::string(damage.status().message())));
  }
  const bool damaged = damage.ok() && *damage != ChunkDamage::kNone;
  const bool mended = damaged && name && Mend(*name, key);
  Update([&, size = entry.size, failed = !damage.ok()](ScrubState* to) {
    to->after = key;
    ++to->report.chunks;
    to->report.bytes += size;
    to->report.damaged += damaged ? 1 : 0;
    to->report.mended += mended ? 1 : 0;
    to->report.unchecked += failed ? 1 : 0;
  });
  if (now - saved_ >= kSaveEvery) Save();
  return now + absl::Seconds(static_cast<double>(std::max(entry.size, kLeastBytes)) /
                             static_cast<double>(options_.bytes_per_second));
}

void Scrubber::Impl::EndPass(absl::Time now) {
  Update([&](ScrubState* to) {
    to->after.clear();
    to->report.running = false;
    to->report.ended = now;
    ++to->report.passes;
  });
  Save();
  const ScrubReport report = this->report();
  core_.options.log(fmt::format(
      "scrub: {} chunks checked, {} bytes; {} were lost or damaged, {} of them mended; {} could "
      "not be checked",
      report.chunks, report.bytes, report.damaged, report.mended, report.unchecked));
}

void Scrubber::Impl::Save() {
  const absl::Status status = core_.catalog->SaveScrub(state());
  if (!status.ok()) core_.options.log(fmt::format("scrub: {}", status.ToString()));
  saved_ = options_.now();
}

// kNone also for what is gone meanwhile.
absl::StatusOr<ChunkDamage> Scrubber::Impl::Check(const ChunkName& name, const std::string& key) {
  PODKIT_ASSIGN_OR_RETURN(const auto held, core_.locks.Take(key, core_.DriverDeadline()));
  PODKIT_ASSIGN_OR_RETURN(const auto entry, core_.catalog->Find(key));
  if (!entry) return ChunkDamage::kNone;
  PODKIT_ASSIGN_OR_RETURN(const FetchedChunk fetched, FetchChunk(&core_, name, "", *entry));
  return fetched.damage;
}

// The bytes of the chunk from somewhere else, which live as long as what it returns.
absl::StatusOr<std::shared_ptr<const void>> Scrubber::Impl::Source(const ChunkName& name,
                                                                   const std::string& key,
                                                                   const CatalogEntry& entry,
                                                                   FileBytes* bytes) {
  if (core_.cache != nullptr) {
    const auto cached = core_.cache->Find(key);
    if (cached != nullptr && cached->hash == entry.hash && cached->Verify(0, cached->size)) {
      *bytes = {cached->fd.get(), 0, cached->size};
      return std::shared_ptr<const void>(cached);
    }
  }
  if (!options_.fetch) return absl::NotFoundError("there is no other replica to mend it from");
  PODKIT_ASSIGN_OR_RETURN(const std::string fetched, options_.fetch(name, entry.hash));
  if (HashOf(fetched) != entry.hash) return absl::DataLossError("another replica has other bytes");
  PODKIT_ASSIGN_OR_RETURN(std::shared_ptr<MemoryFile> file,
                          MemoryFile::Create(core_.memory, fetched.size()));
  PODKIT_RETURN_IF_ERROR(file->Append(fetched));
  PODKIT_RETURN_IF_ERROR(file->Seal());
  *bytes = {file->fd(), 0, fetched.size()};
  return std::shared_ptr<const void>(file);
}

// The name is not held while another replica is asked, so the chunk may change meanwhile.
bool Scrubber::Impl::Mend(const ChunkName& name, const std::string& key) {
  const auto mend = [&]() -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(const auto found, core_.catalog->Find(key));
    if (!found) return absl::NotFoundError("it was deleted");
    FileBytes bytes;
    PODKIT_ASSIGN_OR_RETURN(const auto owner, Source(name, key, *found, &bytes));
    PODKIT_ASSIGN_OR_RETURN(const auto held, core_.locks.Take(key, core_.DriverDeadline()));
    PODKIT_ASSIGN_OR_RETURN(const auto entry, core_.catalog->Find(key));
    if (!entry || entry->hash != found->hash) return absl::NotFoundError("it was deleted");
    if (entry->damage == ChunkDamage::kNone) return absl::OkStatus();
    const DriverRequest request = {.name = name, .hash = entry->hash.Hex()};
    PODKIT_ASSIGN_OR_RETURN(const int error, StoreChunk(&core_, core_.driver().get(), request,
                                                        bytes, {entry->hash, entry->size}));
    if (error == 0) return absl::OkStatus();
    return absl::InternalError(fmt::format("the driver answered {} to 'write'", error));
  };
  const absl::Status mended = mend();
  core_.options.log(mended.ok() ? fmt::format("scrub: chunk {} mended", key)
                                : fmt::format("scrub: chunk {} is not mended: {}", key,
                                              std::string(mended.message())));
  return mended.ok();
}

void Scrubber::Impl::Run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    MutexLock lock(&mutex_);
    changed_.SignalAll();
  });
  while (!stop.stop_requested()) {
    const absl::Duration pause = Step() - options_.now();
    const absl::Time until = absl::Now() + std::min(pause, absl::Hours(1));
    MutexLock lock(&mutex_);
    while (!stop.stop_requested() && !begin_now_) {
      const absl::Duration left = until - absl::Now();
      if (left <= absl::ZeroDuration()) break;
      changed_.WaitFor(&mutex_, left);
    }
  }
}

Scrubber::Scrubber(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Scrubber::~Scrubber() = default;

absl::StatusOr<std::unique_ptr<Scrubber>> Scrubber::Create(Gateway* gateway, ScrubOptions options) {
  if (options.bytes_per_second == 0) {
    return absl::InvalidArgumentError("bytes_per_second: 0 would never end");
  }
  if (options.interval < absl::Minutes(1)) {
    return absl::InvalidArgumentError("interval: it is less than a minute");
  }
  GatewayCore& core = CoreOf(gateway);
  PODKIT_ASSIGN_OR_RETURN(std::optional<ScrubState> state, core.catalog->LoadScrub());
  if (!state) {
    state.emplace();
    state->report.began = options.now();  // The first pass is due after an interval.
    PODKIT_RETURN_IF_ERROR(core.catalog->SaveScrub(*state));
  }
  return std::unique_ptr<Scrubber>(
      new Scrubber(std::make_unique<Impl>(&core, std::move(options), *std::move(state))));
}

absl::Time Scrubber::Step() { return impl_->Step(); }
void Scrubber::Run(const std::stop_token& stop) { impl_->Run(stop); }
void Scrubber::BeginPass() { impl_->BeginPass(); }
ScrubReport Scrubber::report() const { return impl_->report(); }

}  // namespace podkit::replica
