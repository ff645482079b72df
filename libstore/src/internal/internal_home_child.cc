#include "internal/internal_home_child.h"

#include <fmt/format.h>

#include <utility>

#include "calendar/export.h"
#include "common/status_macros.h"
#include "internal/bulk_write.h"
#include "internal/collection_access.h"
#include "internal/collection_sync.h"
#include "internal/import.h"
#include "internal/internal_object_resource.h"
#include "internal/object_changes.h"
#include "internal/search.h"
#include "podkit/store/errors.h"
#include "sharing/binds.h"

namespace podkit::store {
namespace {

class InternalHomeChild final : public HomeChild {
 public:
  explicit InternalHomeChild(CollectionAccess collection) : collection_(std::move(collection)) {}

  const CollectionInfo& info() const override { return collection_.info(); }

  absl::StatusOr<std::vector<std::string>> ListObjects() override;
  absl::StatusOr<int64_t> CountObjects() override;
  absl::StatusOr<std::vector<ObjectInfo>> LoadObjects() override;
  absl::StatusOr<std::vector<ObjectInfo>> LoadObjectsWithNames(
      const std::vector<std::string>& names) override;
  absl::StatusOr<ObjectInfo> FindObject(const ObjectKey& key) override;
  absl::StatusOr<std::unique_ptr<ObjectResource>> ObjectWith(const ObjectKey& key) override;
  absl::StatusOr<std::optional<std::string>> NameForUid(const std::string& uid) override;
  absl::StatusOr<std::optional<std::string>> UidForName(const std::string& name) override;
  absl::StatusOr<std::vector<ObjectData>> Multiget(const std::vector<std::string>& names) override;
  absl::StatusOr<std::map<std::string, Bytes>> Texts(
      const std::vector<std::string>& names) override;
  absl::StatusOr<PutResult> PutObject(const std::string& name, const Bytes& text,
                                      const Precondition& condition) override;
  absl::Status RemoveObject(const std::string& name, const Precondition& condition) override;
  absl::StatusOr<std::vector<WriteResult>> WriteObjects(
      const std::vector<ObjectWrite>& writes) override;
  absl::StatusOr<ImportReport> Import(const Bytes& calendar) override;
  absl::StatusOr<Bytes> Export() override;
  absl::StatusOr<ObjectInfo> MoveObject(const std::string& name,
                                        const std::string& to_collection_id,
                                        const std::string& to_name) override;
  absl::StatusOr<std::string> SyncToken() override;
  absl::StatusOr<Changes> ChangesSince(const std::string& sync_token) override;
  absl::StatusOr<std::vector<ObjectInfo>> Search(const Query& query) override;

