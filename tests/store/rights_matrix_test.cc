// Every remote action against everybody who may try it, on the owner's pod and from another one.
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "external/remote_actions.h"
#include "pod_cluster.h"

namespace podkit::testing {
namespace {

using store::Access;
using store::AccessDenied;
using store::Bytes;
using store::Home;
using store::HomeChild;
using store::ObjectResource;

// Who tries it. The columns of the table, in this order.
enum class Role {
  kOwner,
  kOperator,
  kDelegateWrites,
  kDelegateReads,
  kViewerWrites,
  kViewerReads,
  kViewerBusy,
  kDeclined,
  kStranger,
};
constexpr const char* kRoleNames[] = {"owner",
                                      "operator",
                                      "delegate who writes",
                                      "delegate who reads",
                                      "viewer who writes",
                                      "viewer who reads",
                                      "viewer of busy time",
                                      "who declined",
                                      "stranger"};

// ann's home on pod A, and somebody who tries what he may do there.
class Bed {
 public:
  Bed(Role role, bool external)
      : cluster_({"A", "B"}, external ? std::set<std::string>{"B"} : std::set<std::string>{}),
        actor_(role == Role::kOwner      ? "ann"
               : role == Role::kOperator ? ""
               : external                ? "bob"
                                         : "abe"),
        owner_(cluster_.HomeOf("ann")),
        home_(cluster_.HomeOn(external ? "B" : "A", "ann", actor_)) {
    switch (role) {
      case Role::kDelegateWrites:
      case Role::kDelegateReads:
        ValueOf(owner_->SetDelegate(
            actor_, role == Role::kDelegateWrites ? Access::kReadWrite : Access::kRead));
        break;
      case Role::kViewerWrites:
      case Role::kViewerReads:
      case Role::kViewerBusy:
        cluster_.Share("ann", "calendar", actor_,
                       role == Role::kViewerWrites  ? Access::kReadWrite
                       : role == Role::kViewerReads ? Access::kRead
                                                    : Access::kBusy,
                       "anns");
        shown_ = true;
        break;
      case Role::kDeclined:
        cluster_.Share("ann", "calendar", actor_, Access::kReadWrite, "anns");
        REQUIRE(cluster_.HomeOf(actor_)->RemoveChild("anns") == absl::OkStatus());
        break;
      default:
        break;
    }
    cluster_.Settle();
  }

  PodCluster& cluster() { return cluster_; }
  // ann's home, as she has it and as the actor has it.
  Home& owner() { return *owner_; }
  Home& home() { return *home_; }
  // ann's calendar, as she has it and as the actor has it: where it shows, else in her home.
  std::unique_ptr<HomeChild> own() { return cluster_.Child("ann", "calendar"); }
  absl::StatusOr<std::unique_ptr<HomeChild>> child() {
    return shown_ ? cluster_.HomeOf(actor_)->ChildWith({.name = "anns"})
                  : home_->ChildWith({.name = "calendar"});
  }
  std::string NewName() { return "new-" + std::to_string(++names_); }
  // A new object of ann's calendar, and what the actor has it under.
  std::string NewObject() {
    const std::string name = NewName();
    object_id_ = ValueOf(own()->PutObject(name, Bytes{Event(name)}, {})).object.id;
    return name;
  }
  absl::StatusOr<std::unique_ptr<ObjectResource>> NewObjectHandle() {
    NewObject();
    auto found = child();
    if (!found.ok()) return found.status();
    return (*found)->ObjectWith({.id = object_id_});
  }
  std::string NewCollection() { return ValueOf(owner_->CreateChild(NewName(), {})).name; }
  // An invitation of another user to ann.
  std::string NewInvitation() {
    const auto bea = cluster_.HomeOf("bea");
    const std::string name = ValueOf(bea->CreateChild(NewName(), {})).name;
    const std::string share = ValueOf(bea->Invite(name, "ann", Access::kRead, "")).share_uid;
    cluster_.Settle();
    return share;
  }
  std::string NewNotification() {
    NewInvitation();
    return ValueOf(owner_->Notifications()).back().id;
  }

