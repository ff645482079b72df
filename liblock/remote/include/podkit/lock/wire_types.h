// How the values of types.h travel: their members by name, their enumerators in words.
//
// liblock itself knows nothing of this. Members that an older version does not know have defaults.
#pragma once

#include <array>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "podkit/conduit/enum_names.h"
#include "podkit/conduit/message.h"
#include "podkit/lock/types.h"

namespace podkit::lock::internal {

// The members of liblock's types, which know nothing of the wire.
struct WireHead : Head {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("manifest", &WireHead::manifest),
                           conduit::Optional("position", &WireHead::position),
                           conduit::Optional("token", &WireHead::token));
  }
};
struct WireGrant : Grant {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("store", &WireGrant::store),
                           conduit::Required("token", &WireGrant::token),
                           conduit::Optional("reason", &WireGrant::reason),
                           conduit::Optional("head", &WireGrant::head),
                           conduit::Optional("position", &WireGrant::position),
                           conduit::Optional("wake_at", &WireGrant::wake_at));
  }
};
struct WireSessionGrant : SessionGrant {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("term_ms", &WireSessionGrant::term),
                           conduit::Optional("resumed", &WireSessionGrant::resumed));
  }
};
struct WireNotice : Notice {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("number", &WireNotice::number),
                           conduit::Required("kind", &WireNotice::kind),
                           conduit::Optional("grant", &WireNotice::grant),
                           conduit::Optional("from", &WireNotice::from),
                           conduit::Optional("reason", &WireNotice::reason));
  }
};
struct WireNoticeCursor : NoticeCursor {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("incarnation", &WireNoticeCursor::incarnation),
                           conduit::Optional("after", &WireNoticeCursor::after));
  }
};
struct WireNoticePage : NoticePage {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("next", &WireNoticePage::next),
                           conduit::Optional("notices", &WireNoticePage::notices));
  }
};
struct WireLockInfo : LockInfo {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("store", &WireLockInfo::store),
                           conduit::Optional("token", &WireLockInfo::token),
                           conduit::Optional("host", &WireLockInfo::host),
                           conduit::Optional("remaining_ms", &WireLockInfo::remaining),
                           conduit::Optional("since_ms", &WireLockInfo::since),
                           conduit::Optional("head", &WireLockInfo::head),
                           conduit::Optional("wake_at", &WireLockInfo::wake_at),
                           conduit::Optional("waiting", &WireLockInfo::waiting));
  }
};
struct WireListPage : ListPage {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("locks", &WireListPage::locks),
                           conduit::Optional("revision", &WireListPage::revision),
                           conduit::Optional("more", &WireListPage::more));
  }
};
struct WireLockEvent : LockEvent {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("revision", &WireLockEvent::revision),
                           conduit::Required("kind", &WireLockEvent::kind),
                           conduit::Required("store", &WireLockEvent::store),
                           conduit::Optional("token", &WireLockEvent::token),
                           conduit::Optional("host", &WireLockEvent::host));
  }
};
struct WireWatchPage : WatchPage {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("events", &WireWatchPage::events),
                           conduit::Optional("revision", &WireWatchPage::revision));
  }
};
struct WireAuditEntry : AuditEntry {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("number", &WireAuditEntry::number),
                           conduit::Optional("at", &WireAuditEntry::at),
                           conduit::Required("kind", &WireAuditEntry::kind),
                           conduit::Optional("store", &WireAuditEntry::store),
                           conduit::Optional("token", &WireAuditEntry::token),
                           conduit::Optional("host", &WireAuditEntry::host),
                           conduit::Optional("by", &WireAuditEntry::by),
                           conduit::Optional("reason", &WireAuditEntry::reason),
                           conduit::Optional("head", &WireAuditEntry::head));
  }
};
struct WireImageStore : DirectoryImage::Store {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("store", &WireImageStore::store),
                           conduit::Optional("token", &WireImageStore::token),
                           conduit::Optional("head", &WireImageStore::head),
                           conduit::Optional("wake_at", &WireImageStore::wake_at));
  }
};
struct WireDirectoryImage : DirectoryImage {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("revision", &WireDirectoryImage::revision),
                           conduit::Optional("stores", &WireDirectoryImage::stores));
  }
};
struct WireSessionRequest : SessionRequest {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("id", &WireSessionRequest::id),
                           conduit::Required("host", &WireSessionRequest::host),
                           conduit::Required("term_ms", &WireSessionRequest::term),
                           conduit::Optional("runs_wakeups", &WireSessionRequest::runs_wakeups));
  }
};
struct WireHolding : Holding {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("session", &WireHolding::session),
                           conduit::Required("store", &WireHolding::store),
                           conduit::Required("token", &WireHolding::token));
  }
};
struct WireAcquireRequest : AcquireRequest {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("session", &WireAcquireRequest::session),
                           conduit::Required("request_id", &WireAcquireRequest::request_id),
                           conduit::Required("store", &WireAcquireRequest::store),
                           conduit::Optional("wait_ms", &WireAcquireRequest::wait),
                           conduit::Optional("priority", &WireAcquireRequest::priority),
                           conduit::Optional("ask_holder", &WireAcquireRequest::ask_holder),
                           conduit::Optional("create", &WireAcquireRequest::create),
                           conduit::Optional("take_over", &WireAcquireRequest::take_over));
  }
};
struct WireHeadChange : HeadChange {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("holding", &WireHeadChange::holding),
                           conduit::Required("request_id", &WireHeadChange::request_id),
                           conduit::Required("parent", &WireHeadChange::parent),
                           conduit::Required("manifest", &WireHeadChange::manifest),
                           conduit::Optional("position", &WireHeadChange::position),
                           conduit::Optional("wake_at", &WireHeadChange::wake_at));
  }
};
struct WireReleaseRequest : ReleaseRequest {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("holding", &WireReleaseRequest::holding),
                           conduit::Required("request_id", &WireReleaseRequest::request_id),
                           conduit::Optional("kind", &WireReleaseRequest::kind),
                           conduit::Optional("reason", &WireReleaseRequest::reason));
  }
};
struct WireHandOverRequest : HandOverRequest {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("holding", &WireHandOverRequest::holding),
                           conduit::Required("request_id", &WireHandOverRequest::request_id),
                           conduit::Required("to_host", &WireHandOverRequest::to_host),
                           conduit::Optional("position", &WireHandOverRequest::position),
                           conduit::Optional("attempt", &WireHandOverRequest::attempt));
  }
};
struct WireListQuery : ListQuery {
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("prefix", &WireListQuery::prefix),
                           conduit::Optional("host", &WireListQuery::host),
                           conduit::Optional("after", &WireListQuery::after),
                           conduit::Optional("limit", &WireListQuery::limit));
  }
};

