#include "podkit/store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "attachments/chunk_folder.h"
#include "attachments/chunks.h"
#include "attachments/orphan_collector.h"
#include "changes/change_notifier.h"
#include "common/status_macros.h"
#include "context.h"
#include "external/external_home.h"
#include "external/external_home_child.h"
#include "external/remote_responder.h"
#include "home_rounds.h"
#include "internal/integrity.h"
#include "internal/internal_home.h"
#include "internal/internal_home_child.h"
#include "messages/message.h"
#include "operations/counted.h"
#include "operations/operation_counters.h"
#include "podkit/store/errors.h"
#include "purge/home_purge.h"
#include "sharing/share_reconciler.h"

namespace podkit::store {
namespace {

// Brings a message to its receiver's home, here or on another pod.
absl::Status Carry(const Context& context, const Message& message) {
  PODKIT_ASSIGN_OR_RETURN(const std::string pod, PodOf(context, message.to_uid));
  if (pod == context.pod_id) return ReceiveMessage(context, message);
  if (context.conduit == nullptr) {
    return absl::UnavailableError(fmt::format("this pod is not connected to pod '{}'", pod));
  }
  return context.conduit
      ->CallTarget<DeliverMessage>(
          pod, {.homeUID = message.to_uid},
          {.id = message.id, .from = message.from_uid, .kind = message.kind, .body = message.body},
          {.timeout = context.options.call_timeout})
      .status();
}

// What is done about every home in the background.
std::unique_ptr<HomeRounds> MakeRounds(Context& context) {
  const auto visit = [](auto* worker) {
    return [worker](const std::vector<std::string>& uids, const std::stop_token& stop) {
      worker->Visit(uids, stop);
    };
  };
  return std::make_unique<HomeRounds>(
      context, std::vector<HomeRounds::Visit>{visit(context.reconciler.get()),
                                              visit(context.orphan_collector.get())});
}

// Parts of files that are on their way are not collected, however slow everything is.
absl::Status CheckGrace(absl::Duration grace) {
  if (grace >= 2 * kUploadLife) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("orphan_grace: give at least {}, not {}",
                                                absl::FormatDuration(2 * kUploadLife),
                                                absl::FormatDuration(grace)));
}

absl::Status CheckOptions(const StoreOptions& options) {
  PODKIT_RETURN_IF_ERROR(CheckGrace(options.orphan_grace));
  if (IsValidAttachmentUri(options.attachment_uri)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("attachment_uri: '{}' is no URI to go on with '/'", options.attachment_uri));
}

}  // namespace

bool IsValidAttachmentUri(std::string_view uri) {
  static constexpr std::string_view kNotInUris = "\"<>\\^`{|}";
  const size_t scheme = uri.find(':');
  if (scheme == 0 || scheme == std::string_view::npos) return false;
  if (uri.size() > 1024 || uri.ends_with('/')) return false;
  if (!absl::ascii_isalpha(static_cast<unsigned char>(uri.front()))) return false;
  return std::ranges::all_of(uri, [](char c) {
    return c > ' ' && c < '\x7F' && kNotInUris.find(c) == std::string_view::npos;
  });
}

absl::StatusOr<std::string> PodOf(const Context& context, const std::string& uid) {
  PODKIT_ASSIGN_OR_RETURN(User user, context.directory->Find(uid));
  return std::move(user.pod);
}

absl::StatusOr<std::unique_ptr<HomeChild>> OpenChild(const Context& context, CollectionInfo info,
                                                     const Actor& actor) {
  PODKIT_ASSIGN_OR_RETURN(const std::string pod, PodOf(context, info.owner_uid));
  if (pod != context.pod_id) {
    return std::make_unique<ExternalHomeChild>(context, std::move(info), actor);
  }
  PODKIT_ASSIGN_OR_RETURN(auto store, context.stores->GetExisting(info.owner_uid));
  return Counted(*context.operations,
                 MakeInternalHomeChild(std::move(store), std::move(info), actor, context.options));
}

Context::Context() = default;
Context::~Context() = default;

