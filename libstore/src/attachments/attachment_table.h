// The rows of the attachments of one owner: what they are, of which chunks, and which objects use
// them. A row goes with its last use, by itself.
//
// All functions run inside of UserStore::Read or Write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/store/attachment.h"
#include "sqlite/database.h"

namespace podkit::store {

// How long a part waits for the rest of its file.
constexpr absl::Duration kUploadLife = absl::Hours(1);

// Without its URI and its instances.
absl::StatusOr<std::optional<AttachmentInfo>> FindAttachment(Database& database,
                                                             std::string_view managed_id);

struct ChunkPlace {
  std::string chunk;
  int64_t begins_at = 0;
  int64_t size = 0;
};
// The chunk in which byte `offset` is; nothing beyond the end.
absl::StatusOr<std::optional<ChunkPlace>> FindChunk(Database& database, std::string_view managed_id,
                                                    int64_t offset);

absl::Status InsertAttachment(Database& database, const AttachmentInfo& attachment,
                              const std::vector<UploadedPart>& parts);

// What object `object_id` uses, by managed id; and makes it so.
absl::StatusOr<std::vector<std::string>> UsedAttachments(Database& database,
                                                         std::string_view object_id);
absl::Status AddUse(Database& database, std::string_view object_id, std::string_view managed_id);
absl::Status SetUses(Database& database, std::string_view object_id,
                     const std::vector<std::string>& managed_ids);

// The collections in which something uses it.
absl::StatusOr<std::vector<std::string>> CollectionsUsing(Database& database,
                                                          std::string_view managed_id);

// The bytes of all attachments, and with those of parts that wait.
absl::StatusOr<int64_t> AttachedBytes(Database& database);
absl::StatusOr<int64_t> QuotaUsed(Database& database, absl::Time now);

// Keeps a part, which is durable, for whoever brought it.
absl::Status AddUpload(Database& database, const UploadedPart& part, const std::string& by,
                       absl::Time now);
// PartNotUploaded unless he brought it, not too long ago or for an attachment that is there: who
// only knows the name of a chunk does not get at its bytes by that.
absl::Status CheckUploaded(Database& database, const UploadedPart& part, const std::string& by,
                           absl::Time now);
// It waits no more: it is attached.
absl::Status ForgetUpload(Database& database, const UploadedPart& part, const std::string& by);
absl::Status ForgetExpiredUploads(Database& database, absl::Time now);

// Whether an attachment or a waiting part is made of it.
absl::StatusOr<bool> IsChunkUsed(Database& database, std::string_view chunk);

}  // namespace podkit::store
