#include "tests/support/faulty_disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <new>
#include <random>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace podkit::testing {

struct FaultyDisk::State {
  sqlite3_vfs vfs = {};
  sqlite3_vfs* real = nullptr;

  mutable Mutex mutex;
  Operation operation ABSL_GUARDED_BY(mutex) = Operation::kWrite;
  Error error ABSL_GUARDED_BY(mutex) = Error::kFull;
  int64_t countdown ABSL_GUARDED_BY(mutex) = 0;  // 0: nothing fails.
  bool for_ever ABSL_GUARDED_BY(mutex) = false;
  bool failed ABSL_GUARDED_BY(mutex) = false;
  std::map<std::string, std::string> synced ABSL_GUARDED_BY(mutex);  // Contents, by path.

  // SQLITE_OK, or how this operation has to fail.
  int Check(Operation what) {
    MutexLock lock(&mutex);
    if (countdown == 0 || what != operation) return SQLITE_OK;
    if (countdown > 1) {
      --countdown;
      return SQLITE_OK;
    }
    if (!for_ever) countdown = 0;
    failed = true;
    if (error == Error::kFull) return SQLITE_FULL;
    errno = EIO;
    return what == Operation::kWrite ? SQLITE_IOERR_WRITE : SQLITE_IOERR_FSYNC;
  }
};

namespace {

// SQLite allocates szOsFile bytes: this, and the file of the real VFS behind it.
struct ShimFile {
  sqlite3_file base;
  FaultyDisk::State* disk;
  std::string path;
  sqlite3_file* real;
};

ShimFile* ShimOf(sqlite3_file* file) { return reinterpret_cast<ShimFile*>(file); }
FaultyDisk::State* DiskOf(sqlite3_vfs* vfs) {
  return static_cast<FaultyDisk::State*>(vfs->pAppData);
}

std::string ReadAll(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

int Close(sqlite3_file* file) {
  ShimFile* const shim = ShimOf(file);
  const int result = shim->real->pMethods->xClose(shim->real);
  shim->~ShimFile();
  return result;
}

int Read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  sqlite3_file* const real = ShimOf(file)->real;
  return real->pMethods->xRead(real, data, size, offset);
}

int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  ShimFile* const shim = ShimOf(file);
  const int fault = shim->disk->Check(FaultyDisk::Operation::kWrite);
  // A write that fails may have come half way.
  const int written = fault == SQLITE_OK ? size : size / 2;
  const int result = shim->real->pMethods->xWrite(shim->real, data, written, offset);
  return fault == SQLITE_OK ? result : fault;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  ShimFile* const shim = ShimOf(file);
  const int fault = shim->disk->Check(FaultyDisk::Operation::kWrite);
  if (fault != SQLITE_OK) return fault;
  return shim->real->pMethods->xTruncate(shim->real, size);
}

int Sync(sqlite3_file* file, int /*flags*/) {
  ShimFile* const shim = ShimOf(file);
  const int fault = shim->disk->Check(FaultyDisk::Operation::kSync);
  if (fault != SQLITE_OK) return fault;
  // The power never really goes, so the real disk need not be waited for.
  std::string content = ReadAll(shim->path);
  MutexLock lock(&shim->disk->mutex);
  shim->disk->synced[shim->path] = std::move(content);
  return SQLITE_OK;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  sqlite3_file* const real = ShimOf(file)->real;
  return real->pMethods->xFileSize(real, size);
}
int Lock(sqlite3_file* file, int level) {
  sqlite3_file* const real = ShimOf(file)->real;
  return real->pMethods->xLock(real, level);
}
int Unlock(sqlite3_file* file, int level) {
  sqlite3_file* const real = ShimOf(file)->real;
  return real->pMethods->xUnlock(real, level);
}
int CheckReservedLock(sqlite3_file* file, int* result) {
  sqlite3_file* const real = ShimOf(file)->real;
  return real->pMethods->xCheckReservedLock(real, result);
}
int FileControl(sqlite3_file* file, int operation, void* argument) {
  sqlite3_file* const real = ShimOf(file)->real;
  return real->pMethods->xFileControl(real, operation, argument);
}
int SectorSize(sqlite3_file* file) {
  sqlite3_file* const real = ShimOf(file)->real;
  return real->pMethods->xSectorSize(real);
}
int DeviceCharacteristics(sqlite3_file* file) {
  sqlite3_file* const real = ShimOf(file)->real;
  return real->pMethods->xDeviceCharacteristics(real);
}
int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** map) {
  sqlite3_file* const real = ShimOf(file)->real;
  return real->pMethods->xShmMap(real, page, size, extend, map);
}
int ShmLock(sqlite3_file* file, int offset, int n, int flags) {
  sqlite3_file* const real = ShimOf(file)->real;
  return real->pMethods->xShmLock(real, offset, n, flags);
}
void ShmBarrier(sqlite3_file* file) {
  sqlite3_file* const real = ShimOf(file)->real;
  real->pMethods->xShmBarrier(real);
}
int ShmUnmap(sqlite3_file* file, int remove) {
  sqlite3_file* const real = ShimOf(file)->real;
  return real->pMethods->xShmUnmap(real, remove);
}

