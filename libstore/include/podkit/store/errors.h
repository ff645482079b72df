// The named errors of the store. They come back from a home on another pod as they come back from a
// local one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "podkit/conduit/error.h"

namespace podkit::store {

using conduit::GetError;
using conduit::MakeError;

// The directory does not know the user.
struct NoSuchUser {
  static constexpr std::string_view kClass = "NoSuchUser";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
  std::string uid;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("uid", &NoSuchUser::uid));
  }
};

// The user has no home on this pod, and the directory names no other.
struct NoSuchHome {
  static constexpr std::string_view kClass = "NoSuchHome";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
  std::string uid;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("uid", &NoSuchHome::uid));
  }
};

// The home lives on another pod: ask that one.
struct HomeElsewhere {
  static constexpr std::string_view kClass = "HomeElsewhere";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kFailedPrecondition;
  std::string uid;
  std::string pod;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("uid", &HomeElsewhere::uid),
                           conduit::Optional("pod", &HomeElsewhere::pod));
  }
};

// The home is closed for now, while an operator looks after it: nothing is lost, try again later.
struct HomeDisabled {
  static constexpr std::string_view kClass = "HomeDisabled";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kUnavailable;
  std::string uid;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("uid", &HomeDisabled::uid));
  }
};

// The home has no such collection.
struct NoSuchCollection {
  static constexpr std::string_view kClass = "NoSuchCollection";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
  std::string home;
  std::string collection;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("home", &NoSuchCollection::home),
                           conduit::Optional("collection", &NoSuchCollection::collection));
  }
};

// The home has a collection of that name: choose another.
struct CollectionExists {
  static constexpr std::string_view kClass = "CollectionExists";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kAlreadyExists;
  std::string home;
  std::string collection;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("home", &CollectionExists::home),
                           conduit::Optional("collection", &CollectionExists::collection));
  }
};

// The collection has no such object.
struct NoSuchObject {
  static constexpr std::string_view kClass = "NoSuchObject";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
  std::string collection;
  std::string object;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("collection", &NoSuchObject::collection),
                           conduit::Optional("object", &NoSuchObject::object));
  }
};

// The collection has an object of that name.
struct ObjectExists {
  static constexpr std::string_view kClass = "ObjectExists";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kAlreadyExists;
  std::string collection;
  std::string object;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("collection", &ObjectExists::collection),
                           conduit::Optional("object", &ObjectExists::object));
  }
};

// The collection has the UID already, under the name `object`.
struct UidConflict {
  static constexpr std::string_view kClass = "UidConflict";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kAlreadyExists;
  std::string uid;
  std::string object;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("uid", &UidConflict::uid),
                           conduit::Optional("object", &UidConflict::object));
  }
};

// A new text must keep the UID of the object.
struct UidChanged {
  static constexpr std::string_view kClass = "UidChanged";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInvalidArgument;
  std::string object;
  std::string uid;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("object", &UidChanged::object),
                           conduit::Optional("uid", &UidChanged::uid));
  }
};

// Not a name for a collection or an object: see IsValidName.
struct InvalidName {
  static constexpr std::string_view kClass = "InvalidName";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInvalidArgument;
  std::string name;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("name", &InvalidName::name));
  }
};

// The text is not a calendar object; `line` counts from 1, 0 if no line is at fault.
struct InvalidCalendarData {
  static constexpr std::string_view kClass = "InvalidCalendarData";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInvalidArgument;
  int64_t line = 0;
  std::string reason;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("line", &InvalidCalendarData::line),
                           conduit::Optional("reason", &InvalidCalendarData::reason));
  }
};

// The collection does not take components of this type.
struct UnsupportedComponent {
  static constexpr std::string_view kClass = "UnsupportedComponent";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInvalidArgument;
  std::string collection;
  std::string component;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("collection", &UnsupportedComponent::collection),
                           conduit::Optional("component", &UnsupportedComponent::component));
  }
};

// The object is not what the caller expects; `etag` is the present one, empty if there is none.
struct PreconditionFailed {
  static constexpr std::string_view kClass = "PreconditionFailed";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kFailedPrecondition;
  std::string object;
  std::string etag;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("object", &PreconditionFailed::object),
                           conduit::Optional("etag", &PreconditionFailed::etag));
  }
};

// The token is unknown or too old: list everything and start from the new token.
struct InvalidSyncToken {
  static constexpr std::string_view kClass = "InvalidSyncToken";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kOutOfRange;
  std::string token;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("token", &InvalidSyncToken::token));
  }
};

// A parameter makes no sense; the details say which.
struct InvalidRequest {
  static constexpr std::string_view kClass = "InvalidRequest";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kInvalidArgument;
  static constexpr auto Fields() { return std::make_tuple(); }
};

// The acting user may not do this.
struct AccessDenied {
  static constexpr std::string_view kClass = "AccessDenied";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kPermissionDenied;
  std::string actor;
  std::string collection;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("actor", &AccessDenied::actor),
                           conduit::Optional("collection", &AccessDenied::collection));
  }
};

