// What another pod may say that ours never would: it is refused by its name, and changes nothing.
#include <string>
#include <string_view>
#include <vector>

#include "attachment_bed.h"
#include "external/remote_actions.h"
#include "messages/message.h"
#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::ActionOf;
using store::HomeChild;
using store::ObjectResource;
using store::PodCollections;
using store::RemoteTarget;

// B's users write to ann, who lives on A.
class Foreigner {
 public:
  absl::Status Send(const std::string& id, const std::string& kind, const std::string& body) {
    return cluster.conduit("B")
        .CallTarget<store::DeliverMessage>("A", {.homeUID = "ann"},
                                           {.id = id, .from = "bob", .kind = kind, .body = body})
        .status();
  }
  // Calls the method on a target of A in bob's name.
  template <auto kMethod>
  absl::Status Call(const RemoteTarget& target,
                    const typename ActionOf<kMethod>::Arguments& arguments) {
    return cluster.conduit("B")
        .CallTarget<ActionOf<kMethod>>("A", target, arguments, {.actor = "bob"})
        .status();
  }

  PodCluster cluster;
};

std::string Invite(const std::string& members) {
  return R"({"share_uid":"s","collection_id":"c","access":"read","generation":1)" + members + "}";
}

TEST_CASE("A message that does not fit is refused by what is wrong with it, as often as it comes",
          "[store][sharing][foreign]") {
  Foreigner foreigner;
  const std::string large(4097, 'x');
  struct Case {
    std::string kind;
    std::string body;
    std::string refusal;
  };
  const std::vector<Case> cases = {
      {"share-invite", R"({"share_uid":"","collection_id":"c","access":"read","generation":1})",
       "share_uid: is empty"},
      {"share-invite", R"({"share_uid":"s","collection_id":"","access":"read","generation":1})",
       "collection_id: is empty"},
      {"share-invite",
       R"({"share_uid":"s","collection_id":")" + std::string(129, 'c') +
           R"(","access":"read","generation":1})",
       "collection_id: has 129 bytes, 128 are the limit"},
      {"share-invite", R"({"share_uid":"s","collection_id":"c","access":"read","generation":0})",
       "generation: 0 is less than 1"},
      {"share-invite", Invite(R"(,"summary":")" + large + "\""),
       "summary: has 4097 bytes, 4096 are the limit"},
      {"share-invite", Invite(R"(,"display_name":")" + large + "\""),
       "display_name: has 4097 bytes, 4096 are the limit"},
      {"share-invite", Invite(R"(,"color":")" + large + "\""),
       "color: has 4097 bytes, 4096 are the limit"},
      {"share-invite", Invite(R"(,"description":")" + large + "\""),
       "description: has 4097 bytes, 4096 are the limit"},
      {"share-invite", Invite(R"(,"components":["VEVENT","a,b"])"),
       "components: 'a,b' is not a component type"},
      {"share-invite", Invite(R"(,"components":[""])"), "components: '' is not a component type"},
      {"share-uninvite", R"({"share_uid":""})", "share_uid: is empty"},
      {"share-reply", R"({"share_uid":"","status":"accepted","generation":1})",
       "share_uid: is empty"},
      {"share-reply", R"({"share_uid":"s","status":"accepted","generation":-1})",
       "generation: -1 is less than 1"},
      {"share-reply", R"({"share_uid":"s","status":"invited","generation":1})",
       "status: is neither accepted nor declined"},
      {"delegation", "{}", "$.access: is missing"},
      {"delegation", R"({"access":"owner"})", "access: must be read-write, read or null"},
      {"delegation", R"({"access":"busy"})", "access: must be read-write, read or null"},
  };
  for (const Case& one : cases) {
    INFO(one.body);
    for (int attempt = 0; attempt < 2; ++attempt) {
      const absl::Status status = foreigner.Send("m1", one.kind, one.body);
      REQUIRE(IsError<store::InvalidRequest>(status));
      CHECK(status.message() == "message m1 (" + one.kind + "): " + one.refusal);
    }
  }
  const auto ann = foreigner.cluster.HomeOf("ann");
  CHECK(ValueOf(ann->ListInvitations()).empty());
  CHECK(ValueOf(ann->Notifications()).empty());
  CHECK(ValueOf(ann->Delegators()).empty());
  // What fits comes through, under the id that was refused before.
  CHECK(foreigner.Send("m1", "share-invite", Invite(R"(,"summary":")" + large.substr(1) + "\"")) ==
        absl::OkStatus());
  CHECK(ValueOf(ann->ListInvitations()).size() == 1);
}

TEST_CASE("A message without an id of its own is refused and not taken for one that was seen",
          "[store][sharing][foreign]") {
  Foreigner foreigner;
  const auto refusal = [&](const std::string& id) {
    const absl::Status status = foreigner.Send(id, "share-invite", Invite(""));
    CHECK(IsError<store::InvalidRequest>(status));
    return std::string(status.message());
  };
  CHECK(refusal("") == "message  (share-invite): id: is empty");
  CHECK(refusal("") == "message  (share-invite): id: is empty");
  CHECK(refusal(std::string(129, 'm')).ends_with(" (share-invite): id: has more than 128 bytes"));
  CHECK(ValueOf(foreigner.cluster.HomeOf("ann")->ListInvitations()).empty());
  CHECK(foreigner.Send(std::string(128, 'm'), "share-invite", Invite("")) == absl::OkStatus());
}

