#include "sharing/share_reconciler.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <set>
#include <utility>

#include "common/mutex.h"
#include "common/status_macros.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

constexpr size_t kMostProblems = 20;

using Sides = std::vector<ShareSide>;
using Healings = std::map<std::string, std::vector<Healing>>;  // By home.

void Count(Remedy remedy, HealedShares* healed) {
  static constexpr std::pair<Remedy, int64_t HealedShares::*> kCounters[] = {
      {Remedy::kInviteAgain, &HealedShares::invited_again},
      {Remedy::kAskAnew, &HealedShares::asked_anew},
      {Remedy::kWithdraw, &HealedShares::withdrawn},
      {Remedy::kReplyAgain, &HealedShares::replied_again},
      {Remedy::kRemove, &HealedShares::removed}};
  for (const auto& [counted, counter] : kCounters) {
    if (counted == remedy) ++(healed->*counter);
  }
}

}  // namespace

HealedShares& HealedShares::operator+=(const HealedShares& other) {
  invited_again += other.invited_again;
  asked_anew += other.asked_anew;
  replied_again += other.replied_again;
  removed += other.removed;
  withdrawn += other.withdrawn;
  return *this;
}

struct ShareReconciler::State {
  const Context& context;

  Mutex mutex;
  int64_t compared ABSL_GUARDED_BY(mutex) = 0;
  HealedShares healed ABSL_GUARDED_BY(mutex);

  explicit State(const Context& store_context) : context(store_context) {}

  absl::StatusOr<ReconciledShares> Sweep(const std::vector<std::string>& uids,
                                         const std::stop_token& stop);
  std::vector<ShareFacts> Answer(const Sides& sides);
  absl::Status AnswerFrom(const std::string& uid, const Sides& sides,
                          const std::vector<size_t>& which, std::vector<ShareFacts>* answers);
  absl::Status HealHome(const std::string& uid, const std::vector<Healing>& healings,
                        HealedShares* done);
  void AddCompared(int64_t count) {
    MutexLock lock(&mutex);
    compared += count;
  }
};

namespace {

// `problem` with the pod in front, unless it names it already, as what a call says does.
std::string OfPod(const std::string& pod, const std::string& problem) {
  const std::string name = fmt::format("pod '{}'", pod);
  return problem.find(name) == std::string::npos ? fmt::format("{}: {}", name, problem) : problem;
}

// One walk through some homes.
class ShareSweep {
 public:
  using Ask = std::function<absl::StatusOr<std::vector<ShareFacts>>(const std::string& pod,
                                                                    const Sides& sides)>;
  using HealHome = std::function<absl::Status(const std::string& uid, const std::vector<Healing>&,
                                              HealedShares* done)>;

  ShareSweep(const Context& context, Ask ask, HealHome heal)
      : context_(context), ask_(std::move(ask)), heal_(std::move(heal)) {}

  void AddHome(const std::string& uid) {
    ++result_.homes;
    std::string after;
    for (;;) {
      auto page = NextPage(uid, after);
      if (!page.ok())
        return AddProblem(fmt::format("home '{}': {}", uid, std::string(page.status().message())));
      for (ShareSide& side : *page) {
        after = side.share_uid;
        Add(std::move(side));
      }
      if (page->size() < kMostSidesInACall) return;
    }
  }

  ReconciledShares Finish() {
    for (auto& [pod, sides] : waiting_) Exchange(pod, &sides);
    return std::move(result_);
  }

 private:
  absl::StatusOr<Sides> NextPage(const std::string& uid, const std::string& after) const {
    PODKIT_ASSIGN_OR_RETURN(const auto store, context_.stores->GetExisting(uid));
    Sides page;
    PODKIT_RETURN_IF_ERROR(store->Read([&](Database& database) -> absl::Status {
      PODKIT_ASSIGN_OR_RETURN(page, LoadSides(database, uid, after, int64_t{kMostSidesInACall}));
      return absl::OkStatus();
    }));
    return page;
  }

  void Add(ShareSide side) {
    ++result_.shares;
    const auto pod = PodOf(context_, side.other_uid());
    // Of somebody whom the directory does not know (any more).
    if (!pod.ok()) return Compare({std::move(side)}, {ShareFacts()});
    Sides& sides = waiting_[*pod];
    sides.push_back(std::move(side));
    if (sides.size() >= kMostSidesInACall) Exchange(*pod, &sides);
  }

