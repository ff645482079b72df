#include "tests/servers/write_history.h"

#include <functional>

#include "tests/support/catch.h"

namespace podkit::testing {
namespace {

using Ended = WriteHistory::Outcome;

struct Story {
  int Put(Ended outcome = Ended::kDone) {
    const int write = history.BeginPut("x");
    history.End(write, outcome);
    return write;
  }
  void Remove(Ended outcome = Ended::kDone) { history.End(history.BeginRemove("x"), outcome); }
  void See(std::optional<int> text) { history.EndRead("x", history.BeginRead(), text); }
  bool Holds() { return history.Contradictions().empty(); }

  WriteHistory history;
};

TEST_CASE("A history of writes holds if each read sees what may be there", "[crash][history]") {
  Story story;
  story.See(std::nullopt);
  const int first = story.Put();
  story.See(first);
  SECTION("an unacknowledged text may come late, or never") {
    const int lost = story.Put(Ended::kUnknown);
    story.See(first);
    story.Put();
    story.See(lost);
  }
  SECTION("what is not answered yet may be there or not") {
    const int open = story.history.BeginPut("x");
    story.See(first);
    story.See(open);
    story.history.End(open, Ended::kDone);
    story.See(open);
  }
  SECTION("of two writes at the same time either is the last") {
    const int one = story.history.BeginPut("x");
    const int other = story.Put();
    story.history.End(one, Ended::kDone);
    story.See(GENERATE_COPY(as<int>(), one, other));
  }
  SECTION("an object that was removed is absent, and back when it was put again") {
    story.Remove(GENERATE(Ended::kDone, Ended::kUnknown));
    story.See(std::nullopt);
    story.See(story.Put());
  }
  CHECK(story.Holds());
}

TEST_CASE("A history of writes does not hold if one was lost or done twice", "[crash][history]") {
  Story story;
  const int first = story.Put();
  SECTION("an acknowledged text is lost") {
    story.Put();
    story.See(first);
  }
  SECTION("an acknowledged object is lost") { story.See(std::nullopt); }
  SECTION("a removal is lost, or undone by an older put") {
    story.Remove();
    story.See(first);
  }
  SECTION("an unacknowledged text that was seen comes a second time") {
    const int unknown = story.Put(Ended::kUnknown);
    story.See(unknown);
    story.Put();
    story.See(unknown);
  }
  SECTION("an unacknowledged text comes after all were known to be over") {
    const int unknown = story.Put(Ended::kUnknown);
    story.history.Close();
    story.Put();
    story.See(unknown);
  }
  SECTION("an unacknowledged removal comes after all were known to be over") {
    story.Remove(Ended::kUnknown);
    story.history.Close();
    story.Put();
    story.See(std::nullopt);
  }
  SECTION("a removal comes a second time") {
    story.Remove();
    story.Put();
    story.See(std::nullopt);
  }
  SECTION("a refused text is there") { story.See(story.Put(Ended::kRefused)); }
  SECTION("a text of another object is there") {
    const int other = story.history.BeginPut("y");
    story.history.End(other, Ended::kDone);
    story.See(other);
  }
  SECTION("a text is there that nobody wrote") { story.See(7); }
  CHECK_FALSE(story.Holds());
}

}  // namespace
}  // namespace podkit::testing
