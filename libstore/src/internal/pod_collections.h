// Questions about many collections of one pod at once, in the name of one actor: what makes a
// question about a whole home cost one call to each pod and not one to each collection.
//
// Of two families, as homes are: one answers from the files of this pod, the other through the
// conduit. What is wrong with one collection does not spoil the answer for the others.
#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/store/free_busy.h"
#include "podkit/store/types.h"

namespace podkit::store {

struct Context;

struct CollectionRef {
  std::string owner_uid;
  std::string collection_id;
  std::string share_uid;  // By which the actor uses it; empty: not through a share.

  static constexpr auto Fields() {
    return std::make_tuple(Required("owner_uid", &CollectionRef::owner_uid),
                           Required("collection_id", &CollectionRef::collection_id),
                           Optional("share_uid", &CollectionRef::share_uid));
  }
};

// The busy time of several collections.
struct PodBusyTime {
  std::vector<BusyPeriod> periods;   // Merged.
  std::vector<std::string> unknown;  // Ids of collections whose time is not, or not wholly, known.

  static constexpr auto Fields() {
    return std::make_tuple(Required("periods", &PodBusyTime::periods),
                           Optional("unknown", &PodBusyTime::unknown));
  }
};

class PodCollections {
 public:
  virtual ~PodCollections() = default;

  // The collections of which the free-busy time of `home_uid`, who lives on this pod, is made, as
  // far as the actor may know: all that show in the home for whoever may use it; of the home's own
  // for others, under their ids as names. AccessDenied if there are none.
  virtual absl::StatusOr<std::vector<CollectionInfo>> FreeBusySources(
      const std::string& home_uid) = 0;

  // Unmerged with those of other pods. TooManyResults; InvalidRequest.
  virtual absl::StatusOr<PodBusyTime> BusyTime(const std::vector<CollectionRef>& collections,
                                               const FreeBusyQuery& query) = 0;

  // One for each of `collections`, in that order, without names.
  virtual absl::StatusOr<std::vector<CollectionToken>> SyncTokens(
      const std::vector<CollectionRef>& collections) = 0;
};

// What CollectionToken::error says of `status`: its class, and InternalError if it has none.
std::string ErrorName(const absl::Status& status);

// Answers for the homes of this pod. `context` must outlive it.
std::unique_ptr<PodCollections> MakeInternalPodCollections(const Context& context,
                                                           const std::string& actor_uid);

}  // namespace podkit::store