  void Exchange(const std::string& pod, Sides* waiting) {
    const Sides sides = std::exchange(*waiting, {});
    if (sides.empty()) return;
    if (silent_.contains(pod)) return Compare(sides, std::vector<ShareFacts>(sides.size()));
    if (pod != context_.pod_id) ++result_.calls;
    auto answer = ask_(pod, sides);
    if (answer.ok() && answer->size() != sides.size()) {
      answer = absl::InternalError("the answer is for another number of shares");
    }
    if (!answer.ok()) {
      silent_.insert(pod);
      AddProblem(OfPod(pod, std::string(answer.status().message())));
      answer = std::vector<ShareFacts>(sides.size());
    }
    Compare(sides, *answer);
  }

  void Compare(const Sides& sides, const std::vector<ShareFacts>& theirs) {
    Healings healings;
    for (size_t i = 0; i < sides.size(); ++i) {
      const ShareSide& mine = sides[i];
      if (mine.facts.in_flight || theirs[i].in_flight) {
        ++result_.in_flight;
        continue;
      }
      if (theirs[i].presence == Presence::kUnknown) ++result_.unknown;
      const Remedy remedy = RemedyFor(mine.party, mine.facts, theirs[i], true);
      if (remedy == Remedy::kNone) continue;
      healings[mine.uid()].push_back({.mine = mine, .theirs = theirs[i], .remedy = remedy});
    }
    for (const auto& [uid, of_home] : healings) {
      const absl::Status status = heal_(uid, of_home, &result_.healed);
      if (!status.ok())
        AddProblem(fmt::format("home '{}': {}", uid, std::string(status.message())));
    }
  }

  void AddProblem(std::string problem) {
    if (result_.problems.size() < kMostProblems) result_.problems.push_back(std::move(problem));
  }

  const Context& context_;
  const Ask ask_;
  const HealHome heal_;
  std::map<std::string, Sides> waiting_;  // By pod.
  std::set<std::string> silent_;          // Pods that did not answer.
  ReconciledShares result_;
};

}  // namespace

absl::StatusOr<ReconciledShares> ShareReconciler::State::Sweep(const std::vector<std::string>& uids,
                                                               const std::stop_token& stop) {
  ShareSweep sweep(
      context,
      [this, &stop](const std::string& pod,
                    const Sides& sides) -> absl::StatusOr<std::vector<ShareFacts>> {
        if (pod == context.pod_id) return Answer(sides);
        if (context.conduit == nullptr) {
          return absl::UnavailableError("this pod is not connected to others");
        }
        return context.conduit->Call<CompareShares>(
            pod, {.sides = sides}, {.timeout = context.options.call_timeout, .stop = stop});
      },
      [this](const std::string& uid, const std::vector<Healing>& healings, HealedShares* done) {
        return HealHome(uid, healings, done);
      });
  for (const std::string& uid : uids) {
    if (stop.stop_requested()) return absl::CancelledError("the store is being closed");
    sweep.AddHome(uid);
  }
  ReconciledShares result = sweep.Finish();
  AddCompared(result.shares);
  return result;
}

// What the homes of this pod say of the other sides of `sides`, after they have healed what they
// decide themselves: so that is on its way to whoever asks.
std::vector<ShareFacts> ShareReconciler::State::Answer(const Sides& sides) {
  std::vector<ShareFacts> answers(sides.size());
  std::map<std::string, std::vector<size_t>> by_home;
  for (size_t i = 0; i < sides.size(); ++i) by_home[sides[i].other_uid()].push_back(i);
  for (const auto& [uid, which] : by_home) {
    const absl::Status status = AnswerFrom(uid, sides, which, &answers);
    if (status.ok() || !context.options.log) continue;
    context.options.log(
        conduit::LogLevel::kWarning,
        fmt::format("the shares of '{}' are not compared: {}", uid, status.ToString()));
  }
  return answers;
}