// A value travels as the structure that is made from it and lists its members.
template <typename T, typename Wire>
struct CodecOf {
  static void Encode(conduit::JsonWriter& writer, const T& value) {
    conduit::Codec<Wire>::Encode(writer, Wire{value});
  }
  static absl::Status Decode(const conduit::JsonValue& value, T* out) {
    Wire wire;
    const absl::Status status = conduit::Codec<Wire>::Decode(value, &wire);
    *out = std::move(static_cast<T&>(wire));
    return status;
  }
  static conduit::TypeSchema Describe(conduit::SchemaScope& scope) {
    return conduit::Codec<Wire>::Describe(scope);
  }
};

}  // namespace podkit::lock::internal

namespace podkit::conduit {

template <>
struct EnumNames<lock::Priority> {
  static constexpr std::array kNames = {
      std::pair{lock::Priority::kBackground, std::string_view("background")},
      std::pair{lock::Priority::kInteractive, std::string_view("interactive")}};
};
template <>
struct EnumNames<lock::GrantReason> {
  static constexpr std::array kNames = {
      std::pair{lock::GrantReason::kAcquired, std::string_view("acquired")},
      std::pair{lock::GrantReason::kHandedOver, std::string_view("handed-over")},
      std::pair{lock::GrantReason::kWokenUp, std::string_view("woken-up")}};
};
template <>
struct EnumNames<lock::ReleaseKind> {
  static constexpr std::array kNames = {
      std::pair{lock::ReleaseKind::kSaved, std::string_view("saved")},
      std::pair{lock::ReleaseKind::kAbandoned, std::string_view("abandoned")}};
};
template <>
struct EnumNames<lock::Notice::Kind> {
  static constexpr std::array kNames = {
      std::pair{lock::Notice::Kind::kGranted, std::string_view("granted")},
      std::pair{lock::Notice::Kind::kAskedToHandOver, std::string_view("asked-to-hand-over")},
      std::pair{lock::Notice::Kind::kLost, std::string_view("lost")}};
};
template <>
struct EnumNames<lock::LockEvent::Kind> {
  static constexpr std::array kNames = {
      std::pair{lock::LockEvent::Kind::kCreated, std::string_view("created")},
      std::pair{lock::LockEvent::Kind::kDeleted, std::string_view("deleted")},
      std::pair{lock::LockEvent::Kind::kGranted, std::string_view("granted")},
      std::pair{lock::LockEvent::Kind::kReleased, std::string_view("released")},
      std::pair{lock::LockEvent::Kind::kExpired, std::string_view("expired")},
      std::pair{lock::LockEvent::Kind::kBroken, std::string_view("broken")},
      std::pair{lock::LockEvent::Kind::kHeadMoved, std::string_view("head-moved")}};
};
template <>
struct EnumNames<lock::AuditEntry::Kind> {
  static constexpr std::array kNames = {
      std::pair{lock::AuditEntry::Kind::kBroken, std::string_view("broken")},
      std::pair{lock::AuditEntry::Kind::kAbandoned, std::string_view("abandoned")},
      std::pair{lock::AuditEntry::Kind::kExpired, std::string_view("expired")},
      std::pair{lock::AuditEntry::Kind::kDeleted, std::string_view("deleted")},
      std::pair{lock::AuditEntry::Kind::kImported, std::string_view("imported")},
      std::pair{lock::AuditEntry::Kind::kHandedOver, std::string_view("handed-over")}};
};

template <>
struct Codec<lock::Head> : lock::internal::CodecOf<lock::Head, lock::internal::WireHead> {};
template <>
struct Codec<lock::Grant> : lock::internal::CodecOf<lock::Grant, lock::internal::WireGrant> {};
template <>
struct Codec<lock::SessionGrant>
    : lock::internal::CodecOf<lock::SessionGrant, lock::internal::WireSessionGrant> {};
template <>
struct Codec<lock::Notice> : lock::internal::CodecOf<lock::Notice, lock::internal::WireNotice> {};
template <>
struct Codec<lock::NoticeCursor>
    : lock::internal::CodecOf<lock::NoticeCursor, lock::internal::WireNoticeCursor> {};
template <>
struct Codec<lock::NoticePage>
    : lock::internal::CodecOf<lock::NoticePage, lock::internal::WireNoticePage> {};
template <>
struct Codec<lock::LockInfo>
    : lock::internal::CodecOf<lock::LockInfo, lock::internal::WireLockInfo> {};
template <>
struct Codec<lock::ListPage>
    : lock::internal::CodecOf<lock::ListPage, lock::internal::WireListPage> {};
template <>
struct Codec<lock::LockEvent>
    : lock::internal::CodecOf<lock::LockEvent, lock::internal::WireLockEvent> {};
template <>
struct Codec<lock::WatchPage>
    : lock::internal::CodecOf<lock::WatchPage, lock::internal::WireWatchPage> {};
template <>
struct Codec<lock::AuditEntry>
    : lock::internal::CodecOf<lock::AuditEntry, lock::internal::WireAuditEntry> {};
template <>
struct Codec<lock::DirectoryImage::Store>
    : lock::internal::CodecOf<lock::DirectoryImage::Store, lock::internal::WireImageStore> {};
template <>
struct Codec<lock::DirectoryImage>
    : lock::internal::CodecOf<lock::DirectoryImage, lock::internal::WireDirectoryImage> {};
template <>
struct Codec<lock::SessionRequest>
    : lock::internal::CodecOf<lock::SessionRequest, lock::internal::WireSessionRequest> {};
template <>
struct Codec<lock::Holding> : lock::internal::CodecOf<lock::Holding, lock::internal::WireHolding> {
};
template <>
struct Codec<lock::AcquireRequest>
    : lock::internal::CodecOf<lock::AcquireRequest, lock::internal::WireAcquireRequest> {};
template <>
struct Codec<lock::HeadChange>
    : lock::internal::CodecOf<lock::HeadChange, lock::internal::WireHeadChange> {};
template <>
struct Codec<lock::ReleaseRequest>
    : lock::internal::CodecOf<lock::ReleaseRequest, lock::internal::WireReleaseRequest> {};
template <>
struct Codec<lock::HandOverRequest>
    : lock::internal::CodecOf<lock::HandOverRequest, lock::internal::WireHandOverRequest> {};
template <>
struct Codec<lock::ListQuery>
    : lock::internal::CodecOf<lock::ListQuery, lock::internal::WireListQuery> {};

}  // namespace podkit::conduit
