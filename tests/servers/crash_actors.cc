#include "tests/servers/crash_actors.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "absl/time/clock.h"
#include "podkit/store/types.h"
#include "servers/common/admin_messages.h"

namespace podkit::testing::crash {
namespace {

using podctl::ApiReply;
using podctl::ApiRequest;
using podctl::PodClient;

const std::vector<std::string> kShare = {"homes", "anna", "collections", "plan", "shares", "emma"};
const std::vector<std::string> kInvitations = {"homes", "emma", "invitations"};

constexpr int kHotObjects = 4;
constexpr absl::Duration kPause = absl::Milliseconds(2);
constexpr std::string_view kSummary = "Text ";

std::string HotObject(size_t i) { return fmt::format("hot-{}.ics", i); }

std::string TextOfWrite(const std::string& object, int write) {
  return Event(object, fmt::format("{}{}", kSummary, write));
}

// -1 if it is no text that a writer puts.
int WriteOfText(const std::string& object, const std::string& text) {
  const size_t at = text.find(kSummary);
  int write = -1;
  if (at == std::string::npos) return -1;
  std::from_chars(text.data() + at + kSummary.size(), text.data() + text.size(), write);
  return text == TextOfWrite(object, write) ? write : -1;
}

std::vector<std::string> PathOf(const Place& place, const std::string& object) {
  return {"homes", place.user, "collections", place.collection, "objects", object};
}

}  // namespace

std::string_view NameOf(Operation operation) {
  static constexpr std::array<std::string_view, kOperations> kNames = {
      "invite",    "invite to read", "uninvite",   "accept",       "decline",
      "owner put", "owner remove",   "viewer put", "viewer remove"};
  return kNames.at(static_cast<size_t>(operation));
}

void Flag::Set() {
  MutexLock lock(&mutex_);
  set_ = true;
  changed_.SignalAll();
}

bool Flag::IsSet() const {
  MutexLock lock(&mutex_);
  return set_;
}

bool Flag::WaitFor(absl::Duration limit) {
  const absl::Time end = absl::Now() + limit;
  MutexLock lock(&mutex_);
  while (!set_ && absl::Now() < end) changed_.WaitFor(&mutex_, end - absl::Now());
  return set_;
}

Trap::Inside::Inside(Trap& trap, Operation operation)
    : trap_(trap), operation_(operation), number_(trap.Enter(operation)), began_(absl::Now()) {}
Trap::Inside::~Inside() { trap_.Leave(operation_, number_, absl::Now() - began_); }

void Trap::Set(Operation wanted) {
  MutexLock lock(&mutex_);
  wanted_ = wanted;
  prey_ = 0;
  seen_ = false;
  holds_ = false;
}

int64_t Trap::Enter(Operation operation) {
  MutexLock lock(&mutex_);
  const int64_t number = ++entered_;
  if (operation == wanted_ && prey_ == 0) {
    prey_ = number;
    holds_ = true;
    changed_.SignalAll();
    // A killer who is still to wake up on a busy machine would always come too late.
    const absl::Time end = absl::Now() + absl::Seconds(20);
    while (!seen_ && absl::Now() < end) changed_.WaitFor(&mutex_, end - absl::Now());
  }
  return number;
}

void Trap::Leave(Operation operation, int64_t number, absl::Duration took) {
  MutexLock lock(&mutex_);
  absl::Duration& typical = typical_[static_cast<size_t>(operation)];
  typical = (typical * 3 + took) / 4;
  if (number == prey_) holds_ = false;
}

bool Trap::WaitForPrey(absl::Duration limit) {
  const absl::Time end = absl::Now() + limit;
  MutexLock lock(&mutex_);
  while (prey_ == 0 && absl::Now() < end) changed_.WaitFor(&mutex_, end - absl::Now());
  seen_ = true;
  changed_.SignalAll();
  return prey_ != 0;
}

bool Trap::Holds() const {
  MutexLock lock(&mutex_);
  return holds_;
}

Trap::Trap() { typical_.fill(absl::Milliseconds(5)); }

absl::Duration Trap::Typical(Operation operation) const {
  MutexLock lock(&mutex_);
  return typical_[static_cast<size_t>(operation)];
}

Outcome OutcomeOf(const absl::StatusOr<ApiReply>& reply) {
  if (!reply.ok() || reply->status >= 500) return Outcome::kUnknown;
  return reply->status < 300 ? Outcome::kDone : Outcome::kRefused;
}

Sharer::Sharer(const TwoPods& pods, Trap& trap)
    : a_(pods.Api("A")), b_(pods.Api("B")), trap_(trap) {}

Outcome Sharer::Do(Operation operation) {
  switch (operation) {
    case Operation::kInvite:
    case Operation::kInviteToRead: {
      const Trap::Inside inside(trap_, operation);
      const bool reads = operation == Operation::kInviteToRead;
      return OutcomeOf(
          a_->Send({.method = "PUT",
                    .path = kShare,
                    .body = reads ? R"({"access": "read"})" : R"({"access": "read-write"})"}));
    }
    case Operation::kUninvite: {
      const Trap::Inside inside(trap_, operation);
      return OutcomeOf(a_->Send({.method = "DELETE", .path = kShare}));
    }
    case Operation::kAccept:
      return Answer("accept");
    case Operation::kDecline:
      return Answer("decline");
    default:
      return Outcome::kRefused;  // Writers do that.
  }
}

Outcome Sharer::Answer(std::string_view answer) {
  const auto body = b_->Call({.path = kInvitations});
  if (!body.ok()) return Outcome::kRefused;
  const auto all = servers::FromJsonMember<std::vector<store::ShareInfo>>("invitations", *body);
  if (!all.ok() || all->empty()) return Outcome::kRefused;
  auto path = kInvitations;
  path.insert(path.end(), {all->front().share_uid, std::string(answer)});
  const Trap::Inside inside(trap_, answer == "accept" ? Operation::kAccept : Operation::kDecline);
  return OutcomeOf(b_->Send({.method = "POST", .path = path, .body = R"({"name": "shared"})"}));
}

Writer::Writer(const TwoPods& pods, const Place& place, uint32_t seed, Trap& trap,
               WriteHistory& history)
    : client_(pods.Api(place.pod)),
      place_(place),
      owner_(place.pod == kOwnerPlace.pod),
      random_(seed),
      trap_(trap),
      history_(history) {}

void Writer::Run(Flag& stop) {
  for (; !stop.IsSet(); stop.WaitFor(kPause)) {
    const auto random = [&](size_t below) {
      return std::uniform_int_distribution<size_t>(0, below - 1)(random_);
    };
    const size_t what = random(10);
    // One in ten objects is written once and for all.
    const Outcome outcome = what == 0
                                ? Put(fmt::format("{}-{}-{}.ics", place_.user, random_(), ++kept_))
                            : what < 4 ? Remove(HotObject(random(kHotObjects)))
                                       : Put(HotObject(random(kHotObjects)));
    if (outcome == Outcome::kDone) ++acknowledged_;
    if (outcome != Outcome::kUnknown) ++answered_;
  }
}

Outcome Writer::Put(const std::string& object) {
  auto path = PathOf(place_, object);
  path.emplace_back("text");
  const Trap::Inside inside(trap_, owner_ ? Operation::kOwnerPut : Operation::kViewerPut);
  const int write = history_.BeginPut(object);
  const Outcome outcome = OutcomeOf(client_->Send({.method = "PUT",
                                                   .path = path,
                                                   .query = {{"actor", place_.user}},
                                                   .body = TextOfWrite(object, write)}));
  history_.End(write, outcome);
  return outcome;
}

Outcome Writer::Remove(const std::string& object) {
  const Trap::Inside inside(trap_, owner_ ? Operation::kOwnerRemove : Operation::kViewerRemove);
  const int write = history_.BeginRemove(object);
  const Outcome outcome = OutcomeOf(client_->Send(
      {.method = "DELETE", .path = PathOf(place_, object), .query = {{"actor", place_.user}}}));
  history_.End(write, outcome);
  return outcome;
}

Reader::Reader(const TwoPods& pods, const Place& place, WriteHistory& history)
    : client_(pods.Api(place.pod)), place_(place), history_(history) {}

bool Reader::Read(const std::string& object) {
  auto path = PathOf(place_, object);
  path.emplace_back("text");
  const int64_t began = history_.BeginRead();
  const auto reply = client_->Send({.path = path, .query = {{"actor", place_.user}}});
  if (!reply.ok()) return false;
  // The share itself may be gone, which says nothing of its objects.
  const bool absent = reply->status == 404 && reply->body.find("NoSuchObject") != std::string::npos;
  if (!absent && reply->status != 200) return false;
  history_.EndRead(object, began,
                   absent ? std::nullopt : std::optional<int>(WriteOfText(object, reply->body)));
  return true;
}

void Reader::Run(Flag& stop) {
  for (size_t i = 0; !stop.IsSet(); ++i) {
    if (!Read(HotObject(i % kHotObjects))) stop.WaitFor(kPause);
  }
}

}  // namespace podkit::testing::crash
