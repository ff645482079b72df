// Pods that are killed at any moment of an invitation, its acceptance, a write or the end of a
// share. When both run again they agree on every share, no message waits, every acknowledged write
// is there and none was applied twice.
//
// The seed of the history is printed. PODKIT_TEST_SEED=n replays its choices (the moment of a kill
// is measured in time, so not to the instruction), PODKIT_CRASH_ROUNDS=n makes it longer.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "podkit/store/types.h"
#include "servers/common/admin_messages.h"
#include "tests/servers/two_pods.h"
#include "tests/support/catch.h"

namespace podkit::testing {
namespace {

using podctl::ApiReply;
using podctl::ApiRequest;
using podctl::PodClient;
using store::Access;
using store::ShareInfo;
using store::ShareStatus;

constexpr int kDefaultRounds = 20;
constexpr int kStepsPerRound = 12;
constexpr absl::Duration kLatestKill = absl::Milliseconds(120);

// The owner, on pod A, and her collection; the viewer is emma, on pod B.
const std::vector<std::string> kShares = {"homes", "anna", "collections", "plan", "shares"};
const std::vector<std::string> kShare = {"homes", "anna", "collections", "plan", "shares", "emma"};
const std::vector<std::string> kInvitations = {"homes", "emma", "invitations"};

uint32_t NumberFromEnvironment(const char* name, uint32_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
}

enum class Step { kInvite, kInviteToRead, kAccept, kDecline, kUninvite, kViewerPut, kOwnerPut };
constexpr Step kSteps[] = {Step::kInvite,    Step::kInvite,    Step::kInviteToRead,
                           Step::kAccept,    Step::kAccept,    Step::kAccept,
                           Step::kDecline,   Step::kUninvite,  Step::kViewerPut,
                           Step::kViewerPut, Step::kViewerPut, Step::kOwnerPut};

// A flag that another thread waits for.
class Finished {
 public:
  void Set() {
    MutexLock lock(&mutex_);
    set_ = true;
    changed_.SignalAll();
  }
  // Returns when it is set, at the latest after `limit`.
  void WaitFor(absl::Duration limit) {
    const absl::Time end = absl::Now() + limit;
    MutexLock lock(&mutex_);
    while (!set_ && absl::Now() < end) changed_.WaitFor(&mutex_, end - absl::Now());
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ ABSL_GUARDED_BY(mutex_) = false;
};

// What happens in one round, one step after the other, whatever becomes of the pods meanwhile.
class Actor {
 public:
  explicit Actor(const TwoPods& pods) : a_(pods.Api("A")), b_(pods.Api("B")) {}

  void Do(Step step) {
    switch (step) {
      case Step::kInvite:
        return Tell(*a_, {.method = "PUT", .path = kShare, .body = R"({"access": "read-write"})"});
      case Step::kInviteToRead:
        return Tell(*a_, {.method = "PUT", .path = kShare, .body = R"({"access": "read"})"});
      case Step::kUninvite:
        return Tell(*a_, {.method = "DELETE", .path = kShare});
      case Step::kAccept:
        return Answer("accept");
      case Step::kDecline:
        return Answer("decline");
      case Step::kViewerPut:
        return Put(*b_, "emma", "shared");
      case Step::kOwnerPut:
        return Put(*a_, "anna", "plan");
    }
  }

  std::set<std::string> acknowledged;
  std::set<std::string> uncertain;  // May have been written, for all the writer knows.

 private:
  static void Tell(PodClient& client, const ApiRequest& request) {
    static_cast<void>(client.Send(request));
  }

  void Answer(const std::string& answer) {
    const auto body = b_->Call({.path = kInvitations});
    if (!body.ok()) return;
    const auto all = servers::FromJsonMember<std::vector<ShareInfo>>("invitations", *body);
    if (!all.ok() || all->empty()) return;
    auto path = kInvitations;
    path.insert(path.end(), {all->front().share_uid, answer});
    Tell(*b_, {.method = "POST", .path = path, .body = R"({"name": "shared"})"});
  }

  void Put(PodClient& client, const std::string& user, const std::string& collection) {
    static int written = 0;
    const std::string name = fmt::format("event-{}.ics", ++written);
    const auto reply =
        client.Send({.method = "PUT",
                     .path = {"homes", user, "collections", collection, "objects", name, "text"},
                     .query = {{"actor", user}},
                     .body = Event(name)});
    if (reply.ok() && reply->status == 201) {
      acknowledged.insert(name);
    } else if (!reply.ok() || reply->status >= 500) {
      uncertain.insert(name);
    }
  }

  const std::unique_ptr<PodClient> a_;
  const std::unique_ptr<PodClient> b_;
};

class CrashHistory {
 public:
  explicit CrashHistory(uint32_t seed) : random_(seed) {
    ValueOf(pods_.Api("A")->Call({.method = "POST",
                                  .path = {"homes", "anna", "collections"},
                                  .body = R"({"name": "plan"})"}));
    token_ = Changes("A", "anna", "plan").sync_token;
  }

