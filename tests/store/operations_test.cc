// What is counted of the operations on the homes of a pod: each once, where the home lives, under
// its name, by how it ended.
#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "attachment_bed.h"
#include "external/remote_actions.h"
#include "operations/operation_counters.h"
#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::ActionOf;
using store::Home;
using store::OperationCounters;
using store::OperationResult;
using store::OperationStats;
using store::PodCollections;
using store::ResultOf;

// "2 ok, 1 refused", by operation.
using Tally = std::map<std::string, std::string>;

// What a pod counts.
class Watch {
 public:
  Watch(PodCluster& cluster, std::string pod) : cluster_(cluster), pod_(std::move(pod)) { Take(); }

  // Since the last time.
  Tally Take() {
    Tally tally;
    for (const OperationStats& now : cluster_.store(pod_).Stats().operations) {
      OperationStats& before = seen_[now.operation];
      std::string text;
      const auto add = [&text](int64_t number, const char* what) {
        if (number != 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", number, what);
      };
      add(Ok(now) - Ok(before), "ok");
      add(now.refused - before.refused, "refused");
      add(now.failed - before.failed, "failed");
      if (!text.empty()) tally[now.operation] = text;
      before = now;
    }
    return tally;
  }

 private:
  static int64_t Ok(const OperationStats& stats) {
    return stats.calls - stats.refused - stats.failed;
  }

  PodCluster& cluster_;
  const std::string pod_;
  std::map<std::string, OperationStats> seen_;
};

// ann's home, her calendar and an event in it, through one pod.
class OfAnn {
 public:
  OfAnn(PodCluster& cluster, const std::string& pod)
      : home_(cluster.HomeOn(pod, "ann", "ann")),
        child_(ValueOf(home_->ChildWith({.name = "calendar"}))),
        object_(ValueOf(child_->ObjectWith({.name = "1.ics"}))) {}

  // Calls the action's method with arguments that mean nothing.
  template <typename TheAction>
  absl::Status Call() {
    return std::apply(
        [&](const auto&... argument) {
          return store::internal::StatusIn(
              (Get<typename TheAction::Class>().*TheAction::kMethod)(argument...));
        },
        typename TheAction::Arguments());
  }

 private:
  template <typename Interface>
  Interface& Get() {
    if constexpr (std::is_same_v<Interface, Home>) {
      return *home_;
    } else if constexpr (std::is_same_v<Interface, HomeChild>) {
      return *child_;
    } else {
      return *object_;
    }
  }

  std::unique_ptr<Home> home_;
  std::unique_ptr<HomeChild> child_;
  std::unique_ptr<ObjectResource> object_;
};

template <typename Body, typename... Actions>
void ForEachAction(store::ActionTable<Actions...>, const Body& body) {
  (body(std::type_identity<Actions>()), ...);
}

template <typename... E>
std::set<std::string_view> Failures(conduit::ErrorList<E...>) {
  std::set<std::string_view> classes;
  const auto add = [&](std::string_view name, const absl::Status& status) {
    if (ResultOf(status) == OperationResult::kFailed) classes.insert(name);
  };
  (add(E::kClass, store::MakeError(E{}, "")), ...);
  return classes;
}

OperationStats StatsOf(PodCluster& cluster, const std::string& pod, std::string_view operation) {
  for (const OperationStats& stats : cluster.store(pod).Stats().operations) {
    if (stats.operation == operation) return stats;
  }
  FAIL("no operation is called " << operation);
  return {};
}

}  // namespace

TEST_CASE("Every operation is counted once where the home lives, whoever asks",
          "[store][operations]") {
  const std::string pod = GENERATE(as<std::string>(), "A", "B");
  PodCluster cluster({"A", "B"}, {"B"});
  ValueOf(cluster.Child("ann", "calendar")->PutObject("1.ics", Bytes{Event("1")}, {}));
  OfAnn ann(cluster, pod);
  Watch here(cluster, "A");
  Watch there(cluster, "B");
  ForEachAction(store::RemoteActions(), [&]<typename TheAction>(std::type_identity<TheAction>) {
    if constexpr (!std::is_same_v<typename TheAction::Class, PodCollections>) {
      const std::string name(TheAction::kInfo.name);
      INFO(name << " through pod " << pod);
      const absl::Status status = ann.Call<TheAction>();
      CHECK(here.Take() == Tally{{name, status.ok() ? "1 ok" : "1 refused"}});
      CHECK(there.Take().empty());
    }
  });
}

