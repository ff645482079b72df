// How many stores a second a lock directory in this process grants and takes back, in memory and
// in a file, beside what SQLite and the disk do with the same durability.
//
// An operation is an acquire and a release of a store that nobody else wants. In the file, both are
// durable before they are answered, so one caller alone cannot be faster than two syncs.
//
// usage: bench_lock [--quick]
#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "podkit/lock/local_directory.h"
#include "tests/bench/load.h"
#include "tests/bench/must.h"
#include "tests/support/temp_dir.h"

namespace podkit::lock {
namespace {

using bench::Load;
using bench::Must;
using bench::RunLoad;

constexpr int kMaxCallers = 1024;

// The callers of one host, each with a store of its own.
class Callers {
 public:
  explicit Callers(WriteLockDirectory& directory)
      : directory_(directory), requests_(static_cast<size_t>(kMaxCallers)) {
    Must(directory_.OpenSession({.id = "session", .host = "alpha", .term = absl::Minutes(10)}));
    for (int i = 0; i < kMaxCallers; ++i) {
      if (!directory_.CreateStore(StoreOf(i)).ok()) std::abort();
    }
  }

  Load Measure(int callers, std::chrono::milliseconds length) {
    return RunLoad(callers, length, [this](int caller) { return AcquireAndRelease(caller); });
  }
  Load MeasureRenewals(std::chrono::milliseconds length) {
    return RunLoad(1, length, [this](int) { return directory_.Renew("session").ok(); });
  }

 private:
  static std::string StoreOf(int caller) { return fmt::format("user {}", caller); }

  bool AcquireAndRelease(int caller) {
    const std::string id = fmt::format("{}-{}", caller, ++requests_[static_cast<size_t>(caller)]);
    const auto grant = directory_.Acquire(
        {.session = "session", .request_id = "a" + id, .store = StoreOf(caller)});
    if (!grant.ok()) return false;
    return directory_
        .Release({.holding = {"session", grant->store, grant->token}, .request_id = "r" + id})
        .ok();
  }

  WriteLockDirectory& directory_;
  std::vector<int64_t> requests_;  // Of each caller, which alone changes it.
};

class Bench {
 public:
  explicit Bench(bool quick)
      : rounds_(quick ? 1 : 5),
        length_(quick ? std::chrono::milliseconds(50) : std::chrono::seconds(1)),
        memory_(Must(OpenMemoryDirectory())),
        file_(Must(OpenSqliteDirectory(folder_.File("locks.sqlite")))),
        in_memory_(*memory_),
        in_file_(*file_) {}

  // Every figure in turn, and that again: what else the machine does then hits all of them.
  void Run() {
    for (int round = 0; round < rounds_; ++round) {
      disk_.push_back(SyncRate());
      sqlite_.push_back(SqliteRate());
      file_1_.push_back(in_file_.Measure(1, length_));
      const auto before = file_->counters();
      file_64_.push_back(in_file_.Measure(64, length_));
      const auto after = file_->counters();
      group_.push_back(static_cast<double>(after.requests - before.requests) /
                       static_cast<double>(after.commits - before.commits));
      file_1024_.push_back(in_file_.Measure(kMaxCallers, length_));
      renewals_.push_back(in_file_.MeasureRenewals(length_));
      memory_1_.push_back(in_memory_.Measure(1, length_));
      memory_64_.push_back(in_memory_.Measure(64, length_));
    }
    Print();
  }

 private:
  // How often the disk takes 4 KiB for good, one after the other.
  double SyncRate() {
    const std::string path = folder_.File("sync");
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const std::string block(4096, 'x');
    const Load load = RunLoad(1, length_, [&](int) {
      return write(file, block.data(), block.size()) == 4096 && fdatasync(file) == 0;
    });
    close(file);
    return load.per_second;
  }

  // How many commits of one row like that of a store SQLite does, as durable as ours.
  double SqliteRate() {
    SQLite::Database database(folder_.File("raw.sqlite"),
                              SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("CREATE TABLE IF NOT EXISTS store (name TEXT PRIMARY KEY, row TEXT)");
    SQLite::Statement put(database, "INSERT OR REPLACE INTO store VALUES (?, ?)");
    const std::string row(200, 'x');
    int64_t number = 0;
    return RunLoad(1, length_,
                   [&](int) {
                     put.bind(1, fmt::format("user {}", ++number % kMaxCallers));
                     put.bind(2, row);
                     put.exec();
                     put.reset();
                     return true;
                   })
        .per_second;
  }

  static double Median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }
  static std::vector<double> RatesOf(const std::vector<Load>& loads) {
    std::vector<double> rates;
    for (const Load& load : loads) rates.push_back(load.per_second);
    return rates;
  }

  static void Figure(std::string_view name, const std::vector<double>& values,
                     std::string_view unit) {
    fmt::print("figure lock/{} {:.0f} {}\n", name, Median(values), unit);
  }
  static void Figures(std::string_view name, const std::vector<Load>& loads) {
    Figure(name, RatesOf(loads), "acquire+release/s");
    std::vector<double> medians;
    for (const Load& load : loads) medians.push_back(load.p50_us);
    Figure(fmt::format("{}-p50", name), medians, "us");
  }
  static void Ratio(std::string_view name, const std::vector<Load>& ours,
                    const std::vector<double>& limit, double goal) {
    std::vector<double> ratios;
    for (size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i].per_second / limit[i]);
    fmt::print("ratio lock/{} {:.2f} goal {:.2f}\n", name, Median(ratios), goal);
  }

  void Print() const {
    Figure("disk-fdatasync", disk_, "syncs/s");
    Figure("sqlite-commit", sqlite_, "commits/s");
    Figures("file-1-caller", file_1_);
    Figures("file-64-callers", file_64_);
    Figure("file-64-callers-per-commit", group_, "changes");
    Figures("file-1024-callers", file_1024_);
    Figure("file-renewals-1-caller", RatesOf(renewals_), "renewals/s");
    Figures("memory-1-caller", memory_1_);
    Figures("memory-64-callers", memory_64_);
    // Two commits for each operation of a single caller.
    Ratio("file-1-caller-to-sqlite", file_1_, sqlite_, 0.4);
    Ratio("file-64-callers-to-sqlite", file_64_, sqlite_, 10);
    Ratio("file-1024-callers-to-sqlite", file_1024_, sqlite_, 20);
  }

  const testing::TempDir folder_;
  const int rounds_;
  const std::chrono::milliseconds length_;
  std::unique_ptr<LocalDirectory> memory_;
  std::unique_ptr<LocalDirectory> file_;
  Callers in_memory_;
  Callers in_file_;
  std::vector<double> disk_;
  std::vector<double> sqlite_;
  std::vector<Load> file_1_;
  std::vector<Load> file_64_;
  std::vector<double> group_;
  std::vector<Load> file_1024_;
  std::vector<Load> renewals_;
  std::vector<Load> memory_1_;
  std::vector<Load> memory_64_;
};

}  // namespace
}  // namespace podkit::lock

int main(int argc, char** argv) {
  podkit::lock::Bench(argc > 1 && std::string_view(argv[1]) == "--quick").Run();
  return 0;
}
