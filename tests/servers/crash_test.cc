// Pods that are killed at any moment of an invitation, its answer, a write or the end of a share,
// and while they recover. When both run again they agree on every share, no message waits, what was
// acknowledged is true on both sides, no acknowledged write is lost and none is done twice.
//
// The seed of the history is printed. PODKIT_TEST_SEED=n replays its choices (the moment of a kill
// is measured in time, so not to the instruction), PODKIT_CRASH_ROUNDS=n makes it longer.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "podkit/store/types.h"
#include "servers/common/admin_messages.h"
#include "tests/servers/crash_actors.h"
#include "tests/servers/two_pods.h"
#include "tests/servers/write_history.h"
#include "tests/support/catch.h"

namespace podkit::testing::crash {
namespace {

using store::Access;
using store::Notification;
using store::NotificationKind;
using store::ShareInfo;
using store::ShareStatus;

constexpr uint32_t kDefaultRounds = 12;
constexpr uint32_t kDefaultRoundsOverLinks = 9;

uint32_t NumberFromEnvironment(const char* name, uint32_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
}

// How the one share between the two stands, on one side; nothing if there is none.
struct Terms {
  std::string share_uid;
  Access access = Access::kRead;
  ShareStatus status = ShareStatus::kInvited;
  friend bool operator==(const Terms&, const Terms&) = default;
};
using Standing = std::optional<Terms>;

bool ByOwner(Operation operation) {
  return operation == Operation::kInvite || operation == Operation::kInviteToRead ||
         operation == Operation::kUninvite;
}
bool IsShareOperation(Operation operation) {
  return ByOwner(operation) || operation == Operation::kAccept || operation == Operation::kDecline;
}

// What the two may stand like after these operations, in this order, each of which was done,
// refused, or perhaps done.
class Expectation {
 public:
  explicit Expectation(const Standing& before) : before_(before), exists_({before.has_value()}) {
    if (before) access_.insert(before->access);
  }

  void Add(Operation operation, Outcome outcome) {
    if (outcome == Outcome::kRefused) return;
    const bool certain = outcome == Outcome::kDone;
    last_ = {operation, certain};
    ++operations_;
    if (!ByOwner(operation)) return;
    if (certain) {
      exists_.clear();
      access_.clear();
    }
    exists_.insert(operation != Operation::kUninvite);
    if (operation == Operation::kInvite) access_.insert(Access::kReadWrite);
    if (operation == Operation::kInviteToRead) access_.insert(Access::kRead);
  }

  void Check(const Standing& after) const {
    CHECK(exists_.contains(after.has_value()));
    if (after) CHECK(access_.contains(after->access));
    if (operations_ == 0) CHECK(after == before_);
    // Several may cross on the way; a single one has met nothing.
    if (operations_ == 1 && last_.certain && after) CHECK(after->status == StatusAfter());
  }

 private:
  struct Last {
    Operation operation = Operation::kInvite;
    bool certain = false;
  };

  ShareStatus StatusAfter() const {
    if (last_.operation == Operation::kAccept) return ShareStatus::kAccepted;
    if (last_.operation == Operation::kDecline) return ShareStatus::kDeclined;
    const bool stays = before_ && before_->status == ShareStatus::kAccepted;
    return stays ? ShareStatus::kAccepted : ShareStatus::kInvited;
  }

  const Standing before_;
  std::set<bool> exists_;
  std::set<Access> access_;
  Last last_;
  int operations_ = 0;
};

// What is done to the pods in one round.
struct Attack {
  Operation operation = Operation::kInvite;  // Under way when they are killed.
  std::vector<std::string> victims;
  bool again = false;         // The first victim once more, while it starts.
  bool with_backlog = false;  // The other one later, while messages wait in it.
};

struct Score {
  int attempts = 0;
  std::map<std::string, int> hits;  // By victim: killed while the operation was under way.
};

class CrashHistory {
 public:
  CrashHistory(uint32_t seed, std::vector<std::string> flags)
      : pods_(std::move(flags)), random_(seed), sharer_(pods_, trap_) {
    ValueOf(pods_.Api("A")->Call({.method = "POST",
                                  .path = {"homes", "anna", "collections"},
                                  .body = R"({"name": "plan"})"}));
    token_ = Changes(kOwnerPlace).sync_token;
  }

