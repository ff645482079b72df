#include "servers/podd/pod_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/discovery.h"
#include "podkit/conduit/http_transport.h"
#include "podkit/conduit/links_or_http.h"
#include "podkit/conduit/mux_transport.h"
#include "podkit/conduit/pods.h"
#include "podkit/conduit/recorder.h"
#include "podkit/store/store.h"
#include "podkit/store/user_directory.h"
#include "servers/common/files.h"
#include "servers/common/log.h"
#include "servers/common/mount.h"
#include "servers/common/operator_token.h"
#include "servers/common/version.h"
#include "servers/http/http_server.h"
#include "servers/podd/admin_api.h"
#include "servers/podd/host_discovery.h"
#include "servers/podd/metrics.h"
#include "servers/podd/pod_services.h"
#include "servers/podd/users_file.h"

namespace podkit::servers {
namespace {

using Log = std::shared_ptr<spdlog::logger>;

absl::StatusOr<std::shared_ptr<conduit::Pods>> LoadPods(const PoddConfig& config) {
  if (!config.pods_file.empty()) return conduit::Pods::Load(config.pods_file, config.pod);
  conduit::Pod own;
  own.id = config.pod;
  PoddConfig reachable = config;
  if (reachable.listen.port == 0)
    reachable.listen.port = 1;  // Not known yet, and nobody else uses it.
  own.hosts = {reachable.url()};
  return conduit::Pods::Create({own}, config.pod);
}

// The users, whose pods are all among `pods`.
absl::StatusOr<std::shared_ptr<store::FileUserDirectory>> LoadUsers(const PoddConfig& config,
                                                                    const conduit::Pods& pods) {
  PODKIT_ASSIGN_OR_RETURN(auto users, LoadUsersFile(config.users_file));
  PODKIT_RETURN_IF_ERROR(CheckPodsOfUsers(*users, pods, config.users_file));
  return users;
}

conduit::ConduitOptions MakeConduitOptions(const PoddConfig& config, const Log& log) {
  conduit::ConduitOptions options;
  options.max_body_bytes = config.max_body_bytes;
  options.worker_threads = config.threads;
  options.log = ConduitLog(log);
  return options;
}

HttpServerOptions MakeHttpOptions(const PoddConfig& config, const Log& log) {
  HttpServerOptions options = ServingHttpOptions(config);
  options.max_body_bytes = config.max_body_bytes;
  options.log = HttpLog(log);
  return options;
}

absl::StatusOr<std::unique_ptr<conduit::MuxTransport>> MakeLinks(
    const PoddConfig& config, std::shared_ptr<conduit::Pods> pods, const Log& log) {
  conduit::MuxTransportOptions options;
  options.host_name = config.url();
  options.software_version = std::string(kVersion);
  options.max_body_bytes = config.max_body_bytes;
  options.on_event = LinkLog(log);
  return conduit::MuxTransport::Create(std::move(pods), std::move(options));
}

}  // namespace

// In the order in which they are made; each uses those above it.
struct PodServer::Parts {
  PoddConfig config;
  Log log;
  std::shared_ptr<conduit::Pods> pods;
  std::shared_ptr<store::FileUserDirectory> users;
  conduit::HttpTransport calls;
  std::unique_ptr<conduit::MuxTransport> links;
  std::unique_ptr<conduit::LinksOrHttp> either;
  std::shared_ptr<void> pods_log;
  std::shared_ptr<void> dials_new_hosts;
  std::unique_ptr<conduit::Discovery> discovery;  // May be null.
  std::unique_ptr<conduit::Conduit> conduit;
  std::unique_ptr<conduit::Recorder> recorder;  // May be null.
  std::unique_ptr<store::Store> store;
  PodServices services;
  std::atomic<const HttpServer*> http_counters = nullptr;  // Set once it serves.
  std::unique_ptr<HttpServer> http;

