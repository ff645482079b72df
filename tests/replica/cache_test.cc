#include "cache.h"

#include <filesystem>
#include <random>

#include "tests/replica/driver_bed.h"

namespace podkit::replica {
namespace {

uint64_t BytesOnDisk(const testing::TempDir& dir) {
  uint64_t bytes = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(dir.path())) {
    if (file.is_regular_file()) bytes += file.file_size();
  }
  return bytes;
}

void Insert(Cache* cache, const std::string& key, const std::string& bytes) {
  const UniqueFd file = MemoryFile(bytes);
  cache->Insert(key, HashOf(bytes), file.get(), bytes.size());
}

}  // namespace

TEST_CASE("The cache stays within its budget, across restarts too", "[replica][cache]") {
  testing::TempDir dir;
  constexpr uint64_t kBudget = 100'000;
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int run = 0; run < 3; ++run) {
    const uint64_t budget = kBudget / (run + 1);
    const auto cache = testing::ValueOf(Cache::Open(dir.path(), budget));
    CHECK(cache->bytes() == BytesOnDisk(dir));
    CHECK(BytesOnDisk(dir) <= budget);
    for (int i = 0; i < 100; ++i) {
      Insert(cache.get(), "k" + std::to_string(random() % 50), std::string(random() % 9000, 'x'));
      CHECK(cache->bytes() == BytesOnDisk(dir));
      CHECK(BytesOnDisk(dir) <= budget);
    }
  }
}

TEST_CASE("What is not whole is removed when the cache is opened", "[replica][cache]") {
  testing::TempDir dir;
  {
    const auto cache = testing::ValueOf(Cache::Open(dir.path(), 1 << 20));
    Insert(cache.get(), "good", "abc");
  }
  std::ofstream(dir.path() / "00" / "half.new") << "half";
  std::ofstream(dir.path() / "stray") << "x";
  const auto cache = testing::ValueOf(Cache::Open(dir.path(), 1 << 20));
  CHECK(cache->bytes() == BytesOnDisk(dir));
  const auto found = cache->Find("good");
  REQUIRE(found != nullptr);
  CHECK(found->Verify(0, 3));
  CHECK(found->hash == HashOf("abc"));
  CHECK(cache->Find("bad") == nullptr);
}

TEST_CASE("A scan throws out nothing that is in use", "[replica][cache]") {
  CachePolicy policy(1000);
  for (int i = 0; i < 5; ++i) {
    policy.Add("hot" + std::to_string(i), 100);
    policy.Touch("hot" + std::to_string(i));
  }
  for (int i = 0; i < 10'000; ++i) policy.Add("scan" + std::to_string(i), 100);
  for (int i = 0; i < 5; ++i) CHECK(policy.Has("hot" + std::to_string(i)));
  CHECK(policy.bytes() <= 1000);
  // What comes back soon after it was thrown out stays.
  policy.Add("scan9993", 100);
  for (int i = 0; i < 20; ++i) policy.Add("more" + std::to_string(i), 100);
  CHECK(policy.Has("scan9993"));
  policy.Remove("scan9993");
  CHECK_FALSE(policy.Has("scan9993"));
}

TEST_CASE("A scan that comes again throws out nothing that is in use", "[replica][cache]") {
  testing::TempDir dir;
  const auto cache = testing::ValueOf(Cache::Open(dir.path(), 64 << 10));
  const std::string bytes(2048, 'x');
  const auto hot = [](int i) { return "hot" + std::to_string(i); };
  for (int i = 0; i < 10; ++i) Insert(cache.get(), hot(i), bytes);
  for (int scan = 0; scan < 3; ++scan) {
    for (int i = 0; i < 10; ++i) CHECK(cache->Find(hot(i)) != nullptr);
    for (int i = 0; i < 300; ++i) Insert(cache.get(), "cold" + std::to_string(i), bytes);
  }
  for (int i = 0; i < 10; ++i) CHECK(cache->Find(hot(i)) != nullptr);
}

}  // namespace podkit::replica