// There is no such share, or it was taken back.
struct NoSuchShare {
  static constexpr std::string_view kClass = "NoSuchShare";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
  std::string share_uid;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("share_uid", &NoSuchShare::share_uid));
  }
};

// The home has no such delegate.
struct NoSuchDelegate {
  static constexpr std::string_view kClass = "NoSuchDelegate";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
  std::string principal;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("principal", &NoSuchDelegate::principal));
  }
};

// The home has no such notification.
struct NoSuchNotification {
  static constexpr std::string_view kClass = "NoSuchNotification";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
  std::string id;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("id", &NoSuchNotification::id));
  }
};

// The pod that has the data cannot be reached: nothing is lost, try again after the time given.
struct PodUnavailable {
  static constexpr std::string_view kClass = "PodUnavailable";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kUnavailable;
  std::string pod;
  absl::Duration retry_after;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("pod", &PodUnavailable::pod),
                           conduit::Optional("retry_after", &PodUnavailable::retry_after));
  }
};

// No space is left, or a limit is reached; nothing was written.
struct StoreFull {
  static constexpr std::string_view kClass = "StoreFull";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kResourceExhausted;
  std::string object;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("object", &StoreFull::object));
  }
};

// The answer would be larger than `limit`: ask for less, a shorter range or fewer names.
struct TooManyResults {
  static constexpr std::string_view kClass = "TooManyResults";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kResourceExhausted;
  int64_t limit = 0;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("limit", &TooManyResults::limit));
  }
};

// The user's file is not readable: restore it from a backup.
struct StoreDamaged {
  static constexpr std::string_view kClass = "StoreDamaged";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kDataLoss;
  std::string uid;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("uid", &StoreDamaged::uid));
  }
};

// The user's file is in use for longer than expected: try again.
struct StoreBusy {
  static constexpr std::string_view kClass = "StoreBusy";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kUnavailable;
  std::string uid;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("uid", &StoreBusy::uid));
  }
};

// The object has no attachment of that managed id: list them again.
struct NoSuchAttachment {
  static constexpr std::string_view kClass = "NoSuchAttachment";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
  std::string object;
  std::string managed_id;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("object", &NoSuchAttachment::object),
                           conduit::Optional("managed_id", &NoSuchAttachment::managed_id));
  }
};

// The object has no such instance to attach to: give "M" or when an instance begins.
struct NoSuchInstance {
  static constexpr std::string_view kClass = "NoSuchInstance";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
  std::string object;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("object", &NoSuchInstance::object));
  }
};

// An attachment has at most `limit` bytes: attach a smaller file.
struct AttachmentTooLarge {
  static constexpr std::string_view kClass = "AttachmentTooLarge";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kResourceExhausted;
  int64_t limit = 0;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("limit", &AttachmentTooLarge::limit));
  }
};

// An object has at most `limit` attachments: remove one of them first.
struct TooManyAttachments {
  static constexpr std::string_view kClass = "TooManyAttachments";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kResourceExhausted;
  std::string object;
  int64_t limit = 0;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("object", &TooManyAttachments::object),
                           conduit::Optional("limit", &TooManyAttachments::limit));
  }
};

// The attachments of `owner` may have `limit` bytes in all and have `used`: remove some of them
// first, or have the limit raised.
struct QuotaExceeded {
  static constexpr std::string_view kClass = "QuotaExceeded";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kResourceExhausted;
  std::string owner;
  int64_t limit = 0;
  int64_t used = 0;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("owner", &QuotaExceeded::owner),
                           conduit::Optional("limit", &QuotaExceeded::limit),
                           conduit::Optional("used", &QuotaExceeded::used));
  }
};

// The owner's pod does not have a part of the file, or not any more, from this user: begin again.
struct PartNotUploaded {
  static constexpr std::string_view kClass = "PartNotUploaded";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kFailedPrecondition;
  std::string chunk;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("chunk", &PartNotUploaded::chunk));
  }
};

// The bytes of the attachment are gone or are others: restore chunk `chunk` from a backup.
struct AttachmentDamaged {
  static constexpr std::string_view kClass = "AttachmentDamaged";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kDataLoss;
  std::string managed_id;
  std::string chunk;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("managed_id", &AttachmentDamaged::managed_id),
                           conduit::Optional("chunk", &AttachmentDamaged::chunk));
  }
};

// Everything above: what each remote action of the store declares.
using StoreErrors = conduit::ErrorList<
    NoSuchUser, NoSuchHome, HomeElsewhere, HomeDisabled, NoSuchCollection, CollectionExists,
    NoSuchObject, ObjectExists, UidConflict, UidChanged, InvalidName, InvalidCalendarData,
    UnsupportedComponent, PreconditionFailed, InvalidSyncToken, InvalidRequest, AccessDenied,
    NoSuchShare, NoSuchNotification, NoSuchDelegate, PodUnavailable, StoreFull, TooManyResults,
    StoreDamaged, StoreBusy, NoSuchAttachment, NoSuchInstance, AttachmentTooLarge,
    TooManyAttachments, QuotaExceeded, PartNotUploaded, AttachmentDamaged>;

}  // namespace podkit::store
