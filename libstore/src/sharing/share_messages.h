// What the owner's store and the viewer's tell each other about a share. docs/sharing.md has the
// state machine.
//
// `generation` counts how often the owner has asked: a reply to an older question changes nothing,
// so both sides end in the same state whatever crosses on the way.
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "messages/message.h"
#include "podkit/store/types.h"
#include "sharing/binds.h"
#include "sqlite/database.h"

namespace podkit::store {

// Owner to viewer: the terms of a share, new or changed.
struct ShareInvite {
  static constexpr std::string_view kKind = "share-invite";
  std::string share_uid;
  std::string collection_id;
  Access access = Access::kRead;
  int64_t generation = 1;
  std::string summary;
  std::string display_name;
  std::string color;
  std::string description;
  std::vector<std::string> components;
  static constexpr auto Fields() {
    return std::make_tuple(
        Required("share_uid", &ShareInvite::share_uid),
        Required("collection_id", &ShareInvite::collection_id),
        Required("access", &ShareInvite::access), Required("generation", &ShareInvite::generation),
        Optional("summary", &ShareInvite::summary),
        Optional("display_name", &ShareInvite::display_name),
        Optional("color", &ShareInvite::color), Optional("description", &ShareInvite::description),
        Optional("components", &ShareInvite::components));
  }
};

// Owner to viewer: the share is taken back.
struct ShareUninvite {
  static constexpr std::string_view kKind = "share-uninvite";
  std::string share_uid;
  static constexpr auto Fields() {
    return std::make_tuple(Required("share_uid", &ShareUninvite::share_uid));
  }
};

// Viewer to owner: accepted or declined.
struct ShareReply {
  static constexpr std::string_view kKind = "share-reply";
  std::string share_uid;
  ShareStatus status = ShareStatus::kDeclined;
  int64_t generation = 1;
  static constexpr auto Fields() {
    return std::make_tuple(Required("share_uid", &ShareReply::share_uid),
                           Required("status", &ShareReply::status),
                           Required("generation", &ShareReply::generation));
  }
};

// Applies any of them on the receiver's file. InvalidRequest for a kind that this version does not
// know or a body that does not fit: the message waits until it does.
absl::Status ApplyShareMessage(Database& database, absl::Time now, const Message& message);

// True for what does nothing to a home that is not there.
inline bool OnlyTakesAway(const Message& message) {
  return message.kind == ShareUninvite::kKind || message.kind == ShareReply::kKind;
}

// Viewer: the owner does not share it any more. Tells him if he had accepted it.
absl::Status RemoveShare(Database& database, const Bind& bind, absl::Time now);

}  // namespace podkit::store
