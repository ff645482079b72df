#include "internal/internal_object_resource.h"

#include <utility>

#include "common/status_macros.h"
#include "internal/object_changes.h"

namespace podkit::store {
namespace {

// Finds its object by id: the name may have changed.
class InternalObjectResource final : public ObjectResource {
 public:
  InternalObjectResource(CollectionAccess collection, ObjectInfo info)
      : collection_(std::move(collection)), info_(std::move(info)) {}

  const ObjectInfo& info() const override { return info_; }

  absl::StatusOr<Bytes> Text() override {
    return collection_.Read([&](ObjectView& view) -> absl::StatusOr<Bytes> {
      PODKIT_ASSIGN_OR_RETURN(auto text, view.TextOf(info_.id));
      if (!text) return NoSuchObjectError(view.name(), info_.name);
      return Bytes{*std::move(text)};
    });
  }

  absl::StatusOr<PutResult> SetText(const Bytes& text, const Precondition& condition) override {
    const auto content =
        UnderstandObject(info_.name, text.data, collection_.options().max_object_bytes);
    if (!content.ok()) return collection_.RefuseWrite(content.status());
    return collection_.WriteOwn([&](ObjectView& view) -> absl::StatusOr<PutResult> {
      PODKIT_ASSIGN_OR_RETURN(const ObjectInfo object, Present(view));
      return view.Put(object.name, *content, condition, collection_.put_options());
    });
  }

  absl::Status Remove(const Precondition& condition) override {
    return collection_
        .Write([&](ObjectView& view) -> absl::StatusOr<bool> {
          PODKIT_ASSIGN_OR_RETURN(const ObjectInfo object, Present(view));
          PODKIT_RETURN_IF_ERROR(RemoveObject(view.table(), object, condition, collection_.Now()));
          return true;
        })
        .status();
  }

 private:
  // The object under its present name.
  absl::StatusOr<ObjectInfo> Present(ObjectView& view) const {
    PODKIT_ASSIGN_OR_RETURN(auto object, view.FindById(info_.id));
    if (!object) return NoSuchObjectError(view.name(), info_.name);
    return *std::move(object);
  }

  const CollectionAccess collection_;
  const ObjectInfo info_;
};

}  // namespace

std::unique_ptr<ObjectResource> MakeInternalObjectResource(CollectionAccess collection,
                                                           ObjectInfo info) {
  return std::make_unique<InternalObjectResource>(std::move(collection), std::move(info));
}

}  // namespace podkit::store