// A home that is not here, is disabled or cannot be read says nothing: its file may be on its way
// back.
absl::Status ShareReconciler::State::AnswerFrom(const std::string& uid, const Sides& sides,
                                                const std::vector<size_t>& which,
                                                std::vector<ShareFacts>* answers) {
  const auto pod = PodOf(context, uid);
  if (!pod.ok() || *pod != context.pod_id) return absl::OkStatus();
  const auto store = context.stores->GetExisting(uid);
  if (GetError<NoSuchHome>(store.status()) || GetError<HomeDisabled>(store.status())) {
    return absl::OkStatus();
  }
  PODKIT_RETURN_IF_ERROR(store.status());
  std::vector<Healing> healings;
  PODKIT_RETURN_IF_ERROR((*store)->Read([&](Database& database) -> absl::Status {
    for (const size_t i : which) {
      ShareSide mine = Opposite(sides[i]);
      PODKIT_ASSIGN_OR_RETURN(mine.facts, LoadFacts(database, mine));
      const Remedy remedy = RemedyFor(mine.party, mine.facts, sides[i].facts, false);
      if (remedy == Remedy::kNone) continue;
      healings.push_back({.mine = std::move(mine), .theirs = sides[i].facts, .remedy = remedy});
    }
    return absl::OkStatus();
  }));
  HealedShares done;
  if (!healings.empty()) PODKIT_RETURN_IF_ERROR(HealHome(uid, healings, &done));
  return (*store)->Read([&](Database& database) -> absl::Status {
    for (const size_t i : which) {
      PODKIT_ASSIGN_OR_RETURN((*answers)[i], LoadFacts(database, Opposite(sides[i])));
    }
    return absl::OkStatus();
  });
}

absl::Status ShareReconciler::State::HealHome(const std::string& uid,
                                              const std::vector<Healing>& healings,
                                              HealedShares* done) {
  PODKIT_ASSIGN_OR_RETURN(const auto store, context.stores->GetExisting(uid));
  HealedShares counts;
  PODKIT_RETURN_IF_ERROR(context.postman->Post(uid, [&] {
    return store->Write([&](Database& database) -> absl::Status {
      counts = {};
      for (const Healing& healing : healings) {
        PODKIT_ASSIGN_OR_RETURN(const bool did, Heal(database, healing, context.Now()));
        if (did) Count(healing.remedy, &counts);
      }
      return absl::OkStatus();
    });
  }));
  *done += counts;
  MutexLock lock(&mutex);
  healed += counts;
  return absl::OkStatus();
}

ShareReconciler::ShareReconciler(const Context& context)
    : state_(std::make_unique<State>(context)) {}

ShareReconciler::~ShareReconciler() = default;

absl::StatusOr<ReconciledShares> ShareReconciler::Run(const std::string& after, int64_t homes) {
  if (homes <= 0) {
    return MakeError(InvalidRequest{}, fmt::format("compare at least one home, not {}", homes));
  }
  const auto uids = state_->context.stores->HomesAfter(after, static_cast<size_t>(homes));
  PODKIT_ASSIGN_OR_RETURN(auto result, state_->Sweep(uids, {}));
  if (static_cast<int64_t>(uids.size()) == homes) result.next = uids.back();
  return result;
}

void ShareReconciler::Visit(const std::vector<std::string>& uids, const std::stop_token& stop) {
  // Who could not be asked is asked again in the next round.
  const auto result = state_->Sweep(uids, stop);
  const auto& log = state_->context.options.log;
  if (!result.ok() || result->problems.empty() || !log) return;
  log(conduit::LogLevel::kWarning,
      fmt::format("shares of {} homes from '{}' on are compared in part: {}{}", uids.size(),
                  uids.front(), result->problems.front(),
                  result->problems.size() == 1
                      ? ""
                      : fmt::format("; and {} more problems", result->problems.size() - 1)));
}

absl::StatusOr<std::vector<ShareFacts>> ShareReconciler::Receive(
    const conduit::CallContext& call, const std::vector<ShareSide>& sides) {
  if (sides.size() > kMostSidesInACall) {
    return MakeError(TooManyResults{.limit = int64_t{kMostSidesInACall}},
                     fmt::format("more than {} shares at once", kMostSidesInACall));
  }
  // No pod speaks for the shares of users of another, trusted or not.
  for (const ShareSide& side : sides) {
    const auto pod = PodOf(state_->context, side.uid());
    if (pod.ok() && *pod == call.caller->id) continue;
    return MakeError(AccessDenied{.actor = side.uid()},
                     fmt::format("'{}' does not live on pod '{}'", side.uid(), call.caller->id));
  }
  return state_->Answer(sides);
}

int64_t ShareReconciler::compared() const {
  MutexLock lock(&state_->mutex);
  return state_->compared;
}

HealedShares ShareReconciler::healed() const {
  MutexLock lock(&state_->mutex);
  return state_->healed;
}

}  // namespace podkit::store
