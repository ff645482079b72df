#include "servers/podd/admin_api.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "servers/common/operator_token.h"
#include "servers/common/request_check.h"
#include "servers/common/status_to_http.h"
#include "servers/podd/admin_call.h"

namespace podkit::servers {
namespace {

// The pod.

AdminAnswer GetStatus(const AdminCall& call) { return Value(StatusOf(call.pod())); }

AdminAnswer ListPods(const AdminCall& call) {
  const conduit::Pods& pods = call.pod().conduit->pods();
  std::vector<PodEntry> entries;
  for (const auto& pod : pods.All()) {
    entries.push_back({.id = pod->id,
                       .hosts = pod->hosts,
                       .own = pod->id == pods.own_id(),
                       .acts_for_any_user = pod->acts_for_any_user});
  }
  return Member("pods", entries);
}

AdminAnswer ListPodHosts(const AdminCall& call) { return Member("hosts", ListHosts(call.pod())); }

AdminAnswer PingPods(const AdminCall& call) { return Member("pings", PingAll(call.pod().conduit)); }

AdminAnswer PingPod(const AdminCall& call) {
  const std::string id = call.Param("pod");
  if (call.pod().conduit->pods().Find(id) == nullptr) {
    return absl::NotFoundError(fmt::format("the pods file has no pod '{}'", id));
  }
  return Value(Ping(call.pod().conduit, id));
}

AdminAnswer ListUsers(const AdminCall& call) {
  std::vector<UserEntry> entries;
  const std::vector<store::User> users = call.store().directory().All();
  entries.reserve(users.size());
  for (const store::User& user : users) {
    entries.push_back({.uid = user.uid, .name = user.name, .pod = user.pod});
  }
  return Member("users", entries);
}

AdminAnswer ListGroups(const AdminCall& call) {
  const store::UserDirectory& directory = call.store().directory();
  std::vector<GroupEntry> entries;
  for (store::Group& group : directory.AllGroups()) {
    const auto users = static_cast<int64_t>(directory.UsersIn(group.id).size());
    entries.push_back({.id = std::move(group.id),
                       .name = std::move(group.name),
                       .members = std::move(group.members),
                       .users = users});
  }
  return Member("groups", entries);
}

AdminAnswer ListMessages(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto pending, call.store().PendingMessages());
  std::vector<MessageEntry> entries;
  entries.reserve(pending.size());
  for (const store::PendingMessage& message : pending) {
    entries.push_back({.id = message.id,
                       .from = message.from_uid,
                       .to = message.to_uid,
                       .pod = message.pod,
                       .kind = message.kind,
                       .attempts = message.attempts,
                       .created = message.created,
                       .next_attempt = message.next_attempt,
                       .last_error = message.last_error});
  }
  return Member("messages", entries);
}

AdminAnswer ReconcileShares(const AdminCall& call) {
  constexpr int64_t kHomes = 100;
  constexpr int64_t kMostHomes = 1000;
  const std::string homes = call.Query("homes");
  const auto number = homes.empty() ? std::optional<int64_t>(kHomes) : ParseNumber(homes);
  if (!number || *number < 1 || *number > kMostHomes) {
    return store::MakeError(store::InvalidRequest{},
                            fmt::format("homes: give 1 to {}", kMostHomes));
  }
  return Value(call.store().ReconcileShares(call.Query("after"), *number));
}

AdminAnswer ListHomes(const AdminCall& call) { return Member("homes", call.store().ListHomes()); }

// A home.

AdminAnswer GetHome(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Value(home->Info());
}

AdminAnswer CheckHome(const AdminCall& call) {
  return Value(call.store().CheckHome(call.Param("home")));
}

AdminAnswer GetHomeToken(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Member("sync_token", home->SyncToken());
}

AdminAnswer GetHomeChanges(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const bool whole, call.WholeDepth());
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Value(home->ChangesSince(call.Query("since"), whole));
}

AdminAnswer ListInvitations(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Member("invitations", home->ListInvitations());
}

AdminAnswer AcceptInvitation(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto acceptance, call.Body<Acceptance>());
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Value(home->Accept(call.Param("share"), acceptance.name));
}

AdminAnswer DeclineInvitation(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Done(home->Decline(call.Param("share")));
}

AdminAnswer ListNotifications(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Member("notifications", home->Notifications());
}

AdminAnswer RemoveNotification(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Done(home->RemoveNotification(call.Param("notification")));
}

AdminAnswer GetSyncTokens(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Member("tokens", home->SyncTokens());
}

