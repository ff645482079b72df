#include "attachments/chunk_folder.h"

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include "hash.h"
#include "podkit/store/attachment.h"
#include "podkit/store/errors.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace podkit::store {
namespace {

using testing::FakeClock;
using testing::TempDir;
using testing::ValueOf;

struct Bed {
  TempDir folder;
  FakeClock clock;
  std::unique_ptr<ChunkStore> chunks = MakeChunkFolder(folder.File("users"), clock.function());

  std::string Put(const std::string& owner, const std::string& bytes) const {
    const std::string name = Sha256Hex(bytes);
    REQUIRE(chunks->Put(owner, name, bytes) == absl::OkStatus());
    return name;
  }
  std::map<std::string, ChunkStore::Entry> List(const std::string& owner) const {
    std::map<std::string, ChunkStore::Entry> entries;
    REQUIRE(chunks->List(owner, [&](const ChunkStore::Entry& entry) {
      CHECK(entries.emplace(entry.name, entry).second);
    }) == absl::OkStatus());
    return entries;
  }
  std::string PathOf(const std::string& owner, const std::string& name) const {
    return folder.File("users/" + Sha256Hex(owner).substr(0, 2) + "/" + owner + ".chunks/" +
                       name.substr(0, 2) + "/" + name);
  }
};

}  // namespace

TEST_CASE("A chunk is a private file of its owner, under its hash",
          "[store][attachments][chunks]") {
  const Bed bed;
  const std::string bytes("a\0b\r\n\xff", 6);
  const std::string name = bed.Put("ann", bytes);
  CHECK(ValueOf(bed.chunks->Get("ann", name)) == bytes);
  CHECK(bed.chunks->Get("bob", name).status().code() == absl::StatusCode::kNotFound);
  CHECK(bed.chunks->Get("ann", Sha256Hex("other")).status().code() == absl::StatusCode::kNotFound);
  struct stat found {};
  REQUIRE(stat(bed.PathOf("ann", name).c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  const auto entries = bed.List("ann");
  REQUIRE(entries.size() == 1);
  CHECK(entries.at(name).bytes == 6);
  CHECK(entries.at(name).last_put == bed.clock.Now());
  CHECK(bed.List("bob").empty());
}

TEST_CASE("A chunk stays if it was put since, and goes if not", "[store][attachments][chunks]") {
  Bed bed;
  const std::string name = bed.Put("ann", "x");
  const absl::Time first = bed.clock.Now();
  CHECK_FALSE(ValueOf(bed.chunks->RemoveUnlessPutSince("ann", name, first)));
  bed.clock.Advance(absl::Hours(1));
  bed.Put("ann", "x");
  CHECK_FALSE(ValueOf(bed.chunks->RemoveUnlessPutSince("ann", name, first + absl::Seconds(1))));
  CHECK(ValueOf(bed.chunks->Get("ann", name)) == "x");
  CHECK(ValueOf(bed.chunks->RemoveUnlessPutSince("ann", name, bed.clock.Now() + absl::Seconds(1))));
  CHECK(bed.chunks->Get("ann", name).status().code() == absl::StatusCode::kNotFound);
  CHECK_FALSE(ValueOf(bed.chunks->RemoveUnlessPutSince("ann", name, absl::InfiniteFuture())));
}

TEST_CASE("Putting a chunk again heals it", "[store][attachments][chunks]") {
  const Bed bed;
  const std::string name = bed.Put("ann", "right");
  std::ofstream(bed.PathOf("ann", name)) << "wrong";
  CHECK(ValueOf(bed.chunks->Get("ann", name)) == "wrong");
  bed.Put("ann", "right");
  CHECK(ValueOf(bed.chunks->Get("ann", name)) == "right");
}

TEST_CASE("What a crash left of a chunk is listed and can be removed",
          "[store][attachments][chunks]") {
  const Bed bed;
  const std::string name = bed.Put("ann", "x");
  const std::string part = name + ".1234.part";
  std::ofstream(bed.PathOf("ann", part)) << "ha";
  CHECK(bed.List("ann").at(part).bytes == 2);
  CHECK(ValueOf(bed.chunks->RemoveUnlessPutSince("ann", part, absl::InfiniteFuture())));
  CHECK(bed.List("ann").size() == 1);
}

TEST_CASE("A chunk that cannot be written is not there by half", "[store][attachments][chunks]") {
  const Bed bed;
  const std::string name = Sha256Hex("x");
  // A folder stands where the file must go.
  std::filesystem::create_directories(bed.PathOf("ann", name) + "/occupied");
  CHECK_FALSE(bed.chunks->Put("ann", name, "x").ok());
  CHECK(bed.List("ann").size() == 1);  // That folder; no part of the chunk.
  // A file stands where the folder must be.
  std::ofstream(bed.folder.File("file")) << "x";
  const auto nowhere = MakeChunkFolder(bed.folder.File("file"), bed.clock.function());
  CHECK_FALSE(nowhere->Put("ann", name, "x").ok());
}

TEST_CASE("A chunk that is put while others remove it stays", "[store][attachments][chunks]") {
  const Bed bed;
  const std::string name = Sha256Hex("x");
  std::atomic<bool> done = false;
  absl::Status removed;
  std::thread remover([&] {
    while (!done) {
      // Everything older than now goes; what is put has the present time.
      removed.Update(bed.chunks->RemoveUnlessPutSince("ann", name, bed.clock.Now()).status());
    }
  });
  for (int i = 0; i < 200; ++i) {
    bed.Put("ann", "x");
    CHECK(bed.chunks->Get("ann", name).ok());
  }
  done = true;
  remover.join();
  CHECK(removed == absl::OkStatus());
}

}  // namespace podkit::store
