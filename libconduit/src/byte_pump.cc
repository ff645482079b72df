#include "podkit/conduit/testing/byte_pump.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <random>
#include <utility>
#include <vector>

namespace podkit::conduit::testing {
namespace {

struct Injected {
  BytePump::Fault fault;
  uint64_t first;
  uint64_t length;
};

// Bytes on their way.
struct Flight {
  absl::Time arrival;
  std::string bytes;
};

// One direction.
struct Pipe {
  bool stalled = false;
  absl::Duration delay;
  std::vector<Injected> faults;
  uint64_t sent = 0;
  uint64_t passed = 0;   // Of those, the ones behind the faults.
  std::string at_fault;  // Sent, and before the faults.
  std::deque<Flight> flights;
  size_t in_flight = 0;
  bool cut = false;  // A fault wants the connection cut once what is in flight has arrived.

  size_t waiting() const { return in_flight + at_fault.size(); }
};

}  // namespace

struct BytePump::State {
  struct Side {
    std::shared_ptr<StreamUser> user;
    std::atomic<bool> awake{true};
    std::atomic<bool> closing{false};
    std::string channel_binding;
    Pipe pipe;  // Of what it sends.
  };

  State(ManualScheduler* clock, uint64_t seed, const BytePumpOptions& wanted)
      : scheduler(clock), random(seed), options(wanted) {}

  ManualScheduler* const scheduler;
  std::mt19937_64 random;
  const BytePumpOptions options;
  std::array<Side, 2> sides;
  bool closed = false;

  bool Step(bool once);
  bool Collect(Side& side);
  void PassFaults(Pipe& pipe);
  bool PassFault(Pipe& pipe, const Injected& fault);
  void Pass(Pipe& pipe, std::string bytes);
  bool Deliver(Side& from, Side& to, bool once);
  void CloseBoth(const absl::Status& why);
};

class BytePump::Stream final : public ByteStream {
 public:
  Stream(std::shared_ptr<State> state, End end) : state_(std::move(state)), end_(end) {}

  void Wake() override { state_->sides[end_].awake = true; }
  void Close() override { state_->sides[end_].closing = true; }
  std::string ChannelBinding() const override { return state_->sides[end_].channel_binding; }
  std::string peer() const override { return end_ == kA ? "end b" : "end a"; }

