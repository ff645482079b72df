// Questions about many collections, each a call through `Caller`: see home_through.h.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "internal/pod_collections.h"

namespace podkit::store {

template <typename Caller>
class PodCollectionsThrough : public PodCollections {
 public:
  absl::StatusOr<std::vector<CollectionInfo>> FreeBusySources(
      const std::string& home_uid) override {
    return caller_.template Call<&PodCollections::FreeBusySources>(home_uid);
  }
  absl::StatusOr<PodBusyTime> BusyTime(const std::vector<CollectionRef>& collections,
                                       const FreeBusyQuery& query) override {
    return caller_.template Call<&PodCollections::BusyTime>(collections, query);
  }
  absl::StatusOr<std::vector<CollectionToken>> SyncTokens(
      const std::vector<CollectionRef>& collections) override {
    return caller_.template Call<&PodCollections::SyncTokens>(collections);
  }

 protected:
  explicit PodCollectionsThrough(Caller caller) : caller_(std::move(caller)) {}

 private:
  const Caller caller_;
};

}  // namespace podkit::store
