// Calls to many clients at once, and their results as they come.
#include "podkit/conduit/gather.h"

#include <random>
#include <set>
#include <stop_token>
#include <thread>

#include "cheese.h"
#include "held_transport.h"
#include "mux_bed.h"

namespace podkit::conduit {
namespace {

using podkit::testing::ValueOf;
using Cheeses = Gather<EatCheez>;

// Rates "gouda" with the pod's number; has no other cheese.
class CheesePods : public ManyPods {
 public:
  explicit CheesePods(size_t count) : ManyPods(count) {
    for (size_t i = 1; i <= count; ++i) {
      pod(i).Handle<EatCheez>(
          [i](const CallContext&,
              const EatCheez::Arguments& arguments) -> absl::StatusOr<EatCheez::Response> {
            if (arguments.name == "gouda") {
              return EatCheez::Response{.rating = static_cast<int64_t>(i)};
            }
            return MakeError(NoSuchCheese{.name = arguments.name}, "no such cheese");
          },
          {.quick = true});
      clients.emplace_back(a.get(), std::to_string(i));
    }
  }

  std::vector<Client> clients;
};

// What came of a call, in a word.
std::string Word(const Gathered<EatCheez>& one) {
  const std::string pod = one.client.pod() + ":";
  if (one.result.ok()) return pod + std::to_string(one.result->rating);
  if (GetError<NoSuchCheese>(one.result.status())) return pod + "none";
  return pod + std::string(OutcomeName(OutcomeOf(one.result.status())));
}

std::string Words(Cheeses& gather) {
  std::string words;
  for (const auto& one : gather) words += (words.empty() ? "" : " ") + Word(one);
  return words;
}

}  // namespace

TEMPLATE_TEST_CASE("Gather calls over every transport", "[conduit][gather]", InProcessBed, HttpBed,
                   MuxBed) {
  TestType bed;
  bed.b.template Handle<EatCheez>(
      [](const CallContext&,
         const EatCheez::Arguments& arguments) -> absl::StatusOr<EatCheez::Response> {
        return EatCheez::Response{.rating = static_cast<int64_t>(arguments.name.size())};
      });
  const Client b(&bed.a, "B");
  std::vector<GatherCall<EatCheez>> calls;
  calls.push_back({.client = b, .arguments = {.name = "gouda"}});
  calls.push_back({.client = Client(&bed.a, "C"), .arguments = {.name = "gouda"}});
  calls.push_back({.client = b, .arguments = {.name = "edam"}});
  const auto results = Cheeses::Collect(std::move(calls)).get();
  REQUIRE(results.size() == 3);
  CHECK(ValueOf(results[0].result).rating == 5);
  CHECK(results[1].result.status().code() == absl::StatusCode::kNotFound);
  CHECK(OutcomeOf(results[1].result.status()) == Outcome::kNotExecuted);
  CHECK(ValueOf(results[2].result).rating == 4);
}

TEST_CASE("Gather of nothing ends at once", "[conduit][gather]") {
  Cheeses gather(std::vector<Client>{}, {.name = "gouda"});
  CHECK_FALSE(gather.Next());
  CHECK(Words(gather).empty());
  CHECK(gather.satisfied());
  CHECK(Cheeses::Collect({}).get().empty());
  bool done = false;
  Cheeses::Start(
      {}, {}, [](const Gathered<EatCheez>&) { FAIL("there is no result"); }, [&] { done = true; });
  CHECK(done);
}

TEST_CASE("Gather gives results as they come, whatever they are", "[conduit][gather]") {
  CheesePods pods(4);
  std::vector<GatherCall<EatCheez>> calls = Cheeses::CallsOf(pods.clients, {.name = "gouda"});
  calls[1].arguments.name = "brie";
  calls.push_back({.client = Client(pods.a.get(), "nobody"), .arguments = {.name = "gouda"}});
  Cheeses gather(calls);
  CHECK(pods.transport.called() == std::vector<std::string>{"1", "2", "3", "4"});
  const auto unsent = gather.Next();
  REQUIRE(unsent);
  CHECK(Word(*unsent) == "nobody:not_executed");
  CHECK(unsent->index == 4);
  pods.transport.Answer("3");
  const auto first = gather.Next();
  REQUIRE(first);
  CHECK(Word(*first) == "3:3");
  CHECK(first->index == 2);
  CHECK(first->took == absl::ZeroDuration());
  pods.clock.Advance(absl::Seconds(2));
  for (const char* pod : {"2", "4", "1"}) pods.transport.Answer(pod);
  CHECK_FALSE(gather.satisfied());
  const auto second = gather.Next();
  REQUIRE(second);
  CHECK(Word(*second) == "2:none");
  CHECK(second->took == absl::Seconds(2));
  CHECK(Words(gather) == "4:4 1:1");
  CHECK(Words(gather).empty());  // Each result is given once.
}

TEST_CASE("Gather shows late calls as timed out", "[conduit][gather][deadline]") {
  CheesePods pods(4);
  Cheeses gather(pods.clients, {.name = "gouda"},
                 {.call = {.timeout = absl::Seconds(5)}, .max_in_flight = 2});
  pods.clock.Advance(absl::Seconds(3));
  pods.transport.Answer("2");
  pods.clock.Advance(absl::Seconds(1));
  pods.transport.Expire(pods.clock.Now());
  CHECK(pods.transport.called() == std::vector<std::string>{"1", "3"});
  // The third one began later and has no more time than the others; for the fourth none was left.
  pods.clock.Advance(absl::Seconds(1));
  pods.transport.Expire(pods.clock.Now());
  std::vector<Gathered<EatCheez>> results;
  for (auto& one : gather) results.push_back(std::move(one));
  REQUIRE(results.size() == 4);
  CHECK(Word(results[0]) == "2:2");
  CHECK(Word(results[1]) == "1:timed_out");
  CHECK(results[1].took == absl::Seconds(5));
  CHECK(results[1].result.status().code() == absl::StatusCode::kDeadlineExceeded);
  std::map<std::string, const Gathered<EatCheez>*> rest;
  for (size_t i : {2, 3}) rest[results[i].client.pod()] = &results[i];
  REQUIRE(rest.size() == 2);
  CHECK(Word(*rest.at("3")) == "3:timed_out");
  CHECK(rest.at("3")->took == absl::Seconds(2));
  CHECK(Word(*rest.at("4")) == "4:not_executed");
  CHECK(rest.at("4")->result.status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(rest.at("4")->took == absl::ZeroDuration());
  CHECK(pods.transport.sent() == 3);
}

TEST_CASE("Gather cancels the rest once enough calls succeeded", "[conduit][gather][stop]") {
  CheesePods pods(5);
  Cheeses gather(pods.clients, {.name = "gouda"}, {.max_in_flight = 4, .first = 2});
  pods.transport.Answer("4");
  CHECK_FALSE(gather.satisfied());
  CHECK(pods.transport.called() == std::vector<std::string>{"1", "2", "3", "5"});
  pods.transport.Answer("2");
  CHECK(gather.satisfied());
  CHECK(pods.transport.called().empty());
  const std::string words = Words(gather);
  CHECK(words.starts_with("4:4 2:2 "));
  for (const char* pod : {"1", "3", "5"}) {
    CHECK(words.find(std::string(pod) + ":cancelled") != std::string::npos);
  }
}

TEST_CASE("Gather does not send what waits when the rest is cancelled", "[conduit][gather][stop]") {
  CheesePods pods(3);
  Cheeses gather(pods.clients, {.name = "gouda"}, {.max_in_flight = 1, .first = 1});
  pods.transport.Answer("1");
  std::vector<Gathered<EatCheez>> results;
  for (auto& one : gather) results.push_back(std::move(one));
  REQUIRE(results.size() == 3);
  CHECK(Word(results[0]) == "1:1");
  for (size_t i : {1, 2}) {
    CHECK(results[i].result.status().code() == absl::StatusCode::kCancelled);
    CHECK(OutcomeOf(results[i].result.status()) == Outcome::kNotExecuted);
    CHECK(results[i].took == absl::ZeroDuration());
  }
  CHECK(pods.transport.sent() == 1);
}

TEST_CASE("A quorum that cannot be reached cancels the rest", "[conduit][gather][stop]") {
  CheesePods pods(5);
  auto calls = Cheeses::CallsOf(pods.clients, {.name = "gouda"});
  for (size_t i : {0, 1, 2}) calls[i].arguments.name = "brie";
  Cheeses gather(calls, {.quorum = 3});
  for (const char* pod : {"1", "4", "2"}) pods.transport.Answer(pod);
  CHECK(pods.transport.called().size() == 2);
  pods.transport.Answer("3");
  CHECK(pods.transport.called().empty());
  CHECK_FALSE(gather.satisfied());
  CHECK(Words(gather) == "1:none 4:4 2:none 3:none 5:cancelled");
  // More than there are clients.
  Cheeses hopeless(pods.clients, {.name = "gouda"}, {.quorum = 6});
  CHECK(pods.transport.called().empty());
  CHECK(hopeless.Next()->result.status().code() == absl::StatusCode::kCancelled);
}

TEST_CASE("A quorum that is reached is enough", "[conduit][gather][stop]") {
  CheesePods pods(3);
  Cheeses gather(pods.clients, {.name = "gouda"}, {.quorum = 2});
  pods.transport.Answer("3");
  pods.transport.Answer("1");
  CHECK(gather.satisfied());
  CHECK(Words(gather) == "3:3 1:1 2:cancelled");
}

TEST_CASE("A gather ends with its stop, its Cancel and its destruction",
          "[conduit][gather][stop]") {
  CheesePods pods(3);
  std::stop_source stop;
  Cheeses stopped(pods.clients, {.name = "gouda"}, {.call = {.stop = stop.get_token()}});
  pods.transport.Answer("2");
  stop.request_stop();
  CHECK(pods.transport.called().empty());
  CHECK(Words(stopped).starts_with("2:2 "));
  {
    Cheeses cancelled(pods.clients, {.name = "gouda"});
    cancelled.Cancel();
    CHECK(pods.transport.called().empty());
    CHECK(Word(*cancelled.Next()).ends_with(":cancelled"));
  }
  {
    const Cheeses dropped(pods.clients, {.name = "gouda"}, {.max_in_flight = 2});
    CHECK(pods.transport.called().size() == 2);
  }
  CHECK(pods.transport.called().empty());
  const size_t sent = pods.transport.sent();
  Cheeses late(pods.clients, {.name = "gouda"}, {.call = {.stop = stop.get_token()}});
  CHECK(Word(*late.Next()).ends_with(":not_executed"));
  CHECK(pods.transport.sent() == sent);
}

TEST_CASE("Gather calls back, one result at a time, and then once", "[conduit][gather]") {
  CheesePods pods(3);
  std::string words;
  std::stop_source stop;
  Cheeses::Start(
      Cheeses::CallsOf(pods.clients, {.name = "gouda"}), {.call = {.stop = stop.get_token()}},
      [&](const Gathered<EatCheez>& one) {
        words += "(" + Word(one);
        // No lock is held here; what this ends is given afterwards.
        stop.request_stop();
        words += ")";
      },
      [&] { words += "."; });
  CHECK(words.empty());
  pods.transport.Answer("2");
  CHECK(
      (words == "(2:2)(1:cancelled)(3:cancelled)." || words == "(2:2)(3:cancelled)(1:cancelled)."));
}

TEST_CASE("Gather of many calls that answer at once goes no level deeper", "[conduit][gather]") {
  CheesePods pods(1);
  pods.transport.AnswerAtOnce();
  const std::vector<Client> clients(20'000, pods.clients[0]);
  Cheeses gather(clients, {.name = "gouda"}, {.max_in_flight = 1});
  size_t count = 0;
  for (const auto& one : gather) count += one.result.ok() ? 1 : 0;
  CHECK(count == clients.size());
  CHECK(pods.transport.most_at_a_time() == 1);
}

TEST_CASE("Threads share the results of a gather", "[conduit][gather][threads]") {
  CheesePods pods(8);
  Cheeses gather(pods.clients, {.name = "gouda"}, {.max_in_flight = 3});
  Mutex mutex;
  std::multiset<size_t> seen;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (const auto one = gather.Next()) {
        MutexLock lock(&mutex);
        seen.insert(one->index);
      }
    });
  }
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      for (size_t pod = 1 + i; pod <= 8; pod += 2) {
        while (!pods.transport.Answer(std::to_string(pod))) std::this_thread::yield();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(seen == std::multiset<size_t>{0, 1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("Every call of a gather has one result, whatever happens", "[conduit][gather][random]") {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&](size_t limit) {
    return std::uniform_int_distribution<size_t>(0, limit - 1)(random);
  };
  CheesePods pods(12);
  for (int round = 0; round < 300; ++round) {
    const size_t count = below(13);
    auto calls = Cheeses::CallsOf(
        {pods.clients.begin(), pods.clients.begin() + static_cast<std::ptrdiff_t>(count)},
        {.name = "gouda"});
    for (auto& call : calls) {
      if (below(3) == 0) call.arguments.name = "brie";
    }
    const GatherOptions options{
        .max_in_flight = below(5), .first = below(6), .quorum = below(2) * below(6)};
    std::vector<int> results(count);
    size_t succeeded = 0;
    bool done = false;
    Cheeses::Start(
        calls, options,
        [&](const Gathered<EatCheez>& one) {
          ++results[one.index];
          succeeded += one.result.ok() ? 1 : 0;
        },
        [&] { done = true; });
    while (!done) {
      const auto called = pods.transport.called();
      REQUIRE_FALSE(called.empty());
      if (options.max_in_flight > 0) REQUIRE(called.size() <= options.max_in_flight);
      if (below(12) == 0) {
        pods.clock.Advance(absl::Seconds(10));
        pods.transport.Expire(pods.clock.Now());
      } else {
        pods.transport.Answer(called[below(called.size())]);
      }
    }
    CHECK(pods.transport.called().empty());
    CHECK(results == std::vector<int>(count, 1));
    if (options.first > 0) CHECK(succeeded <= options.first);
    if (options.quorum > 0) CHECK(succeeded <= options.quorum);
  }
}

}  // namespace podkit::conduit
