#include "attachments/attachment_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/status_macros.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

absl::StatusOr<std::vector<std::string>> Texts(Database& database, std::string_view sql,
                                               std::string_view value) {
  std::vector<std::string> texts;
  PODKIT_RETURN_IF_ERROR(
      database.Query(sql, {value}, [&texts](const Row& row) { texts.push_back(row.Text(0)); }));
  return texts;
}

}  // namespace

absl::StatusOr<std::optional<AttachmentInfo>> FindAttachment(Database& database,
                                                             std::string_view managed_id) {
  std::optional<AttachmentInfo> found;
  PODKIT_RETURN_IF_ERROR(database.Query(
      "SELECT managed_id, file_name, content_type, size, created_by, created_at FROM attachment"
      " WHERE managed_id = ?",
      {managed_id}, [&found](const Row& row) {
        found = AttachmentInfo{.managed_id = row.Text(0),
                               .file_name = row.Text(1),
                               .content_type = row.Text(2),
                               .size = row.Integer(3),
                               .created_by = row.Text(4),
                               .created = FromSqlTime(row.Integer(5))};
      }));
  return found;
}

absl::StatusOr<std::optional<ChunkPlace>> FindChunk(Database& database, std::string_view managed_id,
                                                    int64_t offset) {
  std::optional<ChunkPlace> found;
  PODKIT_RETURN_IF_ERROR(database.Query(
      "SELECT chunk, begins_at, size FROM attachment_chunk WHERE managed_id = ?1"
      " AND begins_at <= ?2 ORDER BY begins_at DESC LIMIT 1",
      {managed_id, offset}, [&](const Row& row) {
        ChunkPlace place = {
            .chunk = row.Text(0), .begins_at = row.Integer(1), .size = row.Integer(2)};
        if (offset < place.begins_at + place.size) found = std::move(place);
      }));
  return found;
}

absl::Status InsertAttachment(Database& database, const AttachmentInfo& attachment,
                              const std::vector<UploadedPart>& parts) {
  PODKIT_RETURN_IF_ERROR(database.Execute(
      "INSERT INTO attachment (managed_id, file_name, content_type, size, created_by, created_at)"
      " VALUES (?, ?, ?, ?, ?, ?)",
      {attachment.managed_id, attachment.file_name, attachment.content_type, attachment.size,
       attachment.created_by, ToSqlTime(attachment.created)}));
  int64_t begins_at = 0;
  for (const UploadedPart& part : parts) {
    PODKIT_RETURN_IF_ERROR(database.Execute(
        "INSERT INTO attachment_chunk (managed_id, begins_at, size, chunk) VALUES (?, ?, ?, ?)",
        {attachment.managed_id, begins_at, part.size, part.chunk}));
    begins_at += part.size;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> UsedAttachments(Database& database,
                                                         std::string_view object_id) {
  return Texts(database,
               "SELECT managed_id FROM attachment_use WHERE object_id = ? ORDER BY managed_id",
               object_id);
}

absl::Status AddUse(Database& database, std::string_view object_id, std::string_view managed_id) {
  return database.Execute(
      "INSERT OR IGNORE INTO attachment_use (object_id, managed_id) VALUES (?, ?)",
      {object_id, managed_id});
}

absl::Status SetUses(Database& database, std::string_view object_id,
                     const std::vector<std::string>& managed_ids) {
  PODKIT_ASSIGN_OR_RETURN(const auto before, UsedAttachments(database, object_id));
  for (const std::string& id : managed_ids) {
    PODKIT_RETURN_IF_ERROR(AddUse(database, object_id, id));
  }
  for (const std::string& id : before) {
    if (std::find(managed_ids.begin(), managed_ids.end(), id) != managed_ids.end()) continue;
    PODKIT_RETURN_IF_ERROR(database.Execute(
        "DELETE FROM attachment_use WHERE object_id = ? AND managed_id = ?", {object_id, id}));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> CollectionsUsing(Database& database,
                                                          std::string_view managed_id) {
  return Texts(database,
               "SELECT DISTINCT collection_id FROM attachment_use JOIN object"
               " ON object.id = object_id WHERE managed_id = ?",
               managed_id);
}

absl::StatusOr<int64_t> AttachedBytes(Database& database) {
  PODKIT_ASSIGN_OR_RETURN(const auto bytes,
                          database.QueryInteger("SELECT sum(size) FROM attachment"));
  return bytes.value_or(0);
}

absl::StatusOr<int64_t> QuotaUsed(Database& database, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t attached, AttachedBytes(database));
  PODKIT_ASSIGN_OR_RETURN(
      const auto waiting,
      database.QueryInteger("SELECT sum(size) FROM upload WHERE expires_at > ?", {ToSqlTime(now)}));
  return attached + waiting.value_or(0);
}

absl::Status AddUpload(Database& database, const UploadedPart& part, const std::string& by,
                       absl::Time now) {
  return database.Execute(
      "INSERT OR REPLACE INTO upload (chunk, uploaded_by, size, expires_at) VALUES (?, ?, ?, ?)",
      {part.chunk, by, part.size, ToSqlTime(now + kUploadLife)});
}

absl::Status CheckUploaded(Database& database, const UploadedPart& part, const std::string& by,
                           absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(
      const auto found,
      database.QueryInteger(
          "SELECT 1 FROM upload WHERE chunk = ?1 AND uploaded_by = ?2 AND size = ?3"
          " AND expires_at > ?4 UNION ALL SELECT 1 FROM attachment_chunk JOIN attachment"
          " USING (managed_id) WHERE chunk = ?1 AND created_by = ?2 AND attachment_chunk.size = ?3"
          " LIMIT 1",
          {part.chunk, by, part.size, ToSqlTime(now)}));
  if (found) return absl::OkStatus();
  return MakeError(PartNotUploaded{.chunk = part.chunk},
                   fmt::format("the part '{}' of the file is not here, or not any more: begin "
                               "again with the first part",
                               part.chunk));
}

absl::Status ForgetUpload(Database& database, const UploadedPart& part, const std::string& by) {
  return database.Execute("DELETE FROM upload WHERE chunk = ? AND uploaded_by = ?",
                          {part.chunk, by});
}

absl::Status ForgetExpiredUploads(Database& database, absl::Time now) {
  return database.Execute("DELETE FROM upload WHERE expires_at <= ?", {ToSqlTime(now)});
}

absl::StatusOr<bool> IsChunkUsed(Database& database, std::string_view chunk) {
  PODKIT_ASSIGN_OR_RETURN(
      const auto used,
      database.QueryInteger("SELECT 1 FROM attachment_chunk WHERE chunk = ?1 UNION ALL"
                            " SELECT 1 FROM upload WHERE chunk = ?1 LIMIT 1",
                            {chunk}));
  return used.has_value();
}

}  // namespace podkit::store
