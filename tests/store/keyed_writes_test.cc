// Writes of other pods with idempotency keys: done once, and answered the same, whatever becomes of
// their answers and of the pod.
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "external/remote_actions.h"
#include "pod_cluster.h"
#include "sqlite/database.h"
#include "tests/support/faulty_disk.h"

namespace podkit::testing {
namespace {

using conduit::KeyStats;
using store::ActionOf;
using store::Bytes;
using store::CollectionInfo;
using store::Database;
using store::PutResult;

using Put = ActionOf<&store::HomeChild::PutObject>;
using RemoveNamed = ActionOf<&store::HomeChild::RemoveObject>;

// Pod A, trusted by the others, writes into bob's calendar on pod B.
class KeyedBed {
 public:
  explicit KeyedBed(const conduit::AnswerLimits& limits = {}) {
    cluster.Stop("B");
    cluster.options().answers = limits;
    cluster.Start("B");
    calendar = ValueOf(cluster.HomeOf("bob")->FindChild({.name = "calendar"}));
    // So that A has met B before anything is lost.
    ValueOf(cluster.HomeOn("A", "bob", "bob")->Info());
  }

  void Restart() {
    cluster.Stop("B");
    cluster.Start("B");
  }

  store::RemoteTarget target() const {
    return {.homeUID = calendar.owner_uid, .homeChildID = calendar.id};
  }

  // Makes an event that must not be there yet: done twice, it would be refused.
  absl::StatusOr<PutResult> Make(const std::string& key, const std::string& name, int attempts = 1,
                                 const std::string& from = "A") {
    return cluster.conduit(from).CallTarget<Put>(
        "B", target(), {name, Bytes{Event(name)}, {.must_not_exist = true}},
        {.actor = "bob", .key = key, .max_attempts = attempts});
  }
  // The same, and the answer is lost.
  void MakeUnheard(const std::string& key, const std::string& name) {
    cluster.network().SetFault("B", PodCluster::Fault::kLoseReply);
    const absl::Status lost = Make(key, name).status();
    cluster.network().SetFault("B", PodCluster::Fault::kNone);
    REQUIRE(conduit::OutcomeOf(lost) == conduit::Outcome::kUnknown);
  }
  absl::Status Remove(const std::string& key, const std::string& name) {
    return cluster.conduit("A")
        .CallTarget<RemoveNamed>("B", target(), {name, {}},
                                 {.actor = "bob", .key = key, .max_attempts = 1})
        .status();
  }

  KeyStats Stats() { return cluster.conduit("B").Keys(); }
  std::vector<std::string> Names() {
    return ValueOf(cluster.Child("bob", "calendar")->ListObjects());
  }
  std::string Token() { return ValueOf(cluster.Child("bob", "calendar")->SyncToken()); }

  // The commands whose answers bob's file keeps, as it is on the disk.
  std::multiset<std::string> Kept() {
    const auto database =
        ValueOf(Database::Open(cluster.FileOf("bob"), Database::Mode::kReadOnly, "bob"));
    std::multiset<std::string> commands;
    CHECK(database->Query("SELECT command FROM answer", {}, [&](const store::Row& row) {
      commands.insert(row.Text(0));
    }) == absl::OkStatus());
    return commands;
  }

