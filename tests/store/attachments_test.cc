// Managed attachments, the same whichever way one comes to the object: as its owner, as a viewer on
// the owner's pod or on another one, or through the owner's home seen from another pod.
#include <algorithm>
#include <string>
#include <vector>

#include "attachment_bed.h"
#include "calendar/attach_text.h"
#include "podkit/store/attachment.h"

namespace podkit::testing {

TEST_CASE("A file is attached to an event and read back by everybody who sees it",
          "[store][attachments]") {
  AttachmentBed bed;
  const std::string before = ValueOf(bed.owner().SyncToken());
  const std::string text = TextOf(*bed.Owned());
  const auto result = Attach(*bed.Object(), "hello");
  const AttachmentInfo& attachment = result.attachment;
  CHECK(attachment.file_name == "plan.txt");
  CHECK(attachment.content_type == "text/plain");
  CHECK(attachment.size == 5);
  CHECK(attachment.created_by == bed.actor());
  CHECK(attachment.created == bed.cluster().clock().Now());
  CHECK(attachment.instances == std::vector<std::string>{"M"});
  CHECK(attachment.uri == "podkit:/attachments/ann/" + attachment.managed_id + "/plan.txt");
  CHECK(result.object.etag == ValueOf(bed.child().FindObject({.name = "1.ics"})).etag);
  CHECK(result.object.modified_by == bed.actor());
  CHECK(ValueOf(bed.owner().SyncToken()) != before);
  // The event tells of it; every other byte is as it was.
  const std::string after = TextOf(*bed.Owned());
  CHECK(TextOf(*bed.Object()) == after);
  CHECK(after.find("ATTACH;MANAGED-ID=" + attachment.managed_id) != std::string::npos);
  CHECK(ValueOf(store::calendar::RemoveAttach(after, attachment.managed_id, {})) == text);
  for (auto* object : {bed.Object().release(), bed.Owned().release()}) {
    const std::unique_ptr<ObjectResource> owned(object);
    const auto list = ValueOf(owned->ListAttachments());
    REQUIRE(list.size() == 1);
    CHECK(list[0].managed_id == attachment.managed_id);
    CHECK(list[0].uri == attachment.uri);
    CHECK(list[0].created_by == bed.actor());
    CHECK(ReadAll(*owned, attachment.managed_id) == "hello");
  }
  bed.CheckSound(1);
  CHECK(bed.Check().attachment_bytes == 5);
}

TEST_CASE("Files of any size come back byte for byte, a part at a time", "[store][attachments]") {
  AttachmentBed bed;
  const int64_t size =
      GENERATE(int64_t{0}, int64_t{1}, kPart - 1, kPart, kPart + 1, 2 * kPart, 3 * kPart + 12'345);
  const std::string bytes = Noise(size);
  size_t calls = 0;
  size_t largest = 0;
  bed.cluster().network().SetTap([&](std::string_view, const auto& request, const auto& reply) {
    ++calls;
    largest = std::max({largest, request.body.size(), reply.body.size()});
  });
  const auto object = bed.Object();
  calls = 0;
  const auto attached = Attach(*object, bytes).attachment;
  const int64_t parts = std::max<int64_t>(1, (size + kPart - 1) / kPart);
  CHECK(calls == (bed.remote() ? static_cast<size_t>(parts) : 0));
  CHECK(attached.size == size);
  CHECK(ReadAll(*object, attached.managed_id) == bytes);
  CHECK(calls == (bed.remote() ? static_cast<size_t>(2 * parts) : 0));
  // As they are, not as a text that is a third longer.
  CHECK(largest < kAttachmentPartBytes + 4096);
  bed.cluster().network().SetTap(nullptr);
  bed.CheckSound(1);
  CHECK(bed.Check().orphans == 0);
  // They are on the disk.
  bed.Restart();
  CHECK(ReadAll(*bed.Object(), attached.managed_id) == bytes);
}

TEST_CASE("An attachment is updated under another managed id", "[store][attachments]") {
  AttachmentBed bed;
  const auto object = bed.Object();
  const std::string old_id = Attach(*object, "hello").attachment.managed_id;
  const std::string other_id = Attach(*object, "other").attachment.managed_id;
  const auto updated = ValueOf(object->UpdateAttachment(
      old_id, {.file_name = "plan 2.pdf", .content_type = "application/pdf; x=y"}, From("hi")));
  CHECK(updated.attachment.managed_id != old_id);
  CHECK(updated.attachment.content_type == "application/pdf");
  CHECK(updated.attachment.uri.ends_with("/plan%202.pdf"));
  const auto ids = IdsOf(*object);
  CHECK(std::is_permutation(ids.begin(), ids.end(),
                            std::vector{updated.attachment.managed_id, other_id}.begin()));
  CHECK(ReadAll(*object, updated.attachment.managed_id) == "hi");
  CHECK(IsError<store::NoSuchAttachment>(TryRead(*object, old_id)));
  CHECK(IsError<store::NoSuchAttachment>(object->UpdateAttachment(old_id, {}, From("x"))));
  CHECK(IsError<store::InvalidRequest>(
      object->UpdateAttachment(other_id, {.instances = {"M"}}, From("x"))));
  bed.CheckSound(2);
}

TEST_CASE("A removed attachment is gone from the event, its bytes when nobody needs them",
          "[store][attachments]") {
  AttachmentBed bed;
  const auto object = bed.Object();
  const std::string before = TextOf(*object);
  const std::string id = Attach(*object, "hello").attachment.managed_id;
  const auto removed = ValueOf(object->RemoveAttachment(id, {}, {}));
  CHECK(removed.etag == ValueOf(bed.child().FindObject({.name = "1.ics"})).etag);
  CHECK(TextOf(*object) == before);
  CHECK(IdsOf(*object).empty());
  CHECK(IsError<store::NoSuchAttachment>(TryRead(*object, id)));
  CHECK(IsError<store::NoSuchAttachment>(object->RemoveAttachment(id, {}, {})));
  CHECK(bed.Check().orphans == 1);
  CHECK(bed.Check().orphan_bytes == 5);
  store::Store& store = bed.cluster().store("A");
  CHECK(ValueOf(store.CollectOrphans("ann")).chunks == 0);
  bed.cluster().clock().Advance(absl::Hours(24) + absl::Seconds(1));
  const auto collected = ValueOf(store.CollectOrphans("ann"));
  CHECK(collected.chunks == 1);
  CHECK(collected.bytes == 5);
  CHECK(bed.Check().orphans == 0);
  bed.CheckSound(0);
}

TEST_CASE("Attachments have the ETag of the event as their condition", "[store][attachments]") {
  AttachmentBed bed;
  const auto object = bed.Object();
  const std::string etag = object->info().etag;
  const auto first = ValueOf(object->AddAttachment({.condition = {.etag = etag}}, From("x")));
  const auto failed = object->AddAttachment({.condition = {.etag = etag}}, From("x"));
  REQUIRE(IsError<store::PreconditionFailed>(failed));
  CHECK(conduit::GetError<store::PreconditionFailed>(failed.status())->etag == first.object.etag);
  const std::string id = first.attachment.managed_id;
  CHECK(IsError<store::PreconditionFailed>(
      object->UpdateAttachment(id, {.condition = {.etag = etag}}, From("x"))));
  CHECK(IsError<store::PreconditionFailed>(object->RemoveAttachment(id, {}, {.etag = etag})));
  CHECK(IdsOf(*object).size() == 1);
  ValueOf(object->RemoveAttachment(id, {}, {.etag = first.object.etag}));
  bed.CheckSound(0);
}

TEST_CASE("One instance of a series has an attachment of its own", "[store][attachments]") {
  AttachmentBed bed;
  std::string series = Event("series");
  series.insert(series.find("SUMMARY"), "RRULE:FREQ=DAILY;COUNT=3\r\n");
  ValueOf(bed.child().PutObject("series", Bytes{series}, {}));
  const auto object = bed.Object("series");
  const auto one = ValueOf(
      object->AddAttachment({.file_name = "1", .instances = {"20260303T100000Z"}}, From("one")));
  CHECK(one.attachment.instances == std::vector<std::string>{"20260303T100000Z"});
  const auto all = ValueOf(object->AddAttachment({.file_name = "all"}, From("all")));
  CHECK(all.attachment.instances == std::vector<std::string>{"M", "20260303T100000Z"});
  ValueOf(object->RemoveAttachment(all.attachment.managed_id, {"20260304T100000Z"}, {}));
  CHECK(IdsOf(*object).size() == 2);
  ValueOf(object->RemoveAttachment(all.attachment.managed_id, {"M", "20260303T100000Z"}, {}));
  CHECK(IdsOf(*object) == std::vector{one.attachment.managed_id});
  const auto missing = object->AddAttachment({.instances = {"20270303T100000Z"}}, From("x"));
  REQUIRE(IsError<store::NoSuchInstance>(missing));
  CHECK(missing.status().message().find("20270303T100000Z") != std::string_view::npos);
  CHECK(IsError<store::NoSuchInstance>(
      object->RemoveAttachment(one.attachment.managed_id, {"x"}, {})));
  // The index over time knows the instances that were set apart.
  const auto found = ValueOf(bed.child().Search({.start = absl::FromUnixSeconds(1'772'532'000),
                                                 .end = absl::FromUnixSeconds(1'772'535'600)}));
  CHECK(std::any_of(found.begin(), found.end(), [](const auto& o) { return o.name == "series"; }));
  bed.CheckSound(1);
}

TEST_CASE("A copied event shares the bytes, and each keeps its own use", "[store][attachments]") {
  AttachmentBed bed;
  const std::string id = Attach(*bed.Object(), "hello").attachment.managed_id;
  std::string copy = TextOf(*bed.Object());
  copy.replace(copy.find("UID:1"), 5, "UID:2");
  const auto put = ValueOf(bed.child().PutObject("2.ics", Bytes{copy}, {}));
  CHECK_FALSE(put.altered);
  CHECK(TextOf(*bed.Object("2.ics")) == copy);
  CHECK(bed.Check().attachment_bytes == 5);
  CHECK(ReadAll(*bed.Object("2.ics"), id) == "hello");
  // An update of one leaves the other as it is.
  ValueOf(bed.Object()->UpdateAttachment(id, {.file_name = "new"}, From("new")));
  CHECK(IdsOf(*bed.Object("2.ics")) == std::vector{id});
  CHECK(ReadAll(*bed.Object("2.ics"), id) == "hello");
  bed.CheckSound(2);
  // As does what becomes of the first.
  REQUIRE(bed.child().RemoveObject("1.ics", {}) == absl::OkStatus());
  CHECK(ReadAll(*bed.Object("2.ics"), id) == "hello");
  bed.CheckSound(1);
  REQUIRE(bed.child().RemoveObject("2.ics", {}) == absl::OkStatus());
  bed.CheckSound(0);
}

TEST_CASE("A put keeps, restores and removes what the event has", "[store][attachments]") {
  AttachmentBed bed;
  const auto object = bed.Object();
  const std::string id = Attach(*object, "hello").attachment.managed_id;
  const std::string text = TextOf(*object);
  // A change of something else.
  std::string changed = text;
  changed.replace(changed.find("Meeting"), 7, "Changed");
  CHECK_FALSE(ValueOf(object->SetText(Bytes{changed}, {})).altered);
  CHECK(TextOf(*object) == changed);
  // A client that says other things of the attachment.
  std::string lied = changed;
  lied.replace(lied.find(";FMTTYPE="), 9, ";FMTTYPX=");
  const auto restored = ValueOf(object->SetText(Bytes{lied}, {}));
  CHECK(restored.altered);
  CHECK(TextOf(*object) == changed);
  CHECK(IdsOf(*object) == std::vector{id});
  // A client that removes it.
  const std::string without = ValueOf(store::calendar::RemoveAttach(changed, id, {}));
  CHECK_FALSE(ValueOf(object->SetText(Bytes{without}, {})).altered);
  CHECK(IdsOf(*object).empty());
  bed.CheckSound(0);
  // What is gone does not come back by its name.
  CHECK(ValueOf(object->SetText(Bytes{changed}, {})).altered);
  CHECK(TextOf(*object).find("MANAGED-ID") == std::string::npos);
  CHECK(TextOf(*object).find("ATTACH") != std::string::npos);
  bed.CheckSound(0);
}

TEST_CASE("Every way of putting an event heeds its attachments", "[store][attachments]") {
  AttachmentBed bed;
  const std::string id = Attach(*bed.Object(), "hello").attachment.managed_id;
  const std::string text = TextOf(*bed.Object());
  const auto copy = [&](const std::string& uid, const std::string& from, const std::string& to) {
    std::string copied = text;
    copied.replace(copied.find("UID:1"), 5, "UID:" + uid);
    if (!from.empty()) copied.replace(copied.find(from), from.size(), to);
    return copied;
  };
  const auto writes = ValueOf(bed.child().WriteObjects(
      {{.name = "a", .text = Bytes{copy("a", "", "")}},
       {.name = "b", .text = Bytes{copy("b", id.substr(0, 8), "deadbeef")}}}));
  CHECK_FALSE(writes[0].put->altered);
  CHECK(writes[1].put->altered);
  ValueOf(bed.child().Import(Bytes{copy("c", "", "")}));
  CHECK(IdsOf(*bed.Object("a")) == std::vector{id});
  CHECK(IdsOf(*bed.Object("b")).empty());
  CHECK(IdsOf(*bed.Object("c.ics")) == std::vector{id});
  bed.CheckSound(1);
}

}  // namespace podkit::testing