 private:
  const std::shared_ptr<State> state_;
  const End end_;
};

BytePump::BytePump(ManualScheduler* scheduler, uint64_t seed, BytePumpOptions options)
    : state_(std::make_shared<State>(scheduler, seed, options)) {
  state_->sides[kA].channel_binding = std::move(options.channel_binding_of_a);
  state_->sides[kB].channel_binding = std::move(options.channel_binding_of_b);
}

BytePump::~BytePump() { Cut(); }

std::shared_ptr<ByteStream> BytePump::stream(End end) const {
  return std::make_shared<Stream>(state_, end);
}

void BytePump::Attach(End end, std::shared_ptr<StreamUser> user) {
  state_->sides[end].user = std::move(user);
  state_->sides[end].awake = true;
}

bool BytePump::Pump() {
  bool moved = false;
  while (state_->Step(/*once=*/false)) moved = true;
  return moved;
}

bool BytePump::PumpOnce() { return state_->Step(/*once=*/true); }

void BytePump::Inject(End sender, Fault fault, uint64_t first, uint64_t length) {
  std::vector<Injected>& faults = state_->sides[sender].pipe.faults;
  faults.push_back({fault, first, std::max<uint64_t>(length, 1)});
  std::stable_sort(faults.begin(), faults.end(),
                   [](const Injected& a, const Injected& b) { return a.first < b.first; });
}

void BytePump::Stall(End sender, bool stalled) { state_->sides[sender].pipe.stalled = stalled; }
void BytePump::Delay(End sender, absl::Duration delay) { state_->sides[sender].pipe.delay = delay; }
void BytePump::Cut(const absl::Status& why) { state_->CloseBoth(why); }
uint64_t BytePump::sent(End sender) const { return state_->sides[sender].pipe.sent; }
size_t BytePump::in_flight(End sender) const { return state_->sides[sender].pipe.waiting(); }
bool BytePump::closed() const { return state_->closed; }

bool BytePump::State::Step(bool once) {
  if (closed) return false;
  bool moved = false;
  for (const size_t end : {0, 1}) {
    Side& from = sides[end];
    moved = Collect(from) || moved;
    moved = Deliver(from, sides[1 - end], once) || moved;
    if (closed) return true;
    const bool flushed = !from.awake && from.pipe.waiting() == 0;
    if (from.pipe.cut && from.pipe.flights.empty()) {
      CloseBoth(absl::UnavailableError("the connection was cut"));
      return true;
    }
    if (from.closing && flushed) {
      CloseBoth(absl::OkStatus());
      return true;
    }
  }
  return moved;
}

bool BytePump::State::Collect(Side& side) {
  bool moved = false;
  while (side.user != nullptr && side.awake && side.pipe.waiting() < options.capacity) {
    side.awake = false;
    const std::string bytes = side.user->TakeOutput();
    if (bytes.empty()) break;
    side.awake = true;
    side.pipe.sent += bytes.size();
    side.pipe.at_fault += bytes;
    PassFaults(side.pipe);
    moved = true;
  }
  return moved;
}

void BytePump::State::PassFaults(Pipe& pipe) {
  while (!pipe.at_fault.empty() && !pipe.cut) {
    const auto next = std::find_if(pipe.faults.begin(), pipe.faults.end(),
                                   [&](const Injected& f) { return f.first >= pipe.passed; });
    const uint64_t clean = next == pipe.faults.end() ? pipe.at_fault.size()
                                                     : std::min<uint64_t>(next->first - pipe.passed,
                                                                          pipe.at_fault.size());
    if (clean > 0) {
      Pass(pipe, pipe.at_fault.substr(0, clean));
      pipe.passed += clean;
      pipe.at_fault.erase(0, clean);
    } else if (!PassFault(pipe, *next)) {
      return;
    }
  }
}

// False if the fault needs bytes that were not sent yet.
bool BytePump::State::PassFault(Pipe& pipe, const Injected& fault) {
  const uint64_t needed = fault.fault == Fault::kReorder ? 2 * fault.length
                          : fault.fault == Fault::kCut   ? 0
                                                         : fault.length;
  if (pipe.at_fault.size() < needed) return false;
  std::string bytes = pipe.at_fault.substr(0, needed);
  pipe.passed += needed;
  pipe.at_fault.erase(0, needed);
  switch (fault.fault) {
    case Fault::kDrop:
      return true;
    case Fault::kDuplicate:
      bytes += std::string(bytes);
      break;
    case Fault::kReorder:
      std::rotate(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(fault.length), bytes.end());
      break;
    case Fault::kCorrupt:
      for (char& byte : bytes) byte = static_cast<char>(byte ^ (1 << (random() % 8)));
      break;
    case Fault::kCut:
      pipe.cut = true;
      pipe.at_fault.clear();
      return true;
  }
  Pass(pipe, std::move(bytes));
  return true;
}

void BytePump::State::Pass(Pipe& pipe, std::string bytes) {
  pipe.in_flight += bytes.size();
  // Bytes do not overtake each other, also when the delay becomes smaller.
  absl::Time arrival = scheduler->Now() + pipe.delay;
  if (!pipe.flights.empty()) arrival = std::max(arrival, pipe.flights.back().arrival);
  pipe.flights.push_back({arrival, std::move(bytes)});
}

bool BytePump::State::Deliver(Side& from, Side& to, bool once) {
  bool moved = false;
  Pipe& pipe = from.pipe;
  while (!closed && !pipe.stalled && to.user != nullptr && !pipe.flights.empty() &&
         pipe.flights.front().arrival <= scheduler->Now()) {
    std::string& bytes = pipe.flights.front().bytes;
    const size_t size = std::min<size_t>(bytes.size(), 1 + random() % options.max_piece);
    const std::string piece = bytes.substr(0, size);
    bytes.erase(0, size);
    if (bytes.empty()) pipe.flights.pop_front();
    pipe.in_flight -= size;
    to.user->Receive(piece);
    moved = true;
    if (once) break;
  }
  return moved;
}

void BytePump::State::CloseBoth(const absl::Status& why) {
  if (std::exchange(closed, true)) return;
  for (Side& side : sides) {
    side.pipe.flights.clear();
    side.pipe.at_fault.clear();
    side.pipe.in_flight = 0;
    if (const auto user = std::exchange(side.user, nullptr)) user->Closed(why);
  }
}

}  // namespace podkit::conduit::testing
