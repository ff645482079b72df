#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "common/status_macros.h"
#include "files.h"
#include "fmt/format.h"
#include "gateway_core.h"
#include "sha256.h"

namespace podkit::replica {
namespace {

class Fetching {
 public:
  Fetching(GatewayCore* core, const ChunkName& name, const std::string& path,
           const CatalogEntry& entry)
      : core_(*core),
        request_{.name = name, .path = path, .hash = entry.hash.Hex()},
        entry_(entry),
        driver_(core->driver()) {}

  // The bytes, whatever they are; null if the driver does not have them.
  absl::StatusOr<std::unique_ptr<MemoryFile>> Read() const {
    PODKIT_ASSIGN_OR_RETURN(auto file, Call(DriverMethod::kRead, {}));
    if (file == nullptr || !driver_->Has(DriverMethod::kSerialize)) return file;
    PODKIT_ASSIGN_OR_RETURN(const uint64_t size, SizeOf(file->fd(), "a chunk"));
    return Call(DriverMethod::kSerialize, {file->fd(), 0, size});
  }

  absl::StatusOr<bool> IsWhole(const MemoryFile& file) const {
    PODKIT_ASSIGN_OR_RETURN(const uint64_t size, SizeOf(file.fd(), "a chunk"));
    if (size != entry_.size) return false;
    Sha256 hash;
    std::string buffer(std::min<uint64_t>(size, 256 << 10), '\0');
    for (uint64_t at = 0; at < size; at += buffer.size()) {
      const std::span<char> bytes(buffer.data(), std::min<uint64_t>(buffer.size(), size - at));
      PODKIT_RETURN_IF_ERROR(ReadExactly(file.fd(), at, bytes, "a chunk"));
      hash.Update({bytes.data(), bytes.size()});
    }
    return hash.Finish() == entry_.hash;
  }

 private:
  absl::StatusOr<std::unique_ptr<MemoryFile>> Call(DriverMethod method,
                                                   const FileBytes& input) const {
    PODKIT_ASSIGN_OR_RETURN(auto file,
                            MemoryFile::Create(core_.memory, std::max(entry_.size, input.size)));
    PODKIT_ASSIGN_OR_RETURN(const int error, driver_->Call(method, request_, input, file->fd(),
                                                           core_.DriverDeadline()));
    if (error == -ENOENT && method == DriverMethod::kRead) return nullptr;
    if (error != 0) {
      return absl::InternalError(
          fmt::format("the driver answered {} to '{}'", error, NameOf(method)));
    }
    PODKIT_RETURN_IF_ERROR(file->Seal());
    return file;
  }

  GatewayCore& core_;
  const DriverRequest request_;
  const CatalogEntry& entry_;
  const std::shared_ptr<ChunkDriver> driver_;
};

// Writes down what became of a chunk. That this fails is no reason to fail the read.
void Note(GatewayCore* core, const ChunkName& name, CatalogEntry entry, ChunkDamage damage) {
  const std::string key = KeyOf(name);
  if (damage == ChunkDamage::kLost) {
    ++core->lost;
    core->absences.Note(key, core->options.now());
    core->options.log(fmt::format("chunk {}: lost, the driver does not have it", key));
  }
  if (damage == ChunkDamage::kOtherBytes) {
    ++core->corrupt;
    core->options.log(fmt::format("chunk {}: damaged, the driver gives other bytes", key));
  }
  if (entry.damage == damage) return;
  entry.damage = damage;
  const absl::Status noted = core->catalog->Put(key, entry);
  if (!noted.ok()) core->options.log(noted.ToString());
}

}  // namespace

absl::Status ToStatus(ChunkDamage damage) {
  switch (damage) {
    case ChunkDamage::kNone:
      return absl::OkStatus();
    case ChunkDamage::kLost:
      return absl::NotFoundError("the driver does not have the chunk any more");
    case ChunkDamage::kOtherBytes:
      break;
  }
  return absl::InternalError("the chunk is damaged in the storage behind this gateway");
}

absl::StatusOr<FetchedChunk> FetchChunk(GatewayCore* core, const ChunkName& name,
                                        const std::string& path, const CatalogEntry& entry) {
  const Fetching fetching(core, name, path, entry);
  PODKIT_ASSIGN_OR_RETURN(auto file, fetching.Read());
  ChunkDamage damage = ChunkDamage::kLost;
  if (file != nullptr) {
    PODKIT_ASSIGN_OR_RETURN(const bool whole, fetching.IsWhole(*file));
    damage = whole ? ChunkDamage::kNone : ChunkDamage::kOtherBytes;
  }
  Note(core, name, entry, damage);
  if (damage != ChunkDamage::kNone) file.reset();
  return FetchedChunk{damage, std::move(file)};
}

}  // namespace podkit::replica