TEST_CASE("A delegation is taken back by null and by nothing else", "[store][delegates][foreign]") {
  Foreigner foreigner;
  const auto delegators = [&] {
    return ValueOf(foreigner.cluster.HomeOf("ann")->Delegators()).size();
  };
  CHECK(foreigner.Send("1", "delegation", R"({"access":"read"})") == absl::OkStatus());
  CHECK(delegators() == 1);
  CHECK(IsError<store::InvalidRequest>(foreigner.Send("2", "delegation", "{}")));
  CHECK(delegators() == 1);
  CHECK(foreigner.Send("2", "delegation", R"({"access":null})") == absl::OkStatus());
  CHECK(delegators() == 0);
}

TEST_CASE("A request that does not say what it is for is refused", "[store][remote][foreign]") {
  Foreigner foreigner;
  const auto list = foreigner.Call<&HomeChild::ListObjects>({.homeUID = "ann"}, {});
  CHECK(IsError<store::InvalidRequest>(list));
  CHECK(list.message() == "the request names no collection (homeChildID)");
  const auto text =
      foreigner.Call<&ObjectResource::Text>({.homeUID = "ann", .homeChildID = "c"}, {});
  CHECK(IsError<store::InvalidRequest>(text));
  CHECK(text.message() == "the request names no object (objectResourceID)");
}

TEST_CASE("A question about too many collections at once is refused", "[store][remote][foreign]") {
  Foreigner foreigner;
  const auto ask = [&](size_t count) {
    const std::vector<store::CollectionRef> refs(count, {.owner_uid = "ann", .collection_id = "c"});
    return foreigner.Call<&PodCollections::SyncTokens>({.homeUID = "ann"}, {refs});
  };
  CHECK(ask(10'000) == absl::OkStatus());
  const absl::Status tokens = ask(10'001);
  REQUIRE(IsError<store::TooManyResults>(tokens));
  CHECK(conduit::GetError<store::TooManyResults>(tokens)->limit == 10'000);
  const std::vector<store::CollectionRef> refs(10'001, {.owner_uid = "ann", .collection_id = "c"});
  CHECK(IsError<store::TooManyResults>(
      foreigner.Call<&PodCollections::BusyTime>({.homeUID = "ann"}, {refs, {}})));
}

TEST_CASE("A pod that answers for other collections than it was asked for gives no token",
          "[store][remote][foreign]") {
  PodCluster cluster;
  cluster.Share("ann", "calendar", "bob", Access::kRead, "anns");
  const size_t count = GENERATE(0, 2);
  using SyncTokens = ActionOf<&PodCollections::SyncTokens>;
  cluster.Impersonate("A", [&](conduit::Conduit& conduit) {
    conduit.Handle<SyncTokens>(
        [count](const auto&, const RemoteTarget&,
                const SyncTokens::Arguments&) -> absl::StatusOr<SyncTokens::Response> {
          return SyncTokens::Response(count, {.sync_token = "of whom?"});
        });
  });
  const auto tokens = ValueOf(cluster.HomeOf("bob")->SyncTokens());
  REQUIRE(tokens.size() == 2);
  CHECK(tokens[0].name == "anns");
  CHECK(tokens[0].sync_token.empty());
  CHECK(tokens[0].error == "InternalError");
  CHECK(tokens[1].name == "calendar");
  CHECK_FALSE(tokens[1].sync_token.empty());
  CHECK(tokens[1].error.empty());
}

TEST_CASE("An attachment is replaced wherever it is used, or the request is refused",
          "[store][attachments][foreign]") {
  AttachmentBed bed;
  const auto object = bed.Object();
  const std::string id = Attach(*object, "hello").attachment.managed_id;
  const std::string text = TextOf(*object);
  const std::string refusal =
      "instances: leave them out when an attachment is replaced; it is replaced wherever the "
      "object "
      "uses it";
  // As the operator's API and other pods write it.
  const auto written = object->WriteAttachment(
      {.managed_id = id, .attachment = {.instances = {"M"}}, .parts = {}, .payload = "other"});
  CHECK(IsError<store::InvalidRequest>(written));
  CHECK(written.status().message() == refusal);
  const auto updated = object->UpdateAttachment(id, {.instances = {"M"}}, From("other"));
  CHECK(updated.status().message() == refusal);
  CHECK(object->UpdateAttachment("", {}, From("other")).status().message() ==
        "managed_id: say which attachment is replaced");
  CHECK(TextOf(*object) == text);
  CHECK(bed.Check().orphans == 0);
}

TEST_CASE("A part of a file is not empty and not larger than parts are",
          "[store][attachments][foreign]") {
  AttachmentBed bed;
  const auto object = bed.Object();
  for (const size_t size : {size_t{0}, kAttachmentPartBytes + 1}) {
    const auto uploaded =
        object->UploadAttachmentPart({.offset = 0, .payload = std::string(size, 'x')});
    CHECK(IsError<store::InvalidRequest>(uploaded));
    CHECK(uploaded.status().message() == "a part of a file has 1 to 1048576 bytes");
  }
  const auto written = object->WriteAttachment(
      {.attachment = {}, .parts = {}, .payload = std::string(kAttachmentPartBytes + 1, 'x')});
  CHECK(written.status().message() == "a part of a file has 0 to 1048576 bytes");
  CHECK(bed.Check().orphans == 0);
}

}  // namespace
}  // namespace podkit::testing
