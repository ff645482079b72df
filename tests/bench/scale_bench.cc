#include "scale_bench.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "load.h"
#include "must.h"
#include "podkit/store/store.h"
#include "tests/support/temp_dir.h"

namespace podkit::bench {
namespace {

std::string UidOf(int i) { return fmt::format("user{:06}", i); }

std::shared_ptr<store::FileUserDirectory> DirectoryOf(int users) {
  std::vector<store::User> all;
  for (int i = 0; i < users; ++i) all.push_back({UidOf(i), "", "A"});
  return Must(store::FileUserDirectory::Create(std::move(all)));
}

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t all = 0;
  int64_t resident = 0;
  if (!(statm >> all >> resident)) std::abort();
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void AllowManyFiles() {
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) std::abort();
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 65536);
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) std::abort();
}

// A home whose calendars were listed stays open; so it does with what SQLite read of it.
void MeasureMemory(int homes) {
  AllowManyFiles();
  const testing::TempDir folder;
  const auto open = [&] {
    return Must(store::Store::Open(
        {.folder = folder.File("pod"), .max_open_files = static_cast<size_t>(homes)},
        DirectoryOf(homes), nullptr, "A"));
  };
  const auto visit = [&](store::Store& store, int first) {
    for (int i = first; i < homes; ++i) {
      const auto home = Must(store.HomeFor(UidOf(i), UidOf(i)));
      const auto child = Must(home->ChildWith({.name = Must(home->ListChildren()).at(0)}));
      Must(child->LoadObjects());
    }
  };
  visit(*open(), 0);
  const auto store = open();
  const int few = homes / 10;  // What is there once is not what one home costs.
  visit(*store, homes - few);
  const double before = ResidentBytes();
  const auto open_before = store->Stats().open_files;
  visit(*store, 0);
  const auto opened = static_cast<double>(store->Stats().open_files - open_before);
  PrintFigure("store/open-homes", opened, "homes");
  PrintFigure("store/memory-per-open-home", (ResidentBytes() - before) / opened / 1024, "KiB");
}

// A start reads the list of the homes and opens none of their files, so the list is all there is.
void MeasureStart(int homes) {
  const testing::TempDir folder;
  const std::string data = folder.File("pod");
  const auto directory = DirectoryOf(homes);
  const auto open = [&] {
    const absl::Time start = absl::Now();
    const auto store = Must(store::Store::Open(
        {.folder = data, .care_period = absl::ZeroDuration()}, directory, nullptr, "A"));
    return absl::ToDoubleMilliseconds(absl::Now() - start);
  };
  open();
  {
    SQLite::Database database(data + "/pod.sqlite", SQLite::OPEN_READWRITE);
    SQLite::Transaction transaction(database);
    SQLite::Statement insert(database, "INSERT INTO home (uid, created_at) VALUES (?, 0)");
    for (int i = 0; i < homes; ++i) {
      insert.bind(1, UidOf(i));
      insert.exec();
      insert.reset();
    }
    transaction.commit();
  }
  PrintFigure(fmt::format("store/start-with-{}-homes", homes), open(), "ms");
}

}  // namespace

void RunScaleBench(bool quick) {
  MeasureMemory(quick ? 20 : 1000);
  MeasureStart(quick ? 1000 : 100'000);
}

}  // namespace podkit::bench