AdminAnswer GetFreeBusy(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto query, call.BusyQuery());
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Value(home->FindFreeBusy(query));
}

AdminAnswer ListDelegates(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Member("delegates", home->Delegates());
}

AdminAnswer SetDelegate(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto terms, call.Body<DelegateTerms>());
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Value(home->SetDelegate(call.Param("principal"), terms.access));
}

AdminAnswer RemoveDelegate(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Done(home->RemoveDelegate(call.Param("principal")));
}

AdminAnswer ListDelegators(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Member("delegators", home->Delegators());
}

// A collection.

AdminAnswer ListCollections(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Member("collections", home->LoadChildren());
}

// A store takes any text for a color, because clients send what they like; people do not.
absl::Status CheckColor(const store::CollectionProperties& properties) {
  const std::string fault = ColorFault(properties.color.value_or(""));
  if (fault.empty()) return absl::OkStatus();
  return store::MakeError(store::InvalidRequest{}, fmt::format("color: {}", fault));
}

AdminAnswer CreateCollection(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto collection, call.Body<NewCollection>());
  PODKIT_RETURN_IF_ERROR(CheckColor(collection.properties));
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Value(home->CreateChild(collection.name, collection.properties), 201);
}

AdminAnswer GetCollection(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  return Value(child->info());
}

AdminAnswer ChangeCollection(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto change, call.Body<CollectionChange>());
  if (change.properties) PODKIT_RETURN_IF_ERROR(CheckColor(*change.properties));
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  const std::string name = call.Param("collection");
  if (!change.name && !change.properties) {
    return Value(home->FindChild({.name = name, .id = {}, .share_uid = {}}));
  }
  auto info = change.properties ? home->SetProperties(name, *change.properties)
                                : home->RenameChild(name, *change.name);
  if (info.ok() && change.properties && change.name) info = home->RenameChild(name, *change.name);
  return Value(info);
}

AdminAnswer RemoveCollection(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Done(home->RemoveChild(call.Param("collection")));
}

AdminAnswer GetToken(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  return Member("sync_token", child->SyncToken());
}

AdminAnswer GetChanges(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  return Value(child->ChangesSince(call.Query("since")));
}

AdminAnswer Search(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto query, call.SearchQuery());
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  return Member("objects", child->Search(query));
}

HttpResponse Calendar(std::string text) {
  return {.status = 200,
          .headers = {{"Content-Type", "text/calendar; charset=utf-8"}},
          .body = std::move(text)};
}

AdminAnswer Export(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  PODKIT_ASSIGN_OR_RETURN(auto text, child->Export());
  return Calendar(std::move(text.data));
}

AdminAnswer Import(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  return Value(child->Import({call.body()}));
}

AdminAnswer ListShares(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Member("shares", home->ListShares(call.Param("collection")));
}

AdminAnswer Invite(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto invitation, call.Body<Invitation>());
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Value(home->Invite(call.Param("collection"), call.Param("viewer"), invitation.access,
                            invitation.summary));
}

AdminAnswer Uninvite(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  return Done(home->Uninvite(call.Param("collection"), call.Param("viewer")));
}

// An object.

AdminAnswer ListObjects(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  return Member("objects", child->LoadObjects());
}

AdminAnswer GetObject(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto key, call.Object());
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  return Value(child->FindObject(key));
}

AdminAnswer GetText(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto key, call.Object());
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  PODKIT_ASSIGN_OR_RETURN(const auto object, child->ObjectWith(key));
  // The ETag is known before the text is read: should the text be newer, a write under this ETag is
  // refused.
  const std::string etag = object->info().etag;
  PODKIT_ASSIGN_OR_RETURN(auto text, object->Text());
  HttpResponse response = Calendar(std::move(text.data));
  response.headers.emplace_back("ETag", fmt::format("\"{}\"", etag));
  return response;
}

AdminAnswer PutText(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto condition, call.Condition());
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  const auto result = child->PutObject(call.Param("object"), {call.body()}, condition);
  return Value(result, result.ok() && result->created ? 201 : 200);
}

AdminAnswer RemoveObject(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto condition, call.Condition());
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  return Done(child->RemoveObject(call.Param("object"), condition));
}

AdminAnswer MoveObject(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto move, call.Body<Move>());
  PODKIT_ASSIGN_OR_RETURN(const auto home, call.Home());
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  PODKIT_ASSIGN_OR_RETURN(const auto target,
                          home->FindChild({.name = move.collection, .id = {}, .share_uid = {}}));
  const std::string name = call.Param("object");
  return Value(child->MoveObject(name, target.id, move.name.empty() ? name : move.name));
}

