#include "attachments/chunks.h"

#include <fmt/format.h>

#include <utility>

#include "common/status_macros.h"
#include "hash.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

constexpr size_t kMostProblems = 100;

absl::Status Damaged(const std::string& managed_id, const std::string& chunk,
                     std::string_view what) {
  return MakeError(
      AttachmentDamaged{.managed_id = managed_id, .chunk = chunk},
      fmt::format("attachment {}: chunk {} {}: restore it from a backup", managed_id, chunk, what));
}

struct UsedChunk {
  std::string managed_id;
  ChunkPlace place;
};

absl::StatusOr<std::vector<UsedChunk>> UsedChunks(Database& database) {
  std::vector<UsedChunk> used;
  PODKIT_RETURN_IF_ERROR(database.Query(
      "SELECT min(managed_id), chunk, size FROM attachment_chunk GROUP BY chunk, size", {},
      [&used](const Row& row) {
        used.push_back({row.Text(0), {.chunk = row.Text(1), .size = row.Integer(2)}});
      }));
  return used;
}

absl::StatusOr<std::vector<ChunkStore::Entry>> Orphans(UserStore& store, ChunkStore& chunks,
                                                       absl::Time before) {
  std::vector<ChunkStore::Entry> candidates;
  PODKIT_RETURN_IF_ERROR(chunks.List(store.uid(), [&](const ChunkStore::Entry& entry) {
    if (entry.last_put < before) candidates.push_back(entry);
  }));
  std::vector<ChunkStore::Entry> orphans;
  PODKIT_RETURN_IF_ERROR(store.Read([&](Database& database) -> absl::Status {
    for (ChunkStore::Entry& entry : candidates) {
      PODKIT_ASSIGN_OR_RETURN(const bool used, IsChunkUsed(database, entry.name));
      if (!used) orphans.push_back(std::move(entry));
    }
    return absl::OkStatus();
  }));
  return orphans;
}

}  // namespace

absl::StatusOr<std::string> ReadChunk(ChunkStore& chunks, const std::string& owner_uid,
                                      const std::string& managed_id, const ChunkPlace& place) {
  auto bytes = chunks.Get(owner_uid, place.chunk);
  if (absl::IsNotFound(bytes.status())) return Damaged(managed_id, place.chunk, "is gone");
  if (absl::IsResourceExhausted(bytes.status()) && !GetError<StoreFull>(bytes.status())) {
    return Damaged(managed_id, place.chunk, "is longer than chunks are");
  }
  if (!bytes.ok()) return bytes;
  if (static_cast<int64_t>(bytes->size()) != place.size || Sha256Hex(*bytes) != place.chunk) {
    return Damaged(managed_id, place.chunk, "holds other bytes than were attached");
  }
  return bytes;
}

absl::Status CheckChunks(UserStore& store, ChunkStore& chunks, HomeCheck* check) {
  std::vector<UsedChunk> used;
  PODKIT_RETURN_IF_ERROR(store.Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(const auto count,
                            database.QueryInteger("SELECT count(*) FROM attachment"));
    check->attachments = count.value_or(0);
    PODKIT_ASSIGN_OR_RETURN(check->attachment_bytes, AttachedBytes(database));
    PODKIT_ASSIGN_OR_RETURN(used, UsedChunks(database));
    return absl::OkStatus();
  }));
  size_t found = 0;
  for (const UsedChunk& chunk : used) {
    const auto bytes = ReadChunk(chunks, store.uid(), chunk.managed_id, chunk.place);
    if (bytes.ok()) continue;
    if (!GetError<AttachmentDamaged>(bytes.status())) return bytes.status();
    // It may have been removed, and collected, since.
    bool is_used = false;
    PODKIT_RETURN_IF_ERROR(store.Read([&](Database& database) -> absl::Status {
      PODKIT_ASSIGN_OR_RETURN(is_used, IsChunkUsed(database, chunk.place.chunk));
      return absl::OkStatus();
    }));
    if (!is_used || ++found > kMostProblems) continue;
    check->problems.emplace_back(bytes.status().message());
  }
  PODKIT_ASSIGN_OR_RETURN(const auto orphans, Orphans(store, chunks, absl::InfiniteFuture()));
  check->orphans = static_cast<int64_t>(orphans.size());
  for (const ChunkStore::Entry& orphan : orphans) check->orphan_bytes += orphan.bytes;
  return absl::OkStatus();
}

absl::StatusOr<CollectedOrphans> RemoveOrphans(UserStore& store, ChunkStore& chunks,
                                               absl::Time before, absl::Time now) {
  PODKIT_RETURN_IF_ERROR(
      store.Write([now](Database& database) { return ForgetExpiredUploads(database, now); }));
  // What nothing uses now can be used later only after it was put again, and then it stays.
  PODKIT_ASSIGN_OR_RETURN(const auto orphans, Orphans(store, chunks, before));
  CollectedOrphans collected;
  for (const ChunkStore::Entry& orphan : orphans) {
    PODKIT_ASSIGN_OR_RETURN(const bool removed,
                            chunks.RemoveUnlessPutSince(store.uid(), orphan.name, before));
    if (!removed) continue;
    ++collected.chunks;
    collected.bytes += orphan.bytes;
  }
  return collected;
}

}  // namespace podkit::store
