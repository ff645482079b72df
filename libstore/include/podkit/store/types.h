// The values that homes, collections and objects hand out. All of them travel through the conduit
// as they are.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "podkit/conduit/message.h"

namespace podkit::store {

using conduit::Bytes;
using conduit::Optional;
using conduit::Required;

// What somebody may do with a collection, the most first.
enum class Access {
  kOwner,
  kReadWrite,
  kRead,
  kBusy,  // Sees when time is taken, and nothing else: see docs/sharing.md.
};

// Where an invitation stands.
enum class ShareStatus { kInvited, kAccepted, kDeclined };

// What a caller may set of a collection. Absent members keep what is there.
struct CollectionProperties {
  std::optional<std::string> display_name;
  std::optional<std::string> color;  // As the client wrote it, e.g. "#FF2968FF".
  std::optional<std::string> description;
  std::optional<std::vector<std::string>>
      components;                   // Supported; only when created. Default: all.
  std::optional<bool> transparent;  // Does not make its viewer busy.

  static constexpr auto Fields() {
    return std::make_tuple(Optional("display_name", &CollectionProperties::display_name),
                           Optional("color", &CollectionProperties::color),
                           Optional("description", &CollectionProperties::description),
                           Optional("components", &CollectionProperties::components),
                           Optional("transparent", &CollectionProperties::transparent));
  }
};

// A collection as it shows in one home.
struct CollectionInfo {
  std::string id;          // The same on every pod, for ever.
  std::string owner_uid;   // Whose it is, and so on whose pod it lives.
  std::string viewer_uid;  // In whose home it shows; the owner's in his own.
  std::string name;        // In the viewer's home: one path segment.
  std::string share_uid;   // Names the share on both pods; empty for the owner's own view.
  Access access = Access::kOwner;
  std::string display_name;
  std::string color;
  std::string description;
  std::vector<std::string> components;  // Upper case; empty: all.
  bool shared_by_owner = false;         // Somebody else is invited; known in the owner's view only.
  bool transparent = false;             // Does not make its viewer busy. A share begins so.
  absl::Time created;
  absl::Time modified;

  static constexpr auto Fields() {
    return std::make_tuple(
        Required("id", &CollectionInfo::id), Required("owner_uid", &CollectionInfo::owner_uid),
        Required("viewer_uid", &CollectionInfo::viewer_uid),
        Required("name", &CollectionInfo::name), Optional("share_uid", &CollectionInfo::share_uid),
        Required("access", &CollectionInfo::access),
        Optional("display_name", &CollectionInfo::display_name),
        Optional("color", &CollectionInfo::color),
        Optional("description", &CollectionInfo::description),
        Optional("components", &CollectionInfo::components),
        Optional("shared_by_owner", &CollectionInfo::shared_by_owner),
        Optional("transparent", &CollectionInfo::transparent),
        Optional("created", &CollectionInfo::created),
        Optional("modified", &CollectionInfo::modified));
  }
};

// Says which collection of a home is meant: set one member.
struct CollectionKey {
  std::optional<std::string> name;
  std::optional<std::string> id;
  std::optional<std::string> share_uid;

  static constexpr auto Fields() {
    return std::make_tuple(Optional("name", &CollectionKey::name),
                           Optional("id", &CollectionKey::id),
                           Optional("share_uid", &CollectionKey::share_uid));
  }
};

struct ObjectInfo {
  std::string id;           // The same on every pod, for ever.
  std::string name;         // In its collection: one path segment.
  std::string uid;          // The iCalendar UID.
  std::string component;    // "VEVENT", ...
  std::string etag;         // Of the stored bytes, without quotes.
  int64_t size = 0;         // Bytes.
  std::string summary;      // The first SUMMARY, for listings; may be empty.
  std::string modified_by;  // Who wrote the bytes, a delegate as himself; empty: the operator, or
                            // not known.
  absl::Time created;
  absl::Time modified;

  static constexpr auto Fields() {
    return std::make_tuple(
        Required("id", &ObjectInfo::id), Required("name", &ObjectInfo::name),
        Required("uid", &ObjectInfo::uid), Optional("component", &ObjectInfo::component),
        Required("etag", &ObjectInfo::etag), Optional("size", &ObjectInfo::size),
        Optional("summary", &ObjectInfo::summary),
        Optional("modified_by", &ObjectInfo::modified_by),
        Optional("created", &ObjectInfo::created), Optional("modified", &ObjectInfo::modified));
  }
};

// An object with its text, both of the same moment.
struct ObjectData {
  ObjectInfo info;
  Bytes text;

  static constexpr auto Fields() {
    return std::make_tuple(Required("info", &ObjectData::info),
                           Required("text", &ObjectData::text));
  }
};

// Says which object of a collection is meant: set one member.
struct ObjectKey {
  std::optional<std::string> name;
  std::optional<std::string> uid;
  std::optional<std::string> id;

