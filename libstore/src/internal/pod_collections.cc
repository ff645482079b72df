#include "internal/pod_collections.h"

#include <fmt/format.h>

#include <utility>

#include "common/status_macros.h"
#include "context.h"
#include "internal/collection_access.h"
#include "internal/collection_sync.h"
#include "internal/collections.h"
#include "internal/free_busy.h"
#include "internal/internal_home.h"
#include "podkit/store/errors.h"
#include "sharing/binds.h"

namespace podkit::store {
namespace {

constexpr size_t kMostCollections = 10'000;

absl::Status CheckCount(const std::vector<CollectionRef>& collections) {
  if (collections.size() <= kMostCollections) return absl::OkStatus();
  return MakeError(TooManyResults{.limit = int64_t{kMostCollections}},
                   fmt::format("more than {} collections at once", kMostCollections));
}

// Own collections of which the actor may know when they take time, under their ids.
absl::StatusOr<std::vector<CollectionInfo>> SharedWith(Database& database, const Actor& actor) {
  std::vector<CollectionInfo> shared;
  PODKIT_ASSIGN_OR_RETURN(const auto binds, ShownBinds(database));
  for (const Bind& bind : binds) {
    if (!bind.own()) continue;
    const auto grant = GrantOf(database, bind.collection_id, actor);
    if (!grant.ok()) continue;
    shared.push_back({.id = bind.collection_id,
                      .owner_uid = bind.owner_uid,
                      .viewer_uid = actor.uid,
                      .name = bind.collection_id,
                      .access = grant->access,
                      .transparent = bind.transparent});
  }
  return shared;
}

class InternalPodCollections final : public PodCollections {
 public:
  InternalPodCollections(const Context& context, std::string actor_uid)
      : context_(context), actor_uid_(std::move(actor_uid)) {}

  absl::StatusOr<std::vector<CollectionInfo>> FreeBusySources(
      const std::string& home_uid) override {
    PODKIT_RETURN_IF_ERROR(CheckHomeIsHere(context_, home_uid));
    PODKIT_ASSIGN_OR_RETURN(const auto store, OpenHomeStore(context_, home_uid));
    std::vector<CollectionInfo> sources;
    PODKIT_RETURN_IF_ERROR(store->Read([&](Database& database) -> absl::Status {
      const absl::Status denied = CheckHome(database, home_uid, ActorOf(""), HomeUse::kRead);
      if (denied.ok()) {
        PODKIT_ASSIGN_OR_RETURN(sources, DescribeShown(database));
        return absl::OkStatus();
      }
      PODKIT_ASSIGN_OR_RETURN(sources, SharedWith(database, ActorOf("")));
      return sources.empty() ? denied : absl::OkStatus();
    }));
    return sources;
  }

  absl::StatusOr<PodBusyTime> BusyTime(const std::vector<CollectionRef>& collections,
                                       const FreeBusyQuery& query) override {
    PODKIT_RETURN_IF_ERROR(CheckCount(collections));
    PODKIT_ASSIGN_OR_RETURN(const FreeBusyPlan plan, PlanFreeBusy(query));
    PodBusyTime busy;
    for (const CollectionRef& ref : collections) {
      bool complete = true;
      const absl::Status status = AddBusyTime(ref, plan, &busy.periods, &complete);
      if (GetError<TooManyResults>(status)) return status;
      if (!status.ok() || !complete) busy.unknown.push_back(ref.collection_id);
    }
    busy.periods = MergePeriods(busy.periods);
    return busy;
  }

  absl::StatusOr<std::vector<CollectionToken>> SyncTokens(
      const std::vector<CollectionRef>& collections) override {
    PODKIT_RETURN_IF_ERROR(CheckCount(collections));
    std::vector<CollectionToken> tokens;
    for (const CollectionRef& ref : collections) {
      auto token = TokenOf(ref);
      CollectionToken& entry = tokens.emplace_back();
      if (token.ok()) {
        entry.sync_token = *std::move(token);
      } else {
        entry.error = ErrorName(token.status());
      }
    }
    return tokens;
  }

 private:
  Actor ActorOf(const std::string& share_uid) const {
    return {.uid = actor_uid_, .share_uid = share_uid, .directory = context_.directory.get()};
  }

  absl::StatusOr<CollectionAccess> Open(const CollectionRef& ref) const {
    PODKIT_ASSIGN_OR_RETURN(auto store, context_.stores->GetExisting(ref.owner_uid));
    CollectionInfo info = {.id = ref.collection_id,
                           .owner_uid = ref.owner_uid,
                           .viewer_uid = actor_uid_,
                           .name = ref.collection_id,
                           .share_uid = ref.share_uid};
    return CollectionAccess(std::move(store), std::move(info), ActorOf(ref.share_uid),
                            context_.options);
  }

  absl::Status AddBusyTime(const CollectionRef& ref, const FreeBusyPlan& plan,
                           std::vector<BusyPeriod>* periods, bool* complete) const {
    PODKIT_ASSIGN_OR_RETURN(const CollectionAccess collection, Open(ref));
    return collection
        .Read([&](ObjectView& view) -> absl::StatusOr<bool> {
          PODKIT_RETURN_IF_ERROR(AddBusyPeriods(view, plan, periods, complete));
          return true;
        })
        .status();
  }

  absl::StatusOr<std::string> TokenOf(const CollectionRef& ref) const {
    PODKIT_ASSIGN_OR_RETURN(const CollectionAccess collection, Open(ref));
    return collection.Read(CollectionSyncToken);
  }

  const Context& context_;
  const std::string actor_uid_;
};

}  // namespace

std::string ErrorName(const absl::Status& status) {
  const std::string name = conduit::ErrorClass(status);
  return name.empty() ? std::string(conduit::InternalError::kClass) : name;
}

std::unique_ptr<PodCollections> MakeInternalPodCollections(const Context& context,
                                                           const std::string& actor_uid) {
  return std::make_unique<InternalPodCollections>(context, actor_uid);
}

}  // namespace podkit::store