  void Run(uint32_t rounds) {
    // A few more if an operation was always over when the kill came.
    for (uint32_t round = 0; round < rounds || (!AllHit() && round < rounds + kOperations);
         ++round) {
      const Attack attack = Choose(round);
      INFO("round " << round << ": " << NameOf(attack.operation) << ", kill of "
                    << attack.victims.front() << (attack.victims.size() > 1 ? " and B" : "")
                    << (attack.again ? ", again" : "")
                    << (attack.with_backlog ? ", with a backlog" : ""));
      Round(attack);
    }
    Print(rounds);
    CHECK(AllHit());
    CHECK(shared_rounds_ > 0);
    CHECK(acknowledged_.at("A") > 0);
    CHECK(acknowledged_.at("B") > 0);
    CHECK(kills_while_starting_ > 0);
    CHECK(kills_with_backlog_ > 0);
  }

 private:
  size_t Random(size_t below) {
    return std::uniform_int_distribution<size_t>(0, below - 1)(random_);
  }
  bool Chance(size_t one_in) { return Random(one_in) == 0; }

  bool AllHit() const {
    return std::ranges::none_of(scores_, [](const Score& score) { return score.hits.empty(); });
  }

  Attack Choose(uint32_t round) {
    // One of those that were hit least.
    std::vector<size_t> candidates;
    const auto tries = [&](size_t i) { return scores_[i].hits.size() * 100 + scores_[i].attempts; };
    for (size_t i = 0; i < kOperations; ++i) {
      if (!candidates.empty() && tries(i) > tries(candidates.front())) continue;
      if (!candidates.empty() && tries(i) < tries(candidates.front())) candidates.clear();
      candidates.push_back(i);
    }
    Attack attack = {.operation = static_cast<Operation>(candidates[Random(candidates.size())]),
                     .victims = {}};
    attack.victims = Chance(4)   ? std::vector<std::string>{"A", "B"}
                     : Chance(2) ? std::vector<std::string>{"A"}
                                 : std::vector<std::string>{"B"};
    attack.with_backlog = round % 3 == 1;
    attack.again = round % 3 == 2 || Chance(4);
    if (attack.with_backlog) attack.victims.resize(1);
    return attack;
  }

  // The rest is below.
  void Round(const Attack& attack);
  void Prepare(Operation operation);
  void Bring(std::optional<ShareStatus> status);
  void Kill(const Attack& attack);
  void Restart(const Attack& attack, Flag& shared);
  void Settle();
  void CheckTexts();
  void CheckViewersHome(const Standing& standing);
  void CheckNotifications(const Standing& standing);
  void CheckChanges(const Standing& standing);
  void Print(uint32_t rounds) const;

  template <typename T>
  std::vector<T> List(const std::string& pod, std::string_view name,
                      std::vector<std::string> path) {
    const std::string body = ValueOf(pods_.Api(pod)->Call({.path = std::move(path)}));
    return ValueOf(servers::FromJsonMember<std::vector<T>>(name, body));
  }
  std::vector<Notification> Notifications(const Place& place) {
    return List<Notification>(place.pod, "notifications", {"homes", place.user, "notifications"});
  }
  size_t Pending(const std::string& pod) {
    return List<servers::MessageEntry>(pod, "messages", {"messages"}).size();
  }
  static Standing StandingOf(const std::vector<ShareInfo>& shares) {
    REQUIRE(shares.size() <= 1);
    if (shares.empty()) return std::nullopt;
    return Terms{shares[0].share_uid, shares[0].access, shares[0].status};
  }
  Standing OwnerSide() {
    return StandingOf(
        List<ShareInfo>("A", "shares", {"homes", "anna", "collections", "plan", "shares"}));
  }
  Standing ViewerSide() {
    return StandingOf(List<ShareInfo>("B", "invitations", {"homes", "emma", "invitations"}));
  }
  store::Changes Changes(const Place& place) {
    return ValueOf(conduit::FromJson<store::Changes>(ValueOf(pods_.Api(place.pod)->Call(
        {.path = {"homes", place.user, "collections", place.collection, "changes"},
         .query = {{"since", token_}}}))));
  }

