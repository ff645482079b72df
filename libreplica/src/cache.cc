#include "cache.h"

#include <fcntl.h>
#include <unistd.h>

#define XXH_INLINE_ALL  // NOLINT(readability-identifier-naming): how xxhash.h is told.
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/status_macros.h"
#include "files.h"
#include "fmt/format.h"

namespace podkit::replica {
namespace {

// A file is: the chunk; a sum for each of its pieces; the key; and the tail. Numbers are as this
// machine has them: a cache does not travel.
constexpr uint64_t kPiece = 64 << 10;
constexpr std::string_view kMagic = "PKC1";
constexpr uint32_t kMaxKey = 512;

struct Tail {
  std::array<uint8_t, ChunkHash::kSize> hash;
  uint64_t size;
  uint64_t sum;  // Of the sums, the key, and the tail with 0 here.
  uint32_t key_size;
  std::array<char, 4> magic;
};
static_assert(sizeof(Tail) == 56);

uint64_t Pieces(uint64_t size) { return (size + kPiece - 1) / kPiece; }
uint64_t FileSize(uint64_t size, size_t key_size) {
  return size + Pieces(size) * sizeof(uint64_t) + key_size + sizeof(Tail);
}

uint64_t SumOf(std::string_view sums, std::string_view key, Tail tail) {
  tail.sum = 0;
  std::string all(sums);
  all.append(key).append(reinterpret_cast<const char*>(&tail), sizeof(tail));
  return XXH3_64bits(all.data(), all.size());
}

std::string_view BytesOf(const std::vector<uint64_t>& sums) {
  return {reinterpret_cast<const char*>(sums.data()), sums.size() * sizeof(uint64_t)};
}

struct Opened {
  std::string key;
  std::shared_ptr<CachedChunk> chunk;
};

// What is in the file, if it is whole but for the chunk itself.
std::optional<Opened> OpenFile(const std::string& path) {
  Opened opened{{}, std::make_shared<CachedChunk>()};
  CachedChunk& chunk = *opened.chunk;
  chunk.fd = UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!chunk.fd) return std::nullopt;
  const auto file_size = SizeOf(chunk.fd.get(), path);
  if (!file_size.ok() || *file_size < sizeof(Tail)) return std::nullopt;
  Tail tail;
  std::span<char> tail_bytes(reinterpret_cast<char*>(&tail), sizeof(tail));
  if (!ReadExactly(chunk.fd.get(), *file_size - sizeof(tail), tail_bytes, path).ok() ||
      std::string_view(tail.magic.data(), tail.magic.size()) != kMagic || tail.key_size > kMaxKey ||
      tail.size > *file_size || FileSize(tail.size, tail.key_size) != *file_size) {
    return std::nullopt;
  }
  std::string rest(Pieces(tail.size) * sizeof(uint64_t) + tail.key_size, '\0');
  if (!ReadExactly(chunk.fd.get(), tail.size, rest, path).ok()) return std::nullopt;
  const std::string_view sums(rest.data(), rest.size() - tail.key_size);
  opened.key = rest.substr(sums.size());
  if (SumOf(sums, opened.key, tail) != tail.sum) return std::nullopt;
  chunk.hash.bytes = tail.hash;
  chunk.size = tail.size;
  chunk.sums.resize(sums.size() / sizeof(uint64_t));
  if (!sums.empty()) std::memcpy(chunk.sums.data(), sums.data(), sums.size());
  return opened;
}

}  // namespace

bool CachedChunk::Verify(uint64_t offset, uint64_t length) const {
  std::string buffer(std::min(kPiece, size), '\0');
  for (uint64_t piece = offset / kPiece; piece * kPiece < offset + length; ++piece) {
    const uint64_t at = piece * kPiece;
    const std::span<char> bytes(buffer.data(), std::min(kPiece, size - at));
    if (!ReadExactly(fd.get(), at, bytes, "a cached chunk").ok()) return false;
    if (XXH3_64bits(bytes.data(), bytes.size()) != sums[piece]) return false;
  }
  return true;
}

absl::StatusOr<std::unique_ptr<Cache>> Cache::Open(const std::string& folder, uint64_t budget) {
  std::unique_ptr<Cache> cache(new Cache(folder, budget));
  PODKIT_RETURN_IF_ERROR(cache->Load());
  return cache;
}

