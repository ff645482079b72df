#include "operations/counted.h"

#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "operations/counting_caller.h"
#include "operations/home_child_through.h"
#include "operations/home_through.h"
#include "operations/object_resource_through.h"
#include "operations/pod_collections_through.h"

namespace podkit::store {
namespace {

class CountedHome final : public HomeThrough<CountingCaller<Home>> {
 public:
  explicit CountedHome(CountingCaller<Home> caller) : HomeThrough(std::move(caller)) {}

  const std::string& uid() const override { return caller().object().uid(); }
  absl::StatusOr<std::unique_ptr<HomeChild>> ChildWith(const CollectionKey& key) override {
    return caller().counters().Run<ActionOf<&Home::FindChild>>(
        [&] { return caller().object().ChildWith(key); });
  }
  // These are no operations but made of some, which are counted where they are done.
  absl::StatusOr<std::vector<CollectionToken>> SyncTokens() override {
    return caller().object().SyncTokens();
  }
  absl::StatusOr<FreeBusy> FindFreeBusy(const FreeBusyQuery& query) override {
    return caller().object().FindFreeBusy(query);
  }
};

class CountedObjectResource final : public ObjectResourceThrough<CountingCaller<ObjectResource>> {
 public:
  explicit CountedObjectResource(CountingCaller<ObjectResource> caller)
      : ObjectResourceThrough(std::move(caller)) {}

  const ObjectInfo& info() const override { return caller().object().info(); }
};

class CountedHomeChild final : public HomeChildThrough<CountingCaller<HomeChild>> {
 public:
  explicit CountedHomeChild(CountingCaller<HomeChild> caller)
      : HomeChildThrough(std::move(caller)) {}

  const CollectionInfo& info() const override { return caller().object().info(); }
  absl::StatusOr<std::unique_ptr<ObjectResource>> ObjectWith(const ObjectKey& key) override {
    OperationCounters& counters = caller().counters();
    PODKIT_ASSIGN_OR_RETURN(auto object, counters.Run<ActionOf<&HomeChild::FindObject>>(
                                             [&] { return caller().object().ObjectWith(key); }));
    return std::make_unique<CountedObjectResource>(
        CountingCaller<ObjectResource>(counters, std::move(object)));
  }
};

class CountedPodCollections final : public PodCollectionsThrough<CountingCaller<PodCollections>> {
 public:
  explicit CountedPodCollections(CountingCaller<PodCollections> caller)
      : PodCollectionsThrough(std::move(caller)) {}
};

}  // namespace

std::unique_ptr<Home> Counted(OperationCounters& counters, std::unique_ptr<Home> home) {
  return std::make_unique<CountedHome>(CountingCaller<Home>(counters, std::move(home)));
}

std::unique_ptr<HomeChild> Counted(OperationCounters& counters, std::unique_ptr<HomeChild> child) {
  return std::make_unique<CountedHomeChild>(CountingCaller<HomeChild>(counters, std::move(child)));
}

std::unique_ptr<PodCollections> Counted(OperationCounters& counters,
                                        std::unique_ptr<PodCollections> collections) {
  return std::make_unique<CountedPodCollections>(
      CountingCaller<PodCollections>(counters, std::move(collections)));
}

}  // namespace podkit::store