  TwoPods pods_;
  std::mt19937 random_;
  Trap trap_;
  Sharer sharer_;
  WriteHistory history_;
  std::array<Score, kOperations> scores_;
  std::map<std::string, size_t> acknowledged_;  // Writes, by the pod of the writer.
  std::string token_;                           // Of the changes that were looked at.
  int shared_rounds_ = 0;
  int kills_while_starting_ = 0;
  int kills_with_backlog_ = 0;
};

void CrashHistory::Settle() {
  Eventually("both pods agree and no message waits",
             [&] { return Pending("A") + Pending("B") == 0 && OwnerSide() == ViewerSide(); });
}

// Until the share stands like this on both sides.
void CrashHistory::Bring(std::optional<ShareStatus> status) {
  const auto sure = [&](Operation operation) {
    REQUIRE(sharer_.Do(operation) == Outcome::kDone);
    Settle();
  };
  const auto present = [&] {
    const Standing standing = OwnerSide();
    return standing ? std::optional<ShareStatus>(standing->status) : std::nullopt;
  };
  if (present() == status) return;
  if (present() && (!status || *status == ShareStatus::kInvited)) sure(Operation::kUninvite);
  if (!status) return;
  if (!present()) sure(Operation::kInvite);
  if (*status == ShareStatus::kAccepted) sure(Operation::kAccept);
  if (*status == ShareStatus::kDeclined) sure(Operation::kDecline);
  REQUIRE(present() == status);
}

// So that the operation has something to do.
void CrashHistory::Prepare(Operation operation) {
  switch (operation) {
    case Operation::kInvite:
    case Operation::kInviteToRead:
      if (Chance(2)) Bring(std::nullopt);
      return;
    case Operation::kUninvite:
      if (!OwnerSide()) Bring(Chance(2) ? ShareStatus::kInvited : ShareStatus::kAccepted);
      return;
    case Operation::kAccept:
      return Bring(Chance(2) ? ShareStatus::kInvited : ShareStatus::kDeclined);
    case Operation::kDecline:
      return Bring(Chance(2) ? ShareStatus::kInvited : ShareStatus::kAccepted);
    case Operation::kOwnerPut:
    case Operation::kOwnerRemove:
      return Bring(ShareStatus::kAccepted);
    case Operation::kViewerPut:
    case Operation::kViewerRemove:
      REQUIRE(sharer_.Do(Operation::kInvite) == Outcome::kDone);
      Settle();
      return Bring(ShareStatus::kAccepted);
  }
}

void CrashHistory::Kill(const Attack& attack) {
  REQUIRE(trap_.WaitForPrey(absl::Seconds(20)));
  // Somewhere within the time that it takes.
  Flag().WaitFor(trap_.Typical(attack.operation) * Random(1000) / 1000);
  Score& score = scores_[static_cast<size_t>(attack.operation)];
  ++score.attempts;
  for (const std::string& victim : attack.victims) {
    const bool hit = trap_.Holds();
    pods_.Kill(victim);
    if (hit) ++score.hits[victim];
  }
}

void CrashHistory::Restart(const Attack& attack, Flag& shared) {
  if (attack.with_backlog) {
    const std::string survivor = attack.victims.front() == "A" ? "B" : "A";
    shared.WaitFor(absl::Seconds(20));
    if (Pending(survivor) > 0) ++kills_with_backlog_;
    pods_.Kill(survivor);
    pods_.Launch(survivor);
  }
  for (const std::string& victim : attack.victims) pods_.Launch(victim);
  if (attack.again) {
    Flag().WaitFor(absl::Milliseconds(Random(150)));
    pods_.Kill(attack.victims.front());
    ++kills_while_starting_;
    pods_.Launch(attack.victims.front());
  }
  for (const char* pod : {"A", "B"}) pods_.AwaitStart(pod);
}

void CrashHistory::Round(const Attack& attack) {
  Prepare(attack.operation);
  const Standing before = OwnerSide();
  Expectation expectation(before);
  std::vector<Operation> plan;
  if (IsShareOperation(attack.operation)) plan.push_back(attack.operation);
  // Afterwards whatever comes, and something to wait in the one that still runs.
  if (attack.with_backlog) {
    const bool owner_dies = attack.victims.front() == "A";
    plan.push_back(owner_dies ? Operation::kDecline : Operation::kUninvite);
    plan.push_back(owner_dies ? Operation::kAccept : Operation::kInvite);
  } else if (Chance(3)) {
    for (size_t more = Random(3); more > 0; --more) {
      plan.push_back(static_cast<Operation>(Random(5)));
    }
  }
  trap_.Set(attack.operation);
  Flag stop;
  Flag shared;
  Writer owner(pods_, kOwnerPlace, random_(), trap_, history_);
  Writer viewer(pods_, kViewerPlace, random_(), trap_, history_);
  Reader owner_reads(pods_, kOwnerPlace, history_);
  Reader viewer_reads(pods_, kViewerPlace, history_);
  std::vector<std::thread> threads;
  threads.emplace_back([&] { owner.Run(stop); });
  threads.emplace_back([&] { viewer.Run(stop); });
  threads.emplace_back([&] { owner_reads.Run(stop); });
  threads.emplace_back([&] { viewer_reads.Run(stop); });
  threads.emplace_back([&] {
    for (const Operation operation : plan) expectation.Add(operation, sharer_.Do(operation));
    shared.Set();
  });
  Kill(attack);
  Restart(attack, shared);
  // What comes late now would undo newer writes.
  const auto writes_more = [&](const Writer& writer) {
    constexpr int kMore = 6;
    return [&writer, until = writer.answered() + kMore] { return writer.answered() >= until; };
  };
  Eventually("the owner's writes are answered again", writes_more(owner));
  Eventually("the viewer's writes are answered again", writes_more(viewer));
  stop.Set();
  for (std::thread& thread : threads) thread.join();
  acknowledged_["A"] += owner.acknowledged();
  acknowledged_["B"] += viewer.acknowledged();

  Settle();
  const Standing after = OwnerSide();
  expectation.Check(after);
  CheckTexts();
  CheckViewersHome(after);
  CheckNotifications(after);
  CheckChanges(after);
}

// Of all rounds, as both sides see them.
void CrashHistory::CheckTexts() {
  history_.Close();
  Reader owner(pods_, kOwnerPlace, history_);
  Reader viewer(pods_, kViewerPlace, history_);
  const Standing standing = ViewerSide();
  const bool shows = standing && standing->status == ShareStatus::kAccepted;
  if (shows) ++shared_rounds_;
  for (const std::string& object : history_.Objects()) {
    CHECK(owner.Read(object));
    if (shows) CHECK(viewer.Read(object));
  }
  CHECK(history_.Contradictions() == std::vector<std::string>());
}

void CrashHistory::CheckViewersHome(const Standing& standing) {
  std::vector<std::string> shown;
  for (const auto& info :
       List<store::CollectionInfo>("B", "collections", {"homes", "emma", "collections"})) {
    if (!info.share_uid.empty()) shown.push_back(info.share_uid);
  }
  const bool shows = standing && standing->status == ShareStatus::kAccepted;
  CHECK(shown == (shows ? std::vector{standing->share_uid} : std::vector<std::string>()));
}

// A message that came twice would tell its receiver twice.
void CrashHistory::CheckNotifications(const Standing& standing) {
  for (const Place& place : {kOwnerPlace, kViewerPlace}) {
    std::map<std::pair<std::string, NotificationKind>, int> told;
    for (const Notification& one : Notifications(place)) {
      CHECK(++told[{one.share_uid, one.kind}] == 1);
      const bool present = standing && one.share_uid == standing->share_uid;
      if (one.kind == NotificationKind::kInvite) CHECK(present);
      if (one.kind == NotificationKind::kRemoved) CHECK_FALSE(present);
      if (one.kind == NotificationKind::kReply && present &&
          standing->status != ShareStatus::kInvited) {
        CHECK(one.status == standing->status);
      }
    }
    if (!standing) continue;
    const bool owner = place.user == kOwnerPlace.user;
    const auto kind = owner ? NotificationKind::kReply : NotificationKind::kInvite;
    const bool invited = standing->status == ShareStatus::kInvited;
    if (owner != invited) CHECK(told[{standing->share_uid, kind}] == 1);
    if (!owner && standing->status == ShareStatus::kDeclined) {
      CHECK(told[{standing->share_uid, kind}] == 0);
    }
  }
}

void CrashHistory::CheckChanges(const Standing& standing) {
  const store::Changes changes = Changes(kOwnerPlace);
  const std::set<std::string> written = history_.Objects();
  for (const store::ObjectInfo& object : changes.changed) CHECK(written.contains(object.name));
  for (const std::string& name : changes.deleted) CHECK(written.contains(name));
  if (standing && standing->status == ShareStatus::kAccepted) {
    CHECK(conduit::ToJson(Changes(kViewerPlace)) == conduit::ToJson(changes));
  }
  token_ = changes.sync_token;
}

void CrashHistory::Print(uint32_t rounds) const {
  for (size_t i = 0; i < kOperations; ++i) {
    const Score& score = scores_[i];
    const auto hits = [&](const char* pod) {
      return score.hits.contains(pod) ? score.hits.at(pod) : 0;
    };
    fmt::print("{:>14}: {} kills, in the midst of it A {} and B {} times\n",
               NameOf(static_cast<Operation>(i)), score.attempts, hits("A"), hits("B"));
  }
  fmt::print(
      "acknowledged {} writes of the owner and {} of the viewer; {} reads; shared after {} of "
      "{} rounds; {} kills while starting, {} with messages waiting\n",
      acknowledged_.at("A"), acknowledged_.at("B"), history_.reads(), shared_rounds_, rounds,
      kills_while_starting_, kills_with_backlog_);
}

void RunHistory(std::vector<std::string> flags, uint32_t default_rounds) {
  const uint32_t seed = NumberFromEnvironment("PODKIT_TEST_SEED", std::random_device()());
  const uint32_t rounds = NumberFromEnvironment("PODKIT_CRASH_ROUNDS", default_rounds);
  fmt::print("PODKIT_TEST_SEED={} PODKIT_CRASH_ROUNDS={}\n", seed, rounds);
  INFO("PODKIT_TEST_SEED=" << seed);
  CrashHistory(seed, std::move(flags)).Run(rounds);
}

TEST_CASE("Pods that are killed at any moment agree again, and lose and repeat no write",
          "[e2e][crash]") {
  RunHistory({}, kDefaultRounds);
}

TEST_CASE("Pods that call over links and are killed agree again, and lose and repeat no write",
          "[e2e][crash]") {
  RunHistory({"--transport", "links"}, kDefaultRoundsOverLinks);
}

}  // namespace
}  // namespace podkit::testing::crash