  void Round() {
    std::vector<Step> steps(kStepsPerRound);
    for (Step& step : steps) step = kSteps[Random(std::size(kSteps))];
    const std::string victim = Random(2) == 0 ? "A" : "B";
    const absl::Duration moment = kLatestKill * Random(1000) / 1000;

    Actor actor(pods_);
    Finished finished;
    std::thread worker([&] {
      for (const Step step : steps) actor.Do(step);
      finished.Set();
    });
    finished.WaitFor(moment);
    pods_.Kill(victim);
    worker.join();
    pods_.Start(victim);
    acknowledged_.merge(actor.acknowledged);
    uncertain_.merge(actor.uncertain);

    Eventually("both pods agree and no message waits",
               [&] { return Pending("A") + Pending("B") == 0 && OwnerSide() == ViewerSide(); });
    CheckWrites();
    CheckViewerSeesTheSame();
  }

  size_t writes() const { return seen_.size(); }
  int shared_rounds() const { return shared_rounds_; }

 private:
  using Side = std::vector<std::tuple<std::string, Access, ShareStatus>>;

  size_t Random(size_t below) {
    return std::uniform_int_distribution<size_t>(0, below - 1)(random_);
  }

  template <typename T>
  std::vector<T> List(const std::string& pod, std::string_view name,
                      std::vector<std::string> path) {
    const std::string body = ValueOf(pods_.Api(pod)->Call({.path = std::move(path)}));
    return ValueOf(servers::FromJsonMember<std::vector<T>>(name, body));
  }

  size_t Pending(const std::string& pod) {
    return List<servers::MessageEntry>(pod, "messages", {"messages"}).size();
  }

  Side SideOf(const std::vector<ShareInfo>& shares) {
    Side side;
    for (const ShareInfo& share : shares) {
      side.emplace_back(share.share_uid, share.access, share.status);
    }
    return side;
  }
  Side OwnerSide() { return SideOf(List<ShareInfo>("A", "shares", kShares)); }
  Side ViewerSide() { return SideOf(List<ShareInfo>("B", "invitations", kInvitations)); }

  store::Changes Changes(const std::string& pod, const std::string& user,
                         const std::string& collection) {
    return ValueOf(conduit::FromJson<store::Changes>(
        ValueOf(pods_.Api(pod)->Call({.path = {"homes", user, "collections", collection, "changes"},
                                      .query = {{"since", token_}}}))));
  }

  // Each write makes exactly one change, in one round.
  void CheckWrites() {
    const store::Changes changes = Changes("A", "anna", "plan");
    CHECK(changes.deleted.empty());
    for (const store::ObjectInfo& object : changes.changed) {
      INFO(object.name);
      CHECK(seen_.insert(object.name).second);
      CHECK(acknowledged_.count(object.name) + uncertain_.count(object.name) == 1);
      CHECK(ValueOf(pods_.Api("A")->Call({.path = {"homes", "anna", "collections", "plan",
                                                   "objects", object.name, "text"}})) ==
            Event(object.name));
    }
    CHECK(std::ranges::includes(seen_, acknowledged_));
    const auto objects = List<store::ObjectInfo>(
        "A", "objects", {"homes", "anna", "collections", "plan", "objects"});
    CHECK(objects.size() == seen_.size());
    changes_ = changes;
  }

  void CheckViewerSeesTheSame() {
    const Side side = ViewerSide();
    if (!side.empty() && std::get<ShareStatus>(side.front()) == ShareStatus::kAccepted) {
      ++shared_rounds_;
      const store::Changes there = Changes("B", "emma", "shared");
      CHECK(conduit::ToJson(there) == conduit::ToJson(changes_));
    }
    token_ = changes_.sync_token;
  }

  TwoPods pods_;
  std::mt19937 random_;
  std::set<std::string> acknowledged_;
  std::set<std::string> uncertain_;
  std::set<std::string> seen_;  // In the owner's changes, ever.
  std::string token_;
  store::Changes changes_;
  int shared_rounds_ = 0;
};

TEST_CASE("Pods that are killed at any moment agree again, and lose and repeat no write",
          "[e2e][crash]") {
  const uint32_t seed = NumberFromEnvironment("PODKIT_TEST_SEED", std::random_device()());
  const uint32_t rounds = NumberFromEnvironment("PODKIT_CRASH_ROUNDS", kDefaultRounds);
  fmt::print("PODKIT_TEST_SEED={} PODKIT_CRASH_ROUNDS={}\n", seed, rounds);
  INFO("PODKIT_TEST_SEED=" << seed);
  CrashHistory history(seed);
  for (uint32_t round = 1; round <= rounds; ++round) {
    INFO("round " << round);
    history.Round();
  }
  fmt::print("{} writes, shared after {} of {} rounds\n", history.writes(), history.shared_rounds(),
             rounds);
}

}  // namespace
}  // namespace podkit::testing
