#include "internal/rights.h"

#include <string>

#include "collection_fixture.h"

namespace podkit::store {
namespace {

using testing::ValueOf;

// What somebody meets who uses ann's collection "work".
enum class Right { kAll, kRead, kBusy, kDenied, kNoShare };

struct Case {
  const char* who;
  Actor actor;
  Right right;
};

const Case kCases[] = {
    {"the owner", {.uid = "ann"}, Right::kAll},
    {"the operator", {}, Right::kAll},
    {"the operator through a share", {.share_uid = "bobs"}, Right::kAll},
    {"a writer", {.uid = "bob", .share_uid = "bobs"}, Right::kAll},
    {"a writer who names no share", {.uid = "bob"}, Right::kAll},
    {"a reader", {.uid = "cy", .share_uid = "cys"}, Right::kRead},
    {"a reader who names no share", {.uid = "cy"}, Right::kRead},
    {"a reader with the share of another", {.uid = "cy", .share_uid = "bobs"}, Right::kNoShare},
    {"somebody who did not answer yet", {.uid = "dee", .share_uid = "dees"}, Right::kAll},
    {"somebody who declined", {.uid = "eve", .share_uid = "eves"}, Right::kNoShare},
    {"somebody who declined and names no share", {.uid = "eve"}, Right::kDenied},
    {"a stranger", {.uid = "zoe"}, Right::kDenied},
    {"a stranger with the share of another", {.uid = "zoe", .share_uid = "bobs"}, Right::kNoShare},
    {"a stranger with a share that never was", {.uid = "zoe", .share_uid = "x"}, Right::kNoShare},
    {"who has a share of another collection", {.uid = "fay", .share_uid = "fays"}, Right::kNoShare},
    {"the owner through a share", {.uid = "ann", .share_uid = "bobs"}, Right::kNoShare},
    {"a right that we do not know", {.uid = "gus", .share_uid = "guss"}, Right::kBusy},
};

class RightsFixture : public CollectionFixture {
 public:
  RightsFixture() {
    AddShare("bobs", "work", "bob", "read-write", "accepted");
    AddShare("cys", "work", "cy", "read", "accepted");
    AddShare("dees", "work", "dee", "read-write", "invited");
    AddShare("eves", "work", "eve", "read-write", "declined");
    AddShare("fays", "home", "fay", "read-write", "accepted");
    AddShare("guss", "work", "gus", "administer", "accepted");
    Put(*Open("work"), "1.ics", Event("one"));
  }
};

bool Allowed(const absl::Status& status, Right right, bool allowed) {
  UNSCOPED_INFO(status);
  if (allowed) return status.ok();
  if (right == Right::kNoShare) return GetError<NoSuchShare>(status).has_value();
  return GetError<AccessDenied>(status).has_value();
}

}  // namespace

TEST_CASE_METHOD(RightsFixture, "Everybody may do what his share says", "[store][rights]") {
  const Case& one = GENERATE(from_range(std::begin(kCases), std::end(kCases)));
  INFO(one.who);
  const auto work = Open("work", one.actor);
  const bool reads = one.right == Right::kAll || one.right == Right::kRead;
  // Who may know only when time is taken knows the objects under other names.
  if (one.right == Right::kBusy) {
    CHECK(ValueOf(work->CountObjects()) == 1);
    CHECK(ValueOf(work->Texts({"1.ics"})).empty());
    CHECK(GetError<AccessDenied>(work->PutObject("2.ics", Bytes{Event("two")}, {}).status()));
    return;
  }
  const bool writes = one.right == Right::kAll;
  const auto may_read = [&](const absl::Status& status) {
    return Allowed(status, one.right, reads);
  };
  const auto may_write = [&](const absl::Status& status) {
    return Allowed(status, one.right, writes);
  };

  CHECK(may_read(work->ListObjects().status()));
  CHECK(may_read(work->CountObjects().status()));
  CHECK(may_read(work->LoadObjects().status()));
  CHECK(may_read(work->LoadObjectsWithNames({"1.ics"}).status()));
  CHECK(may_read(work->FindObject({.name = "1.ics"}).status()));
  CHECK(may_read(work->ObjectWith({.name = "1.ics"}).status()));
  CHECK(may_read(work->NameForUid("one").status()));
  CHECK(may_read(work->UidForName("1.ics").status()));
  CHECK(may_read(work->Texts({"1.ics"}).status()));
  CHECK(may_read(work->Export().status()));
  CHECK(may_read(work->SyncToken().status()));
  CHECK(may_read(work->ChangesSince("").status()));
  CHECK(may_read(work->Search({}).status()));

  CHECK(may_write(work->PutObject("2.ics", Bytes{Event("two")}, {}).status()));
  CHECK(may_write(work->PutObject("1.ics", Bytes{Event("one", "B")}, {}).status()));
  CHECK(may_write(work->Import(Bytes{Event("three")}).status()));
  CHECK(may_write(work->MoveObject("1.ics", "work", "uno.ics").status()));
  CHECK(may_write(work->RemoveObject(writes ? "uno.ics" : "1.ics", {})));
  CHECK(ValueOf(Open("work")->CountObjects()) == (writes ? 2 : 1));
}

TEST_CASE_METHOD(RightsFixture, "A refusal names the user and the collection", "[store][rights]") {
  const auto denied = GetError<AccessDenied>(
      Open("work", {.uid = "cy"})->PutObject("2.ics", Bytes{Event("two")}, {}).status());
  REQUIRE(denied);
  CHECK(denied->actor == "cy");
  CHECK(denied->collection == "work");
  const auto gone =
      GetError<NoSuchShare>(Open("work", {.uid = "zoe", .share_uid = "x"})->SyncToken().status());
  REQUIRE(gone);
  CHECK(gone->share_uid == "x");
}

TEST_CASE_METHOD(RightsFixture, "Rights are those of the moment, also for open handles",
                 "[store][rights]") {
  const auto work = Open("work", {.uid = "bob", .share_uid = "bobs"});
  const auto object = ValueOf(work->ObjectWith({.name = "1.ics"}));
  CHECK(object->SetText(Bytes{Event("one", "B")}, {}).ok());
  Execute("UPDATE bind SET access = 'read', own_access = 'read' WHERE share_uid = 'bobs'");
  CHECK(object->Text().ok());
  CHECK(GetError<AccessDenied>(object->SetText(Bytes{Event("one", "C")}, {}).status()));
  CHECK(GetError<AccessDenied>(object->Remove({})));
  Execute("DELETE FROM bind WHERE share_uid = 'bobs'");
  CHECK(GetError<NoSuchShare>(object->Text().status()));
  CHECK(GetError<NoSuchShare>(object->SetText(Bytes{"no calendar"}, {}).status()));
  CHECK(GetError<NoSuchShare>(work->ListObjects().status()));
}

TEST_CASE_METHOD(RightsFixture, "A move needs the right to write on both sides",
                 "[store][rights]") {
  const auto work = Open("work", {.uid = "bob", .share_uid = "bobs"});
  CHECK(GetError<AccessDenied>(work->MoveObject("1.ics", "home", "1.ics").status()));
  AddShare("bobs2", "home", "bob", "read", "accepted");
  CHECK(GetError<AccessDenied>(work->MoveObject("1.ics", "home", "1.ics").status()));
  CHECK(ValueOf(work->CountObjects()) == 1);
  Execute(
      "UPDATE bind SET access = 'read-write', own_access = 'read-write' WHERE share_uid = 'bobs2'");
  CHECK(work->MoveObject("1.ics", "home", "1.ics").ok());
  CHECK(GetError<AccessDenied>(Open("home", {.uid = "cy"})->SyncToken().status()));
}

}  // namespace podkit::store
