// When which pod is served with whose messages, and that a dead one delays no other.
#include "messages/postman.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "messages/delivery_schedule.h"
#include "podkit/store/errors.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace podkit::store {
namespace {

using testing::FakeClock;
using testing::TempDir;
using testing::ValueOf;

using Uids = std::vector<std::string>;

constexpr absl::Duration kPatience = absl::Seconds(30);

TEST_CASE("Pauses grow from a quarter of a second to half a minute", "[store][postman]") {
  CHECK(PauseAfter(1) == absl::Milliseconds(250));
  CHECK(PauseAfter(2) == absl::Milliseconds(500));
  CHECK(PauseAfter(7) == absl::Seconds(16));
  CHECK(PauseAfter(8) == absl::Seconds(30));
  CHECK(PauseAfter(1'000'000'000) == absl::Seconds(30));
}

TEST_CASE("An outbox is looked through once for each time that it was written to",
          "[store][postman]") {
  FakeClock clock;
  DeliverySchedule schedule;
  CHECK(schedule.NextDue() == absl::InfiniteFuture());
  schedule.Post("ann");
  schedule.Post("ann");
  CHECK(schedule.NextSort() == absl::InfinitePast());
  CHECK(schedule.TakeUnsorted(clock.Now()) == Uids{"ann"});
  CHECK(schedule.TakeUnsorted(clock.Now()).empty());
  CHECK_FALSE(schedule.IsIdle("ann"));
  // He writes again while it is looked through.
  schedule.Post("ann");
  schedule.Sorted("ann", {"B"});
  CHECK(schedule.TakeUnsorted(clock.Now()) == Uids{"ann"});
  schedule.Sorted("ann", {});
  CHECK(schedule.NextSort() == absl::InfiniteFuture());
  CHECK(schedule.Pods() == Uids{"B"});
  // What cannot be read is looked at later, but at once if there is more.
  schedule.Post("bob");
  CHECK(schedule.TakeUnsorted(clock.Now()) == Uids{"bob"});
  schedule.SortLater("bob", clock.Now() + absl::Seconds(5));
  CHECK(schedule.TakeUnsorted(clock.Now()).empty());
  CHECK(schedule.NextSort() == clock.Now() + absl::Seconds(5));
  schedule.Post("bob");
  CHECK(schedule.TakeUnsorted(clock.Now()) == Uids{"bob"});
}

TEST_CASE("A pod is served with what is due for it", "[store][postman]") {
  FakeClock clock;
  DeliverySchedule schedule;
  schedule.Sorted("ann", {"B", "C"});
  schedule.Sorted("abe", {"B"});
  CHECK(schedule.NextService("B") == absl::InfinitePast());
  CHECK(schedule.Begin("B", clock.Now()) == Uids{"abe", "ann"});
  CHECK(schedule.IsServed("B"));
  CHECK_FALSE(schedule.IsServed("C"));
  schedule.Finish("B", "abe", absl::InfiniteFuture());
  CHECK(schedule.IsIdle("abe"));
  // More comes while it is served.
  schedule.Sorted("ann", {"B"});
  schedule.Finish("B", "ann", absl::InfiniteFuture());
  schedule.End("B");
  CHECK_FALSE(schedule.IsServed("B"));
  CHECK(schedule.Begin("B", clock.Now()) == Uids{"ann"});
  schedule.Finish("B", "ann", clock.Now() + absl::Seconds(2));
  schedule.End("B");
  CHECK(schedule.NextService("B") == clock.Now() + absl::Seconds(2));
  CHECK(schedule.NextDue() == absl::InfinitePast());  // C.
  CHECK(schedule.Begin("B", clock.Now()).empty());
  schedule.End("B");
  // Of a receiver who moved: for a pod that would not be served.
  schedule.AlsoServe("ann", {"B", "D"});
  CHECK(schedule.NextService("B") == clock.Now() + absl::Seconds(2));
  CHECK(schedule.NextService("D") == absl::InfinitePast());
  CHECK_FALSE(schedule.IsIdle("ann"));
}

TEST_CASE("A pod that does not answer is left alone, longer each time, and others come first then",
          "[store][postman]") {
  FakeClock clock;
  DeliverySchedule schedule;
  schedule.Sorted("abe", {"B"});
  schedule.Sorted("ann", {"B", "C"});
  absl::Duration expected = absl::Milliseconds(250);
  for (int failure = 0; failure < 3; ++failure) {
    const Uids due = schedule.Begin("B", clock.Now());
    CHECK(due == (failure % 2 == 0 ? Uids{"abe", "ann"} : Uids{"ann", "abe"}));
    schedule.PodFailed("B", due.front(), clock.Now());
    for (const std::string& uid : due) schedule.Finish("B", uid, absl::InfinitePast());
    schedule.End("B");
    CHECK(schedule.NextService("B") == clock.Now() + expected);
    CHECK(schedule.LeftAloneUntil("B") == clock.Now() + expected);
    CHECK(schedule.Begin("B", clock.Now()).empty());
    schedule.End("B");
    clock.Advance(expected);
    expected *= 2;
  }
  CHECK(schedule.Begin("C", clock.Now()) == Uids{"ann"});
  schedule.End("C");
  schedule.PodAnswered("B");
  CHECK(schedule.LeftAloneUntil("B") == absl::InfinitePast());
  CHECK(schedule.Begin("B", clock.Now()) == Uids{"abe", "ann"});
  schedule.PodFailed("B", "abe", clock.Now());
  CHECK(schedule.LeftAloneUntil("B") == clock.Now() + absl::Milliseconds(250));
}

// A postman for ann, whose receivers live on the pod of their first letter.
class Post {
 public:
  explicit Post(bool in_background) {
    options_.deliver_in_background = in_background;
    options_.now = clock.function();
    stores_ = ValueOf(
        UserStores::Open({.folder = folder_.File("a"), .pod_id = "a", .now = clock.function()}));
    postman_ = std::make_unique<Postman>(
        stores_.get(), options_,
        PostmanRoutes{.pod_of = [](const std::string& uid) { return uid.substr(0, 1); },
                      .carry = [this](const Message& message) { return Carry(message); }});
    REQUIRE(postman_->Start() == absl::OkStatus());
  }
  ~Post() {
    SetAnswer("b", absl::OkStatus());
    postman_.reset();
  }

  Postman& postman() { return *postman_; }

  void Send(const std::string& to, const std::string& body, const std::string& from = "ann") {
    const auto store = ValueOf(stores_->Get(from));
    REQUIRE(postman_->Post(from, [&] {
      return store->Write(
          [&](Database& database) { return Enqueue(database, clock.Now(), to, "test", body); });
    }) == absl::OkStatus());
  }
  // What the pod, or one receiver, answers from now on; nothing: it hangs.
  void SetAnswer(const std::string& whom, std::optional<absl::Status> answer) {
    MutexLock lock(&mutex_);
    answers_[whom] = std::move(answer);
    changed_.SignalAll();
  }
  // The bodies that were brought, once there are as many.
  Uids WaitForBrought(size_t count) {
    const absl::Time deadline = absl::Now() + kPatience;
    MutexLock lock(&mutex_);
    while (brought_.size() < count && absl::Now() < deadline) {
      changed_.WaitFor(&mutex_, deadline - absl::Now());
    }
    return brought_;
  }
  int Tries(const std::string& pod) {
    MutexLock lock(&mutex_);
    return tries_[pod];
  }

  FakeClock clock;

 private:
  absl::Status Carry(const Message& message) {
    const std::string pod = message.to_uid.substr(0, 1);
    MutexLock lock(&mutex_);
    ++tries_[pod];
    const auto hangs = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return answers_.contains(pod) && !answers_[pod];
    };
    while (hangs()) changed_.Wait(&mutex_);
    for (const std::string& whom : {message.to_uid, pod}) {
      const auto answer = answers_.find(whom);
      if (answer != answers_.end() && !(*answer->second).ok()) return *answer->second;
    }
    brought_.push_back(message.body);
    changed_.SignalAll();
    return absl::OkStatus();
  }

  Mutex mutex_;
  CondVar changed_;
  std::map<std::string, std::optional<absl::Status>> answers_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> tries_ ABSL_GUARDED_BY(mutex_);
  Uids brought_ ABSL_GUARDED_BY(mutex_);

  TempDir folder_;
  StoreOptions options_;
  std::unique_ptr<UserStores> stores_;
  std::unique_ptr<Postman> postman_;
};

absl::Status Down() {
  return conduit::TransportError(conduit::Outcome::kNotExecuted, "connection refused");
}

TEST_CASE("A pod that hangs delays no message to another", "[store][postman][threads]") {
  Post post(true);
  post.SetAnswer("b", std::nullopt);
  post.Send("bob", "1");
  post.Send("bea", "2");
  for (int i = 0; i < 20; ++i) post.Send("cat", "c" + std::to_string(i));
  const Uids brought = post.WaitForBrought(20);
  REQUIRE(brought.size() == 20);
  for (int i = 0; i < 20; ++i) CHECK(brought[i] == "c" + std::to_string(i));
  // From others too.
  post.Send("cat", "more", "abe");
  CHECK(post.WaitForBrought(21).back() == "more");
  post.SetAnswer("b", absl::OkStatus());
  CHECK(post.WaitForBrought(23).size() == 23);
}

TEST_CASE("A pod that is down is tried once in a round, and again after a pause",
          "[store][postman]") {
  Post post(false);
  post.SetAnswer("b", Down());
  for (const char* to : {"bob", "bea", "ben"}) post.Send(to, to);
  post.Send("bob", "abe to bob", "abe");
  post.Send("cat", "cat");
  const absl::Time next = post.postman().DeliverDue();
  CHECK(post.Tries("b") == 1);
  CHECK(post.WaitForBrought(1) == Uids{"cat"});
  CHECK(next == post.clock.Now() + absl::Milliseconds(250));
  const auto pending = ValueOf(post.postman().Pending());
  REQUIRE(pending.size() == 4);
  for (const PendingMessage& message : pending) {
    CHECK(message.pod == "b");
    CHECK(message.next_attempt >= next);
  }
  post.postman().DeliverDue();
  CHECK(post.Tries("b") == 1);
  post.clock.Advance(absl::Milliseconds(250));
  post.postman().DeliverDue();
  CHECK(post.Tries("b") == 2);
  // Once it answers, everything goes.
  post.SetAnswer("b", absl::OkStatus());
  post.clock.Advance(absl::Seconds(30));
  CHECK(post.postman().DeliverDue() == absl::InfiniteFuture());
  CHECK(post.WaitForBrought(5).size() == 5);
  CHECK(ValueOf(post.postman().Pending()).empty());
  CHECK(post.postman().delivered() == 5);
  CHECK(post.postman().failed() == 2);
}

TEST_CASE("A receiver who cannot take a message holds up those of one sender to him only",
          "[store][postman]") {
  Post post(false);
  post.SetAnswer("bob", MakeError(StoreDamaged{.uid = "bob"}, "damaged"));
  post.Send("bob", "first");
  post.Send("bob", "second");
  post.Send("bea", "third");
  post.postman().DeliverDue();
  CHECK(post.WaitForBrought(1) == Uids{"third"});
  const auto pending = ValueOf(post.postman().Pending());
  REQUIRE(pending.size() == 2);
  CHECK(pending[0].last_error.find("damaged") != std::string::npos);
  CHECK(pending[0].attempts == 1);
  CHECK(pending[1].attempts == 0);
  post.SetAnswer("bob", absl::OkStatus());
  post.clock.Advance(absl::Seconds(1));
  post.postman().DeliverDue();
  CHECK(post.WaitForBrought(3) == Uids{"third", "first", "second"});
}

TEST_CASE("A message whose receiver the directory does not know waits and is seen",
          "[store][postman]") {
  Post post(false);
  post.SetAnswer("", MakeError(NoSuchUser{.uid = ""}, "the directory has no user"));
  post.Send("", "lost");
  post.Send("cat", "found");
  post.postman().DeliverDue();
  CHECK(post.WaitForBrought(1) == Uids{"found"});
  const auto pending = ValueOf(post.postman().Pending());
  REQUIRE(pending.size() == 1);
  CHECK(pending[0].pod.empty());
}

TEST_CASE("What was received is remembered for a week, and until the sender's next message",
          "[store][postman][inbox]") {
  FakeClock clock;
  const TempDir folder;
  const auto store = ValueOf(UserStore::Open(folder.File("bob.sqlite"), "bob", clock.Now()));
  const auto receive = [&](const std::string& id, const std::string& from,
                           const std::string& access) {
    const Message message = {.id = id,
                             .from_uid = from,
                             .to_uid = "bob",
                             .kind = "delegation",
                             .body = "{\"access\": \"" + access + "\"}"};
    REQUIRE(store->Write([&](Database& database) {
      return ReceiveOnce(database, clock.Now(), message);
    }) == absl::OkStatus());
  };
  const auto texts = [&](const std::string& sql) {
    std::string text;
    REQUIRE(store->Read([&](Database& database) -> absl::Status {
      return database.Query(sql, {}, [&](const Row& row) { text += row.Text(0) + " "; });
    }) == absl::OkStatus());
    return text;
  };
  const std::string remembered = "SELECT message_id FROM inbox ORDER BY message_id";
  receive("1", "ann", "read");
  receive("2", "cat", "read");
  clock.Advance(absl::Hours(24 * 8));
  // However late it comes again, it has no effect.
  receive("1", "ann", "read-write");
  CHECK(texts("SELECT access FROM delegator") == "read read ");
  CHECK(texts(remembered) == "1 2 ");
  receive("3", "ann", "read-write");
  CHECK(texts(remembered) == "2 3 ");
  clock.Advance(absl::Hours(24 * 6));
  receive("4", "ann", "read");
  CHECK(texts(remembered) == "2 3 4 ");
}

}  // namespace
}  // namespace podkit::store