  static constexpr auto Fields() {
    return std::make_tuple(Optional("name", &ObjectKey::name), Optional("uid", &ObjectKey::uid),
                           Optional("id", &ObjectKey::id));
  }
};

// What must hold for a write to happen; else PreconditionFailed and nothing changes.
struct Precondition {
  std::optional<std::string> etag;  // The object exists and has this ETag.
  bool must_not_exist = false;      // For Put: refuse with ObjectExists instead of replacing.

  static constexpr auto Fields() {
    return std::make_tuple(Optional("etag", &Precondition::etag),
                           Optional("must_not_exist", &Precondition::must_not_exist));
  }
};

struct PutResult {
  ObjectInfo object;
  bool created = false;
  bool unchanged = false;  // The bytes were there already: same ETag, no new sync token.
  // What a reader gets now are not the bytes that were sent, for a viewer's own alarms and those of
  // others were put together: a front end tells no ETag, so that its client reads again.
  bool altered = false;

  static constexpr auto Fields() {
    return std::make_tuple(
        Required("object", &PutResult::object), Optional("created", &PutResult::created),
        Optional("unchanged", &PutResult::unchanged), Optional("altered", &PutResult::altered));
  }
};

// One of many writes.
struct ObjectWrite {
  std::string name;
  std::optional<Bytes> text;  // Absent: remove the object.
  Precondition condition;

  static constexpr auto Fields() {
    return std::make_tuple(Required("name", &ObjectWrite::name),
                           Optional("text", &ObjectWrite::text),
                           Optional("condition", &ObjectWrite::condition));
  }
};

// What became of it.
struct WriteResult {
  std::optional<PutResult> put;  // Of a put that was done.
  std::string error;    // Else the class of the error, "PreconditionFailed", ...; empty: done.
  std::string fields;   // The error's fields as a JSON object.
  std::string details;  // Its message.

  static constexpr auto Fields() {
    return std::make_tuple(
        Optional("put", &WriteResult::put), Optional("error", &WriteResult::error),
        Optional("fields", &WriteResult::fields), Optional("details", &WriteResult::details));
  }
};

// What happened to the members of a collection since a sync token.
struct Changes {
  std::string sync_token;            // Where the next question starts.
  std::vector<ObjectInfo> changed;   // Created or changed, by name.
  std::vector<std::string> deleted;  // Names that are gone.

  static constexpr auto Fields() {
    return std::make_tuple(Required("sync_token", &Changes::sync_token),
                           Optional("changed", &Changes::changed),
                           Optional("deleted", &Changes::deleted));
  }
};

// What happened in a home since a sync token of the home. With depth one: collections; with depth
// infinity also the members of own collections, as "collection/member".
struct HomeChanges {
  std::string sync_token;
  std::vector<std::string> changed;
  std::vector<std::string> deleted;
  // With depth infinity: collections whose members are to be followed by their own sync tokens.
  // Shared ones always; own ones that are new under their name, or have other properties.
  std::vector<std::string> invalid;

  static constexpr auto Fields() {
    return std::make_tuple(Required("sync_token", &HomeChanges::sync_token),
                           Optional("changed", &HomeChanges::changed),
                           Optional("deleted", &HomeChanges::deleted),
                           Optional("invalid", &HomeChanges::invalid));
  }
};

// Which objects to find. Absent members do not restrict.
struct Query {
  std::optional<std::string> component;  // "VEVENT", ...
  std::optional<absl::Time> start;  // Overlap of [start, end) by the rules of RFC 4791 section 9.9,
  std::optional<absl::Time> end;    // recurrences expanded.
  std::optional<std::string> time_zone;  // For all-day and floating times; default UTC.

  static constexpr auto Fields() {
    return std::make_tuple(Optional("component", &Query::component),
                           Optional("start", &Query::start), Optional("end", &Query::end),
                           Optional("time_zone", &Query::time_zone));
  }
};

// What became of one object of an imported file.
struct ImportedItem {
  std::string uid;
  std::string name;
  std::string result;  // "created", "updated" or "unchanged".
  std::string note;    // What was repaired; usually empty.

  static constexpr auto Fields() {
    return std::make_tuple(
        Required("uid", &ImportedItem::uid), Required("name", &ImportedItem::name),
        Required("result", &ImportedItem::result), Optional("note", &ImportedItem::note));
  }
};

struct ImportReport {
  std::vector<ImportedItem> items;
  static constexpr auto Fields() {
    return std::make_tuple(Required("items", &ImportReport::items));
  }
};

// One share of one collection, as the owner's or as the viewer's pod has it.
struct ShareInfo {
  std::string share_uid;
  std::string collection_id;
  std::string owner_uid;
  std::string viewer_uid;
  std::string name;  // Of the collection in the viewer's home once accepted; known there only.
  Access access = Access::kRead;
  ShareStatus status = ShareStatus::kInvited;
  std::string summary;       // The text of the invitation.
  std::string display_name;  // Of the collection, as the owner calls it.
  bool is_group = false;  // `viewer_uid` is a group: everybody in it is invited. Told to the owner.
  bool through_group = false;  // Invited as a member of a group only. Told to the owner.
  int64_t revision = 0;  // Of the viewer's home when it was accepted; 0 before, and at the owner's.

