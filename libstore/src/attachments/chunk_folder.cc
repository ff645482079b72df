#include "attachments/chunk_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "common/mutex.h"
#include "common/status_macros.h"
#include "files.h"
#include "hash.h"
#include "ids.h"
#include "podkit/store/attachment.h"

namespace podkit::store {
namespace {

class ChunkFolder final : public ChunkStore {
 public:
  ChunkFolder(std::string folder, std::function<absl::Time()> now)
      : folder_(std::move(folder)), now_(std::move(now)) {}

  absl::Status Put(const std::string& owner_uid, const std::string& name,
                   std::string_view bytes) override {
    const std::string shard = ShardOf(owner_uid, name);
    PODKIT_RETURN_IF_ERROR(MakeFolder(shard));
    const std::string path = fmt::format("{}/{}", shard, name);
    const std::string part = fmt::format("{}.{}.part", path, NewId());
    absl::Status status = WriteDurably(part, bytes, now_());
    if (status.ok()) status = Rename(part, path);
    if (!status.ok()) unlink(part.c_str());
    if (status.ok()) status = SyncFolder(shard);
    return status;
  }

  absl::StatusOr<std::string> Get(const std::string& owner_uid, const std::string& name) override {
    return ReadFile(fmt::format("{}/{}", ShardOf(owner_uid, name), name), kAttachmentPartBytes);
  }

  absl::Status List(const std::string& owner_uid,
                    const std::function<void(const Entry&)>& visit) override {
    const std::string owner = FolderOf(owner_uid);
    PODKIT_ASSIGN_OR_RETURN(const auto shards, ListFolder(owner));
    for (const std::string& shard : shards) {
      PODKIT_ASSIGN_OR_RETURN(const auto names, ListFolder(fmt::format("{}/{}", owner, shard)));
      for (const std::string& name : names) {
        struct stat found {};
        // It may be renamed or removed meanwhile.
        if (stat(fmt::format("{}/{}/{}", owner, shard, name).c_str(), &found) != 0) continue;
        visit({.name = name,
               .bytes = found.st_size,
               .last_put = absl::TimeFromTimespec(found.st_mtim)});
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> RemoveUnlessPutSince(const std::string& owner_uid, const std::string& name,
                                            absl::Time since) override {
    const std::string path = fmt::format("{}/{}", ShardOf(owner_uid, name), name);
    // Two quick system calls, and no rename between them: see Rename.
    const MutexLock lock(&mutex_);
    struct stat found {};
    if (stat(path.c_str(), &found) != 0) {
      if (errno == ENOENT) return false;
      return FromErrno(errno, "look at the chunk", path);
    }
    if (absl::TimeFromTimespec(found.st_mtim) >= since) return false;
    if (unlink(path.c_str()) != 0) return FromErrno(errno, "remove the chunk", path);
    return true;
  }

 private:
  std::string FolderOf(const std::string& owner_uid) const {
    return fmt::format("{}/{}/{}.chunks", folder_, Sha256Hex(owner_uid).substr(0, 2), owner_uid);
  }
  std::string ShardOf(const std::string& owner_uid, const std::string& name) const {
    return fmt::format("{}/{}", FolderOf(owner_uid), name.substr(0, 2));
  }

  absl::Status Rename(const std::string& from, const std::string& to) {
    const MutexLock lock(&mutex_);
    if (rename(from.c_str(), to.c_str()) != 0) return FromErrno(errno, "rename the chunk", from);
    return absl::OkStatus();
  }

  const std::string folder_;
  const std::function<absl::Time()> now_;
  Mutex mutex_;  // Held while a chunk gets its name, or is looked at and removed.
};

}  // namespace

std::unique_ptr<ChunkStore> MakeChunkFolder(std::string folder, std::function<absl::Time()> now) {
  return std::make_unique<ChunkFolder>(std::move(folder), std::move(now));
}

}  // namespace podkit::store
