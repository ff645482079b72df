// What keeps attachments sound and safe: limits, rights, forged ids, failing disks.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "attachment_bed.h"
#include "tests/support/faulty_disk.h"

namespace podkit::testing {

TEST_CASE("The limits of the owner's pod are told by name", "[store][attachments]") {
  AttachmentBed bed;
  bed.cluster().options().max_attachment_bytes = 2 * kPart + 10;
  bed.cluster().options().max_attachments_per_object = 2;
  bed.cluster().options().attachment_quota = 3 * kPart;
  bed.Restart();
  const auto object = bed.Object();
  const std::string text = TextOf(*object);
  for (const int64_t size : {2 * kPart + 11, 3 * kPart}) {
    const auto large = object->AddAttachment({}, From(Noise(size)));
    REQUIRE(IsError<store::AttachmentTooLarge>(large));
    CHECK(conduit::GetError<store::AttachmentTooLarge>(large.status())->limit == 2 * kPart + 10);
  }
  CHECK(TextOf(*object) == text);
  bed.cluster().clock().Advance(absl::Hours(1));  // What was uploaded for them counts no more.
  const std::string id = Attach(*object, Noise(2 * kPart + 10)).attachment.managed_id;
  const auto full = object->AddAttachment({}, From(Noise(kPart - 9)));
  REQUIRE(IsError<store::QuotaExceeded>(full));
  const auto quota = conduit::GetError<store::QuotaExceeded>(full.status());
  CHECK(quota->owner == "ann");
  CHECK(quota->limit == 3 * kPart);
  CHECK(quota->used == 2 * kPart + 10);
  Attach(*object, Noise(kPart - 10));
  const auto third = object->AddAttachment({}, From(""));
  REQUIRE(IsError<store::TooManyAttachments>(third));
  CHECK(conduit::GetError<store::TooManyAttachments>(third.status())->limit == 2);
  // An update needs no more room than it takes.
  const auto updated = ValueOf(object->UpdateAttachment(id, {}, From(Noise(7))));
  CHECK(updated.attachment.size == 7);
  CHECK(bed.Check().attachment_bytes == kPart - 10 + 7);
  bed.CheckSound(2);
}

TEST_CASE("An attachment that cannot be described is refused before anything is kept",
          "[store][attachments]") {
  AttachmentBed bed;
  const auto object = bed.Object();
  for (const NewAttachment& attachment :
       std::vector<NewAttachment>{{.file_name = "a/b"},
                                  {.file_name = "a\nb"},
                                  {.file_name = "a\\b"},
                                  {.file_name = std::string(256, 'x')},
                                  {.file_name = "\x7f"},
                                  {.content_type = "text"},
                                  {.content_type = "text/"},
                                  {.content_type = "te xt/plain"},
                                  {.content_type = "text/plain\r\nX:y"},
                                  {.content_type = "text/pl:ain"}}) {
    INFO(attachment.file_name << " " << attachment.content_type);
    CHECK(IsError<store::InvalidRequest>(object->AddAttachment(attachment, From("x"))));
  }
  CHECK(bed.Check().orphans == 0);
  const auto plain = ValueOf(object->AddAttachment({}, From("x"))).attachment;
  CHECK(plain.content_type == "application/octet-stream");
  CHECK(plain.uri.ends_with("/attachment"));
}

TEST_CASE("A source that fails ends the call and leaves nothing in the event",
          "[store][attachments]") {
  AttachmentBed bed;
  const auto object = bed.Object();
  const std::string text = TextOf(*object);
  int64_t given = 0;
  const auto failed =
      object->AddAttachment({}, [&](char* buffer, size_t size) -> absl::StatusOr<size_t> {
        if (given >= 2 * kPart) return absl::AbortedError("the line is cut");
        std::memset(buffer, static_cast<int>(given / kPart) + 1, size);
        given += static_cast<int64_t>(size);
        return size;
      });
  CHECK(failed.status() == absl::AbortedError("the line is cut"));
  CHECK(TextOf(*object) == text);
  const auto sink =
      object->ReadAttachment(Attach(*object, "x").attachment.managed_id,
                             [](auto&&...) { return absl::CancelledError("enough"); });
  CHECK(sink == absl::CancelledError("enough"));
  // What came of it goes after a while.
  bed.cluster().clock().Advance(absl::Hours(25));
  CHECK(ValueOf(bed.cluster().store("A").CollectOrphans("ann")).chunks == 1);
  CHECK(bed.Check().orphans == 0);
}

TEST_CASE("Who knows the name of a chunk does not get at its bytes", "[store][attachments]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  ValueOf(cluster.HomeOf("ann")->CreateChild("private", {}));
  const auto secret_child = cluster.Child("ann", "private");
  ValueOf(secret_child->PutObject("s", Bytes{Event("s")}, {}));
  const auto secret = ValueOf(secret_child->ObjectWith({.name = "s"}));
  const auto kept = ValueOf(secret->UploadAttachmentPart({.offset = 0, .payload = "secret"}));
  ValueOf(secret->WriteAttachment({.parts = {kept}}));

  const auto bobs = cluster.Child("bob", "anns");
  ValueOf(bobs->PutObject("b", Bytes{Event("b")}, {}));
  const auto object = ValueOf(bobs->ObjectWith({.name = "b"}));
  const auto stolen = object->WriteAttachment({.parts = {kept}});
  REQUIRE(IsError<store::PartNotUploaded>(stolen));
  CHECK(conduit::GetError<store::PartNotUploaded>(stolen.status())->chunk == kept.chunk);
  // Nor with a size of his own, nor after an hour with what he did bring.
  const auto own = ValueOf(object->UploadAttachmentPart({.offset = 0, .payload = "own"}));
  CHECK(IsError<store::PartNotUploaded>(
      object->WriteAttachment({.parts = {{.chunk = own.chunk, .size = -3}}})));
  cluster.clock().Advance(absl::Hours(1));
  CHECK(IsError<store::PartNotUploaded>(object->WriteAttachment({.parts = {own}})));
  CHECK(ValueOf(object->ListAttachments()).empty());
}

TEST_CASE("A managed id that the writer may not see does not count, nor later by another's put",
          "[store][attachments]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  ValueOf(cluster.HomeOf("ann")->CreateChild("private", {}));
  ValueOf(cluster.Child("ann", "private")->PutObject("s", Bytes{Event("s")}, {}));
  const auto secret = ValueOf(cluster.Child("ann", "private")->ObjectWith({.name = "s"}));
  const auto attached = Attach(*secret, "secret").attachment;
  // bob forges an event with it.
  std::string forged = TextOf(*secret);
  forged.replace(forged.find("UID:s"), 5, "UID:b");
  const auto bobs = cluster.Child("bob", "anns");
  const auto put = ValueOf(bobs->PutObject("b", Bytes{forged}, {}));
  CHECK(put.altered);
  const auto object = ValueOf(bobs->ObjectWith({.name = "b"}));
  CHECK(TextOf(*object).find("MANAGED-ID") == std::string::npos);
  CHECK(IsError<store::NoSuchAttachment>(TryRead(*object, attached.managed_id)));
  // ann stores the event as she finds it: that gives bob nothing.
  const auto anns = ValueOf(cluster.Child("ann", "calendar")->ObjectWith({.name = "b"}));
  std::string text = TextOf(*anns);
  text.replace(text.find("Meeting"), 7, "Changed");
  ValueOf(anns->SetText(Bytes{text}, {}));
  CHECK(IsError<store::NoSuchAttachment>(TryRead(*object, attached.managed_id)));
  // Only she can give it to him, by putting it there herself.
  ValueOf(anns->SetText(Bytes{forged}, {}));
  CHECK(ReadAll(*object, attached.managed_id) == "secret");
}

TEST_CASE("Another owner's attachment is none here", "[store][attachments]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  ValueOf(cluster.Child("ann", "calendar")->PutObject("1", Bytes{Event("1")}, {}));
  const auto anns = ValueOf(cluster.Child("bob", "anns")->ObjectWith({.name = "1"}));
  Attach(*anns, "hello");
  // bob copies ann's event into his own calendar.
  const auto put =
      ValueOf(cluster.Child("bob", "calendar")->PutObject("1", Bytes{TextOf(*anns)}, {}));
  CHECK(put.altered);
  const auto copy = ValueOf(cluster.Child("bob", "calendar")->ObjectWith({.name = "1"}));
  CHECK(ValueOf(copy->ListAttachments()).empty());
  CHECK(TextOf(*copy).find("ATTACH;FMTTYPE=text/plain") != std::string::npos);
}

TEST_CASE("A viewer keeps his own alarms while files are attached", "[store][attachments]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  std::string text = Event("1");
  text.insert(text.find("END:VEVENT"),
              "BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n");
  ValueOf(cluster.Child("ann", "calendar")->PutObject("1", Bytes{text}, {}));
  const auto bobs = ValueOf(cluster.Child("bob", "anns")->ObjectWith({.name = "1"}));
  std::string own = TextOf(*bobs);
  own.insert(own.find("END:VEVENT"),
             "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT9M\r\nEND:VALARM\r\n");
  ValueOf(bobs->SetText(Bytes{own}, {}));
  const auto result = Attach(*bobs, "hello");
  const std::string seen = TextOf(*bobs);
  CHECK(seen.find("TRIGGER:-PT9M") != std::string::npos);
  CHECK(seen.find("TRIGGER:-PT5M") == std::string::npos);
  CHECK(seen.find(result.attachment.managed_id) != std::string::npos);
  CHECK(result.object.etag ==
        ValueOf(cluster.Child("bob", "anns")->FindObject({.name = "1"})).etag);
  const auto anns = ValueOf(cluster.Child("ann", "calendar")->ObjectWith({.name = "1"}));
  CHECK(TextOf(*anns).find("TRIGGER:-PT5M") != std::string::npos);
  CHECK(TextOf(*anns).find("TRIGGER:-PT9M") == std::string::npos);
  // His text put again changes nothing.
  CHECK(ValueOf(bobs->SetText(Bytes{seen}, {})).unchanged);
}

TEST_CASE("Attachments go with their events, collections and shares", "[store][attachments]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  const auto home = cluster.HomeOf("ann");
  ValueOf(home->CreateChild("other", {}));
  ValueOf(cluster.Child("ann", "calendar")->PutObject("1", Bytes{Event("1")}, {}));
  const auto object = ValueOf(cluster.Child("bob", "anns")->ObjectWith({.name = "1"}));
  const std::string id = Attach(*object, "hello").attachment.managed_id;
  // bob leaves: it is ann's.
  REQUIRE(cluster.HomeOf("bob")->RemoveChild("anns") == absl::OkStatus());
  cluster.Settle();
  CHECK_FALSE(TryRead(*object, id).ok());
  const auto moved = ValueOf(cluster.Child("ann", "calendar")
                                 ->MoveObject("1", cluster.Child("ann", "other")->info().id, "1"));
  const auto there = ValueOf(cluster.Child("ann", "other")->ObjectWith({.id = moved.id}));
  CHECK(ReadAll(*there, id) == "hello");
  REQUIRE(home->RemoveChild("other") == absl::OkStatus());
  const auto check = ValueOf(cluster.store("A").CheckHome("ann"));
  CHECK(check.problems.empty());
  CHECK(check.attachments == 0);
  CHECK(check.orphans == 1);
}

TEST_CASE("Lost and changed bytes are told, and never given out", "[store][attachments]") {
  AttachmentBed bed;
  const auto object = bed.Object();
  const std::string id = Attach(*object, Noise(kPart + 5)).attachment.managed_id;
  const bool lost = GENERATE(true, false);
  std::string name;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(bed.cluster().FolderOf("A") + "/users")) {
    if (!entry.is_regular_file() || entry.file_size() != 5) continue;
    name = entry.path().filename();
    lost ? static_cast<void>(std::filesystem::remove(entry.path()))
         : std::filesystem::resize_file(entry.path(), 4);
    break;
  }
  REQUIRE(name.size() == 64);
  const absl::Status status = TryRead(*object, id);
  REQUIRE(IsError<store::AttachmentDamaged>(status));
  CHECK(conduit::GetError<store::AttachmentDamaged>(status)->chunk == name);
  CHECK(conduit::GetError<store::AttachmentDamaged>(status)->managed_id == id);
  const auto check = bed.Check();
  REQUIRE(check.problems.size() == 1);
  CHECK(check.problems[0].find(name) != std::string::npos);
  // Attaching the same file again heals it.
  Attach(*object, Noise(kPart + 5));
  CHECK(ReadAll(*object, id) == Noise(kPart + 5));
  CHECK(bed.Check().problems.empty());
}

