// The bytes of attachments against the rows that name them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "attachments/attachment_table.h"
#include "podkit/store/chunk_store.h"
#include "podkit/store/store.h"
#include "sqlite/user_store.h"

namespace podkit::store {

// The bytes of a chunk, which are what its name says. AttachmentDamaged.
absl::StatusOr<std::string> ReadChunk(ChunkStore& chunks, const std::string& owner_uid,
                                      const std::string& managed_id, const ChunkPlace& place);

// Adds to `check` what the attachments of a home are, and what is wrong with their bytes: the first
// hundred. Reads all of them.
absl::Status CheckChunks(UserStore& store, ChunkStore& chunks, HomeCheck* check);

// Removes what nothing uses and was put before `before`. That must be longer ago than parts wait
// for their files.
absl::StatusOr<CollectedOrphans> RemoveOrphans(UserStore& store, ChunkStore& chunks,
                                               absl::Time before, absl::Time now);

}  // namespace podkit::store
