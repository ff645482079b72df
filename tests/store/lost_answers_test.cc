// External objects whose every write loses its first answer: nobody notices, and nothing is done
// twice.
#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "external/remote_actions.h"
#include "pod_cluster.h"
#include "sqlite/database.h"

namespace podkit::testing {
namespace {

using store::Bytes;
using store::Database;

using Names = std::set<std::string>;

// The actions of the table that have this effect.
template <typename... Actions>
Names ActionsWith(conduit::Effect effect, store::ActionTable<Actions...>) {
  Names names;
  const auto add = [&](const conduit::CommandInfo& info) {
    if (info.effect == effect) names.emplace(info.name);
  };
  (add(Actions::kInfo), ...);
  return names;
}

// What follows `"member":"` in the request; empty if the member is not there.
std::string MemberOf(const conduit::WireRequest& request, const std::string& member) {
  const std::string begin = "\"" + member + "\":\"";
  const size_t at = request.body.find(begin);
  if (at == std::string::npos) return "";
  const size_t from = at + begin.size();
  return request.body.substr(from, request.body.find('"', from) - from);
}

// Pod A uses bob's home on pod B. Of each write on its way to B the first answer is lost.
class LossyBed {
 public:
  LossyBed() {
    cluster.network().SetTap([this](std::string_view host, const conduit::WireRequest& request,
                                    const conduit::WireReply&) { Watch(host, request); });
  }
  ~LossyBed() { cluster.network().SetTap(nullptr); }

  // Whatever `write` does on pod B is done once, and its answer comes.
  void Heals(const std::string& action, const std::function<absl::Status()>& write) {
    CAPTURE(action);
    const conduit::KeyStats before = cluster.conduit("B").Keys();
    {
      MutexLock lock(&mutex_);
      lose_ = action;
    }
    CHECK(write() == absl::OkStatus());
    const conduit::KeyStats after = cluster.conduit("B").Keys();
    CHECK(after.executed == before.executed + 1);
    CHECK(after.repeats == before.repeats + 1);
    MutexLock lock(&mutex_);
    CHECK(lose_.empty());
    lost_.insert(action);
  }

  std::unique_ptr<store::Home> Home() { return cluster.HomeOn("A", "bob", "bob"); }
  std::unique_ptr<store::HomeChild> Child(const std::string& name) {
    return ValueOf(Home()->ChildWith({.name = name}));
  }
  std::unique_ptr<store::ObjectResource> Object(const std::string& child, const std::string& name) {
    return ValueOf(Child(child)->ObjectWith({.name = name}));
  }

  Names lost() {
    MutexLock lock(&mutex_);
    return lost_;
  }
  Names with_key() {
    MutexLock lock(&mutex_);
    return with_key_;
  }
  Names without_key() {
    MutexLock lock(&mutex_);
    return without_key_;
  }

  PodCluster cluster{{"A", "B"}, {"A"}};

 private:
  void Watch(std::string_view host, const conduit::WireRequest& request) {
    if (host != "B") return;
    const std::string action = MemberOf(request, "action");
    MutexLock lock(&mutex_);
    (MemberOf(request, "key").empty() ? without_key_ : with_key_).insert(action);
    const bool lose = action == lose_;
    if (lose) lose_.clear();
    cluster.network().SetFault(host,
                               lose ? PodCluster::Fault::kLoseReply : PodCluster::Fault::kNone);
  }

