// The judge finds what is wrong with the books.
#include "ledger.h"

#include "event_log.h"
#include "tests/support/catch.h"

namespace podkit::conduit::simulation {
namespace {

const absl::Time kNow = EventLog::kStart + absl::Seconds(1);

// One call that went well, and its execution.
struct Books {
  Books() {
    ledger.NewCall({.operation = 7,
                    .from = "A",
                    .to = "B",
                    .kind = Kind::kKeep,
                    .with_key = true,
                    .must_succeed = true,
                    .began = kNow,
                    .timeout = absl::Seconds(10),
                    .ends = 1,
                    .ended = kNow + absl::Seconds(3),
                    .outcome = Outcome::kOk,
                    .execution = 0});
    ledger.executions.push_back({.call = 0,
                                 .operation = 7,
                                 .kind = Kind::kKeep,
                                 .caller = "A",
                                 .pod = "B",
                                 .host = "b0",
                                 .answers = "here",
                                 .began = kNow + absl::Seconds(1),
                                 .time_left = absl::Seconds(9),
                                 .ended = kNow + absl::Seconds(2)});
  }
  CallRecord& call() { return ledger.calls[0]; }
  Execution& execution() { return ledger.executions[0]; }
  void End(Outcome outcome) {
    call().must_succeed = false;
    call().outcome = outcome;
  }
  Execution& ExecuteAgain() {
    ledger.executions.push_back(execution());
    return ledger.executions.back();
  }
  // The one objection, without the call that it names.
  std::string Objection() const {
    const auto all = Judge(
        ledger, {.stop_takes = absl::Milliseconds(100), .end_takes = absl::Milliseconds(100)});
    if (all.empty()) return "";
    const std::string more = all.size() > 1 ? " and more" : "";
    return all[0].substr(0, all[0].find(": call")) + more;
  }

