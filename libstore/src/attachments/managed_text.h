// Keeps the ATTACH properties of calendar texts and the attachments of their owner in step.
//
// What a client writes of a managed attachment is never believed: a MANAGED-ID counts if it is of
// an attachment of this owner that the acting user may see, and then the property says what the
// owner's rows say. Any other one is taken out, so that nobody else can make it count later by
// writing the same text again.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "calendar/attach_text.h"
#include "internal/object_view.h"
#include "podkit/store/attachment.h"
#include "sqlite/database.h"

namespace podkit::store {

struct ManagedText {
  std::optional<std::string> corrected;  // The text to store; nothing: as it was written.
  std::vector<std::string> managed_ids;  // What it uses, each once.
};

// What is to be stored of `text` as object `object_id`, which is empty for a new one.
// TooManyAttachments; InvalidCalendarData. Inside of UserStore::Write.
absl::StatusOr<ManagedText> CheckManagedText(Database& database, const std::string& object_id,
                                             const std::string& object_name, std::string_view text,
                                             const PutOptions& options);

// What the owner's rows say, as an ATTACH property does.
calendar::ManagedAttach ToAttach(const AttachmentInfo& attachment, const std::string& owner_uid,
                                 const StoreOptions& options);

}  // namespace podkit::store
