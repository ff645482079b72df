// How many durable puts and gets a second the store does, beside what SQLite and the disk do with
// the same bytes and the same durability.
//
// usage: bench_store [--quick]
#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "must.h"
#include "podkit/store/store.h"
#include "query_bench.h"
#include "scale_bench.h"
#include "share_bench.h"
#include "tests/support/temp_dir.h"

namespace podkit::store {
namespace {

using bench::Must;

std::string Event(std::string_view uid) {
  return fmt::format(
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Podkit//Bench//EN\r\nBEGIN:VEVENT\r\nUID:{}\r\n"
      "DTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Berlin:20260302T100000\r\n"
      "DTEND;TZID=Europe/Berlin:20260302T110000\r\nRRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10\r\n"
      "SUMMARY:The weekly meeting\r\nDESCRIPTION:We go through what is open and decide.\r\n"
      "LOCATION:Room 1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
      uid);
}

// Calls `step` with the number of the call, from `threads` threads, each with a context of its own
// that `begin` makes before the clock starts. Returns the calls per second.
using Step = std::function<void(int64_t)>;
double Rate(int threads, absl::Duration length, const std::function<Step(int)>& begin) {
  std::vector<Step> steps;
  for (int t = 0; t < threads; ++t) steps.push_back(begin(t));
  std::atomic<int64_t> calls = 0;
  const absl::Time start = absl::Now();
  const absl::Time end = start + length;
  std::vector<std::thread> workers;
  for (const Step& step : steps) {
    workers.emplace_back([&calls, &step, end] {
      do {
        step(calls++);
      } while (absl::Now() < end);
    });
  }
  for (std::thread& worker : workers) worker.join();
  return static_cast<double>(calls) / absl::ToDoubleSeconds(absl::Now() - start);
}

// The numbers are unique over all rounds, so that every put makes a new object.
std::string NameOf(int round, int64_t number) { return fmt::format("{}-{}.ics", round, number); }

class Bench {
 public:
  explicit Bench(bool quick)
      : rounds_(quick ? 1 : 5), length_(quick ? absl::Milliseconds(50) : absl::Seconds(1)) {
    std::vector<User> users;
    for (int i = 0; i < kStores; ++i) users.push_back({UidOf(i), "", "A"});
    directory_ = Must(FileUserDirectory::Create(std::move(users)));
    StoreOptions options;
    options.folder = folder_.File("pod");
    store_ = Must(Store::Open(std::move(options), directory_, nullptr, "A"));
    for (int i = 0; i < kStores; ++i) ChildOf(i);
  }

  // Every figure in turn, and that again: what else the machine does then hits all of them.
  void Run() {
    for (int round = 0; round < rounds_; ++round) {
      disk_.push_back(SyncRate());
      sqlite_.push_back(SqliteRate(round));
      put_1_.push_back(PutRate(round * 10, 1, 1));
      put_16_.push_back(PutRate(round * 10 + 1, 16, 1));
      const StoreStats before = store_->Stats();
      put_64_.push_back(PutRate(round * 10 + 2, 64, 1));
      const StoreStats after = store_->Stats();
      group_.push_back(static_cast<double>(after.writes - before.writes) /
                       static_cast<double>(after.commits - before.commits));
      put_spread_.push_back(PutRate(round * 10 + 3, 64, kStores));
      get_.push_back(GetRate(round * 10, 1));
      get_16_.push_back(GetRate(round * 10, 16));
    }
    Print();
  }

 private:
  static constexpr int kStores = 64;

  static std::string UidOf(int i) { return fmt::format("user{}", i); }

  std::unique_ptr<HomeChild> ChildOf(int i) {
    const auto home = Must(store_->HomeFor(UidOf(i), UidOf(i)));
    return Must(home->ChildWith({.name = Must(home->ListChildren()).at(0)}));
  }

  // How often the disk takes 4 KiB for good, one after the other.
  double SyncRate() {
    const std::string path = folder_.File("sync");
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const std::string block(4096, 'x');
    const double rate = Rate(1, length_, [&](int) -> Step {
      return [&](int64_t) {
        if (write(file, block.data(), block.size()) != 4096 || fdatasync(file) != 0) std::abort();
      };
    });
    close(file);
    return rate;
  }

