// The internal family as the front ends of this pod get it: every operation is counted.
#pragma once

#include <memory>

#include "internal/pod_collections.h"
#include "operations/operation_counters.h"
#include "podkit/store/home.h"
#include "podkit/store/home_child.h"

namespace podkit::store {

// `counters` must outlive what is returned. The objects of a counted collection are counted too;
// the collections of a home are by the one who opens them.
std::unique_ptr<Home> Counted(OperationCounters& counters, std::unique_ptr<Home> home);
std::unique_ptr<HomeChild> Counted(OperationCounters& counters, std::unique_ptr<HomeChild> child);
std::unique_ptr<PodCollections> Counted(OperationCounters& counters,
                                        std::unique_ptr<PodCollections> collections);

}  // namespace podkit::store