// Attachments of an object. A request brings or fetches one part, so that none is large.

absl::StatusOr<std::unique_ptr<store::ObjectResource>> ObjectOf(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto key, call.Object());
  PODKIT_ASSIGN_OR_RETURN(const auto child, call.Child());
  return child->ObjectWith(key);
}

AdminAnswer ListAttachments(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto object, ObjectOf(call));
  return Member("attachments", object->ListAttachments());
}

AdminAnswer UploadAttachmentPart(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t offset, call.Offset());
  PODKIT_ASSIGN_OR_RETURN(const auto object, ObjectOf(call));
  return Value(object->UploadAttachmentPart({.offset = offset, .payload = call.body()}));
}

AdminAnswer WriteAttachment(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto write, call.Body<store::AttachmentWrite>());
  PODKIT_ASSIGN_OR_RETURN(const auto object, ObjectOf(call));
  return Value(object->WriteAttachment(write), 201);
}

AdminAnswer RemoveAttachment(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto condition, call.Condition());
  PODKIT_ASSIGN_OR_RETURN(const auto object, ObjectOf(call));
  return Value(object->RemoveAttachment(call.Param("attachment"), call.Instances(), condition));
}

AdminAnswer ReadAttachmentPart(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t offset, call.Offset());
  PODKIT_ASSIGN_OR_RETURN(const auto object, ObjectOf(call));
  PODKIT_ASSIGN_OR_RETURN(auto part, object->ReadAttachmentPart(call.Param("attachment"), offset));
  // Whatever it is, no browser shows it as a page of this server.
  return HttpResponse{.status = 200,
                      .headers = {{"Content-Type", "application/octet-stream"},
                                  {"X-Content-Type-Options", "nosniff"}},
                      .body = std::move(part.payload)};
}

AdminAnswer CollectOrphans(const AdminCall& call) {
  return Value(call.store().CollectOrphans(call.Param("home")));
}

// The operator's alone: no parameter names somebody in whose name.
AdminAnswer PurgeHome(const AdminCall& call) {
  PODKIT_ASSIGN_OR_RETURN(const auto confirmation, call.Body<PurgeConfirmation>());
  if (confirmation.confirm != call.Param("home")) {
    return store::MakeError(store::InvalidRequest{},
                            fmt::format("confirm: give the uid '{}' once more: the home goes for "
                                        "ever, and nothing was done yet",
                                        call.Param("home")));
  }
  PODKIT_ASSIGN_OR_RETURN(const auto purged, call.store().PurgeHome(call.Param("home")));
  return Value(purged, purged.gone ? 200 : 202);
}

AdminAnswer DisableHome(const AdminCall& call) {
  return Value(call.store().DisableHome(call.Param("home")));
}

AdminAnswer EnableHome(const AdminCall& call) {
  return Done(call.store().EnableHome(call.Param("home")));
}

struct AdminRoute {
  std::string_view method;
  std::string_view path;  // Below kAdminPath.
  AdminAnswer (*handler)(const AdminCall&);
  std::string_view parameters = "actor";  // Of the query, with spaces between them.
};