  Mutex mutex_;
  std::string lose_ ABSL_GUARDED_BY(mutex_);
  Names lost_ ABSL_GUARDED_BY(mutex_);
  Names with_key_ ABSL_GUARDED_BY(mutex_);
  Names without_key_ ABSL_GUARDED_BY(mutex_);
};

void LoseAnswersOfHome(LossyBed& bed) {
  const auto home = bed.Home();
  bed.Heals("home-create-child", [&] { return home->CreateChild("work", {}).status(); });
  bed.Heals("home-rename-child", [&] { return home->RenameChild("work", "job").status(); });
  bed.Heals("home-remove-child", [&] { return home->RemoveChild("job"); });
  CHECK(ValueOf(home->ListChildren()) == std::vector<std::string>{"calendar"});

  ValueOf(home->Invite("calendar", "ann", store::Access::kRead, ""));
  bed.Heals("home-uninvite", [&] { return home->Uninvite("calendar", "ann"); });
  ValueOf(home->SetDelegate("ann", store::Access::kRead));
  bed.Heals("home-remove-delegate", [&] { return home->RemoveDelegate("ann"); });

  ValueOf(bed.cluster.HomeOf("ann")->Invite("calendar", "bob", store::Access::kRead, ""));
  bed.cluster.Settle();
  const auto notifications = ValueOf(home->Notifications());
  REQUIRE(notifications.size() == 1);
  bed.Heals("home-remove-notification",
            [&] { return home->RemoveNotification(notifications.front().id); });
}

void LoseAnswersOfCollection(LossyBed& bed) {
  const auto child = bed.Child("calendar");
  const auto other = ValueOf(bed.Home()->CreateChild("other", {}));
  bed.Heals("homechild-put-object", [&] {
    const auto put = child->PutObject("1.ics", Bytes{Event("1")}, {.must_not_exist = true});
    CHECK(ValueOf(put).created);
    return put.status();
  });
  bed.Heals("homechild-move-object",
            [&] { return child->MoveObject("1.ics", other.id, "moved.ics").status(); });
  bed.Heals("homechild-write-objects", [&] {
    const auto results = child->WriteObjects(
        {{.name = "2.ics", .text = Bytes{Event("2")}, .condition = {.must_not_exist = true}},
         {.name = "gone.ics", .text = {}, .condition = {}}});
    CHECK(ValueOf(results).at(0).put->created);
    CHECK(ValueOf(results).at(1).error == "NoSuchObject");
    return results.status();
  });
  bed.Heals("homechild-remove-object", [&] { return child->RemoveObject("2.ics", {}); });
  CHECK(ValueOf(child->ListObjects()).empty());
}

void LoseAnswersOfObject(LossyBed& bed) {
  ValueOf(bed.Child("calendar")->PutObject("3.ics", Bytes{Event("3")}, {}));
  const auto object = bed.Object("calendar", "3.ics");
  bed.Heals("objectresource-set-text", [&] {
    const auto put = object->SetText(Bytes{Event("3", "Later")}, {.etag = object->info().etag});
    CHECK_FALSE(ValueOf(put).unchanged);
    return put.status();
  });
  bed.Heals("objectresource-write-attachment", [&] {
    return object->WriteAttachment({.attachment = {.file_name = "plan.txt"}, .payload = "the plan"})
        .status();
  });
  const auto attachments = ValueOf(object->ListAttachments());
  REQUIRE(attachments.size() == 1);
  bed.Heals("objectresource-remove-attachment", [&] {
    return object->RemoveAttachment(attachments.front().managed_id, {}, {}).status();
  });
  bed.Heals("objectresource-remove", [&] { return object->Remove({}); });
}

// The commands whose answers bob's file keeps.
Names KeptIn(const PodCluster& cluster) {
  const auto database =
      ValueOf(Database::Open(cluster.FileOf("bob"), Database::Mode::kReadOnly, "bob"));
  Names commands;
  CHECK(database->Query("SELECT command FROM answer", {}, [&](const store::Row& row) {
    commands.insert(row.Text(0));
  }) == absl::OkStatus());
  return commands;
}

}  // namespace

TEST_CASE("Every write on another pod whose answer is lost is done once, and answered",
          "[store][remote][keys]") {
  LossyBed bed;
  LoseAnswersOfHome(bed);
  LoseAnswersOfCollection(bed);
  LoseAnswersOfObject(bed);
  const Names writes = ActionsWith(conduit::Effect::kWrite, store::RemoteActions());
  CHECK(writes.size() == 14);
  CHECK(bed.lost() == writes);
  CHECK(bed.with_key() == writes);
  CHECK(KeptIn(bed.cluster) == writes);
  // Neither reads nor what is idempotent takes a key.
  const Names without = bed.without_key();
  CHECK(without.contains("home-invite"));
  CHECK(without.contains("home-find-child"));
  CHECK(ValueOf(bed.cluster.store("B").CheckHome("bob")).problems.empty());
}

TEST_CASE("A viewer's write whose answer is lost changes the owner's calendar once",
          "[store][remote][keys]") {
  LossyBed bed;
  bed.cluster.Share("bob", "calendar", "ann", store::Access::kReadWrite, "bobs");
  const auto owner = bed.cluster.Child("bob", "calendar");
  const std::string token = ValueOf(owner->SyncToken());
  // How many changes bob's home has seen.
  const auto revision = [&] {
    const std::string text = ValueOf(bed.cluster.HomeOf("bob")->SyncToken());
    return std::stoll(text.substr(text.rfind('/') + 1));
  };
  const auto before = revision();
  const auto shared = bed.cluster.Child("ann", "bobs");
  bed.Heals("homechild-put-object",
            [&] { return shared->PutObject("1.ics", Bytes{Event("1")}, {}).status(); });
  const auto changes = ValueOf(owner->ChangesSince(token));
  REQUIRE(changes.changed.size() == 1);
  CHECK(changes.changed.front().modified_by == "ann");
  CHECK(revision() == before + 1);
}

TEST_CASE("A write whose every answer is lost may have been done, and is not done twice",
          "[store][remote][keys]") {
  LossyBed bed;
  bed.cluster.network().SetTap(nullptr);
  const auto child = bed.Child("calendar");
  bed.cluster.network().SetFault("B", PodCluster::Fault::kLoseReply);
  const absl::Status lost = child->PutObject("1.ics", Bytes{Event("1")}, {}).status();
  bed.cluster.network().SetFault("B", PodCluster::Fault::kNone);
  CHECK(IsError<store::PodUnavailable>(lost));
  CHECK(conduit::OutcomeOf(lost) == conduit::Outcome::kUnknown);
  CHECK(ValueOf(child->ListObjects()) == std::vector<std::string>{"1.ics"});
  CHECK(bed.cluster.conduit("B").Keys().executed == 1);
  CHECK(bed.cluster.conduit("B").Keys().repeats >= 1);
}

}  // namespace podkit::testing
