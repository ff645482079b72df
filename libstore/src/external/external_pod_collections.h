// Questions about many collections of another pod.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "external/remote_caller.h"
#include "internal/pod_collections.h"

namespace podkit::store {

class ExternalPodCollections final : public PodCollections {
 public:
  // `resident` is somebody who lives on that pod.
  ExternalPodCollections(const Context& context, const std::string& resident,
                         const std::string& actor)
      : remote_(context, {.homeUID = resident}, {.uid = actor}) {}

  absl::StatusOr<std::vector<CollectionInfo>> FreeBusySources(
      const std::string& home_uid) override {
    return remote_.Send<&PodCollections::FreeBusySources>(home_uid);
  }
  absl::StatusOr<PodBusyTime> BusyTime(const std::vector<CollectionRef>& collections,
                                       const FreeBusyQuery& query) override {
    return remote_.Send<&PodCollections::BusyTime>(collections, query);
  }
  absl::StatusOr<std::vector<CollectionToken>> SyncTokens(
      const std::vector<CollectionRef>& collections) override {
    return remote_.Send<&PodCollections::SyncTokens>(collections);
  }

 private:
  const RemoteCaller remote_;
};

}  // namespace podkit::store
