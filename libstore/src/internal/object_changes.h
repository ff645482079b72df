// Creates, replaces, removes and moves single objects. Rights are the caller's matter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "internal/object_table.h"
#include "internal/object_view.h"
#include "podkit/store/types.h"

namespace podkit::store {

// InvalidName.
absl::Status CheckObjectName(const std::string& name);

// Parses the text of an object. InvalidCalendarData; StoreFull if it is longer than `max_bytes`.
// Takes long: for use before a transaction. The result points to `text`.
absl::StatusOr<ObjectContent> UnderstandObject(const std::string& name, std::string_view text,
                                               int64_t max_bytes);

// InvalidCalendarData if `status` comes from reading a calendar, else `status`. `what` begins the
// message.
absl::Status RefuseCalendar(const std::string& what, const absl::Status& status);

// Whether object `name` is as the caller expects; `existing` is what has the name.
// PreconditionFailed, ObjectExists.
absl::Status CheckPrecondition(const ObjectTable& table, const std::string& name,
                               const std::optional<ObjectInfo>& existing,
                               const Precondition& condition);

// The bytes of an object whose facts are known. InvalidCalendarData.
absl::StatusOr<ObjectContent> MakeContent(std::string_view text, CalendarObjectInfo facts);

// The ETag of an object with these bytes.
std::string EtagOf(std::string_view text);

// The rest is for use inside of UserStore::Write.

// Creates or replaces object `name`.
absl::StatusOr<PutResult> PutObjectByName(ObjectTable& table, const std::string& name,
                                          const ObjectContent& content,
                                          const Precondition& condition, const PutOptions& options);

// `object` with the ETag that the caller sees.
absl::Status RemoveObject(ObjectTable& table, const ObjectInfo& object,
                          const Precondition& condition, absl::Time now);

absl::StatusOr<ObjectInfo> MoveObject(ObjectTable& from, const std::string& name, ObjectTable& to,
                                      const std::string& to_name, absl::Time now);

}  // namespace podkit::store