  static constexpr auto Fields() {
    return std::make_tuple(
        Required("share_uid", &ShareInfo::share_uid),
        Required("collection_id", &ShareInfo::collection_id),
        Required("owner_uid", &ShareInfo::owner_uid),
        Required("viewer_uid", &ShareInfo::viewer_uid), Optional("name", &ShareInfo::name),
        Required("access", &ShareInfo::access), Required("status", &ShareInfo::status),
        Optional("summary", &ShareInfo::summary),
        Optional("display_name", &ShareInfo::display_name),
        Optional("is_group", &ShareInfo::is_group),
        Optional("through_group", &ShareInfo::through_group),
        Optional("revision", &ShareInfo::revision));
  }
};

enum class NotificationKind {
  kInvite,   // To the viewer: somebody shares a collection with you, or changed the terms.
  kRemoved,  // To the viewer: a collection that you had accepted is no longer shared with you.
  kReply,    // To the owner: the viewer accepted or declined.
};

struct Notification {
  std::string id;
  NotificationKind kind = NotificationKind::kInvite;
  std::string share_uid;
  std::string from_uid;
  std::string collection_id;
  std::string display_name;  // Of the collection.
  Access access = Access::kRead;
  ShareStatus status = ShareStatus::kInvited;
  std::string summary;
  absl::Time created;

  static constexpr auto Fields() {
    return std::make_tuple(
        Required("id", &Notification::id), Required("kind", &Notification::kind),
        Required("share_uid", &Notification::share_uid),
        Required("from_uid", &Notification::from_uid),
        Optional("collection_id", &Notification::collection_id),
        Optional("display_name", &Notification::display_name),
        Optional("access", &Notification::access), Optional("status", &Notification::status),
        Optional("summary", &Notification::summary), Optional("created", &Notification::created));
  }
};

// What happened to the notifications of a home since a sync token of theirs.
struct NotificationChanges {
  std::string sync_token;
  std::vector<Notification> changed;  // New, oldest first: a notification does not change.
  std::vector<std::string> deleted;   // Ids.

  static constexpr auto Fields() {
    return std::make_tuple(Required("sync_token", &NotificationChanges::sync_token),
                           Optional("changed", &NotificationChanges::changed),
                           Optional("deleted", &NotificationChanges::deleted));
  }
};

// Who may act for the owner of a home, and how much: kReadWrite or kRead.
struct Delegate {
  std::string principal;  // A user, or a group of the directory and so everybody in it.
  bool is_group = false;
  Access access = Access::kRead;

  static constexpr auto Fields() {
    return std::make_tuple(Required("principal", &Delegate::principal),
                           Optional("is_group", &Delegate::is_group),
                           Required("access", &Delegate::access));
  }
};

// For whom the user of a home may act, himself or as a member of a group.
struct Delegator {
  std::string owner_uid;
  Access access = Access::kRead;

  static constexpr auto Fields() {
    return std::make_tuple(Required("owner_uid", &Delegator::owner_uid),
                           Required("access", &Delegator::access));
  }
};

// Where a collection of a home stands.
struct CollectionToken {
  std::string name;        // In the home.
  std::string sync_token;  // As HomeChild::SyncToken gives it; empty if it is not known now.
  std::string error;       // Then the class of the error that says why: "PodUnavailable", ...

  static constexpr auto Fields() {
    return std::make_tuple(Required("name", &CollectionToken::name),
                           Optional("sync_token", &CollectionToken::sync_token),
                           Optional("error", &CollectionToken::error));
  }
};

struct HomeInfo {
  std::string uid;
  std::string pod;  // Where it lives.
  absl::Time created;
  bool disabled = false;  // See Store::DisableHome.

  static constexpr auto Fields() {
    return std::make_tuple(Required("uid", &HomeInfo::uid), Required("pod", &HomeInfo::pod),
                           Optional("created", &HomeInfo::created),
                           Optional("disabled", &HomeInfo::disabled));
  }
};

}  // namespace podkit::store

template <>
struct podkit::conduit::EnumNames<podkit::store::Access> {
  static constexpr std::array kNames = {std::pair{podkit::store::Access::kOwner, "owner"},
                                        std::pair{podkit::store::Access::kReadWrite, "read-write"},
                                        std::pair{podkit::store::Access::kRead, "read"},
                                        std::pair{podkit::store::Access::kBusy, "busy"}};
};

template <>
struct podkit::conduit::EnumNames<podkit::store::ShareStatus> {
  static constexpr std::array kNames = {
      std::pair{podkit::store::ShareStatus::kInvited, "invited"},
      std::pair{podkit::store::ShareStatus::kAccepted, "accepted"},
      std::pair{podkit::store::ShareStatus::kDeclined, "declined"}};
};

template <>
struct podkit::conduit::EnumNames<podkit::store::NotificationKind> {
  static constexpr std::array kNames = {
      std::pair{podkit::store::NotificationKind::kInvite, "invite"},
      std::pair{podkit::store::NotificationKind::kRemoved, "removed"},
      std::pair{podkit::store::NotificationKind::kReply, "reply"}};
};
