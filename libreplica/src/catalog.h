// Which chunks a gateway keeps, and what their bytes must hash to. A chunk is kept from when its
// row is on the disk: what a driver has beyond that was never acknowledged.
//
// Thread-safe. Writers that come together share one commit.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "podkit/replica/chunk.h"
#include "podkit/replica/scrubber.h"

namespace podkit::replica {

// A text that is another one for each name, and orders chunks by volume and file.
std::string KeyOf(const ChunkName& name);
// Nothing if KeyOf did not make it.
std::optional<ChunkName> NameOfKey(std::string_view key);

// What was wrong with a chunk when the driver was last asked for it.
enum class ChunkDamage { kNone, kLost, kOtherBytes };

struct CatalogEntry {
  ChunkHash hash;
  uint64_t size = 0;
  ChunkDamage damage = ChunkDamage::kNone;
};

// How far a scrub of the catalog has come.
struct ScrubState {
  std::string after;  // The last chunk that was checked; "": none.
  ScrubReport report;
};

class Catalog {
 public:
  using Entry = CatalogEntry;

  // A SQLite file, made if missing, brought to the newest form if older. kDataLoss if it is
  // damaged; kFailedPrecondition if a newer version wrote it.
  static absl::StatusOr<std::unique_ptr<Catalog>> Open(const std::string& path);
  ~Catalog();

  absl::StatusOr<std::optional<Entry>> Find(const std::string& key);
  // The first chunk behind `key` in the order of keys.
  absl::StatusOr<std::optional<std::pair<std::string, Entry>>> Next(const std::string& key);
  absl::StatusOr<std::optional<ScrubState>> LoadScrub();
  // The bytes of all chunks of a volume; takes time in proportion to their number.
  absl::StatusOr<uint64_t> BytesOf(const std::string& volume);
  // Chunks whose damage nobody has mended.
  absl::StatusOr<uint64_t> Damaged();
  // Durable when they return.
  absl::Status Put(const std::string& key, const Entry& entry);
  absl::Status Remove(const std::string& key);
  absl::Status SaveScrub(const ScrubState& state);

 private:
  class Connection;
  struct Change {
    std::string key;
    std::optional<Entry> entry;         // Nothing: remove.
    const ScrubState* scrub = nullptr;  // If it is there, this is all.
    absl::Status status;
    bool done = false;
  };

  explicit Catalog(std::string path);

  absl::Status Commit(Change change);
  absl::StatusOr<std::unique_ptr<Connection>> TakeReader();
  // What `ask` gets from a connection that nobody else uses meanwhile.
  template <typename Ask>
  auto Read(const Ask& ask) -> absl::StatusOr<decltype(ask(nullptr))>;

  const std::string path_;
  std::unique_ptr<Connection> writer_;  // Of whoever commits.
  Mutex mutex_;
  CondVar committed_;
  std::vector<Change*> waiting_ ABSL_GUARDED_BY(mutex_);
  bool committing_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<Connection>> readers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::replica