struct Store::Impl {
  Context context;
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Open(StoreOptions options,
                                                   std::shared_ptr<const UserDirectory> directory,
                                                   conduit::Conduit* conduit, std::string pod_id) {
  PODKIT_RETURN_IF_ERROR(CheckOptions(options));
  PODKIT_ASSIGN_OR_RETURN(auto stores, UserStores::Open({.folder = options.folder,
                                                         .pod_id = pod_id,
                                                         .max_open_files = options.max_open_files,
                                                         .now = options.now}));
  if (!options.chunks) options.chunks = MakeChunkFolder(options.folder + "/users", options.now);
  auto impl = std::make_unique<Impl>();
  Context& context = impl->context;
  context.options = std::move(options);
  context.pod_id = std::move(pod_id);
  context.directory = std::move(directory);
  context.conduit = conduit;
  context.stores = std::move(stores);
  context.answers = std::make_unique<StoreAnswers>(context.stores.get(), context.options.answers,
                                                   context.options.now);
  context.operations = std::make_unique<OperationCounters>(context.options.now);
  context.postman = std::make_unique<Postman>(
      context.stores.get(), context.options,
      PostmanRoutes{
          .pod_of = [&context](const std::string& uid) { return PodOf(context, uid).value_or(""); },
          .carry = [&context](const Message& message) { return Carry(context, message); },
          .emptied = [&context](const std::string& uid) { return FinishPurge(context, uid); }});
  context.notifier =
      std::make_unique<ChangeNotifier>(context, std::move(context.options.on_change));
  context.options.on_change = [&context](const CollectionChange& change) {
    context.notifier->Changed(change);
  };
  context.reconciler = std::make_unique<ShareReconciler>(context);
  context.orphan_collector = std::make_unique<OrphanCollector>(context);
  context.rounds = MakeRounds(context);
  if (conduit != nullptr) RegisterRemoteActions(context, *conduit);
  context.notifier->Start();
  PODKIT_RETURN_IF_ERROR(context.postman->Start());
  ResumePurges(context);
  std::unique_ptr<Store> store(new Store(std::move(impl)));
  const absl::Status followed = store->FollowGroups();
  if (!followed.ok() && context.options.log) {
    context.options.log(conduit::LogLevel::kWarning,
                        fmt::format("groups are not followed: {}", followed.ToString()));
  }
  context.rounds->Start();
  return store;
}

const std::string& Store::pod_id() const { return impl_->context.pod_id; }

const UserDirectory& Store::directory() const { return *impl_->context.directory; }

absl::StatusOr<std::unique_ptr<Home>> Store::HomeFor(const std::string& uid,
                                                     const std::string& actor) {
  const Context& context = impl_->context;
  if (!actor.empty()) PODKIT_RETURN_IF_ERROR(PodOf(context, actor).status());
  PODKIT_ASSIGN_OR_RETURN(const std::string pod, PodOf(context, uid));
  if (pod != context.pod_id) return std::make_unique<ExternalHome>(context, uid, actor);
  PODKIT_ASSIGN_OR_RETURN(auto home, context.operations->Run<OpenHome>(
                                         [&] { return InternalHome::Open(context, uid, actor); }));
  return Counted(*context.operations, std::move(home));
}

absl::Status Store::FollowGroups() {
  PODKIT_ASSIGN_OR_RETURN(const auto uids, impl_->context.stores->ListGroupUsers());
  absl::Status first;
  for (const std::string& uid : uids) {
    // One file that is damaged does not hold up the others.
    const absl::Status followed = store::FollowGroups(impl_->context, uid);
    if (!GetError<HomeDisabled>(followed)) first.Update(followed);
  }
  return first;
}

absl::StatusOr<HomeCheck> Store::CheckHome(const std::string& uid) {
  PODKIT_ASSIGN_OR_RETURN(const auto store, impl_->context.stores->GetExisting(uid));
  HomeCheck check;
  PODKIT_RETURN_IF_ERROR(store->Read([&](Database& database) -> absl::Status {
    PODKIT_ASSIGN_OR_RETURN(check.problems, FindDamage(database));
    return absl::OkStatus();
  }));
  PODKIT_RETURN_IF_ERROR(CheckChunks(*store, *impl_->context.options.chunks, &check));
  return check;
}

absl::StatusOr<CollectedOrphans> Store::CollectOrphans(const std::string& uid) {
  return impl_->context.orphan_collector->Collect(uid);
}

absl::StatusOr<ReconciledShares> Store::ReconcileShares(const std::string& after, int64_t homes) {
  return impl_->context.reconciler->Run(after, homes);
}

absl::StatusOr<PurgedHome> Store::PurgeHome(const std::string& uid) {
  return store::PurgeHome(impl_->context, uid);
}

absl::StatusOr<DisabledHome> Store::DisableHome(const std::string& uid) {
  PODKIT_RETURN_IF_ERROR(CheckHomeIsHere(impl_->context, uid));
  PODKIT_ASSIGN_OR_RETURN(const bool closed, impl_->context.stores->Disable(uid));
  return DisabledHome{.closed = closed};
}

absl::Status Store::EnableHome(const std::string& uid) {
  PODKIT_RETURN_IF_ERROR(CheckHomeIsHere(impl_->context, uid));
  PODKIT_RETURN_IF_ERROR(impl_->context.stores->Enable(uid));
  // The directory may have changed meanwhile.
  return store::FollowGroups(impl_->context, uid);
}

absl::StatusOr<std::vector<HomeInfo>> Store::ListHomes() {
  return impl_->context.stores->ListHomes();
}

absl::Time Store::DeliverMessages() {
  impl_->context.notifier->Flush();
  return impl_->context.postman->DeliverDue();
}

absl::StatusOr<std::vector<PendingMessage>> Store::PendingMessages() {
  return impl_->context.postman->Pending();
}

StoreStats Store::Stats() const {
  const Context& context = impl_->context;
  const UserStore::Counters counters = context.stores->counters();
  return {.homes_being_purged = static_cast<int64_t>(context.stores->ListPurging().size()),
          .homes_disabled = static_cast<int64_t>(context.stores->CountDisabled()),
          .open_files = static_cast<int64_t>(context.stores->open_files()),
          .reads = counters.reads,
          .writes = counters.writes,
          .commits = counters.commits,
          .messages_delivered = context.postman->delivered(),
          .messages_failed = context.postman->failed(),
          .shares_compared = context.reconciler->compared(),
          .shares_healed = context.reconciler->healed(),
          .orphans_collected = context.orphan_collector->collected(),
          .operations = context.operations->Get(),
          .attachments = context.operations->Attachments()};
}

}  // namespace podkit::store