TEST_CASE("A question about a whole home is counted on each pod as what it is made of",
          "[store][operations]") {
  const std::string pod = GENERATE(as<std::string>(), "A", "B");
  INFO("through pod " << pod);
  PodCluster cluster({"A", "B"}, {"B"});
  cluster.Share("bob", "calendar", "ann", Access::kRead, "bobs");
  const auto home = cluster.HomeOn(pod, "ann", "ann");
  Watch a(cluster, "A");
  Watch b(cluster, "B");
  CHECK(ValueOf(home->SyncTokens()).size() == 2);
  CHECK(a.Take() == Tally{{"home-load-children", "1 ok"}, {"collections-sync-tokens", "1 ok"}});
  CHECK(b.Take() == Tally{{"collections-sync-tokens", "1 ok"}});
  const absl::Time now = cluster.clock().Now();
  ValueOf(home->FindFreeBusy({.start = now,
                              .end = now + absl::Hours(24),
                              .collections = std::vector<std::string>{"calendar", "bobs"}}));
  CHECK(a.Take() ==
        Tally{{"collections-free-busy-sources", "1 ok"}, {"collections-busy-time", "1 ok"}});
  CHECK(b.Take() == Tally{{"collections-busy-time", "1 ok"}});
}

TEST_CASE("A handle is counted as what it is found by", "[store][operations]") {
  AttachmentBed bed;
  Watch watch(bed.cluster(), "A");
  ValueOf(bed.child().ObjectWith({.name = "1.ics"}));
  CHECK(watch.Take() == Tally{{"homechild-find-object", "1 ok"}});
  CHECK(IsError<store::NoSuchObject>(bed.child().ObjectWith({.name = "2.ics"})));
  CHECK(watch.Take() == Tally{{"homechild-find-object", "1 refused"}});
  const auto home = bed.cluster().HomeOn(bed.remote() ? "B" : "A", "ann", "ann");
  CHECK(watch.Take() == (bed.remote() ? Tally{} : Tally{{"home-open", "1 ok"}}));
  ValueOf(home->ChildWith({.name = "calendar"}));
  CHECK(watch.Take() == Tally{{"home-find-child", "1 ok"}});
  CHECK(IsError<store::NoSuchCollection>(home->ChildWith({.name = "none"})));
  CHECK(watch.Take() == Tally{{"home-find-child", "1 refused"}});
}

TEST_CASE("The operations have the names of the remote actions", "[store][operations]") {
  PodCluster cluster;
  std::set<std::string> names = {"home-open"};
  ForEachAction(store::RemoteActions(), [&]<typename TheAction>(std::type_identity<TheAction>) {
    names.insert(std::string(TheAction::kInfo.name));
  });
  std::set<std::string> counted;
  for (const OperationStats& stats : cluster.store("A").Stats().operations) {
    CHECK(counted.insert(stats.operation).second);
    CHECK(stats.calls == 0);
  }
  CHECK(counted == names);
}