// Version 2: without memory-mapped reads.
constexpr sqlite3_io_methods kMethods = {2,
                                         Close,
                                         Read,
                                         Write,
                                         Truncate,
                                         Sync,
                                         FileSize,
                                         Lock,
                                         Unlock,
                                         CheckReservedLock,
                                         FileControl,
                                         SectorSize,
                                         DeviceCharacteristics,
                                         ShmMap,
                                         ShmLock,
                                         ShmBarrier,
                                         ShmUnmap,
                                         nullptr,
                                         nullptr};

int OpenFile(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  FaultyDisk::State* const disk = DiskOf(vfs);
  auto* const real =
      reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(ShimFile));
  const int result = disk->real->xOpen(disk->real, path, real, flags, out_flags);
  file->pMethods = nullptr;
  if (result != SQLITE_OK) return result;
  new (file) ShimFile{{&kMethods}, disk, path == nullptr ? "" : path, real};
  return SQLITE_OK;
}

int DeleteFile(sqlite3_vfs* vfs, const char* path, int /*sync_folder*/) {
  FaultyDisk::State* const disk = DiskOf(vfs);
  {
    MutexLock lock(&disk->mutex);
    disk->synced.erase(path);
  }
  return disk->real->xDelete(disk->real, path, 0);
}

// What a disk that loses power may hold of a file: for each sector, what it had at the last sync or
// what was written since.
std::string MixSectors(const std::string& synced, const std::string& present,
                       std::mt19937_64& random) {
  constexpr size_t kSector = 512;
  const bool grew = random() % 2 == 0;
  std::string mixed = grew ? present : synced;
  for (size_t begin = 0; begin < mixed.size(); begin += kSector) {
    const std::string& source = random() % 2 == 0 ? present : synced;
    if (begin >= source.size()) continue;
    const size_t size = std::min({kSector, mixed.size() - begin, source.size() - begin});
    mixed.replace(begin, size, source, begin, size);
  }
  return mixed;
}

}  // namespace

FaultyDisk::FaultyDisk() : state_(std::make_unique<State>()) {
  state_->real = sqlite3_vfs_find(nullptr);
  state_->vfs = *state_->real;
  state_->vfs.zName = "podkit-faulty-disk";
  state_->vfs.szOsFile = static_cast<int>(sizeof(ShimFile)) + state_->real->szOsFile;
  state_->vfs.pAppData = state_.get();
  state_->vfs.pNext = nullptr;
  state_->vfs.xOpen = OpenFile;
  state_->vfs.xDelete = DeleteFile;
  if (sqlite3_vfs_register(&state_->vfs, 1) != SQLITE_OK) {
    throw std::runtime_error("cannot register the faulty disk");
  }
}

FaultyDisk::~FaultyDisk() {
  sqlite3_vfs_unregister(&state_->vfs);
  sqlite3_vfs_register(state_->real, 1);
}

void FaultyDisk::FailAt(Operation operation, int64_t countdown, Error error, bool for_ever) {
  MutexLock lock(&state_->mutex);
  state_->operation = operation;
  state_->countdown = countdown;
  state_->error = error;
  state_->for_ever = for_ever;
  state_->failed = false;
}

bool FaultyDisk::Repair() {
  MutexLock lock(&state_->mutex);
  state_->countdown = 0;
  return state_->failed;
}

void FaultyDisk::CopyAfterPowerLoss(const std::string& folder, const std::string& copy,
                                    uint64_t seed) const {
  std::map<std::string, std::string> synced;
  {
    MutexLock lock(&state_->mutex);
    synced = state_->synced;
  }
  std::mt19937_64 random(seed);
  for (const auto& [path, content] : synced) {
    const std::string relative = std::filesystem::path(path).lexically_relative(folder).string();
    if (relative.empty() || relative.starts_with("..")) continue;
    const std::filesystem::path target = std::filesystem::path(copy) / relative;
    std::filesystem::create_directories(target.parent_path());
    const std::string mixed = MixSectors(content, ReadAll(path), random);
    std::ofstream(target, std::ios::binary)
        .write(mixed.data(), static_cast<std::streamsize>(mixed.size()));
  }
}

}  // namespace podkit::testing