  // How many commits of one object's bytes SQLite does on one connection, as durable as ours.
  double SqliteRate(int round) {
    SQLite::Database database(folder_.File("raw.sqlite"),
                              SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("CREATE TABLE IF NOT EXISTS object (name TEXT PRIMARY KEY, text BLOB)");
    SQLite::Statement insert(database, "INSERT INTO object VALUES (?, ?)");
    return Rate(1, length_, [&](int) -> Step {
      return [&](int64_t number) {
        const std::string name = NameOf(round, number);
        const std::string text = Event(name);
        insert.bind(1, name);
        insert.bind(2, text.data(), static_cast<int>(text.size()));
        insert.exec();
        insert.reset();
      };
    });
  }

  // New objects from `threads` threads over `stores` users.
  double PutRate(int round, int threads, int stores) {
    return Rate(threads, length_, [&](int thread) -> Step {
      std::shared_ptr<HomeChild> child = ChildOf(thread % stores);
      return [child, round](int64_t number) {
        const std::string name = NameOf(round, number);
        Must(child->PutObject(name, Bytes{Event(name)}, {}));
      };
    });
  }

  // Objects that PutRate(round, ...) made.
  double GetRate(int round, int threads) {
    const int64_t count = Must(ChildOf(0)->CountObjects());
    return Rate(threads, length_, [&](int) -> Step {
      std::shared_ptr<HomeChild> child = ChildOf(0);
      return [child, round, count](int64_t number) {
        Must(child->Texts({NameOf(round, number % std::min<int64_t>(count, 20))}));
      };
    });
  }

  static double Median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }

  static void Figure(std::string_view name, const std::vector<double>& values,
                     std::string_view unit) {
    fmt::print("figure store/{} {:.0f} {}\n", name, Median(values), unit);
  }

  static void Ratio(std::string_view name, const std::vector<double>& ours,
                    const std::vector<double>& limit, double goal) {
    std::vector<double> ratios;
    for (size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i] / limit[i]);
    fmt::print("ratio store/{} {:.2f} goal {:.2f}\n", name, Median(ratios), goal);
  }

  void Print() const {
    Figure("disk-fdatasync", disk_, "syncs/s");
    Figure("sqlite-commit", sqlite_, "commits/s");
    Figure("put-1-thread", put_1_, "puts/s");
    Figure("put-16-threads", put_16_, "puts/s");
    Figure("put-64-threads", put_64_, "puts/s");
    Figure("put-64-threads-per-commit", group_, "puts");
    Figure("put-64-threads-64-stores", put_spread_, "puts/s");
    Figure("get-1-thread", get_, "gets/s");
    Figure("get-16-threads", get_16_, "gets/s");
    Ratio("put-1-thread-to-sqlite", put_1_, sqlite_, 0.8);
    Ratio("put-16-threads-to-sqlite", put_16_, sqlite_, 2);
    Ratio("put-64-threads-to-sqlite", put_64_, sqlite_, 3);
    Ratio("put-64-stores-to-sqlite", put_spread_, sqlite_, 1);
  }

  const testing::TempDir folder_;
  const int rounds_;
  const absl::Duration length_;
  std::shared_ptr<FileUserDirectory> directory_;
  std::unique_ptr<Store> store_;
  std::vector<double> disk_;
  std::vector<double> sqlite_;
  std::vector<double> put_1_;
  std::vector<double> put_16_;
  std::vector<double> put_64_;
  std::vector<double> group_;
  std::vector<double> put_spread_;
  std::vector<double> get_;
  std::vector<double> get_16_;
};

}  // namespace
}  // namespace podkit::store

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string_view(argv[1]) == "--quick";
  podkit::store::Bench(quick).Run();
  podkit::bench::RunShareBench(quick);
  podkit::bench::RunQueryBench(quick);
  podkit::bench::RunScaleBench(quick);
  return 0;
}