constexpr AdminRoute kRoutes[] = {
    {"GET", "/status", GetStatus},
    {"GET", "/pods", ListPods},
    {"GET", "/hosts", ListPodHosts},
    {"POST", "/pings", PingPods},
    {"POST", "/pods/{pod}/ping", PingPod},
    {"GET", "/users", ListUsers},
    {"GET", "/groups", ListGroups},
    {"GET", "/messages", ListMessages},
    {"POST", "/reconcile-shares", ReconcileShares, "actor after homes"},
    {"GET", "/homes", ListHomes},
    {"GET", "/homes/{home}", GetHome},
    {"POST", "/homes/{home}/check", CheckHome},
    {"POST", "/homes/{home}/collect-orphans", CollectOrphans},
    {"POST", "/homes/{home}/disable", DisableHome, ""},
    {"POST", "/homes/{home}/enable", EnableHome, ""},
    {"POST", "/homes/{home}/purge", PurgeHome, ""},
    {"GET", "/homes/{home}/token", GetHomeToken},
    {"GET", "/homes/{home}/changes", GetHomeChanges, "actor since depth"},
    {"GET", "/homes/{home}/invitations", ListInvitations},
    {"POST", "/homes/{home}/invitations/{share}/accept", AcceptInvitation},
    {"POST", "/homes/{home}/invitations/{share}/decline", DeclineInvitation},
    {"GET", "/homes/{home}/notifications", ListNotifications},
    {"DELETE", "/homes/{home}/notifications/{notification}", RemoveNotification},
    {"GET", "/homes/{home}/tokens", GetSyncTokens},
    {"GET", "/homes/{home}/free-busy", GetFreeBusy, "actor start end time_zone"},
    {"GET", "/homes/{home}/delegates", ListDelegates},
    {"PUT", "/homes/{home}/delegates/{principal}", SetDelegate},
    {"DELETE", "/homes/{home}/delegates/{principal}", RemoveDelegate},
    {"GET", "/homes/{home}/delegators", ListDelegators},
    {"GET", "/homes/{home}/collections", ListCollections},
    {"POST", "/homes/{home}/collections", CreateCollection},
    {"GET", "/homes/{home}/collections/{collection}", GetCollection},
    {"PATCH", "/homes/{home}/collections/{collection}", ChangeCollection},
    {"DELETE", "/homes/{home}/collections/{collection}", RemoveCollection},
    {"GET", "/homes/{home}/collections/{collection}/token", GetToken},
    {"GET", "/homes/{home}/collections/{collection}/changes", GetChanges, "actor since"},
    {"GET", "/homes/{home}/collections/{collection}/search", Search,
     "actor component start end time_zone"},
    {"GET", "/homes/{home}/collections/{collection}/export", Export},
    {"POST", "/homes/{home}/collections/{collection}/import", Import},
    {"GET", "/homes/{home}/collections/{collection}/shares", ListShares},
    {"PUT", "/homes/{home}/collections/{collection}/shares/{viewer}", Invite},
    {"DELETE", "/homes/{home}/collections/{collection}/shares/{viewer}", Uninvite},
    {"GET", "/homes/{home}/collections/{collection}/objects", ListObjects},
    {"GET", "/homes/{home}/collections/{collection}/objects/{object}", GetObject, "actor by"},
    {"GET", "/homes/{home}/collections/{collection}/objects/{object}/text", GetText, "actor by"},
    {"PUT", "/homes/{home}/collections/{collection}/objects/{object}/text", PutText},
    {"DELETE", "/homes/{home}/collections/{collection}/objects/{object}", RemoveObject},
    {"POST", "/homes/{home}/collections/{collection}/objects/{object}/move", MoveObject},
    {"GET", "/homes/{home}/collections/{collection}/objects/{object}/attachments", ListAttachments,
     "actor by"},
    {"POST", "/homes/{home}/collections/{collection}/objects/{object}/attachment-parts",
     UploadAttachmentPart, "actor by offset"},
    {"POST", "/homes/{home}/collections/{collection}/objects/{object}/attachments", WriteAttachment,
     "actor by"},
    {"GET", "/homes/{home}/collections/{collection}/objects/{object}/attachments/{attachment}",
     ReadAttachmentPart, "actor by offset"},
    {"DELETE", "/homes/{home}/collections/{collection}/objects/{object}/attachments/{attachment}",
     RemoveAttachment, "actor by instances"},
};

HttpResponse Answer(const PodServices& pod, const AdminApiOptions& options, const AdminRoute& route,
                    const HttpRequest& request) {
  if (!IsOperator(request, options.token)) return AskForToken();
  const absl::Time start = absl::Now();
  const AdminCall call(pod, request);
  const absl::Status good = CheckRequest(request, route.parameters);
  AdminAnswer answer = good.ok()
                           ? route.handler(call)
                           : store::MakeError(store::InvalidRequest{}, std::string(good.message()));
  HttpResponse response = answer.ok() ? *std::move(answer) : ErrorResponse(answer.status());
  if (options.log) {
    options.log(fmt::format("{} {} actor '{}': {} in {:.1f} ms", request.method, request.path(),
                            call.Query("actor"), response.status,
                            absl::ToDoubleMilliseconds(absl::Now() - start)));
  }
  return response;
}

}  // namespace

absl::Status AddAdminApi(const PodServices& pod, const AdminApiOptions& options, Router* router) {
  for (const AdminRoute& route : kRoutes) {
    PODKIT_RETURN_IF_ERROR(router->Add(route.method, fmt::format("{}{}", kAdminPath, route.path),
                                       [pod, options, &route](const HttpRequest& request) {
                                         return Answer(pod, options, route, request);
                                       }));
  }
  return absl::OkStatus();
}

}  // namespace podkit::servers
