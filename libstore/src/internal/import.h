// Puts the objects of an iCalendar stream into a collection: one for each UID, all or nothing.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "internal/object_view.h"
#include "podkit/store/calendar_data.h"
#include "podkit/store/types.h"

namespace podkit::store {

struct ImportPlan {
  ImportedCalendar calendar;
  std::vector<ObjectContent> contents;  // Of calendar.objects, whose texts they point to.
};

// InvalidCalendarData. Takes long: for use before a transaction.
absl::StatusOr<ImportPlan> PlanImport(std::string_view stream, int64_t max_object_bytes);

// Creates or updates each object. On an error the transaction must be given up. Inside of
// UserStore::Write.
absl::StatusOr<ImportReport> ImportObjects(ObjectView& view, const ImportPlan& plan,
                                           const PutOptions& options);

}  // namespace podkit::store
