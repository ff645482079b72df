// Many puts and removals in one transaction, each refused or done for itself.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "internal/object_view.h"
#include "podkit/store/types.h"

namespace podkit::store {

// What is known of each write before the transaction: its content, nothing of a removal, or why it
// is refused.
using WritePlan = std::vector<absl::StatusOr<std::optional<ObjectContent>>>;

// TooManyResults. Takes long: for use before a transaction. The result points to `writes`.
absl::StatusOr<WritePlan> PlanWrites(const std::vector<ObjectWrite>& writes,
                                     int64_t max_object_bytes);

// On an error the transaction must be given up. Inside of UserStore::Write.
absl::StatusOr<std::vector<WriteResult>> DoWrites(ObjectView& view,
                                                  const std::vector<ObjectWrite>& writes,
                                                  const WritePlan& plan, const PutOptions& options);

}  // namespace podkit::store
