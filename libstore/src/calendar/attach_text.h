// Reads and writes the ATTACH properties of managed attachments (RFC 8607) in the text of a
// calendar object.
//
// Works on raw bytes: whatever is not such a property stays as it stands. A use is an ATTACH with a
// MANAGED-ID in a component that instances are made of; those within alarms are none of ours. All
// texts are objects that were accepted before; others are kInvalidArgument.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace podkit::store::calendar {

// How RFC 8607 names the component that stands for the series.
constexpr std::string_view kSeriesInstance = "M";

// What an ATTACH property says of a managed attachment.
struct ManagedAttach {
  std::string managed_id;
  std::string content_type;
  std::string file_name;  // Empty: none is told.
  int64_t size = 0;
  std::string uri;
};

struct AttachUse {
  std::string managed_id;
  std::string instance;  // kSeriesInstance, or the RECURRENCE-ID as it is written.
};

// False only for a text without a use. Cheap.
bool MayHaveManagedAttaches(std::string_view text);

// In the order of the text.
absl::StatusOr<std::vector<AttachUse>> FindManagedAttaches(std::string_view text);

// The rest take `instances`: kSeriesInstance or the beginnings of instances as RECURRENCE-ID has
// them, also in UTC; empty: all components that there are. An instance of the series without a
// component of its own gets one, made of that of the series. kNotFound, naming it: there is no such
// instance.

// With `attach` in each of the instances.
absl::StatusOr<std::string> AddAttach(std::string_view text, const ManagedAttach& attach,
                                      const std::vector<std::string>& instances);

// Without the uses of `managed_id` in the instances.
absl::StatusOr<std::string> RemoveAttach(std::string_view text, std::string_view managed_id,
                                         const std::vector<std::string>& instances);

// With `attach` in the place of each use of `managed_id`.
absl::StatusOr<std::string> ReplaceAttach(std::string_view text, std::string_view managed_id,
                                          const ManagedAttach& attach);

// With every use saying what `find` says of it; one of which it knows nothing becomes an ordinary
// ATTACH, without MANAGED-ID. Those that say so already stay byte for byte.
absl::StatusOr<std::string> CorrectAttaches(
    std::string_view text,
    const std::function<std::optional<ManagedAttach>(const std::string& managed_id)>& find);

}  // namespace podkit::store::calendar
