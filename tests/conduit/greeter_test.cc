#include "greeter.h"

#include <deque>

#include "cheese.h"
#include "podkit/conduit/call_codec.h"
#include "podkit/conduit/testing/manual_scheduler.h"
#include "tests/support/catch.h"

namespace podkit::conduit::internal {
namespace {

using Strings = std::vector<std::string>;

// A greeter whose questions the test answers.
struct Greeting {
  testing::ManualScheduler scheduler;
  std::deque<GreeterOptions::Done<Hello::Response>> hellos;
  std::deque<GreeterOptions::Done<DescribeCommands::Response>> descriptions;
  Strings questions;
  Strings ends;
  absl::Status last;
  Greeter greeter{{
      .hello =
          [this](const PeerSchemas::Peer& peer, GreeterOptions::Done<Hello::Response> done) {
            questions.push_back(peer.host);
            hellos.push_back(std::move(done));
          },
      .describe =
          [this](const PeerSchemas::Peer& peer, const std::string& command,
                 GreeterOptions::Done<DescribeCommands::Response> done) {
            questions.push_back(peer.host + " " + command);
            descriptions.push_back(std::move(done));
          },
      .now = [this] { return scheduler.Now(); },
      .scheduler = [this]() -> Scheduler& { return scheduler; },
  }};

