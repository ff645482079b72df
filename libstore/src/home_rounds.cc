#include "home_rounds.h"

#include <algorithm>
#include <cstdint>
#include <thread>
#include <utility>

#include "common/mutex.h"

namespace podkit::store {
namespace {

// How many homes follow each other without a pause, and when the first do.
constexpr size_t kHomesInAVisit = 50;
constexpr absl::Duration kFirstPause = absl::Minutes(1);

}  // namespace

absl::Duration PauseBetweenVisits(absl::Duration period, size_t homes) {
  return period * static_cast<int64_t>(kHomesInAVisit) /
         static_cast<int64_t>(std::max(homes, kHomesInAVisit));
}

struct HomeRounds::State {
  const Context& context;
  const std::vector<Visit> visits;
  std::stop_source stop;
  std::thread thread;

  Mutex mutex;
  CondVar changed;

  State(const Context& store_context, std::vector<Visit> what)
      : context(store_context), visits(std::move(what)) {}

  void Loop();
  bool Pause(absl::Duration pause);
};

// False if it is the end.
bool HomeRounds::State::Pause(absl::Duration pause) {
  const absl::Time until = absl::Now() + pause;
  MutexLock lock(&mutex);
  for (;;) {
    const absl::Duration left = until - absl::Now();
    if (stop.stop_requested()) return false;
    if (left <= absl::ZeroDuration()) return true;
    changed.WaitFor(&mutex, left);
  }
}

void HomeRounds::State::Loop() {
  const absl::Duration period = context.options.care_period;
  // A pod that is started often does not always begin with the same homes.
  const auto count = static_cast<int64_t>(context.stores->CountHomes());
  const auto skipped = count == 0 ? 0 : absl::ToUnixMicros(absl::Now()) % count;
  const auto before = context.stores->HomesAfter("", static_cast<size_t>(skipped));
  std::string after = before.empty() ? "" : before.back();
  absl::Duration pause = std::min(period, kFirstPause);
  while (Pause(pause)) {
    const auto uids = context.stores->HomesAfter(after, kHomesInAVisit);
    if (!uids.empty()) {
      for (const Visit& visit : visits) visit(uids, stop.get_token());
    }
    after = uids.size() < kHomesInAVisit ? "" : uids.back();
    pause = PauseBetweenVisits(period, context.stores->CountHomes());
  }
}

HomeRounds::HomeRounds(const Context& context, std::vector<Visit> visits)
    : state_(std::make_unique<State>(context, std::move(visits))) {}

HomeRounds::~HomeRounds() {
  state_->stop.request_stop();
  {
    MutexLock lock(&state_->mutex);
    state_->changed.SignalAll();
  }
  if (state_->thread.joinable()) state_->thread.join();
}

void HomeRounds::Start() {
  const StoreOptions& options = state_->context.options;
  if (!options.deliver_in_background || options.care_period <= absl::ZeroDuration()) return;
  state_->thread = std::thread([state = state_.get()] { state->Loop(); });
}

}  // namespace podkit::store