TEST_CASE("What is refused and what fails is counted apart", "[store][operations]") {
  AttachmentBed bed;
  bed.cluster().options().max_object_bytes = 1000;
  bool full = false;
  bed.cluster().options().chunks = std::make_shared<MemoryChunks>([&full] {
    return full ? store::MakeError(store::StoreFull{}, "no room") : absl::OkStatus();
  });
  bed.Restart();
  HomeChild& child = bed.child();
  const auto object = bed.Object();
  Watch watch(bed.cluster(), "A");

  ValueOf(child.PutObject("2.ics", Bytes{Event("2")}, {}));
  CHECK(watch.Take() == Tally{{"homechild-put-object", "1 ok"}});
  CHECK(IsError<store::ObjectExists>(
      child.PutObject("2.ics", Bytes{Event("2")}, {.must_not_exist = true})));
  CHECK(IsError<store::InvalidCalendarData>(child.PutObject("3.ics", Bytes{"none"}, {})));
  CHECK(IsError<store::InvalidName>(child.PutObject("", Bytes{Event("4")}, {})));
  // Beyond a limit, but of what he sent.
  CHECK(IsError<store::StoreFull>(
      child.PutObject("5.ics", Bytes{Event("5", std::string(2000, 'x'))}, {})));
  CHECK(watch.Take() == Tally{{"homechild-put-object", "4 refused"}});

  const std::string id = Attach(*object, "x").attachment.managed_id;
  watch.Take();
  full = true;
  CHECK(IsError<store::StoreFull>(object->WriteAttachment({.payload = "y"})));
  CHECK(watch.Take() == Tally{{"objectresource-write-attachment", "1 failed"}});
  CHECK(IsError<store::NoSuchAttachment>(object->ReadAttachmentPart("none", 0)));
  CHECK(IsError<store::InvalidRequest>(object->ReadAttachmentPart(id, 2)));
  CHECK(watch.Take() == Tally{{"objectresource-attachment-part", "2 refused"}});
}

TEST_CASE("What the rights refuse is counted as refused", "[store][operations]") {
  const std::string viewer = GENERATE(as<std::string>(), "abe", "bob");
  PodCluster cluster;
  cluster.Share("ann", "calendar", viewer, Access::kRead, "anns");
  const auto child = cluster.Child(viewer, "anns");
  Watch watch(cluster, "A");
  CHECK(IsError<store::AccessDenied>(child->PutObject("1.ics", Bytes{Event("1")}, {})));
  CHECK(watch.Take() == Tally{{"homechild-put-object", "1 refused"}});
}

TEST_CASE("A home that cannot be opened fails what was asked of it", "[store][operations]") {
  PodCluster cluster({"A", "B"}, {"B"});
  cluster.HomeOf("ann");
  cluster.Stop("A");
  std::ofstream(cluster.FileOf("ann")) << std::string(8192, 'x');
  cluster.Start("A");
  Watch watch(cluster, "A");
  CHECK(IsError<store::StoreDamaged>(cluster.store("A").HomeFor("ann", "ann")));
  CHECK(watch.Take() == Tally{{"home-open", "1 failed"}});
  CHECK(IsError<store::StoreDamaged>(cluster.HomeOn("B", "ann", "ann")->Info()));
  CHECK(watch.Take() == Tally{{"home-info", "1 failed"}});
}

TEST_CASE("What never comes to the home is not counted", "[store][operations]") {
  PodCluster cluster;
  cluster.HomeOf("ann");
  Watch a(cluster, "A");
  Watch b(cluster, "B");
  // B may not speak for her.
  CHECK(IsError<store::AccessDenied>(cluster.HomeOn("B", "ann", "ann")->Info()));
  cluster.network().SetFault("A", PodCluster::Fault::kRefuse);
  CHECK(IsError<store::PodUnavailable>(cluster.HomeOn("B", "ann", "bob")->Info()));
  CHECK(a.Take().empty());
  CHECK(b.Take().empty());
}

TEST_CASE("How long an operation took is counted in its class", "[store][operations]") {
  AttachmentBed bed;
  FakeClock& clock = bed.cluster().clock();
  bed.cluster().options().chunks = std::make_shared<MemoryChunks>([&clock] {
    clock.Advance(absl::Seconds(3));
    return absl::OkStatus();
  });
  bed.Restart();
  const auto object = bed.Object();
  ValueOf(object->WriteAttachment({.payload = "x"}));
  const OperationStats stats = StatsOf(bed.cluster(), "A", "objectresource-write-attachment");
  CHECK(stats.calls == 1);
  CHECK(stats.seconds == 3);
  for (size_t i = 0; i < stats.latencies.size(); ++i) {
    const bool it =
        i > 0 && i < conduit::kLatencyBounds.size() && conduit::kLatencyBounds.at(i) == 5;
    CHECK(stats.latencies.at(i) == (it ? 1 : 0));
  }
}