  Ledger ledger;
};

TEST_CASE("The judge has nothing against a call that went well", "[simulation]") {
  CHECK(Books().Objection().empty());
}

TEST_CASE("The judge wants one end for each call, in time", "[simulation]") {
  Books books;
  books.call().ends = 2;
  CHECK(books.Objection() == "ended 2 times");
  books.call().ends = 0;
  CHECK(books.Objection() == "never ended");
  books.call().ends = 1;
  books.call().ended = kNow + absl::Seconds(11);
  CHECK(books.Objection() == "ended after its deadline");
}

TEST_CASE("The judge compares an outcome with what was executed", "[simulation]") {
  Books books;
  std::string objection;
  SECTION("a call that was not executed") {
    books.End(Outcome::kNotExecuted);
    objection = "was executed, though it says that it was not";
  }
  SECTION("a success out of nothing") {
    books.ledger.executions.clear();
    objection = "succeeded without an execution";
  }
  SECTION("a success ahead of time") {
    books.execution().ended = kNow + absl::Seconds(4);
    books.execution().heard_stop = kNow + absl::Seconds(3);
    objection = "succeeded before it was executed";
  }
  SECTION("somebody else's answer") {
    books.call().operation = 8;
    books.execution().call = 0;
    objection = "got the answer of another call and more";
  }
  SECTION("an error out of nothing") {
    books.End(Outcome::kDeclaredError);
    objection = "got an error that nobody gave";
  }
  SECTION("a success of a responder that failed") {
    books.call().must_succeed = false;
    books.call().how = How::kThrow;
    objection = "succeeded, though its responder failed";
  }
  SECTION("a failure without a reason") {
    books.call().outcome = Outcome::kUnknown;
    objection = "failed, though nothing was in its way";
  }
  CHECK(books.Objection() == objection);
}

TEST_CASE("The judge wants a call that uses an answer to come after it", "[simulation]") {
  Books books;
  books.ledger.NewCall(books.call());
  books.ledger.calls[1].follows = 0;
  books.ledger.calls[1].operation = 8;
  books.ledger.calls[1].execution = 1;
  Execution& execution = books.ExecuteAgain();
  execution.call = 1;
  execution.operation = 8;
  execution.after = 0;
  execution.began = kNow + absl::Seconds(2);
  CHECK(books.Objection().empty());
  execution.began = kNow + absl::Milliseconds(1900);
  CHECK(books.Objection() == "was executed before the call whose answer it uses");
  execution.after = -1;
  CHECK(books.Objection() == "was executed with another answer than that of the call before it");
  execution.after = 1;
  CHECK(books.Objection() == "was executed with another answer than that of the call before it");
}

TEST_CASE("The judge lets a write happen once", "[simulation]") {
  Books books;
  SECTION("for one call") {
    books.ExecuteAgain().answers = "there";
    CHECK(books.Objection() == "was executed 2 times");
  }
  SECTION("for all calls with its key, where its answer is kept") {
    books.ledger.NewCall(books.call());
    books.ExecuteAgain().call = 1;
    CHECK(books.Objection() == "was executed again at here, which keeps its answer");
  }
  SECTION("but again where the answer is not") {
    books.ledger.NewCall(books.call());
    books.ExecuteAgain().call = 1;
    books.ledger.executions[1].answers = "there";
    CHECK(books.Objection().empty());
  }
  SECTION("but again when it failed") {
    books.End(Outcome::kInternalError);
    books.call().how = books.execution().how = How::kThrow;
    books.ExecuteAgain();
    CHECK(books.Objection().empty());
  }
}

TEST_CASE("The judge wants a cancel to end a call, and nothing to begin after it", "[simulation]") {
  Books books;
  books.call().stopped = kNow + absl::Milliseconds(1500);
  books.call().ended = books.call().stopped;
  books.execution().heard_stop = kNow + absl::Milliseconds(1550);
  books.End(Outcome::kCancelled);
  CHECK(books.Objection().empty());
  SECTION("success") {
    books.call().outcome = Outcome::kOk;
    books.execution().ended = books.call().ended;
    CHECK(books.Objection() == "succeeded after it was cancelled");
  }
  SECTION("a late end") {
    books.call().ended += absl::Seconds(1);
    CHECK(books.Objection() == "went on after it was cancelled");
  }
  SECTION("a responder that is not told") {
    books.execution().heard_stop = absl::InfiniteFuture();
    CHECK(books.Objection() == "host b0 did not hear that it was over");
  }
  SECTION("a responder that works for nobody") {
    books.call().stopped = absl::InfiniteFuture();
    books.execution().heard_stop = absl::InfiniteFuture();
    CHECK(books.Objection() == "host b0 did not hear that it was over");
  }
  SECTION("a responder that begins all the same") {
    books.execution().stopped_before = true;
    CHECK(books.Objection() == "was begun after its cancel had come");
  }
  SECTION("a responder that begins too late") {
    books.execution().time_left = absl::ZeroDuration();
    CHECK(books.Objection() == "was begun too late");
  }
}

TEST_CASE("The judge wants strangers to get nowhere", "[simulation]") {
  Books books;
  SECTION("with an answer") {
    books.call().stranger = true;
    CHECK(books.Objection() == "a stranger got an answer and more");
  }
  SECTION("with an execution") {
    books.call().stranger = true;
    books.End(Outcome::kUnknown);
    CHECK(books.Objection() == "a stranger's call was executed");
  }
  SECTION("with an error") {
    books.call().stranger = true;
    books.ledger.executions.clear();
    books.End(Outcome::kInternalError);
    CHECK(books.Objection() == "a stranger got an answer");
  }
  SECTION("as a responder") {
    books.execution().impostor = true;
    CHECK(books.Objection() == "was answered by an impostor");
  }
  SECTION("in another name") {
    books.End(Outcome::kUnknown);
    books.execution().caller = "C";
    CHECK(books.Objection() == "was executed in another name");
  }
}

}  // namespace
}  // namespace podkit::conduit::simulation
