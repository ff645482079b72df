// A collection as it shows in one home: the owner's own, or one that is shared with the viewer.
//
// Internal children answer from the owner's file, external ones through the conduit; a caller
// cannot tell. A handle keeps the properties that it was made with; methods work on what is true
// when they are called. Owner-thread. Must not outlive the Store it comes from. Every write is
// durable when it returns. Errors: see errors.h; NoSuchCollection or NoSuchShare when it is gone;
// AccessDenied by the rights of the acting user, checked where the data is; PodUnavailable when the
// owner's pod is down: nothing is known to have happened, conduit::OutcomeOf tells more.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/store/object_resource.h"
#include "podkit/store/types.h"

namespace podkit::store {

class HomeChild {
 public:
  virtual ~HomeChild() = default;

  virtual const CollectionInfo& info() const = 0;

  // Names, sorted.
  virtual absl::StatusOr<std::vector<std::string>> ListObjects() = 0;
  virtual absl::StatusOr<int64_t> CountObjects() = 0;
  // By name, sorted.
  virtual absl::StatusOr<std::vector<ObjectInfo>> LoadObjects() = 0;
  // Those of `names` that exist, in that order.
  virtual absl::StatusOr<std::vector<ObjectInfo>> LoadObjectsWithNames(
      const std::vector<std::string>& names) = 0;
  virtual absl::StatusOr<ObjectInfo> FindObject(const ObjectKey& key) = 0;
  // A handle on the object that FindObject finds.
  virtual absl::StatusOr<std::unique_ptr<ObjectResource>> ObjectWith(const ObjectKey& key) = 0;
  // Nothing if there is no such UID or name.
  virtual absl::StatusOr<std::optional<std::string>> NameForUid(const std::string& uid) = 0;
  virtual absl::StatusOr<std::optional<std::string>> UidForName(const std::string& name) = 0;

  // Those of `names` that exist, in that order, with their texts.
  virtual absl::StatusOr<std::vector<ObjectData>> Multiget(
      const std::vector<std::string>& names) = 0;
  // The texts of those of `names` that exist, by name.
  virtual absl::StatusOr<std::map<std::string, Bytes>> Texts(
      const std::vector<std::string>& names) = 0;

  // Creates or replaces the object `name`.
  virtual absl::StatusOr<PutResult> PutObject(const std::string& name, const Bytes& text,
                                              const Precondition& condition) = 0;
  virtual absl::Status RemoveObject(const std::string& name, const Precondition& condition) = 0;

  // Many puts and removals in one transaction: one result for each, in order. A write that is
  // refused changes nothing and does not hold up the others; an error is the error of all, and
  // nothing was done. Who may only read is refused as a whole. TooManyResults: more than 10,000.
  virtual absl::StatusOr<std::vector<WriteResult>> WriteObjects(
      const std::vector<ObjectWrite>& writes) = 0;

  // Creates or updates one object for each UID of an iCalendar stream, all or nothing.
  virtual absl::StatusOr<ImportReport> Import(const Bytes& calendar) = 0;
  // All objects as one iCalendar stream.
  virtual absl::StatusOr<Bytes> Export() = 0;

  // Moves the object to another collection of the same owner, atomically: it keeps its id, UID and
  // bytes.
  virtual absl::StatusOr<ObjectInfo> MoveObject(const std::string& name,
                                                const std::string& to_collection_id,
                                                const std::string& to_name) = 0;

  // A text that differs after every change of a member, the same on every pod.
  virtual absl::StatusOr<std::string> SyncToken() = 0;
  // An empty token gives all members. InvalidSyncToken: start again from an empty one.
  virtual absl::StatusOr<Changes> ChangesSince(const std::string& sync_token) = 0;

  // Objects that match, by name.
  virtual absl::StatusOr<std::vector<ObjectInfo>> Search(const Query& query) = 0;
};

// One path segment for a collection or an object: 1 to 255 bytes of UTF-8 without control
// characters and '/', not beginning with '.'.
bool IsValidName(std::string_view name);

}  // namespace podkit::store
