// One table lists every remote action of the store beside the method that it stands for. The
// caller's side (ExternalHome, ExternalHomeChild, ExternalObjectResource) and the responder's side
// (RegisterRemoteActions) are both made from it: a method that is not in the table does not compile
// as an external one.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "internal/pod_collections.h"
#include "podkit/conduit/command.h"
#include "podkit/store/errors.h"
#include "podkit/store/home.h"

namespace podkit::store {

// Which object a remote action is for: the home that owns the data, one of its collections, one
// object in that. The members are named as they are on the wire.
struct RemoteTarget {
  // NOLINTBEGIN(readability-identifier-naming)
  std::string homeUID;
  std::string homeChildID;        // Empty: the home itself.
  std::string homeChildSharedID;  // The share by which the actor uses it; empty: none.
  std::string objectResourceID;   // Empty: the collection itself.
  std::string delegateUID;        // Who acts for the actor; empty: he himself.
  bool readOnly = false;          // That delegate may only read.
  // NOLINTEND(readability-identifier-naming)
  static constexpr auto Fields() {
    return std::make_tuple(Required("homeUID", &RemoteTarget::homeUID),
                           Optional("homeChildID", &RemoteTarget::homeChildID),
                           Optional("homeChildSharedID", &RemoteTarget::homeChildSharedID),
                           Optional("objectResourceID", &RemoteTarget::objectResourceID),
                           Optional("delegateUID", &RemoteTarget::delegateUID),
                           Optional("readOnly", &RemoteTarget::readOnly));
  }
};

// A name as a template argument.
template <size_t kSize>
struct ActionName {
  // NOLINTNEXTLINE(google-explicit-constructor): so that a literal can be given.
  consteval ActionName(const char (&literal)[kSize]) { std::copy_n(literal, kSize, text.begin()); }
  constexpr std::string_view view() const { return {text.data(), kSize - 1}; }
  std::array<char, kSize> text = {};
};

// What the type of a method tells: absl::StatusOr<R> (or absl::Status) Class::Method(A...).
template <typename Method>
struct MethodTraits;
template <typename C, typename R, typename... A>
struct MethodTraits<absl::StatusOr<R> (C::*)(A...)> {
  using Class = C;
  using Arguments = std::tuple<std::remove_cvref_t<A>...>;
  using Response = R;
};
template <typename C, typename... A>
struct MethodTraits<absl::Status (C::*)(A...)> {
  using Class = C;
  using Arguments = std::tuple<std::remove_cvref_t<A>...>;
  using Response = conduit::Nothing;
};

// One line of the table; also the command's declaration.
template <ActionName kName, auto kTheMethod, conduit::Effect kEffect>
struct Action {
  static constexpr auto kMethod = kTheMethod;
  using Class = typename MethodTraits<decltype(kTheMethod)>::Class;