  PodCluster cluster{{"A", "B", "C"}, {"A", "C"}};
  CollectionInfo calendar;
};

}  // namespace

TEST_CASE("A repeat is answered with what was done, also after a restart", "[store][keys]") {
  const bool restart = GENERATE(false, true);
  const bool unheard = GENERATE(false, true);
  KeyedBed bed;
  std::optional<PutResult> first;
  if (unheard) {
    bed.MakeUnheard("k", "1.ics");
  } else {
    first = ValueOf(bed.Make("k", "1.ics"));
  }
  const std::string token = bed.Token();
  const std::string id =
      ValueOf(bed.cluster.Child("bob", "calendar")->FindObject({.name = "1.ics"})).id;
  if (restart) bed.Restart();
  for (int i = 0; i < 2; ++i) {
    const PutResult repeat = ValueOf(bed.Make("k", "1.ics"));
    CHECK(repeat.created);
    CHECK(repeat.object.id == id);
    if (first) CHECK(conduit::ToJson(repeat) == conduit::ToJson(*first));
  }
  CHECK(bed.Token() == token);
  CHECK(bed.Names().size() == 1);
  CHECK(bed.Stats().executed == (restart ? 0 : 1));
  CHECK(bed.Stats().repeats == 2);
  CHECK(bed.Stats().held == (restart ? 0 : 1));
  // Another key is another call.
  CHECK(IsError<store::ObjectExists>(bed.Make("l", "1.ics")));
}

TEST_CASE("A repeat gets its answer although what it made is changed or gone", "[store][keys]") {
  KeyedBed bed;
  const PutResult first = ValueOf(bed.Make("k", "1.ics"));
  REQUIRE(bed.cluster.Child("bob", "calendar")->RemoveObject("1.ics", {}) == absl::OkStatus());
  CHECK(ValueOf(bed.Make("k", "1.ics")).object.etag == first.object.etag);
  CHECK(bed.Names().empty());
}

TEST_CASE("A key that stands for another call is refused, also after a restart", "[store][keys]") {
  const bool restart = GENERATE(false, true);
  KeyedBed bed;
  ValueOf(bed.Make("k", "1.ics"));
  if (restart) bed.Restart();
  const absl::Status other = bed.Make("k", "2.ics").status();
  REQUIRE(IsError<conduit::KeyReused>(other));
  CHECK(other.message().find("a call of 'homechild-put-object' with other arguments") !=
        absl::string_view::npos);
  const absl::Status command = bed.Remove("k", "1.ics");
  REQUIRE(IsError<conduit::KeyReused>(command));
  CHECK(conduit::GetError<conduit::KeyReused>(command)->first_command == "homechild-put-object");
  CHECK(bed.Names() == std::vector<std::string>{"1.ics"});
  CHECK(bed.Stats().refused == 2);
  // It is no other call's for another pod.
  CHECK(ValueOf(bed.Make("k", "2.ics", 1, "C")).created);
  CHECK(bed.Kept().size() == 2);
}

TEST_CASE("Of calls with the same key at the same time one is executed", "[store][keys][threads]") {
  constexpr int64_t kRounds = 5;
  constexpr int kCallers = 4;
  KeyedBed bed;
  for (int64_t round = 0; round < kRounds; ++round) {
    const std::string name = std::to_string(round) + ".ics";
    std::vector<absl::StatusOr<PutResult>> results(kCallers, absl::UnknownError(""));
    std::vector<std::thread> callers;
    for (auto& result : results) {
      callers.emplace_back([&] { result = bed.Make(name, name, 3); });
    }
    for (std::thread& caller : callers) caller.join();
    for (const auto& result : results) {
      CHECK(ValueOf(result).object.id == ValueOf(results.front()).object.id);
    }
  }
  CHECK(bed.Names().size() == kRounds);
  CHECK(bed.Stats().executed == kRounds);
  CHECK(bed.Stats().repeats == kRounds * (kCallers - 1));
}

TEST_CASE("An error is answered again until a restart, for it did nothing", "[store][keys]") {
  KeyedBed bed;
  ValueOf(bed.cluster.Child("bob", "calendar")->PutObject("1.ics", Bytes{Event("1.ics")}, {}));
  const std::string token = bed.Token();
  const absl::Status refused = bed.Make("k", "1.ics").status();
  REQUIRE(IsError<store::ObjectExists>(refused));
  CHECK(bed.Kept().empty());
  CHECK(bed.Token() == token);
  REQUIRE(bed.cluster.Child("bob", "calendar")->RemoveObject("1.ics", {}) == absl::OkStatus());
  CHECK(bed.Make("k", "1.ics").status().message() == refused.message());
  CHECK(bed.Names().empty());
  CHECK(bed.Stats().executed == 1);
  CHECK(bed.Stats().held == 1);
  bed.Restart();
  CHECK(ValueOf(bed.Make("k", "1.ics")).created);
  CHECK(bed.Kept() == std::multiset<std::string>{"homechild-put-object"});
}

TEST_CASE("A key for a home that is not there makes none", "[store][keys]") {
  KeyedBed bed;
  bed.calendar.owner_uid = "bea";
  CHECK(IsError<store::NoSuchHome>(bed.Make("k", "1.ics")));
  CHECK_FALSE(std::filesystem::exists(bed.cluster.FileOf("bea")));
  bed.calendar.owner_uid = "ann";
  CHECK(IsError<store::HomeElsewhere>(bed.Make("l", "1.ics")));
  bed.calendar.owner_uid = "nobody";
  CHECK(IsError<store::NoSuchUser>(bed.Make("m", "1.ics")));
}

TEST_CASE("Whichever operation of the disk fails, a write is done with its answer or not at all",
          "[store][keys][fault]") {
  const auto operation = GENERATE(FaultyDisk::Operation::kWrite, FaultyDisk::Operation::kSync);
  FaultyDisk disk;
  KeyedBed bed;
  // Until the write is through before the disk fails.
  bool answered = false;
  int n = 0;
  while (!answered) {
    const std::string name = std::to_string(++n) + ".ics";
    CAPTURE(name);
    // It fails until the pod has ended: it dies at this moment, as far as its files can tell.
    disk.FailAt(operation, n, FaultyDisk::Error::kInputOutput, true);
    answered = bed.Make(name, name).ok();
    bed.cluster.Stop("B");
    disk.Repair();
    bed.cluster.Start("B");
    const bool done = static_cast<int>(bed.Names().size()) == n;
    CHECK(static_cast<int>(bed.Kept().size()) == (done ? n : n - 1));
    if (answered) CHECK(done);
    CHECK(ValueOf(bed.Make(name, name)).created);
    CHECK(bed.Stats().repeats == (done ? 1 : 0));
    CHECK(static_cast<int>(bed.Names().size()) == n);
    CHECK(static_cast<int>(bed.Kept().size()) == n);
  }
  CHECK(n > 1);
}

TEST_CASE("A key can be used again after its time, and what has expired goes", "[store][keys]") {
  KeyedBed bed({.window = absl::Minutes(2)});
  for (int i = 0; i < 3; ++i) {
    const std::string name = std::to_string(i) + ".ics";
    ValueOf(bed.Make(name, name));
  }
  bed.cluster.clock().Advance(absl::Minutes(2) - absl::Seconds(1));
  CHECK(ValueOf(bed.Make("0.ics", "0.ics")).created);
  CHECK(bed.Stats().held == 3);
  bed.cluster.clock().Advance(absl::Seconds(1));
  CHECK(bed.Stats().held == 0);
  CHECK(bed.Kept().size() == 3);
  CHECK(IsError<store::ObjectExists>(bed.Make("0.ics", "0.ics")));
  ValueOf(bed.Make("1.ics", "another.ics"));
  CHECK(bed.Kept().size() == 1);
}

TEST_CASE("With as many answers as are allowed a write is refused before it begins",
          "[store][keys]") {
  const bool restart = GENERATE(false, true);
  KeyedBed bed({.max_keys = 2});
  ValueOf(bed.Make("1", "1.ics"));
  bed.cluster.clock().Advance(absl::Minutes(1));
  ValueOf(bed.Make("2", "2.ics"));
  if (restart) bed.Restart();
  const absl::Status full = bed.Make("3", "3.ics").status();
  REQUIRE(IsError<conduit::Overloaded>(full));
  CHECK(conduit::GetError<conduit::Overloaded>(full)->retry_after == absl::Minutes(4));
  CHECK(bed.Names().size() == 2);
  CHECK(bed.Stats().refused == 1);
  // Repeats are answered, other pods have room of their own, and none is needed without a key.
  CHECK(ValueOf(bed.Make("1", "1.ics")).created);
  CHECK(ValueOf(bed.Make("3", "C.ics", 1, "C")).created);
  CHECK(ValueOf(bed.Make("", "free.ics")).created);
  bed.cluster.clock().Advance(absl::Minutes(4));
  CHECK(ValueOf(bed.Make("3", "3.ics")).created);
}

TEST_CASE("Of an answer that is too large it is kept that it was given", "[store][keys]") {
  KeyedBed bed({.max_answer_bytes = 16});
  ValueOf(bed.Make("k", "1.ics"));
  bed.Restart();
  const absl::Status repeat = bed.Make("k", "1.ics").status();
  REQUIRE(IsError<conduit::BodyTooLarge>(repeat));
  CHECK(repeat.message().find("was executed") != absl::string_view::npos);
  CHECK(bed.Names().size() == 1);
}

}  // namespace podkit::testing