TEST_CASE("A file whose owner's pod is down is unavailable", "[store][attachments]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kReadWrite, "anns");
  ValueOf(cluster.Child("ann", "calendar")->PutObject("1", Bytes{Event("1")}, {}));
  const auto object = ValueOf(cluster.Child("bob", "anns")->ObjectWith({.name = "1"}));
  const std::string id = Attach(*object, Noise(2 * kPart)).attachment.managed_id;
  cluster.network().SetFault("A", PodCluster::Fault::kRefuse);
  CHECK(IsError<store::PodUnavailable>(TryRead(*object, id)));
  CHECK(IsError<store::PodUnavailable>(object->AddAttachment({}, From("x"))));
  CHECK(IsError<store::PodUnavailable>(object->RemoveAttachment(id, {}, {})));
  CHECK(IsError<store::PodUnavailable>(object->ListAttachments()));
  cluster.network().SetFault("A", PodCluster::Fault::kNone);
  CHECK(ReadAll(*object, id) == Noise(2 * kPart));
}

TEST_CASE("When there is no room for the bytes nothing is attached",
          "[store][attachments][fault]") {
  AttachmentBed bed;
  const int room = GENERATE(0, 1, 2);
  bed.cluster().options().chunks = std::make_shared<MemoryChunks>([left = room]() mutable {
    return left-- > 0 ? absl::OkStatus() : store::MakeError(store::StoreFull{}, "no room");
  });
  bed.Restart();
  const auto object = bed.Object();
  const std::string text = TextOf(*object);
  const std::string token = ValueOf(bed.owner().SyncToken());
  CHECK(IsError<store::StoreFull>(object->AddAttachment({}, From(Noise(2 * kPart + 1)))));
  CHECK(TextOf(*object) == text);
  CHECK(ValueOf(bed.owner().SyncToken()) == token);
  CHECK(IdsOf(*object).empty());
  bed.CheckSound(0);
}