TEST_CASE("Attachments are counted on the owner's pod with the bytes that come and go",
          "[store][operations][attachments]") {
  AttachmentBed bed;
  const auto object = bed.Object();
  const auto check = [&](int64_t written, int64_t written_bytes, int64_t read, int64_t read_bytes) {
    const store::AttachmentStats stats = bed.cluster().store("A").Stats().attachments;
    CHECK(stats.written == written);
    CHECK(stats.written_bytes == written_bytes);
    CHECK(stats.read == read);
    CHECK(stats.read_bytes == read_bytes);
  };
  check(0, 0, 0, 0);
  const int64_t size = 2 * kPart + 1000;
  const std::string id = Attach(*object, Noise(size)).attachment.managed_id;
  check(1, size, 0, 0);
  ReadAll(*object, id);
  check(1, size, 1, size);
  // A part alone is bytes and no file.
  ValueOf(object->ReadAttachmentPart(id, kPart));
  check(1, size, 1, size + kPart);
  ValueOf(object->ReadAttachmentPart(id, size));
  check(1, size, 1, size + kPart);
  ValueOf(object->UploadAttachmentPart({.payload = "part"}));
  check(1, size + 4, 1, size + kPart);
  // An empty file is one too.
  ReadAll(*object, Attach(*object, "").attachment.managed_id);
  check(2, size + 4, 2, size + kPart);
  // What is refused is not taken.
  CHECK_FALSE(object->WriteAttachment({.managed_id = "none", .payload = "x"}).ok());
  CHECK_FALSE(object->ReadAttachmentPart("none", 0).ok());
  check(2, size + 4, 2, size + kPart);
  CHECK(bed.cluster().store("B").Stats().attachments.written_bytes == 0);
  CHECK(bed.cluster().store("B").Stats().attachments.read_bytes == 0);
}

TEST_CASE("An error is a failure if this pod is at fault, and a refusal else",
          "[store][operations]") {
  CHECK(ResultOf(absl::OkStatus()) == OperationResult::kOk);
  CHECK(Failures(store::StoreErrors()) == std::set<std::string_view>{"AttachmentDamaged",
                                                                     "PodUnavailable", "StoreBusy",
                                                                     "StoreDamaged", "StoreFull"});
  CHECK(ResultOf(store::MakeError(store::StoreFull{.object = "1.ics"}, "too long")) ==
        OperationResult::kRefused);
  CHECK(ResultOf(store::MakeError(conduit::InternalError{}, "")) == OperationResult::kFailed);
  CHECK(ResultOf(absl::NotFoundError("it has no name")) == OperationResult::kFailed);
}

TEST_CASE("Operations of several threads are all counted, and no error before its call",
          "[store][operations][threads]") {
  using Info = ActionOf<&Home::Info>;
  constexpr int64_t kThreads = 4;
  constexpr int64_t kEach = 3000;
  OperationCounters counters([] { return absl::UnixEpoch(); });
  const absl::Status refusal = store::MakeError(store::NoSuchUser{}, "");
  std::atomic<int64_t> running = kThreads;
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int64_t n = 0; n < kEach; ++n) {
        const absl::Status ended = counters.Run<Info>([&] { return refusal; });
        if (ended.ok()) std::terminate();
      }
      --running;
    });
  }
  const auto info = [&] { return counters.Get().front(); };
  bool whole = true;
  while (running > 0) {
    const OperationStats stats = info();
    whole = whole && stats.refused <= stats.calls;
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(whole);
  CHECK(info().operation == "home-info");
  CHECK(info().calls == kThreads * kEach);
  CHECK(info().refused == kThreads * kEach);
  CHECK(info().failed == 0);
}

}  // namespace podkit::testing
