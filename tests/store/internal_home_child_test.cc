#include <string>
#include <utility>

#include "collection_fixture.h"
#include "hash.h"
#include "podkit/store/home_child.h"

namespace podkit::store {
namespace {

using testing::ValueOf;
using Fixture = CollectionFixture;

}  // namespace

TEST_CASE_METHOD(Fixture, "An empty collection has no objects and a sync token", "[store][child]") {
  const auto work = Open("work");
  CHECK(work->info().id == "work");
  CHECK(ValueOf(work->ListObjects()).empty());
  CHECK(ValueOf(work->CountObjects()) == 0);
  CHECK(ValueOf(work->LoadObjects()).empty());
  CHECK(ValueOf(work->SyncToken()) == "data:,work/0");
}

TEST_CASE_METHOD(Fixture, "A stored object is described and its bytes come back",
                 "[store][child]") {
  const auto work = Open("work");
  const std::string text = Event("1@x", "Lunch");
  const PutResult put = Put(*work, "1.ics", text);
  CHECK(put.created);
  CHECK_FALSE(put.unchanged);
  const ObjectInfo object = ValueOf(work->FindObject({.name = "1.ics"}));
  CHECK(object.id == put.object.id);
  CHECK(object.id.size() == 36);
  CHECK(object.name == "1.ics");
  CHECK(object.uid == "1@x");
  CHECK(object.component == "VEVENT");
  CHECK(object.etag == Sha256Hex(text).substr(0, 32));
  CHECK(object.etag == put.object.etag);
  CHECK(object.size == static_cast<int64_t>(text.size()));
  CHECK(object.summary == "Lunch");
  CHECK(object.created == clock().Now());
  CHECK(object.modified == clock().Now());
  CHECK(TextOf(*work, "1.ics") == text);
  Reopen();
  CHECK(TextOf(*Open("work"), "1.ics") == text);
}

TEST_CASE_METHOD(Fixture, "Objects are listed, counted and loaded by name", "[store][child]") {
  const auto work = Open("work");
  for (const char* uid : {"c", "a", "b"}) Put(*work, std::string(uid) + ".ics", Event(uid));
  Put(*Open("home"), "z.ics", Event("z"));
  CHECK(ValueOf(work->ListObjects()) == Names{"a.ics", "b.ics", "c.ics"});
  CHECK(ValueOf(work->CountObjects()) == 3);
  CHECK(NamesOf(ValueOf(work->LoadObjects())) == Names{"a.ics", "b.ics", "c.ics"});
  CHECK(NamesOf(ValueOf(work->LoadObjectsWithNames({"c.ics", "none", "a.ics"}))) ==
        Names{"c.ics", "a.ics"});
  CHECK(ValueOf(work->LoadObjectsWithNames({})).empty());
  const auto texts = ValueOf(work->Texts({"b.ics", "none", "z.ics"}));
  REQUIRE(texts.size() == 1);
  CHECK(texts.at("b.ics").data == Event("b"));
  CHECK(work->RemoveObject("b.ics", {}) == absl::OkStatus());
  CHECK(ValueOf(work->ListObjects()) == Names{"a.ics", "c.ics"});
  CHECK(ValueOf(work->CountObjects()) == 2);
}

TEST_CASE_METHOD(Fixture, "An object is found by name, UID and id", "[store][child]") {
  const auto work = Open("work");
  const ObjectInfo object = Put(*work, "1.ics", Event("one")).object;
  CHECK(ValueOf(work->FindObject({.name = "1.ics"})).id == object.id);
  CHECK(ValueOf(work->FindObject({.uid = "one"})).id == object.id);
  CHECK(ValueOf(work->FindObject({.id = object.id})).name == "1.ics");
  CHECK(ValueOf(work->ObjectWith({.uid = "one"}))->info().id == object.id);
  CHECK(ValueOf(work->NameForUid("one")) == "1.ics");
  CHECK(ValueOf(work->UidForName("1.ics")) == "one");
  CHECK(ValueOf(work->NameForUid("two")) == std::nullopt);
  CHECK(ValueOf(work->UidForName("2.ics")) == std::nullopt);
  for (const ObjectKey& key :
       {ObjectKey{.name = "2.ics"}, ObjectKey{.uid = "two"}, ObjectKey{.id = "two"}}) {
    const auto error = GetError<NoSuchObject>(work->FindObject(key).status());
    REQUIRE(error);
    CHECK(error->collection == "work");
    CHECK(GetError<NoSuchObject>(work->ObjectWith(key).status()));
  }
  // In its own collection only.
  CHECK(GetError<NoSuchObject>(Open("home")->FindObject({.id = object.id}).status()));
  CHECK(work->RemoveObject("1.ics", {}) == absl::OkStatus());
  CHECK(GetError<NoSuchObject>(work->FindObject({.uid = "one"}).status()));
}

TEST_CASE_METHOD(Fixture, "An object is meant by exactly one member of its key", "[store][child]") {
  const auto work = Open("work");
  Put(*work, "1.ics", Event("one"));
  CHECK(GetError<InvalidRequest>(work->FindObject({}).status()));
  CHECK(GetError<InvalidRequest>(work->FindObject({.name = "1.ics", .uid = "one"}).status()));
  CHECK(GetError<InvalidRequest>(work->ObjectWith({.uid = "one", .id = "x"}).status()));
}

TEST_CASE_METHOD(Fixture, "A new text replaces the old one under the same id", "[store][child]") {
  const auto work = Open("work");
  const ObjectInfo first = Put(*work, "1.ics", Event("one", "Old")).object;
  clock().Advance(absl::Minutes(1));
  const PutResult put = Put(*work, "1.ics", Event("one", "New"));
  CHECK_FALSE(put.created);
  CHECK_FALSE(put.unchanged);
  CHECK(put.object.id == first.id);
  CHECK(put.object.etag != first.etag);
  CHECK(put.object.summary == "New");
  CHECK(put.object.created == first.created);
  CHECK(put.object.modified == clock().Now());
  const ObjectInfo loaded = ValueOf(work->FindObject({.name = "1.ics"}));
  CHECK(loaded.etag == put.object.etag);
  CHECK(loaded.summary == "New");
  CHECK(loaded.created == first.created);
  CHECK(loaded.modified == clock().Now());
  CHECK(TextOf(*work, "1.ics") == Event("one", "New"));
}

TEST_CASE_METHOD(Fixture, "The same bytes again change nothing", "[store][child]") {
  const auto work = Open("work");
  const ObjectInfo first = Put(*work, "1.ics", Event("one")).object;
  const std::string token = ValueOf(work->SyncToken());
  clock().Advance(absl::Minutes(1));
  const PutResult put = Put(*work, "1.ics", Event("one"), {.etag = first.etag});
  CHECK(put.unchanged);
  CHECK_FALSE(put.created);
  CHECK(put.object.etag == first.etag);
  CHECK(put.object.modified == first.modified);
  CHECK(ValueOf(work->SyncToken()) == token);
  // What was asked for comes first.
  CHECK(GetError<PreconditionFailed>(
      work->PutObject("1.ics", Bytes{Event("one")}, {.etag = "x"}).status()));
  CHECK(GetError<ObjectExists>(
      work->PutObject("1.ics", Bytes{Event("one")}, {.must_not_exist = true}).status()));
}

TEST_CASE_METHOD(Fixture, "A write happens only if its precondition holds", "[store][child]") {
  const auto work = Open("work");
  const auto put = [&](const Precondition& condition, const char* summary) {
    return work->PutObject("1.ics", Bytes{Event("one", summary)}, condition);
  };
  const auto missing = GetError<PreconditionFailed>(put({.etag = "x"}, "A").status());
  REQUIRE(missing);
  CHECK(missing->object == "1.ics");
  CHECK(missing->etag.empty());
  CHECK(ValueOf(work->CountObjects()) == 0);

  const std::string first = ValueOf(put({.must_not_exist = true}, "A")).object.etag;
  const auto exists = GetError<ObjectExists>(put({.must_not_exist = true}, "B").status());
  REQUIRE(exists);
  CHECK(exists->object == "1.ics");
  CHECK(exists->collection == "work");

  const std::string second = ValueOf(put({.etag = first}, "B")).object.etag;
  const std::string token = ValueOf(work->SyncToken());
  const absl::Status stale = put({.etag = first}, "C").status();
  CHECK(GetError<PreconditionFailed>(stale)->etag == second);
  CHECK(stale.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(TextOf(*work, "1.ics") == Event("one", "B"));

  CHECK(GetError<PreconditionFailed>(work->RemoveObject("1.ics", {.etag = first}))->etag == second);
  CHECK(ValueOf(work->SyncToken()) == token);
  CHECK(work->RemoveObject("1.ics", {.etag = second}) == absl::OkStatus());
  CHECK(GetError<NoSuchObject>(work->RemoveObject("1.ics", {.etag = second})));
}

TEST_CASE_METHOD(Fixture, "A name that is no path segment is refused", "[store][child]") {
  const auto work = Open("work");
  for (const char* name : {"", ".x", "a/b", "..", "a\nb"}) {
    const auto error =
        GetError<InvalidName>(work->PutObject(name, Bytes{Event("one")}, {}).status());
    REQUIRE(error);
    CHECK(error->name == name);
  }
  Put(*work, "1.ics", Event("one"));
  CHECK(GetError<InvalidName>(work->MoveObject("1.ics", "home", "a/b").status()));
  CHECK(ValueOf(work->ListObjects()) == Names{"1.ics"});
}

TEST_CASE_METHOD(Fixture, "A text that is no calendar object is refused by its line",
                 "[store][child]") {
  const auto work = Open("work");
  std::string text = Event("one");
  text.replace(text.find("DTSTART:"), 8, "DTSTART ");
  const absl::Status status = work->PutObject("1.ics", Bytes{text}, {}).status();
  const auto error = GetError<InvalidCalendarData>(status);
  REQUIRE(error);
  CHECK(error->line == 7);
  CHECK_FALSE(error->reason.empty());
  CHECK(std::string(status.message()).find("'1.ics'") != std::string::npos);
  CHECK(GetError<InvalidCalendarData>(work->PutObject("1.ics", Bytes{""}, {}).status()));
  CHECK(ValueOf(work->CountObjects()) == 0);
}

TEST_CASE_METHOD(Fixture, "An object beyond the size limit is refused", "[store][child]") {
  const auto work = Open("work");
  const std::string text = Event("one");
  options().max_object_bytes = static_cast<int64_t>(text.size());
  Put(*work, "1.ics", text);
  const absl::Status status = work->PutObject("2.ics", Bytes{text + " "}, {}).status();
  const auto error = GetError<StoreFull>(status);
  REQUIRE(error);
  CHECK(error->object == "2.ics");
  CHECK(std::string(status.message()).find(std::to_string(text.size())) != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "A UID is in a collection once", "[store][child]") {
  const auto work = Open("work");
  Put(*work, "1.ics", Event("one"));
  const auto error =
      GetError<UidConflict>(work->PutObject("2.ics", Bytes{Event("one")}, {}).status());
  REQUIRE(error);
  CHECK(error->uid == "one");
  CHECK(error->object == "1.ics");
  Put(*Open("home"), "2.ics", Event("one"));
  CHECK(work->RemoveObject("1.ics", {}) == absl::OkStatus());
  CHECK(Put(*work, "2.ics", Event("one")).created);
}

TEST_CASE_METHOD(Fixture, "An object keeps its UID", "[store][child]") {
  const auto work = Open("work");
  Put(*work, "1.ics", Event("one"));
  Put(*work, "2.ics", Event("two"));
  const auto error =
      GetError<UidChanged>(work->PutObject("1.ics", Bytes{Event("three")}, {}).status());
  REQUIRE(error);
  CHECK(error->object == "1.ics");
  CHECK(error->uid == "one");
  CHECK(GetError<UidChanged>(work->PutObject("1.ics", Bytes{Event("two")}, {}).status()));
  CHECK(TextOf(*work, "1.ics") == Event("one"));
}

TEST_CASE_METHOD(Fixture, "A collection takes the components that it supports", "[store][child]") {
  AddCollection("tasks", "VTODO,VJOURNAL");
  const auto tasks = Open("tasks");
  std::string todo = Event("one");
  for (size_t at = todo.find("VEVENT"); at != std::string::npos; at = todo.find("VEVENT")) {
    todo.replace(at, 6, "VTODO");
  }
  todo.replace(todo.find("DTEND"), 5, "DUE");
  CHECK(Put(*tasks, "1.ics", todo).object.component == "VTODO");
  const auto error =
      GetError<UnsupportedComponent>(tasks->PutObject("2.ics", Bytes{Event("two")}, {}).status());
  REQUIRE(error);
  CHECK(error->component == "VEVENT");
  CHECK(error->collection == "tasks");
  Put(*Open("work"), "2.ics", Event("two"));
  CHECK(
      GetError<UnsupportedComponent>(Open("work")->MoveObject("2.ics", "tasks", "2.ics").status()));
  CHECK(GetError<UnsupportedComponent>(tasks->Import(Bytes{Event("two")}).status()));
  CHECK(ValueOf(tasks->CountObjects()) == 1);
}

TEST_CASE_METHOD(Fixture, "What is wrong first is told first", "[store][child]") {
  AddCollection("tasks", "VTODO");
  AddShare("s", "tasks", "bob", "read", "accepted");
  const std::string broken = "BEGIN:VCALENDAR\r\n";
  const auto reader = Open("tasks", {.uid = "bob", .share_uid = "s"});
  const auto tasks = Open("tasks");
  const Precondition stale = {.etag = "x"};
  CHECK(GetError<AccessDenied>(reader->PutObject("a/b", Bytes{broken}, stale).status()));
  CHECK(GetError<AccessDenied>(reader->PutObject("a", Bytes{broken}, stale).status()));
  CHECK(GetError<AccessDenied>(reader->Import(Bytes{broken}).status()));
  CHECK(GetError<InvalidName>(tasks->PutObject("a/b", Bytes{broken}, stale).status()));
  CHECK(GetError<InvalidCalendarData>(tasks->PutObject("a", Bytes{broken}, stale).status()));
  CHECK(GetError<UnsupportedComponent>(tasks->PutObject("a", Bytes{Event("one")}, stale).status()));
  const auto work = Open("work");
  Put(*work, "1.ics", Event("one"));
  CHECK(
      GetError<PreconditionFailed>(work->PutObject("1.ics", Bytes{Event("two")}, stale).status()));
  CHECK(
      GetError<PreconditionFailed>(work->PutObject("2.ics", Bytes{Event("one")}, stale).status()));
}

TEST_CASE_METHOD(Fixture, "An object moves with its id, UID and bytes", "[store][child]") {
  const auto work = Open("work");
  const auto home = Open("home");
  const ObjectInfo before = Put(*work, "1.ics", Event("one")).object;
  const std::string work_token = ValueOf(work->SyncToken());
  const std::string home_token = ValueOf(home->SyncToken());
  clock().Advance(absl::Minutes(1));
  const ObjectInfo moved = ValueOf(work->MoveObject("1.ics", "home", "uno.ics"));
  CHECK(moved.name == "uno.ics");
  const ObjectInfo after = ValueOf(home->FindObject({.name = "uno.ics"}));
  CHECK(after.id == before.id);
  CHECK(after.uid == before.uid);
  CHECK(after.etag == before.etag);
  CHECK(after.created == before.created);
  CHECK(after.modified == before.modified);
  CHECK(TextOf(*home, "uno.ics") == Event("one"));
  CHECK(ValueOf(work->CountObjects()) == 0);
  const Changes left = ValueOf(work->ChangesSince(work_token));
  CHECK(left.changed.empty());
  CHECK(left.deleted == Names{"1.ics"});
  const Changes arrived = ValueOf(home->ChangesSince(home_token));
  CHECK(NamesOf(arrived.changed) == Names{"uno.ics"});
  CHECK(arrived.deleted.empty());
}

TEST_CASE_METHOD(Fixture, "An object gets another name by a move in its collection",
                 "[store][child]") {
  const auto work = Open("work");
  const ObjectInfo object = Put(*work, "1.ics", Event("one")).object;
  const std::string token = ValueOf(work->SyncToken());
  CHECK(ValueOf(work->MoveObject("1.ics", "work", "1.ics")).id == object.id);
  CHECK(ValueOf(work->SyncToken()) == token);
  CHECK(ValueOf(work->MoveObject("1.ics", "work", "2.ics")).id == object.id);
  const Changes changes = ValueOf(work->ChangesSince(token));
  CHECK(NamesOf(changes.changed) == Names{"2.ics"});
  CHECK(changes.deleted == Names{"1.ics"});
}

TEST_CASE_METHOD(Fixture, "A move that cannot be changes nothing", "[store][child]") {
  const auto work = Open("work");
  const auto home = Open("home");
  Put(*work, "1.ics", Event("one"));
  Put(*work, "2.ics", Event("two"));
  Put(*home, "1.ics", Event("other"));
  Put(*home, "two.ics", Event("two"));
  const std::string tokens = ValueOf(work->SyncToken()) + ValueOf(home->SyncToken());
  CHECK(GetError<ObjectExists>(work->MoveObject("1.ics", "home", "1.ics").status()));
  CHECK(GetError<ObjectExists>(work->MoveObject("1.ics", "work", "2.ics").status()));
  CHECK(GetError<UidConflict>(work->MoveObject("2.ics", "home", "2.ics").status())->object ==
        "two.ics");
  CHECK(GetError<NoSuchObject>(work->MoveObject("3.ics", "home", "3.ics").status()));
  CHECK(GetError<NoSuchCollection>(work->MoveObject("1.ics", "none", "1.ics").status()));
  CHECK(ValueOf(work->SyncToken()) + ValueOf(home->SyncToken()) == tokens);
  CHECK(ValueOf(work->ListObjects()) == Names{"1.ics", "2.ics"});
}

TEST_CASE_METHOD(Fixture, "A collection that is gone is told", "[store][child]") {
  const auto work = Open("work");
  const auto object = [&] {
    Put(*work, "1.ics", Event("one"));
    return ValueOf(work->ObjectWith({.name = "1.ics"}));
  }();
  Execute("DELETE FROM collection WHERE id = 'work'");
  const auto is_gone = [](const absl::Status& status) {
    const auto error = GetError<NoSuchCollection>(status);
    return error && error->home == "ann" && error->collection == "work";
  };
  CHECK(is_gone(work->ListObjects().status()));
  CHECK(is_gone(work->SyncToken().status()));
  CHECK(is_gone(work->PutObject("1.ics", Bytes{Event("one")}, {}).status()));
  CHECK(is_gone(work->Export().status()));
  CHECK(is_gone(object->Text().status()));
  CHECK(is_gone(object->Remove({})));
}

TEST_CASE_METHOD(Fixture, "An object handle works on what is true now", "[store][object]") {
  const auto work = Open("work");
  Put(*work, "1.ics", Event("one", "A"));
  const auto object = ValueOf(work->ObjectWith({.name = "1.ics"}));
  CHECK(ValueOf(object->Text()).data == Event("one", "A"));
  Put(*work, "1.ics", Event("one", "B"));
  CHECK(ValueOf(object->Text()).data == Event("one", "B"));
  CHECK(object->info().summary == "A");
  // It follows a new name, but not into another collection.
  ValueOf(work->MoveObject("1.ics", "work", "2.ics"));
  CHECK(ValueOf(object->SetText(Bytes{Event("one", "C")}, {})).object.name == "2.ics");
  ValueOf(work->MoveObject("2.ics", "home", "2.ics"));
  CHECK(GetError<NoSuchObject>(object->Text().status()));
  CHECK(GetError<NoSuchObject>(object->Remove({})));
  CHECK(TextOf(*Open("home"), "2.ics") == Event("one", "C"));
}

TEST_CASE_METHOD(Fixture, "An object's text is set under the rules of a put", "[store][object]") {
  const auto work = Open("work");
  const std::string etag = Put(*work, "1.ics", Event("one")).object.etag;
  const auto object = ValueOf(work->ObjectWith({.uid = "one"}));
  CHECK(ValueOf(object->SetText(Bytes{Event("one")}, {})).unchanged);
  CHECK(GetError<PreconditionFailed>(
            object->SetText(Bytes{Event("one", "B")}, {.etag = "x"}).status())
            ->etag == etag);
  CHECK(GetError<ObjectExists>(
      object->SetText(Bytes{Event("one", "B")}, {.must_not_exist = true}).status()));
  CHECK(GetError<UidChanged>(object->SetText(Bytes{Event("two")}, {}).status()));
  CHECK(GetError<InvalidCalendarData>(object->SetText(Bytes{"x"}, {}).status()));
  const PutResult put = ValueOf(object->SetText(Bytes{Event("one", "B")}, {.etag = etag}));
  CHECK_FALSE(put.created);
  CHECK(TextOf(*work, "1.ics") == Event("one", "B"));
}

TEST_CASE_METHOD(Fixture, "An object is removed once", "[store][object]") {
  const auto work = Open("work");
  const std::string etag = Put(*work, "1.ics", Event("one")).object.etag;
  const auto object = ValueOf(work->ObjectWith({.name = "1.ics"}));
  CHECK(GetError<PreconditionFailed>(object->Remove({.etag = "x"})));
  CHECK(object->Remove({.etag = etag}) == absl::OkStatus());
  CHECK(GetError<NoSuchObject>(object->Remove({})));
  CHECK(GetError<NoSuchObject>(object->Text().status()));
  CHECK(GetError<NoSuchObject>(object->SetText(Bytes{Event("one")}, {}).status()));
  CHECK(GetError<NoSuchObject>(work->RemoveObject("1.ics", {})));
  // A new object of that name is another one.
  Put(*work, "1.ics", Event("one"));
  CHECK(GetError<NoSuchObject>(object->Text().status()));
}

}  // namespace podkit::store