  // What became of each file.
  struct Reloaded {
    absl::Status pods;
    absl::Status users;
  };
  Reloaded ReloadFiles();
  conduit::Transport* TransportOf(const PoddConfig& wanted);
  absl::Status FindHosts();
  absl::Status OpenStore();
  absl::Status Record();
  void AnswerLink(conduit::ReceivedCall call);
  absl::Status Serve();
  absl::StatusOr<Router> MakeRouter();
  HttpResponse Metrics() const;
};

conduit::Transport* PodServer::Parts::TransportOf(const PoddConfig& wanted) {
  if (!wanted.calls_over_links) return &calls;
  if (!wanted.calls_over_http) return links.get();
  return either.get();
}

absl::Status PodServer::Parts::FindHosts() {
  pods_log = LogPodsChanges(*pods, log);
  if (config.calls_over_links) {
    dials_new_hosts = pods->Watch(
        [links = links.get()](const std::vector<conduit::PodsEvent>&) { links->ConnectAll(); });
  }
  if (!config.hosts_from.empty()) PODKIT_RETURN_IF_ERROR(MakeFolder(config.data));
  PODKIT_ASSIGN_OR_RETURN(discovery, MakeHostDiscovery(config, pods, log));
  if (discovery) discovery->Start();
  return absl::OkStatus();
}

absl::Status PodServer::Parts::OpenStore() {
  store::StoreOptions options = config.store;
  options.folder = config.data;
  options.log = conduit ? MakeConduitOptions(config, log).log : nullptr;
  PODKIT_ASSIGN_OR_RETURN(store, store::Store::Open(options, users, conduit.get(), config.pod));
  services = {.store = store.get(),
              .conduit = conduit.get(),
              .links = links.get(),
              .discovery = discovery.get(),
              .data_folder = config.data,
              .started = absl::Now()};
  return absl::OkStatus();
}

absl::Status PodServer::Parts::Record() {
  if (config.record.empty()) return absl::OkStatus();
  conduit::RecorderOptions options;
  options.log = ConduitLog(log);
  PODKIT_ASSIGN_OR_RETURN(recorder, conduit::Recorder::Open(config.record, std::move(options)));
  log->info("recording what other pods ask in '{}'", config.record);
  return absl::OkStatus();
}

void PodServer::Parts::AnswerLink(conduit::ReceivedCall call) {
  if (recorder == nullptr) return conduit->Answer(std::move(call));
  recorder->Answer(*conduit, std::move(call));
}

HttpResponse PodServer::Parts::Metrics() const {
  MetricsSnapshot snapshot{.pod = config.pod,
                           .commands = conduit->Stats(),
                           .keys = conduit->Keys(),
                           .hosts = ListHosts(services),
                           .store = store->Stats(),
                           .started = services.started};
  if (const auto homes = store->ListHomes(); homes.ok()) {
    snapshot.homes = static_cast<int64_t>(homes->size());
  }
  if (const HttpServer* server = http_counters) snapshot.http = server->counters();
  if (const auto pending = store->PendingMessages(); pending.ok()) {
    snapshot.pending_messages = static_cast<int64_t>(pending->size());
    for (const store::PendingMessage& message : *pending) {
      snapshot.oldest_pending = std::max(snapshot.oldest_pending, absl::Now() - message.created);
    }
  }
  return MetricsResponse(PodMetrics(snapshot));
}

absl::StatusOr<Router> PodServer::Parts::MakeRouter() {
  Router router;
  PODKIT_RETURN_IF_ERROR(MountHealth([this] { return Problems(services); },
                                     [this](const HttpRequest&) { return Metrics(); }, &router));
  PODKIT_RETURN_IF_ERROR(MountConduit(conduit.get(), links.get(), &router, recorder.get()));
  PODKIT_ASSIGN_OR_RETURN(const std::string token, ReadSecret(config.token_file));
  AdminApiOptions options{.token = token, .log = [log = log](std::string_view line) {
                            log->debug("admin: {}", OneLine(line));
                          }};
  PODKIT_RETURN_IF_ERROR(AddAdminApi(services, options, &router));
  return router;
}

absl::Status PodServer::Parts::Serve() {
  PODKIT_ASSIGN_OR_RETURN(Router router, MakeRouter());
  auto started = HttpServer::Start(MakeHttpOptions(config, log), std::move(router));
  if (absl::IsUnavailable(started.status())) {
    return absl::UnavailableError(
        fmt::format("{}; stop what listens there, or choose another address with --listen",
                    std::string(started.status().message())));
  }
  if (!started.ok()) return started.status();
  http = *std::move(started);
  http_counters = http.get();
  links->Serve([this](conduit::ReceivedCall call) { AnswerLink(std::move(call)); });
  if (config.calls_over_links) links->ConnectAll();
  return absl::OkStatus();
}

PodServer::PodServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

PodServer::~PodServer() { Stop(absl::ZeroDuration()); }

absl::Status PodServer::Check(const PoddConfig& config) {
  PODKIT_ASSIGN_OR_RETURN(const auto pods, LoadPods(config));
  PODKIT_RETURN_IF_ERROR(LoadUsers(config, *pods).status());
  PODKIT_RETURN_IF_ERROR(CheckTlsFiles(config));
  PODKIT_RETURN_IF_ERROR(CheckHostsFrom(config));
  return CheckToken(config.token_file, config.data, "podd");
}

absl::StatusOr<std::unique_ptr<PodServer>> PodServer::Start(const PoddConfig& config,
                                                            std::shared_ptr<spdlog::logger> log) {
  PODKIT_RETURN_IF_ERROR(Check(config));
  auto parts = std::make_unique<Parts>();
  parts->config = config;
  parts->log = std::move(log);
  PODKIT_ASSIGN_OR_RETURN(parts->pods, LoadPods(config));
  PODKIT_ASSIGN_OR_RETURN(parts->users, LoadUsers(config, *parts->pods));
  PODKIT_ASSIGN_OR_RETURN(parts->links, MakeLinks(config, parts->pods, parts->log));
  parts->either = std::make_unique<conduit::LinksOrHttp>(parts->links.get(), &parts->calls);
  parts->conduit = std::make_unique<conduit::Conduit>(parts->pods, parts->TransportOf(config),
                                                      MakeConduitOptions(config, parts->log));
  PODKIT_RETURN_IF_ERROR(parts->FindHosts());
  PODKIT_RETURN_IF_ERROR(parts->OpenStore());
  PODKIT_RETURN_IF_ERROR(parts->Record());
  if (OwnsToken(config.token_file, config.data))
    PODKIT_RETURN_IF_ERROR(EnsureSecret(config.token_file));
  PODKIT_RETURN_IF_ERROR(parts->Serve());
  return std::unique_ptr<PodServer>(new PodServer(std::move(parts)));
}

uint16_t PodServer::port() const { return parts_->http->port(); }

PodServer::Parts::Reloaded PodServer::Parts::ReloadFiles() {
  // Checked together as they would be afterwards; a file that is wrong stays as it was.
  const auto next_pods = LoadPods(config);
  const auto next_users = LoadUsersFile(config.users_file);
  Reloaded result{.pods = next_pods.status(), .users = next_users.status()};
  const absl::Status both =
      CheckPodsOfUsers(next_users.ok() ? **next_users : *users,
                       next_pods.ok() ? **next_pods : *pods, config.users_file);
  if (result.pods.ok()) result.pods = both.ok() ? pods->Reload() : both;
  if (result.users.ok()) {
    result.users =
        both.ok() ? users->Replace((*next_users)->All(), (*next_users)->AllGroups()) : both;
  }
  return result;
}

void PodServer::Reload() {
  const auto report = [&](std::string_view what, const std::string& path,
                          const absl::Status& status, size_t count) {
    if (path.empty()) return;
    if (status.ok()) {
      parts_->log->info("reloaded: {} {} in '{}'", count, what, path);
    } else {
      parts_->log->error("not reloaded, the {} stay as they were: {}", what,
                         OneLine(std::string(status.message())));
    }
  };
  const Parts::Reloaded result = parts_->ReloadFiles();
  report("pods", parts_->config.pods_file, result.pods, parts_->pods->All().size());
  if (parts_->discovery) parts_->discovery->LookNow();
  report("users", parts_->config.users_file, result.users, parts_->users->All().size());
  const absl::Status groups = result.users.ok() ? parts_->store->FollowGroups() : absl::OkStatus();
  if (!groups.ok()) {
    parts_->log->error("not every home follows its groups: {}",
                       OneLine(std::string(groups.message())));
  }
}

void PodServer::Stop(absl::Duration grace) {
  parts_->dials_new_hosts.reset();
  if (parts_->links) parts_->links->Drain(grace);
  if (parts_->http) parts_->http->Stop(grace);
  if (parts_->links) parts_->links->Stop();
  parts_->store.reset();
}

}  // namespace podkit::servers