TEST_CASE("Whichever write of the file fails, the text and the attachment are there or neither",
          "[store][attachments][fault]") {
  using Operation = FaultyDisk::Operation;
  const Operation operation = GENERATE(Operation::kWrite, Operation::kSync);
  FaultyDisk disk;
  PodCluster cluster({"A"});
  const auto child = cluster.Child("ann", "calendar");
  ValueOf(child->PutObject("1", Bytes{Event("1")}, {}));
  const auto object = ValueOf(child->ObjectWith({.name = "1"}));
  int64_t attached = 0;
  int64_t n = 1;
  for (bool failed = true; failed; ++n) {
    const std::string text = TextOf(*object);
    disk.FailAt(operation, n, FaultyDisk::Error::kFull, false);
    const auto result = object->AddAttachment({}, From(Noise(kPart + n)));
    failed = disk.Repair();
    CHECK(result.ok() != (TextOf(*object) == text));
    attached += result.ok() ? 1 : 0;
    CHECK(static_cast<int64_t>(IdsOf(*object).size()) == attached);
    const auto check = ValueOf(cluster.store("A").CheckHome("ann"));
    CHECK(check.problems.empty());
    CHECK(check.attachments == attached);
  }
  CHECK(n > 2);
}

TEST_CASE("Chunks are not collected sooner than files take to come", "[store][attachments]") {
  const TempDir folder;
  const auto directory = std::shared_ptr<store::FileUserDirectory>(
      ValueOf(store::FileUserDirectory::Create({{"ann", "Ann", "A"}})));
  const auto refused = store::Store::Open(
      {.folder = folder.File("a"), .orphan_grace = absl::Minutes(119)}, directory, nullptr, "A");
  CHECK(refused.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(store::Store::Open({.folder = folder.File("a"), .orphan_grace = absl::Hours(2)}, directory,
                           nullptr, "A")
            .ok());
}

TEST_CASE("What the URIs of attachments begin with is a URI", "[store][attachments]") {
  for (const char* uri : {"podkit:/attachments", "https://cal.example/files", "urn:a"}) {
    CHECK(store::IsValidAttachmentUri(uri));
  }
  for (const char* uri : {"", ":a", "files", "https://cal.example/", "https://a b/c", "1:a",
                          "https://cal.example/\r\nX", "https://caf\xC3\xA9/a", "a:\"b\""}) {
    CAPTURE(uri);
    CHECK_FALSE(store::IsValidAttachmentUri(uri));
  }
  CHECK_FALSE(store::IsValidAttachmentUri("a:" + std::string(1023, 'x')));
  const TempDir folder;
  const std::shared_ptr<store::FileUserDirectory> nobody =
      ValueOf(store::FileUserDirectory::Create({}));
  const auto refused = store::Store::Open({.folder = folder.File("a"), .attachment_uri = "files"},
                                          nobody, nullptr, "A");
  CHECK(refused.status() ==
        absl::InvalidArgumentError("attachment_uri: 'files' is no URI to go on with '/'"));
}

}  // namespace podkit::testing