absl::Status Cache::Load() {
  namespace fs = std::filesystem;
  PODKIT_RETURN_IF_ERROR(MakeFolder(folder_));
  for (int shard = 0; shard < 256; ++shard) {
    PODKIT_RETURN_IF_ERROR(MakeFolder(fmt::format("{}/{:02x}", folder_, shard)));
  }
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, std::string>> files;
  for (fs::recursive_directory_iterator at(folder_, error), end; !error && at != end;
       at.increment(error)) {
    if (at->is_regular_file(error)) files.emplace_back(at->last_write_time(error), at->path());
  }
  if (error) return FromErrno(error.value(), "read the folder", folder_);
  std::sort(files.begin(), files.end());  // The oldest first, so that the newest stay.
  MutexLock lock(&mutex_);
  for (const auto& [time, path] : files) {
    const auto opened = OpenFile(path);
    if (!opened || path != FileOf(opened->key)) {
      unlink(path.c_str());
      continue;
    }
    RemoveFiles(policy_.Add(opened->key, FileSize(opened->chunk->size, opened->key.size()), true));
    if (!policy_.Has(opened->key)) unlink(path.c_str());
  }
  return absl::OkStatus();
}

std::string Cache::FileOf(const std::string& key) const {
  const std::string hex = HashOf(key).Hex();
  return fmt::format("{}/{}/{}", folder_, hex.substr(0, 2), hex.substr(2));
}

std::shared_ptr<const CachedChunk> Cache::Find(const std::string& key) {
  {
    MutexLock lock(&mutex_);
    if (!policy_.Has(key)) return nullptr;
    policy_.Touch(key);
  }
  auto opened = OpenFile(FileOf(key));
  if (opened && opened->key == key) return std::move(opened->chunk);
  Remove(key);
  return nullptr;
}

void Cache::Insert(const std::string& key, const ChunkHash& hash, int fd, uint64_t size) {
  std::vector<std::string> evicted;
  {
    MutexLock lock(&mutex_);
    evicted = policy_.Add(key, FileSize(size, key.size()));
    if (!policy_.Has(key)) return;
  }
  RemoveFiles(evicted);
  const std::string path = FileOf(key);
  const std::string temporary = path + ".new";
  if (WriteFile(temporary, key, hash, fd, size).ok() &&
      rename(temporary.c_str(), path.c_str()) == 0) {
    MutexLock lock(&mutex_);
    if (policy_.Has(key)) return;  // Else it was thrown out meanwhile.
  }
  unlink(temporary.c_str());
  Remove(key);
}

absl::Status Cache::WriteFile(const std::string& path, const std::string& key,
                              const ChunkHash& hash, int fd, uint64_t size) const {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return FromErrno(errno, "make", path);
  std::vector<uint64_t> sums;
  std::string buffer(std::min(kPiece, size), '\0');
  for (uint64_t at = 0; at < size; at += kPiece) {
    const std::span<char> bytes(buffer.data(), std::min(kPiece, size - at));
    PODKIT_RETURN_IF_ERROR(ReadExactly(fd, at, bytes, "a chunk"));
    sums.push_back(XXH3_64bits(bytes.data(), bytes.size()));
    PODKIT_RETURN_IF_ERROR(WriteAll(file.get(), {bytes.data(), bytes.size()}, path));
  }
  Tail tail = {hash.bytes, size, 0, static_cast<uint32_t>(key.size()), {}};
  std::copy(kMagic.begin(), kMagic.end(), tail.magic.begin());
  tail.sum = SumOf(BytesOf(sums), key, tail);
  std::string rest(BytesOf(sums));
  rest.append(key).append(reinterpret_cast<const char*>(&tail), sizeof(tail));
  return WriteAll(file.get(), rest, path);
}

void Cache::Remove(const std::string& key) {
  {
    MutexLock lock(&mutex_);
    policy_.Remove(key);
  }
  RemoveFiles({key});
}

void Cache::RemoveFiles(const std::vector<std::string>& keys) const {
  for (const std::string& key : keys) unlink(FileOf(key).c_str());
}

uint64_t Cache::bytes() const {
  MutexLock lock(&mutex_);
  return policy_.bytes();
}

}  // namespace podkit::replica