 private:
  const CollectionAccess collection_;
};

absl::StatusOr<std::vector<std::string>> InternalHomeChild::ListObjects() {
  return collection_.Read([](ObjectView& view) { return view.Names(); });
}

absl::StatusOr<int64_t> InternalHomeChild::CountObjects() {
  return collection_.Read([](ObjectView& view) { return view.Count(); });
}

absl::StatusOr<std::vector<ObjectInfo>> InternalHomeChild::LoadObjects() {
  return collection_.Read([](ObjectView& view) { return view.ChangedSince(0); });
}

absl::StatusOr<std::vector<ObjectInfo>> InternalHomeChild::LoadObjectsWithNames(
    const std::vector<std::string>& names) {
  return collection_.Read([&](ObjectView& view) -> absl::StatusOr<std::vector<ObjectInfo>> {
    std::vector<ObjectInfo> objects;
    for (const std::string& name : names) {
      PODKIT_ASSIGN_OR_RETURN(auto object, view.FindByName(name));
      if (object) objects.push_back(*std::move(object));
    }
    return objects;
  });
}

absl::StatusOr<ObjectInfo> InternalHomeChild::FindObject(const ObjectKey& key) {
  return collection_.Read([&](ObjectView& view) { return view.Find(key); });
}

absl::StatusOr<std::unique_ptr<ObjectResource>> InternalHomeChild::ObjectWith(
    const ObjectKey& key) {
  PODKIT_ASSIGN_OR_RETURN(ObjectInfo object, FindObject(key));
  return MakeInternalObjectResource(collection_, std::move(object));
}

absl::StatusOr<std::optional<std::string>> InternalHomeChild::NameForUid(const std::string& uid) {
  return collection_.Read([&](ObjectView& view) -> absl::StatusOr<std::optional<std::string>> {
    PODKIT_ASSIGN_OR_RETURN(auto object, view.FindByUid(uid));
    if (!object) return std::nullopt;
    return std::move(object->name);
  });
}

absl::StatusOr<std::optional<std::string>> InternalHomeChild::UidForName(const std::string& name) {
  return collection_.Read([&](ObjectView& view) -> absl::StatusOr<std::optional<std::string>> {
    PODKIT_ASSIGN_OR_RETURN(auto object, view.FindByName(name));
    if (!object) return std::nullopt;
    return std::move(object->uid);
  });
}

absl::StatusOr<std::vector<ObjectData>> InternalHomeChild::Multiget(
    const std::vector<std::string>& names) {
  return collection_.Read([&](ObjectView& view) -> absl::StatusOr<std::vector<ObjectData>> {
    std::vector<ObjectData> objects;
    for (const std::string& name : names) {
      PODKIT_ASSIGN_OR_RETURN(auto object, view.FindByName(name));
      if (!object) continue;
      PODKIT_ASSIGN_OR_RETURN(auto text, view.TextOf(object->id));
      if (text) objects.push_back({.info = *std::move(object), .text = Bytes{*std::move(text)}});
    }
    return objects;
  });
}

absl::StatusOr<std::map<std::string, Bytes>> InternalHomeChild::Texts(
    const std::vector<std::string>& names) {
  return collection_.Read([&](ObjectView& view) -> absl::StatusOr<std::map<std::string, Bytes>> {
    std::map<std::string, Bytes> texts;
    for (const std::string& name : names) {
      PODKIT_ASSIGN_OR_RETURN(const auto object, view.FindByName(name));
      if (!object) continue;
      PODKIT_ASSIGN_OR_RETURN(auto text, view.TextOf(object->id));
      texts[name] = Bytes{std::move(text).value_or("")};
    }
    return texts;
  });
}

absl::StatusOr<PutResult> InternalHomeChild::PutObject(const std::string& name, const Bytes& text,
                                                       const Precondition& condition) {
  absl::Status status = CheckObjectName(name);
  if (!status.ok()) return collection_.RefuseWrite(status);
  const auto content = UnderstandObject(name, text.data, collection_.options().max_object_bytes);
  if (!content.ok()) return collection_.RefuseWrite(content.status());
  return collection_.WriteOwn([&](ObjectView& view) {
    return view.Put(name, *content, condition, collection_.put_options());
  });
}

absl::Status InternalHomeChild::RemoveObject(const std::string& name,
                                             const Precondition& condition) {
  return collection_
      .Write([&](ObjectView& view) -> absl::StatusOr<conduit::Nothing> {
        PODKIT_ASSIGN_OR_RETURN(const ObjectInfo object, view.Find({.name = name}));
        PODKIT_RETURN_IF_ERROR(
            store::RemoveObject(view.table(), object, condition, collection_.Now()));
        return conduit::Nothing{};
      })
      .status();
}

absl::StatusOr<std::vector<WriteResult>> InternalHomeChild::WriteObjects(
    const std::vector<ObjectWrite>& writes) {
  const auto plan = PlanWrites(writes, collection_.options().max_object_bytes);
  if (!plan.ok()) return collection_.RefuseWrite(plan.status());
  return collection_.Write(
      [&](ObjectView& view) { return DoWrites(view, writes, *plan, collection_.put_options()); });
}

absl::StatusOr<ImportReport> InternalHomeChild::Import(const Bytes& calendar) {
  const auto plan = PlanImport(calendar.data, collection_.options().max_object_bytes);
  if (!plan.ok()) return collection_.RefuseWrite(plan.status());
  return collection_.Write(
      [&](ObjectView& view) { return ImportObjects(view, *plan, collection_.put_options()); });
}

absl::StatusOr<Bytes> InternalHomeChild::Export() {
  return collection_.Read([](ObjectView& view) -> absl::StatusOr<Bytes> {
    CalendarExport stream;
    absl::Status status;
    PODKIT_RETURN_IF_ERROR(
        view.VisitTexts(std::nullopt, [&](const ObjectInfo& object, const std::string& text) {
          const absl::Status added = stream.Add(text);
          if (!added.ok() && status.ok()) status = RefuseCalendar(object.name, added);
        }));
    PODKIT_RETURN_IF_ERROR(status);
    return Bytes{std::move(stream).Finish()};
  });
}

// That the collection is in this owner's file as well. What shows in the home from others is named,
// to whom may use the home.
absl::Status CheckSameOwner(Database& database, const std::string& collection_id,
                            const Actor& actor) {
  PODKIT_ASSIGN_OR_RETURN(
      const auto here,
      database.QueryInteger("SELECT 1 FROM collection WHERE id = ?", {collection_id}));
  if (here) return absl::OkStatus();
  const std::string& owner = database.uid();
  PODKIT_ASSIGN_OR_RETURN(const auto shown, FindBindByViewer(database, collection_id, owner));
  if (shown && shown->name && HomeAccessOf(database, owner, actor).ok()) {
    return MakeError(InvalidRequest{}, fmt::format("'{}' belongs to '{}': an object moves between "
                                                   "collections of one owner",
                                                   *shown->name, shown->owner_uid));
  }
  return MakeError(NoSuchCollection{.home = owner, .collection = collection_id},
                   fmt::format("'{}' has no collection '{}': an object moves between collections "
                               "of one owner",
                               owner, collection_id));
}

absl::StatusOr<ObjectInfo> InternalHomeChild::MoveObject(const std::string& name,
                                                         const std::string& to_collection_id,
                                                         const std::string& to_name) {
  absl::Status status = CheckObjectName(to_name);
  if (!status.ok()) return collection_.RefuseWrite(status);
  auto moved = collection_.Write([&](ObjectView& from) -> absl::StatusOr<ObjectInfo> {
    Database& database = from.table().database();
    ObjectTable to(
        database, to_collection_id,
        to_collection_id == from.table().collection_id() ? from.name() : to_collection_id);
    // The share that the actor names is one of the first collection only.
    Actor there = collection_.actor();
    if (to_collection_id != from.table().collection_id()) there.share_uid.clear();
    PODKIT_RETURN_IF_ERROR(CheckSameOwner(database, to_collection_id, there));
    PODKIT_RETURN_IF_ERROR(CheckWrite(database, to_collection_id, there));
    PODKIT_ASSIGN_OR_RETURN(const Grant grant, GrantOf(database, to_collection_id, there));
    PODKIT_ASSIGN_OR_RETURN(const ObjectInfo object,
                            store::MoveObject(from.table(), name, to, to_name, collection_.Now()));
    return MakeObjectView(grant, there, to)->Find({.id = object.id});
  });
  if (moved.ok()) collection_.Announce(to_collection_id);
  return moved;
}

absl::StatusOr<std::string> InternalHomeChild::SyncToken() {
  return collection_.Read(CollectionSyncToken);
}

absl::StatusOr<Changes> InternalHomeChild::ChangesSince(const std::string& sync_token) {
  return collection_.Read(
      [&](ObjectView& view) { return CollectionChangesSince(view, sync_token); });
}

absl::StatusOr<std::vector<ObjectInfo>> InternalHomeChild::Search(const Query& query) {
  const auto plan = PlanSearch(query);
  return collection_.Read([&](ObjectView& view) -> absl::StatusOr<std::vector<ObjectInfo>> {
    PODKIT_RETURN_IF_ERROR(plan.status());
    return SearchObjects(view, *plan);
  });
}

}  // namespace

std::unique_ptr<HomeChild> MakeInternalHomeChild(std::shared_ptr<UserStore> owner_store,
                                                 CollectionInfo info, Actor actor,
                                                 const StoreOptions& options, AnswerKeeper keeper) {
  return std::make_unique<InternalHomeChild>(
      CollectionAccess(std::move(owner_store), std::move(info), std::move(actor), options, keeper));
}

}  // namespace podkit::store
