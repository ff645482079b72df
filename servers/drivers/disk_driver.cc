// Keeps each chunk as a file in a folder: <folder>/<shard>/<name>. Config: {"folder": "/where"}.
//
// A file gets its name only when its bytes are on the disk, so what has a name is whole; and a
// write is over when the name is on the disk, too. What a killed worker leaves has no name and
// vanishes.
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "common/durable.h"
#include "common/unique_fd.h"
#include "fmt/format.h"
#include "podkit/replica/driver.h"
#include "servers/drivers/driver_config.h"

namespace {

constexpr int kShards = 256;

struct Disk {
  std::string folder;
  uint64_t next_temporary = 0;
};

struct Place {
  std::string shard;
  std::string file;
};

// FNV-1a: spreads the names, nothing more.
uint32_t Spread(std::string_view text) {
  uint32_t hash = 2'166'136'261;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619;
  return hash ^ (hash >> 16);
}

// The parts of a name have no dots and at most 64, 128 and three times 19 characters: a file name.
Place PlaceOf(const Disk& disk, const PodkitReplicaRequest& request) {
  const std::string name =
      fmt::format("{}.{}.{}.{}{}.{}", request.volume, request.file, request.file_version,
                  request.is_manifest ? "m" : "b", request.id, request.version);
  std::string shard = fmt::format("{}/{:02x}", disk.folder, Spread(name) % kShards);
  std::string file = fmt::format("{}/{}", shard, name);
  return {std::move(shard), std::move(file)};
}

void* Open(const char* config, const char* /*secrets*/, char* error, size_t error_size) {
  auto disk = std::make_unique<Disk>();
  disk->folder = podkit::drivers::TextMember(config, "folder");
  if (!disk->folder.starts_with('/')) {
    return podkit::drivers::Refuse("the config needs \"folder\", an absolute path", error,
                                   error_size);
  }
  for (int shard = 0; shard < kShards; ++shard) {
    const std::string path = fmt::format("{}/{:02x}", disk->folder, shard);
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return podkit::drivers::Refuse(
          fmt::format("cannot make the folder {}: errno {}", path, errno), error, error_size);
    }
  }
  if (podkit::SyncFolder(disk->folder) != 0) {
    return podkit::drivers::Refuse("cannot sync the folder", error, error_size);
  }
  return disk.release();
}

void Close(void* driver) { delete static_cast<Disk*>(driver); }

int ReadChunk(void* driver, const PodkitReplicaRequest* request, int chunk_fd) {
  const Place place = PlaceOf(*static_cast<Disk*>(driver), *request);
  const podkit::UniqueFd file(open(place.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return -errno;
  for (;;) {
    const ssize_t n = sendfile(chunk_fd, file.get(), nullptr, 1 << 30);
    if (n == 0) return 0;
    if (n < 0 && errno != EINTR) return -errno;
  }
}

// Names the file, over one that has the name already: a write whose end nobody was told.
int GiveName(Disk* disk, int fd, const Place& place) {
  const std::string unnamed = fmt::format("/proc/self/fd/{}", fd);
  if (linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, place.file.c_str(), AT_SYMLINK_FOLLOW) == 0) {
    return 0;
  }
  if (errno != EEXIST) return -errno;
  const std::string temporary =
      fmt::format("{}/.{}-{}", place.shard, getpid(), disk->next_temporary++);
  unlink(temporary.c_str());
  if (linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) != 0 ||
      rename(temporary.c_str(), place.file.c_str()) != 0) {
    return -errno;
  }
  return 0;
}

int WriteChunk(void* driver, const PodkitReplicaRequest* request, const void* chunk, size_t size) {
  auto* disk = static_cast<Disk*>(driver);
  const Place place = PlaceOf(*disk, *request);
  const podkit::UniqueFd file(open(place.shard.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (!file) return -errno;
  if (const int error = podkit::WriteAll(file.get(), {static_cast<const char*>(chunk), size});
      error != 0) {
    return -error;
  }
  if (fsync(file.get()) != 0) return -errno;
  const int error = GiveName(disk, file.get(), place);
  return error == 0 ? -podkit::SyncFolder(place.shard) : error;
}

int DeleteChunk(void* driver, const PodkitReplicaRequest* request) {
  const Place place = PlaceOf(*static_cast<Disk*>(driver), *request);
  if (unlink(place.file.c_str()) != 0) return errno == ENOENT ? 0 : -errno;
  return -podkit::SyncFolder(place.shard);
}

}  // namespace

const PodkitReplicaDriver podkit_replica_driver = {.version = kPodkitReplicaDriverVersion,
                                                   .name = "disk",
                                                   .open = Open,
                                                   .close = Close,
                                                   .read_chunk = ReadChunk,
                                                   .write_chunk = WriteChunk,
                                                   .delete_chunk = DeleteChunk,
                                                   .rename_file = nullptr,
                                                   .serialize = nullptr,
                                                   .deserialize = nullptr};
