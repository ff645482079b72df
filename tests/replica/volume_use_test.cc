#include "volume_use.h"

#include <map>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::replica {
namespace {

struct UseBed {
  testing::TempDir folder;
  std::unique_ptr<Catalog> catalog = testing::ValueOf(Catalog::Open(folder.File("catalog")));
  VolumeUse use;

  // Of volume "v", as soon as nothing has to be waited for.
  absl::StatusOr<VolumeUse::Change> Begin(bool counted) {
    return use.Begin("v", counted, catalog.get(), absl::Now());
  }
  void Put(uint64_t id, uint64_t size, const std::string& volume = "v") const {
    CHECK(catalog->Put(KeyOf({.volume = volume, .file = "f", .id = id}), {.size = size}).ok());
  }
};

TEST_CASE("What a volume has is added up while nobody changes it", "[replica][quota]") {
  UseBed bed;
  bed.Put(1, 5);
  bed.Put(2, 100, "v-");  // The neighbours in the order of keys.
  bed.Put(3, 100, "v0");
  {
    auto before = testing::ValueOf(bed.Begin(false));  // As before there was a quota.
    const absl::Status early = bed.Begin(true).status();
    CHECK(absl::IsUnavailable(early));
    CHECK(early.message() == "volume 'v' is being added up for its quota: try again later");
    CHECK(before.Take(3, std::nullopt));
    bed.Put(4, 3);
  }
  CHECK(bed.use.used().empty());
  auto first = testing::ValueOf(bed.Begin(true));
  CHECK(bed.use.used() == std::map<std::string, uint64_t>{{"v", 8}});
  auto second = testing::ValueOf(bed.Begin(true));  // From now on nobody waits.
  CHECK(first.Take(1, 10));
  CHECK_FALSE(second.Take(2, 10));
  CHECK(second.Take(1, 10));
  CHECK_FALSE(second.Take(1, 9));  // The quota was made smaller.
  CHECK(second.Take(1, std::nullopt));
  first.Give(11);
  CHECK(bed.use.used() == std::map<std::string, uint64_t>{{"v", 0}});
}

TEST_CASE("A volume that could not be added up is tried again", "[replica][quota]") {
  UseBed bed;
  bed.Put(1, uint64_t{1} << 62);
  bed.Put(2, uint64_t{1} << 62);
  CHECK_FALSE(bed.Begin(true).ok());  // More than SQLite adds up.
  CHECK(bed.use.used().empty());
  bed.Put(2, 2);
  const auto change = testing::ValueOf(bed.Begin(true));
  CHECK(bed.use.used() == std::map<std::string, uint64_t>{{"v", (uint64_t{1} << 62) + 2}});
}

}  // namespace
}  // namespace podkit::replica
