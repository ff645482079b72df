// Questions about all collections of a home, wherever the home and each collection live: one call
// to each pod that has some of them, from the pod that asks.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "context.h"
#include "podkit/store/free_busy.h"
#include "podkit/store/types.h"

namespace podkit::store {

// See Home::FindFreeBusy. One call more if the home lives on another pod.
absl::StatusOr<FreeBusy> FreeBusyOfHome(const Context& context, const std::string& home_uid,
                                        const std::string& actor, const FreeBusyQuery& query);

// See Home::SyncTokens. `children` are all of the home.
absl::StatusOr<std::vector<CollectionToken>> SyncTokensOf(
    const Context& context, const std::string& home_uid, const std::string& actor,
    const std::vector<CollectionInfo>& children);

}  // namespace podkit::store
