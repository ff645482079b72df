#include <map>
#include <random>
#include <set>
#include <string>

#include "collection_fixture.h"

namespace podkit::store {
namespace {

using testing::ValueOf;
using Fixture = CollectionFixture;

}  // namespace

TEST_CASE_METHOD(Fixture, "Every change of a member gives a new sync token", "[store][sync]") {
  const auto work = Open("work");
  const auto home = Open("home");
  const std::string untouched = ValueOf(home->SyncToken());
  std::set<std::string> tokens = {ValueOf(work->SyncToken())};
  Put(*work, "1.ics", Event("one"));
  CHECK(tokens.insert(ValueOf(work->SyncToken())).second);
  Put(*work, "1.ics", Event("one", "B"));
  CHECK(tokens.insert(ValueOf(work->SyncToken())).second);
  CHECK(work->RemoveObject("1.ics", {}) == absl::OkStatus());
  CHECK(tokens.insert(ValueOf(work->SyncToken())).second);
  ValueOf(work->Import(Bytes{Event("two")}));
  CHECK(tokens.insert(ValueOf(work->SyncToken())).second);
  CHECK(ValueOf(home->SyncToken()) == untouched);
  const std::string token = ValueOf(work->SyncToken());
  CHECK(token.starts_with("data:,work/"));
  Reopen();
  CHECK(ValueOf(Open("work")->SyncToken()) == token);
}

TEST_CASE_METHOD(Fixture, "Changes since a token are told apart as changed and deleted",
                 "[store][sync]") {
  const auto work = Open("work");
  for (const char* uid : {"a", "b", "c"}) Put(*work, uid, Event(uid));
  const std::string start = ValueOf(work->SyncToken());
  CHECK(ValueOf(work->ChangesSince(start)).changed.empty());
  CHECK(ValueOf(work->ChangesSince(start)).sync_token == start);
  Put(*work, "e", Event("e"));
  Put(*work, "b", Event("b", "New"));
  CHECK(work->RemoveObject("c", {}) == absl::OkStatus());
  const Changes changes = ValueOf(work->ChangesSince(start));
  CHECK(changes.sync_token == ValueOf(work->SyncToken()));
  CHECK(NamesOf(changes.changed) == Names{"b", "e"});
  CHECK(changes.changed[0].summary == "New");
  CHECK(changes.deleted == Names{"c"});
  const Changes none = ValueOf(work->ChangesSince(changes.sync_token));
  CHECK(none.changed.empty());
  CHECK(none.deleted.empty());
}

TEST_CASE_METHOD(Fixture, "An empty token gives all members and no tombstones", "[store][sync]") {
  const auto work = Open("work");
  for (const char* uid : {"a", "b", "c"}) Put(*work, uid, Event(uid));
  CHECK(work->RemoveObject("b", {}) == absl::OkStatus());
  const Changes all = ValueOf(work->ChangesSince(""));
  CHECK(NamesOf(all.changed) == Names{"a", "c"});
  CHECK(all.deleted.empty());
  CHECK(all.sync_token == ValueOf(work->SyncToken()));
  // A token from before anything was there gives the tombstone too.
  CHECK(ValueOf(work->ChangesSince("data:,work/0")).deleted == Names{"b"});
}

TEST_CASE_METHOD(Fixture, "An object that is made again is changed, not deleted", "[store][sync]") {
  const auto work = Open("work");
  Put(*work, "a", Event("a"));
  const std::string start = ValueOf(work->SyncToken());
  CHECK(work->RemoveObject("a", {}) == absl::OkStatus());
  Put(*work, "a", Event("other"));
  const Changes changes = ValueOf(work->ChangesSince(start));
  CHECK(NamesOf(changes.changed) == Names{"a"});
  CHECK(changes.changed[0].uid == "other");
  CHECK(changes.deleted.empty());
  // So is one that moves to the name of a removed one.
  Put(*work, "b", Event("b"));
  CHECK(work->RemoveObject("a", {}) == absl::OkStatus());
  const std::string before_move = ValueOf(work->SyncToken());
  ValueOf(work->MoveObject("b", "work", "a"));
  CHECK(NamesOf(ValueOf(work->ChangesSince(before_move)).changed) == Names{"a"});
  CHECK(ValueOf(work->ChangesSince(before_move)).deleted == Names{"b"});
}

TEST_CASE_METHOD(Fixture, "A token that the collection did not give out is refused",
                 "[store][sync]") {
  const auto work = Open("work");
  Put(*work, "a", Event("a"));
  for (const char* token :
       {"data:,work/2", "data:,home/1", "data:,work/-1", "data:,work/+1", "data:,work/01",
        "data:,work/ 1", "data:,work/1 ", "data:,work/", "data:,work", "work/1", "data:,/1", "1",
        "x", "data:,work/1/1", "data:,work/99999999999999999999", "data:,home/"}) {
    INFO(token);
    const absl::Status status = work->ChangesSince(token).status();
    REQUIRE(GetError<InvalidSyncToken>(status));
    CHECK(GetError<InvalidSyncToken>(status)->token == token);
    CHECK(status.code() == absl::StatusCode::kOutOfRange);
  }
  CHECK(work->ChangesSince("data:,work/1").ok());
}

TEST_CASE_METHOD(Fixture, "A client that follows the changes always has what the collection has",
                 "[store][sync]") {
  const uint64_t seed = Catch::rngSeed() != 0 ? Catch::rngSeed() : std::random_device()();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto work = Open("work");
  std::map<std::string, std::string> client;  // ETags by name.
  std::string token;
  for (int step = 0; step < 200; ++step) {
    const std::string uid(1, static_cast<char>('a' + random() % 6));
    switch (random() % 4) {
      case 0:
      case 1:
        work->PutObject(uid, Bytes{Event(uid, std::to_string(random() % 3))}, {})
            .status()
            .IgnoreError();
        break;
      case 2:
        work->RemoveObject(uid, {}).IgnoreError();
        break;
      default:
        work->MoveObject(uid, random() % 2 == 0 ? "work" : "home", uid + uid)
            .status()
            .IgnoreError();
    }
    if (random() % 3 != 0) continue;
    const Changes changes = ValueOf(work->ChangesSince(token));
    for (const std::string& name : changes.deleted) client.erase(name);
    for (const ObjectInfo& object : changes.changed) client[object.name] = object.etag;
    token = changes.sync_token;
    std::map<std::string, std::string> truth;
    for (const ObjectInfo& object : ValueOf(work->LoadObjects())) truth[object.name] = object.etag;
    REQUIRE(client == truth);
  }
}

}  // namespace podkit::store
