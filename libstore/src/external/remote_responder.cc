#include "external/remote_responder.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "answers/answer_keeper.h"
#include "changes/change_notifier.h"
#include "common/status_macros.h"
#include "external/remote_actions.h"
#include "internal/internal_home.h"
#include "internal/internal_home_child.h"
#include "messages/message.h"
#include "operations/operation_counters.h"
#include "podkit/store/errors.h"
#include "purge/home_purge.h"
#include "sharing/share_messages.h"
#include "sharing/share_reconciler.h"
#include "sharing/share_sides.h"

namespace podkit::store {
namespace {

// The calling pod speaks for those who live on it, and for nobody else unless it is trusted to.
absl::Status CheckCaller(const Context& context, const conduit::CallContext& call,
                         const std::string& actor) {
  if (call.caller->acts_for_any_user) return absl::OkStatus();
  if (actor.empty()) {
    return MakeError(AccessDenied{},
                     fmt::format("pod '{}' may not act as operator here", call.caller->id));
  }
  PODKIT_ASSIGN_OR_RETURN(const std::string pod, PodOf(context, actor));
  if (pod == call.caller->id) return absl::OkStatus();
  return MakeError(AccessDenied{.actor = actor},
                   fmt::format("'{}' does not live on pod '{}'", actor, call.caller->id));
}

// Finds the object that an action is for. Only ever the internal family: a responder does not call
// other pods.
template <typename Object>
struct Resolve;

template <>
struct Resolve<Home> {
  static absl::StatusOr<std::unique_ptr<Home>> Find(const Context& context,
                                                    const std::string& actor,
                                                    const RemoteTarget& target,
                                                    AnswerKeeper keeper) {
    return InternalHome::Open(context, target.homeUID, actor, keeper);
  }
};

template <>
struct Resolve<PodCollections> {
  static absl::StatusOr<std::unique_ptr<PodCollections>> Find(const Context& context,
                                                              const std::string& actor,
                                                              const RemoteTarget& /*target*/,
                                                              AnswerKeeper /*keeper*/) {
    return MakeInternalPodCollections(context, actor);
  }
};

template <>
struct Resolve<HomeChild> {
  static absl::StatusOr<std::unique_ptr<HomeChild>> Find(const Context& context,
                                                         const std::string& actor,
                                                         const RemoteTarget& target,
                                                         AnswerKeeper keeper) {
    if (target.homeChildID.empty()) {
      return MakeError(InvalidRequest{}, "the request names no collection (homeChildID)");
    }
    PODKIT_ASSIGN_OR_RETURN(auto store, context.stores->GetExisting(target.homeUID));
    CollectionInfo info = {.id = target.homeChildID,
                           .owner_uid = target.homeUID,
                           .viewer_uid = actor,
                           .name = target.homeChildID,
                           .share_uid = target.homeChildSharedID};
    return MakeInternalHomeChild(std::move(store), std::move(info),
                                 {.uid = actor,
                                  .share_uid = target.homeChildSharedID,
                                  .delegate_uid = target.delegateUID,
                                  .read_only = target.readOnly,
                                  .directory = context.directory.get()},
                                 context.options, keeper);
  }
};

template <>
struct Resolve<ObjectResource> {
  static absl::StatusOr<std::unique_ptr<ObjectResource>> Find(const Context& context,
                                                              const std::string& actor,
                                                              const RemoteTarget& target,
                                                              AnswerKeeper keeper) {
    if (target.objectResourceID.empty()) {
      return MakeError(InvalidRequest{}, "the request names no object (objectResourceID)");
    }
    PODKIT_ASSIGN_OR_RETURN(const auto child,
                            Resolve<HomeChild>::Find(context, actor, target, keeper));
    return child->ObjectWith({.id = target.objectResourceID});
  }
};

template <typename T>
void TakePayload(const conduit::CallContext& call, T* argument) {
  if constexpr (CarriesPayload<T>) argument->payload = std::string(call.payload);
}

// Does what the action says to the home, which lives here.
template <typename TheAction>
auto Perform(const Context& context, const conduit::CallContext& call, const RemoteTarget& target,
             typename TheAction::Arguments arguments)
    -> absl::StatusOr<typename TheAction::Response> {
  PODKIT_ASSIGN_OR_RETURN(const auto object, Resolve<typename TheAction::Class>::Find(
                                                 context, call.actor, target,
                                                 AnswerKeeper(context.answers.get(), call.keyed)));
  std::apply([&](auto&... argument) { (TakePayload(call, &argument), ...); }, arguments);
  auto answer = std::apply(
      [&](const auto&... argument) {
        return context.operations->Call<TheAction>(*object, argument...);
      },
      arguments);
  if constexpr (std::is_same_v<decltype(answer), absl::Status>) {
    if (!answer.ok()) return answer;
    return conduit::Nothing{};
  } else {
    return answer;
  }
}

template <typename TheAction>
auto Respond(const Context& context, const conduit::CallContext& call, const RemoteTarget& target,
             const typename TheAction::Arguments& arguments)
    -> absl::StatusOr<typename TheAction::Response> {
  PODKIT_RETURN_IF_ERROR(CheckCaller(context, call, call.actor));
  PODKIT_RETURN_IF_ERROR(CheckHomeIsHere(context, target.homeUID));
  auto answer = context.operations->Run<TheAction>(
      [&] { return Perform<TheAction>(context, call, target, arguments); });
  if constexpr (CarriesPayload<typename TheAction::Response>) {
    if (answer.ok()) *call.reply_payload = std::move(answer->payload);
  }
  return answer;
}

template <typename... Actions>
void RegisterAll(const Context& context, conduit::Conduit& conduit, ActionTable<Actions...>) {
  const auto add = [&]<typename TheAction>(std::type_identity<TheAction>) {
    // What is idempotent is simply done again.
    constexpr bool kKeyed = TheAction::kInfo.effect == conduit::Effect::kWrite;
    conduit.Handle<TheAction>(
        [&context](const conduit::CallContext& call, const RemoteTarget& target,
                   const typename TheAction::Arguments& arguments) {
          return Respond<TheAction>(context, call, target, arguments);
        },
        {.answers = kKeyed ? context.answers.get() : nullptr});
  };
  (add(std::type_identity<Actions>()), ...);
}

absl::Status TakeMessage(const Context& context, const conduit::CallContext& call,
                         const DeliverMessage::Target& target,
                         const DeliverMessage::Arguments& arguments) {
  // No pod brings messages from users of another, trusted or not.
  PODKIT_ASSIGN_OR_RETURN(const std::string pod, PodOf(context, arguments.from));
  if (pod != call.caller->id) {
    return MakeError(
        AccessDenied{.actor = arguments.from},
        fmt::format("'{}' does not live on pod '{}'", arguments.from, call.caller->id));
  }
  PODKIT_RETURN_IF_ERROR(CheckHomeIsHere(context, target.homeUID));
  return ReceiveMessage(context, {.id = arguments.id,
                                  .from_uid = arguments.from,
                                  .to_uid = target.homeUID,
                                  .kind = arguments.kind,
                                  .body = arguments.body});
}

}  // namespace

absl::Status ReceiveMessage(const Context& context, const Message& message) {
  const std::string& uid = message.to_uid;
  if (context.stores->IsPurging(uid)) return ReceiveWhilePurging(context, message);
  // No home is made for the sake of what it does not have.
  if (OnlyTakesAway(message) && !context.stores->HasHome(uid)) return absl::OkStatus();
  PODKIT_ASSIGN_OR_RETURN(const auto store, OpenHomeStore(context, uid));
  return store->Write(
      [&](Database& database) { return ReceiveOnce(database, context.Now(), message); });
}

void RegisterRemoteActions(const Context& context, conduit::Conduit& conduit) {
  RegisterAll(context, conduit, RemoteActions());
  conduit.Handle<DeliverMessage>([&context](const conduit::CallContext& call,
                                            const DeliverMessage::Target& target,
                                            const DeliverMessage::Arguments& arguments) {
    return TakeMessage(context, call, target, arguments);
  });
  conduit.Handle<CollectionChanged>([&context](const conduit::CallContext& call,
                                               const CollectionChanged::Target& target,
                                               const conduit::Nothing&) {
    return context.notifier->Receive(
        call, {.owner_uid = target.homeUID, .collection_id = target.homeChildID});
  });
  conduit.Handle<CompareShares>(
      [&context](const conduit::CallContext& call, const CompareShares::Arguments& arguments) {
        return context.reconciler->Receive(call, arguments.sides);
      });
}

}  // namespace podkit::store