 private:
  PodCluster cluster_;
  const std::string actor_;
  const std::unique_ptr<Home> owner_;
  const std::unique_ptr<Home> home_;
  bool shown_ = false;
  int names_ = 0;
  std::string object_id_;
};

// Does something with ann's calendar as the actor has it.
using WithChild = std::function<absl::Status(Bed&, HomeChild&)>;
std::function<absl::Status(Bed&)> In(WithChild body) {
  return [body = std::move(body)](Bed& bed) -> absl::Status {
    const auto child = bed.child();
    return child.ok() ? body(bed, **child) : child.status();
  };
}

// The same with an object that ann attached a file to, which has this managed id.
using WithAttachment = std::function<absl::Status(ObjectResource&, const std::string&)>;
std::function<absl::Status(Bed&)> OfAttachment(WithAttachment body) {
  return [body = std::move(body)](Bed& bed) -> absl::Status {
    const auto object = bed.NewObjectHandle();
    if (!object.ok()) return object.status();
    const auto owned = ValueOf(bed.own()->ObjectWith({.id = (*object)->info().id}));
    const auto attached = ValueOf(owned->WriteAttachment({.payload = "x"}));
    return body(**object, attached.attachment.managed_id);
  };
}

std::function<absl::Status(Bed&)> OfObject(std::function<absl::Status(ObjectResource&)> body) {
  return [body = std::move(body)](Bed& bed) -> absl::Status {
    const auto object = bed.NewObjectHandle();
    return object.ok() ? body(**object) : object.status();
  };
}

struct Row {
  std::string_view action;
  std::string_view rights;  // For each role: y, he may; n, AccessDenied.
  std::function<absl::Status(Bed&)> act;
};

constexpr std::string_view kSeesHome = "yyyynnnnn";
constexpr std::string_view kChangesHome = "yyynnnnnn";
constexpr std::string_view kManages = "yynnnnnnn";
constexpr std::string_view kLearnsBusy = "yyyyyyynn";
constexpr std::string_view kReadsAll = "yyyyyynnn";
constexpr std::string_view kChanges = "yyynynnnn";
constexpr std::string_view kChangesOwn = "yyynyynnn";

const store::FreeBusyQuery kAnyTime = {.start = absl::FromUnixSeconds(1'772'400'000),
                                       .end = absl::FromUnixSeconds(1'772'600'000)};

std::vector<Row> HomeRows() {
  return {
      {"home-info", kSeesHome, [](Bed& bed) { return bed.home().Info().status(); }},
      {"home-list-children", kSeesHome,
       [](Bed& bed) { return bed.home().ListChildren().status(); }},
      {"home-load-children", kSeesHome,
       [](Bed& bed) { return bed.home().LoadChildren().status(); }},
      {"home-find-child", kSeesHome,
       [](Bed& bed) { return bed.home().FindChild({.name = "calendar"}).status(); }},
      {"home-create-child", kChangesHome,
       [](Bed& bed) { return bed.home().CreateChild(bed.NewName(), {}).status(); }},
      {"home-set-properties", kChangesHome,
       [](Bed& bed) {
         return bed.home().SetProperties(bed.NewCollection(), {.color = "red"}).status();
       }},
      {"home-rename-child", kChangesHome,
       [](Bed& bed) {
         return bed.home().RenameChild(bed.NewCollection(), bed.NewName()).status();
       }},
      {"home-remove-child", kChangesHome,
       [](Bed& bed) { return bed.home().RemoveChild(bed.NewCollection()); }},
      {"home-sync-token", kSeesHome, [](Bed& bed) { return bed.home().SyncToken().status(); }},
      {"home-changes-since", kSeesHome,
       [](Bed& bed) { return bed.home().ChangesSince("", true).status(); }},
      {"collections-free-busy-sources", kLearnsBusy,
       [](Bed& bed) { return bed.home().FindFreeBusy(kAnyTime).status(); }},
      {"collections-busy-time", kLearnsBusy,
       [](Bed& bed) -> absl::Status {
         bed.NewObject();
         const auto busy = bed.home().FindFreeBusy(kAnyTime);
         if (!busy.ok()) return busy.status();
         CHECK(busy->unknown.empty());
         return busy->periods.empty() ? absl::UnknownError("no time is taken") : absl::OkStatus();
       }},
      {"collections-sync-tokens", kSeesHome,
       [](Bed& bed) { return bed.home().SyncTokens().status(); }},
  };
}

// What goes on between people.
std::vector<Row> SharingRows() {
  return {
      {"home-invite", kManages,
       [](Bed& bed) {
         return bed.home().Invite(bed.NewCollection(), "bea", Access::kRead, "").status();
       }},
      {"home-uninvite", kManages,
       [](Bed& bed) {
         const std::string name = bed.NewCollection();
         ValueOf(bed.owner().Invite(name, "bea", Access::kRead, ""));
         return bed.home().Uninvite(name, "bea");
       }},
      {"home-list-shares", kSeesHome,
       [](Bed& bed) { return bed.home().ListShares("calendar").status(); }},
      {"home-list-invitations", kSeesHome,
       [](Bed& bed) { return bed.home().ListInvitations().status(); }},
      {"home-accept", kChangesHome,
       [](Bed& bed) { return bed.home().Accept(bed.NewInvitation(), bed.NewName()).status(); }},
      {"home-decline", kChangesHome,
       [](Bed& bed) { return bed.home().Decline(bed.NewInvitation()); }},
      {"home-notifications", kSeesHome,
       [](Bed& bed) { return bed.home().Notifications().status(); }},
      {"home-remove-notification", kChangesHome,
       [](Bed& bed) { return bed.home().RemoveNotification(bed.NewNotification()); }},
      {"home-notification-changes", kSeesHome,
       [](Bed& bed) { return bed.home().NotificationChangesSince("").status(); }},
      {"home-delegates", kSeesHome, [](Bed& bed) { return bed.home().Delegates().status(); }},
      {"home-set-delegate", kManages,
       [](Bed& bed) { return bed.home().SetDelegate("bea", Access::kRead).status(); }},
      {"home-remove-delegate", kManages,
       [](Bed& bed) {
         ValueOf(bed.owner().SetDelegate("bea", Access::kRead));
         return bed.home().RemoveDelegate("bea");
       }},
      {"home-delegators", kSeesHome, [](Bed& bed) { return bed.home().Delegators().status(); }},
  };
}

std::vector<Row> ReadRows() {
  const auto row = [](std::string_view action, auto call) {
    return Row{action, kLearnsBusy,
               In([call](Bed&, HomeChild& child) { return call(child).status(); })};
  };
  return {
      row("homechild-list-objects", [](HomeChild& child) { return child.ListObjects(); }),
      row("homechild-count-objects", [](HomeChild& child) { return child.CountObjects(); }),
      row("homechild-load-objects", [](HomeChild& child) { return child.LoadObjects(); }),
      row("homechild-load-objects-with-names",
          [](HomeChild& child) { return child.LoadObjectsWithNames({"x"}); }),
      row("homechild-name-for-uid", [](HomeChild& child) { return child.NameForUid("x"); }),
      row("homechild-uid-for-name", [](HomeChild& child) { return child.UidForName("x"); }),
      row("homechild-multiget", [](HomeChild& child) { return child.Multiget({"x"}); }),
      row("homechild-texts", [](HomeChild& child) { return child.Texts({"x"}); }),
      row("homechild-export", [](HomeChild& child) { return child.Export(); }),
      row("homechild-sync-token", [](HomeChild& child) { return child.SyncToken(); }),
      row("homechild-changes-since", [](HomeChild& child) { return child.ChangesSince(""); }),
      row("homechild-search", [](HomeChild& child) { return child.Search({}); }),
      {"homechild-find-object", kLearnsBusy, OfObject([](ObjectResource&) {
         return absl::OkStatus();  // By what was found.
       })},
      {"objectresource-text", kLearnsBusy,
       OfObject([](ObjectResource& object) { return object.Text().status(); })},
      {"objectresource-list-attachments", kReadsAll,
       OfObject([](ObjectResource& object) { return object.ListAttachments().status(); })},
      {"objectresource-attachment-part", kReadsAll,
       OfAttachment([](ObjectResource& object, const std::string& id) {
         return object.ReadAttachmentPart(id, 0).status();
       })},
  };
}

std::vector<Row> WriteRows() {
  return {
      {"homechild-put-object", kChanges, In([](Bed& bed, HomeChild& child) {
         const std::string name = bed.NewName();
         return child.PutObject(name, Bytes{Event(name)}, {}).status();
       })},
      {"homechild-put-object", kChanges, In([](Bed& bed, HomeChild& child) {
         const std::string name = bed.NewObject();
         return child.PutObject(name, Bytes{Event(name, "Changed")}, {}).status();
       })},
      // Only what may be anybody's own.
      {"homechild-put-object", kChangesOwn, In([](Bed& bed, HomeChild& child) {
         const std::string name = bed.NewObject();
         std::string text = Event(name);
         text.insert(text.find("END:VEVENT"), "TRANSP:TRANSPARENT\r\n");
         return child.PutObject(name, Bytes{text}, {}).status();
       })},
      {"homechild-remove-object", kChanges,
       In([](Bed& bed, HomeChild& child) { return child.RemoveObject(bed.NewObject(), {}); })},
      {"homechild-write-objects", kChanges, In([](Bed& bed, HomeChild& child) {
         return child.WriteObjects({{.name = bed.NewObject()}}).status();
       })},
      {"homechild-import", kChanges, In([](Bed& bed, HomeChild& child) {
         return child.Import(Bytes{Event(bed.NewName())}).status();
       })},
      {"homechild-move-object", kChanges, In([](Bed& bed, HomeChild& child) {
         return child.MoveObject(bed.NewObject(), child.info().id, bed.NewName()).status();
       })},
      {"objectresource-set-text", kChanges, OfObject([](ObjectResource& object) {
         return object.SetText(Bytes{Event(object.info().uid, "Changed")}, {}).status();
       })},
      {"objectresource-remove", kChanges,
       OfObject([](ObjectResource& object) { return object.Remove({}); })},
      {"objectresource-upload-part", kChanges, OfObject([](ObjectResource& object) {
         return object.UploadAttachmentPart({.payload = "x"}).status();
       })},
      // Who may not write learns nothing else, whatever he brings.
      {"objectresource-upload-part", kChanges, OfObject([](ObjectResource& object) {
         const auto status = object.UploadAttachmentPart({.offset = -1}).status();
         return IsError<store::InvalidRequest>(status) ? absl::OkStatus() : status;
       })},
      {"objectresource-write-attachment", kChanges, OfObject([](ObjectResource& object) {
         return object.WriteAttachment({.payload = "x"}).status();
       })},
      {"objectresource-write-attachment", kChanges,
       OfAttachment([](ObjectResource& object, const std::string& id) {
         return object.WriteAttachment({.managed_id = id, .payload = "y"}).status();
       })},
      {"objectresource-remove-attachment", kChanges,
       OfAttachment([](ObjectResource& object, const std::string& id) {
         return object.RemoveAttachment(id, {}, {}).status();
       })},
  };
}

std::vector<Row> AllRows() {
  std::vector<Row> rows = HomeRows();
  for (auto&& more : {SharingRows(), ReadRows(), WriteRows()}) {
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

// Calls every action as `actor` from pod B, with arguments that mean nothing, and gives each answer
// to `check`.
template <typename... Actions>
void CallAll(PodCluster& cluster, const store::RemoteTarget& target, const std::string& actor,
             const std::function<void(std::string_view, const absl::Status&)>& check,
             store::ActionTable<Actions...>) {
  (check(Actions::kInfo.name,
         cluster.conduit("B")
             .CallTarget<Actions>("A", target, typename Actions::Arguments(), {.actor = actor})
             .status()),
   ...);
}

template <typename... Actions>
std::set<std::string_view> NamesOf(store::ActionTable<Actions...>) {
  return {Actions::kInfo.name...};
}

}  // namespace

TEST_CASE("Every action is allowed to whom it is for, and refused to all others",
          "[store][rights][matrix]") {
  const auto role = GENERATE(range(0, 9));
  const bool external = GENERATE(false, true);
  Bed bed(static_cast<Role>(role), external);
  for (const Row& row : AllRows()) {
    INFO(kRoleNames[role] << (external ? ", from another pod: " : ", on the owner's pod: ")
                          << row.action);
    const absl::Status status = row.act(bed);
    if (row.rights[static_cast<size_t>(role)] == 'y') {
      CHECK(status == absl::OkStatus());
    } else {
      CHECK(IsError<AccessDenied>(status));
      // A refusal names who was refused.
      const auto denied = conduit::GetError<AccessDenied>(status);
      if (denied) CHECK(denied->actor == (external ? "bob" : "abe"));
    }
  }
}

TEST_CASE("The table of rights has every remote action", "[store][rights][matrix]") {
  std::set<std::string_view> in_table;
  for (const Row& row : AllRows()) {
    CHECK(row.rights.size() == std::size(kRoleNames));
    in_table.insert(row.action);
  }
  CHECK(in_table == NamesOf(store::RemoteActions()));
}

TEST_CASE("Who knows all ids and has no right is refused every action before it is looked at",
          "[store][rights][matrix]") {
  PodCluster cluster({"A", "B", "C"});
  const std::string object =
      ValueOf(cluster.Child("ann", "calendar")->PutObject("1.ics", Bytes{Event("1")}, {}))
          .object.id;
  const std::string share =
      cluster.Share("ann", "calendar", "bea", Access::kReadWrite, "anns").share_uid;
  store::RemoteTarget target = {.homeUID = "ann",
                                .homeChildID = cluster.Child("ann", "calendar")->info().id,
                                .objectResourceID = object};
  const std::string before = ValueOf(cluster.HomeOf("ann")->SyncToken());
  const auto check_stranger = [](std::string_view action, const absl::Status& status) {
    INFO(action);
    // About many collections: each answers for itself, and here are none.
    if (action == "collections-sync-tokens" || action == "collections-busy-time") return;
    // Of nobody's home.
    if (action == "collections-free-busy-sources") {
      CHECK(IsError<store::NoSuchUser>(status));
      return;
    }
    CHECK((IsError<AccessDenied>(status) || IsError<store::NoSuchShare>(status)));
  };
  // A stranger who names nobody's share, and who names that of another.
  CallAll(cluster, target, "bob", check_stranger, store::RemoteActions());
  target.homeChildSharedID = share;
  CallAll(cluster, target, "bob", check_stranger, store::RemoteActions());
  // He does not get in by saying that somebody acts for him, either.
  target.delegateUID = "ann";
  CallAll(cluster, target, "bob", check_stranger, store::RemoteActions());
  target = {.homeUID = "ann", .homeChildID = target.homeChildID, .objectResourceID = object};
  // Of the home of somebody who lives elsewhere nothing is made here.
  using Sources = store::ActionOf<&store::PodCollections::FreeBusySources>;
  CHECK(IsError<store::HomeElsewhere>(
      cluster.conduit("B").CallTarget<Sources>("A", target, {"cat"}, {.actor = "bob"})));
  CHECK(ValueOf(cluster.store("A").ListHomes()).size() == 1);
  // A pod that claims to speak for users who do not live on it, for nobody, or for the operator.
  for (const char* claimed : {"ann", "abe", "cat", "zoe", ""}) {
    INFO("claims " << claimed);
    CallAll(
        cluster, target, claimed,
        [](std::string_view action, const absl::Status& status) {
          INFO(action);
          CHECK((IsError<AccessDenied>(status) || IsError<store::NoSuchUser>(status)));
        },
        store::RemoteActions());
  }
  CHECK(ValueOf(cluster.HomeOf("ann")->SyncToken()) == before);
}

}  // namespace podkit::testing