  static constexpr conduit::CommandInfo kInfo = {
      .name = kName.view(), .since = 1, .effect = kEffect};
  using Target = RemoteTarget;
  using Arguments = typename MethodTraits<decltype(kTheMethod)>::Arguments;
  using Response = typename MethodTraits<decltype(kTheMethod)>::Response;
  using Errors = StoreErrors;
};

// An argument or an answer whose member `payload` travels beside the call's JSON, as it is; an
// action has at most one of each.
template <typename T>
concept CarriesPayload = requires(T& value) {
  { value.payload } -> std::same_as<std::string&>;
};

template <typename... Actions>
struct ActionTable {};

inline constexpr conduit::Effect kReads = conduit::Effect::kRead;
inline constexpr conduit::Effect kRepeatable = conduit::Effect::kIdempotent;
inline constexpr conduit::Effect kWrites = conduit::Effect::kWrite;

using RemoteActions = ActionTable<
    Action<"home-info", &Home::Info, kReads>,
    Action<"home-list-children", &Home::ListChildren, kReads>,
    Action<"home-load-children", &Home::LoadChildren, kReads>,
    Action<"home-find-child", &Home::FindChild, kReads>,
    Action<"home-create-child", &Home::CreateChild, kWrites>,
    Action<"home-set-properties", &Home::SetProperties, kRepeatable>,
    Action<"home-rename-child", &Home::RenameChild, kWrites>,
    Action<"home-remove-child", &Home::RemoveChild, kWrites>,
    Action<"home-sync-token", &Home::SyncToken, kReads>,
    Action<"home-changes-since", &Home::ChangesSince, kReads>,
    Action<"home-invite", &Home::Invite, kRepeatable>,
    Action<"home-uninvite", &Home::Uninvite, kWrites>,
    Action<"home-list-shares", &Home::ListShares, kReads>,
    Action<"home-list-invitations", &Home::ListInvitations, kReads>,
    Action<"home-accept", &Home::Accept, kRepeatable>,
    Action<"home-decline", &Home::Decline, kRepeatable>,
    Action<"home-notifications", &Home::Notifications, kReads>,
    Action<"home-remove-notification", &Home::RemoveNotification, kWrites>,
    Action<"home-notification-changes", &Home::NotificationChangesSince, kReads>,
    Action<"home-delegates", &Home::Delegates, kReads>,
    Action<"home-set-delegate", &Home::SetDelegate, kRepeatable>,
    Action<"home-remove-delegate", &Home::RemoveDelegate, kWrites>,
    Action<"home-delegators", &Home::Delegators, kReads>,
    Action<"collections-free-busy-sources", &PodCollections::FreeBusySources, kReads>,
    Action<"collections-busy-time", &PodCollections::BusyTime, kReads>,
    Action<"collections-sync-tokens", &PodCollections::SyncTokens, kReads>,
    Action<"homechild-list-objects", &HomeChild::ListObjects, kReads>,
    Action<"homechild-count-objects", &HomeChild::CountObjects, kReads>,
    Action<"homechild-load-objects", &HomeChild::LoadObjects, kReads>,
    Action<"homechild-load-objects-with-names", &HomeChild::LoadObjectsWithNames, kReads>,
    Action<"homechild-find-object", &HomeChild::FindObject, kReads>,
    Action<"homechild-name-for-uid", &HomeChild::NameForUid, kReads>,
    Action<"homechild-uid-for-name", &HomeChild::UidForName, kReads>,
    Action<"homechild-multiget", &HomeChild::Multiget, kReads>,
    Action<"homechild-texts", &HomeChild::Texts, kReads>,
    Action<"homechild-put-object", &HomeChild::PutObject, kWrites>,
    Action<"homechild-remove-object", &HomeChild::RemoveObject, kWrites>,
    Action<"homechild-write-objects", &HomeChild::WriteObjects, kWrites>,
    Action<"homechild-import", &HomeChild::Import, kRepeatable>,
    Action<"homechild-export", &HomeChild::Export, kReads>,
    Action<"homechild-move-object", &HomeChild::MoveObject, kWrites>,
    Action<"homechild-sync-token", &HomeChild::SyncToken, kReads>,
    Action<"homechild-changes-since", &HomeChild::ChangesSince, kReads>,
    Action<"homechild-search", &HomeChild::Search, kReads>,
    Action<"objectresource-text", &ObjectResource::Text, kReads>,
    Action<"objectresource-set-text", &ObjectResource::SetText, kWrites>,
    Action<"objectresource-remove", &ObjectResource::Remove, kWrites>,
    Action<"objectresource-upload-part", &ObjectResource::UploadAttachmentPart, kRepeatable>,
    Action<"objectresource-write-attachment", &ObjectResource::WriteAttachment, kWrites>,
    Action<"objectresource-remove-attachment", &ObjectResource::RemoveAttachment, kWrites>,
    Action<"objectresource-list-attachments", &ObjectResource::ListAttachments, kReads>,
    Action<"objectresource-attachment-part", &ObjectResource::ReadAttachmentPart, kReads>>;

namespace internal {

template <auto kMethod>
struct MethodConstant {};

// The line of the table for a method. Compared as types, because pointers to virtual methods do not
// compare at compile time.
template <auto kMethod, typename Table>
struct FindAction {
  static_assert(!std::is_same_v<Table, ActionTable<>>, "this method is not in RemoteActions");
};
template <auto kMethod, typename First, typename... Rest>
struct FindAction<kMethod, ActionTable<First, Rest...>>
    : std::conditional_t<std::is_same_v<MethodConstant<kMethod>, MethodConstant<First::kMethod>>,
                         std::type_identity<First>, FindAction<kMethod, ActionTable<Rest...>>> {};

}  // namespace internal

// The action that stands for a method.
template <auto kMethod>
using ActionOf = typename internal::FindAction<kMethod, RemoteActions>::type;

}  // namespace podkit::store
