// Questions about many collections of another pod.
#pragma once

#include <string>

#include "external/remote_caller.h"
#include "operations/pod_collections_through.h"

namespace podkit::store {

class ExternalPodCollections final : public PodCollectionsThrough<RemoteCaller> {
 public:
  // `resident` is somebody who lives on that pod.
  ExternalPodCollections(const Context& context, const std::string& resident,
                         const std::string& actor)
      : PodCollectionsThrough(RemoteCaller(context, {.homeUID = resident}, {.uid = actor})) {}
};

}  // namespace podkit::store