  void Call(const std::string& host, absl::Duration timeout = absl::Seconds(10),
            std::stop_token stop = {}) {
    const CommandSchema schema = SchemaOf<EatCheez>();
    greeter.Before({.peer = {"B", host},
                    .command = std::make_shared<const PeerSchemas::Own>(
                        PeerSchemas::Own{schema, Fingerprint(schema)}),
                    .request = EncodeCall<EatCheez>({}, {.name = "brie"}),
                    .deadline = scheduler.Now() + timeout,
                    .stop = std::move(stop),
                    .ready = [this](const absl::Status& status) {
                      last = status;
                      ends.emplace_back(OutcomeName(OutcomeOf(status)));
                    }});
  }
  void AnswerHello(const absl::StatusOr<Hello::Response>& answer) {
    const auto done = std::move(hellos.front());
    hellos.pop_front();
    done(answer);
  }
  void AnswerDescription(const absl::StatusOr<DescribeCommands::Response>& answer) {
    const auto done = std::move(descriptions.front());
    descriptions.pop_front();
    done(answer);
  }
  Strings TakeEnds() { return std::exchange(ends, {}); }
};

// Version "7.1" serves that command.
Hello::Response Serves(const CommandSchema& schema) {
  return {.version = "7.1", .commands = {{schema.name, schema.since, Fingerprint(schema)}}};
}

CommandSchema Changed() {
  CommandSchema schema = SchemaOf<EatCheez>();
  schema.arguments.fields.push_back({.name = "wine", .type = {.kind = TypeKind::kString}});
  return schema;
}

}  // namespace

TEST_CASE("A host is asked once what it serves, however many calls wait", "[conduit][greeter]") {
  Greeting greeting;
  for (int i = 0; i < 3; ++i) greeting.Call("b1");
  greeting.Call("b2");
  CHECK(greeting.questions == Strings{"b1", "b2"});
  CHECK(greeting.ends.empty());
  greeting.AnswerHello(Serves(SchemaOf<EatCheez>()));
  CHECK(greeting.TakeEnds() == Strings{"ok", "ok", "ok"});
  greeting.AnswerHello(Serves(SchemaOf<EatCheez>()));
  CHECK(greeting.TakeEnds() == Strings{"ok"});
  greeting.Call("b1");
  CHECK(greeting.TakeEnds() == Strings{"ok"});
  CHECK(greeting.questions.size() == 2);
  CHECK(greeting.scheduler.pending() == 0);
  greeting.greeter.Forget({"B", "b1"});
  greeting.Call("b1");
  CHECK(greeting.questions == Strings{"b1", "b2", "b1"});
  greeting.AnswerHello(absl::UnknownError("the end"));
}

TEST_CASE("A call that a host cannot serve is refused, and says which version it needs",
          "[conduit][greeter]") {
  Greeting greeting;
  greeting.Call("b1");
  greeting.AnswerHello(Serves(SchemaOf<Rename>()));
  CHECK(greeting.TakeEnds() == Strings{"not_implemented"});
  CHECK_THAT(std::string(greeting.last.message()), Catch::Contains("since version 3"));
}

TEST_CASE("A command that is declared otherwise is described before it is called",
          "[conduit][greeter]") {
  Greeting greeting;
  greeting.Call("b1");
  greeting.AnswerHello(Serves(Changed()));
  CHECK(greeting.questions == Strings{"b1", "b1 eat-cheez"});
  CHECK(greeting.ends.empty());
  SECTION("it does not fit") {
    greeting.AnswerDescription(
        DescribeCommands::Response{.schemas = {{"eat-cheez", {ToJson(Changed())}}}});
    CHECK(greeting.TakeEnds() == Strings{"not_implemented"});
    CHECK_THAT(std::string(greeting.last.message()), Catch::Contains("wine"));
  }
  SECTION("it is not described: that is no reason to refuse it") {
    greeting.AnswerDescription(MakeError(UnknownAction{"describe-commands", "7"}, "what?"));
    CHECK(greeting.TakeEnds() == Strings{"ok"});
  }
  SECTION("the way there fails") {
    greeting.AnswerDescription(TransportError(Outcome::kUnknown, "b1: lost"));
    CHECK(greeting.TakeEnds() == Strings{"not_executed"});
  }
}

TEST_CASE("A host that is too old to say what it serves is called", "[conduit][greeter]") {
  Greeting greeting;
  greeting.Call("b1");
  greeting.AnswerHello(MakeError(UnknownAction{"hello", "0.1"}, "what?"));
  CHECK(greeting.TakeEnds() == Strings{"ok"});
  greeting.Call("b1");
  CHECK(greeting.TakeEnds() == Strings{"ok"});
  CHECK(greeting.questions.size() == 1);
}

TEST_CASE("A call was not executed if its host could not be asked", "[conduit][greeter]") {
  Greeting greeting;
  for (const Outcome outcome : {Outcome::kUnknown, Outcome::kTimedOut, Outcome::kNotExecuted}) {
    greeting.Call("b1");
    greeting.AnswerHello(TransportError(outcome, "b1: lost"));
    CHECK(greeting.TakeEnds() == Strings{"not_executed"});
    CHECK(greeting.last.message() == "b1: lost");
  }
  greeting.Call("b1");
  greeting.AnswerHello(MakeError(Overloaded{absl::Seconds(3)}, "b1: busy"));
  CHECK(greeting.TakeEnds() == Strings{"not_executed"});
  CHECK(GetError<Overloaded>(greeting.last)->retry_after == absl::Seconds(3));
}

TEST_CASE("A call waits within its deadline, and no longer than its caller wants it",
          "[conduit][greeter]") {
  Greeting greeting;
  std::stop_source stop;
  greeting.Call("b1", absl::Seconds(1));
  greeting.Call("b1", absl::Seconds(9), stop.get_token());
  greeting.Call("b1", absl::Seconds(9));
  greeting.scheduler.Advance(absl::Milliseconds(999));
  CHECK(greeting.ends.empty());
  greeting.scheduler.Advance(absl::Milliseconds(1));
  CHECK(greeting.TakeEnds() == Strings{"not_executed"});
  CHECK(greeting.last.code() == absl::StatusCode::kDeadlineExceeded);
  stop.request_stop();
  CHECK(greeting.TakeEnds() == Strings{"cancelled"});
  greeting.AnswerHello(Serves(SchemaOf<EatCheez>()));
  CHECK(greeting.TakeEnds() == Strings{"ok"});
  // One that is stopped already is not sent.
  greeting.greeter.Forget({"B", "b1"});
  greeting.Call("b1", absl::Seconds(9), stop.get_token());
  CHECK(greeting.TakeEnds() == Strings{"cancelled"});
  greeting.AnswerHello(Serves(SchemaOf<EatCheez>()));
  CHECK(greeting.ends.empty());
}

TEST_CASE("A host that is another at each question is called in the end", "[conduit][greeter]") {
  Greeting greeting;
  greeting.Call("b1");
  int answers = 0;
  while (greeting.ends.empty() && answers < 10) {
    ++answers;
    greeting.greeter.Forget({"B", "b1"});
    if (!greeting.hellos.empty()) {
      const auto done = std::move(greeting.hellos.front());
      greeting.hellos.pop_front();
      done(Serves(Changed()));
    } else {
      greeting.AnswerDescription(DescribeCommands::Response());
    }
  }
  CHECK(greeting.TakeEnds() == Strings{"ok"});
  CHECK(answers == 4);
}

}  // namespace podkit::conduit::internal
