#include "servers/lockd/lock_server.h"

#include <fmt/format.h>

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/mux_transport.h"
#include "podkit/conduit/pods.h"
#include "podkit/lock/directory_service.h"
#include "podkit/lock/local_directory.h"
#include "servers/common/files.h"
#include "servers/common/log.h"
#include "servers/common/metric_families.h"
#include "servers/common/mount.h"
#include "servers/common/operator_token.h"
#include "servers/common/version.h"
#include "servers/http/http_server.h"
#include "servers/lockd/lock_api.h"

namespace podkit::servers {
namespace {

using Log = std::shared_ptr<spdlog::logger>;

constexpr size_t kMaxBodyBytes = size_t{32} << 20;

absl::StatusOr<std::shared_ptr<conduit::Pods>> LoadPods(const LockdConfig& config) {
  if (!config.pods_file.empty()) return conduit::Pods::Load(config.pods_file, config.pod);
  conduit::Pod own;
  own.id = config.pod;
  return conduit::Pods::Create({own}, config.pod);
}

// So no pod can be taken for another one in hand-overs and in the audit log.
bool IsHostOf(const conduit::Pod& pod, std::string_view host) {
  return host == pod.id || host.starts_with(pod.id + "/");
}

int AllThreads(const LockdConfig& config) {
  return config.threads + static_cast<int>(config.max_waiting);
}

HttpServerOptions MakeHttpOptions(const LockdConfig& config, const Log& log) {
  HttpServerOptions options = ServingHttpOptions(config);
  options.worker_threads = AllThreads(config);
  options.max_body_bytes = kMaxBodyBytes;
  options.log = HttpLog(log);
  return options;
}

}  // namespace

// In the order in which they are made; each uses those above it.
struct LockServer::Parts {
  LockdConfig config;
  Log log;
  absl::Time started = absl::Now();
  std::shared_ptr<conduit::Pods> pods;
  std::shared_ptr<lock::LocalDirectory> directory;
  std::unique_ptr<conduit::MuxTransport> links;
  std::unique_ptr<conduit::Conduit> conduit;
  std::atomic<const HttpServer*> http_counters = nullptr;  // Set once it serves.
  std::unique_ptr<HttpServer> http;

  absl::Status OpenDirectory();
  absl::Status MakeConduit();
  absl::StatusOr<Router> MakeRouter();
  absl::Status Serve();
  std::vector<std::string> Problems() const;
  LockdStatus Status() const;
  HttpResponse Metrics() const;
};

absl::Status LockServer::Parts::OpenDirectory() {
  PODKIT_RETURN_IF_ERROR(MakeFolder(config.data));
  PODKIT_ASSIGN_OR_RETURN(directory,
                          lock::OpenSqliteDirectory(ResolvePath(config.data, "locks.sqlite")));
  return absl::OkStatus();
}

absl::Status LockServer::Parts::MakeConduit() {
  conduit::MuxTransportOptions transport;
  transport.host_name = config.url();
  transport.software_version = std::string(kVersion);
  transport.on_event = LinkLog(log);
  PODKIT_ASSIGN_OR_RETURN(links, conduit::MuxTransport::Create(pods, std::move(transport)));
  conduit::ConduitOptions options;
  options.worker_threads = AllThreads(config);
  options.log = ConduitLog(log);
  conduit = std::make_unique<conduit::Conduit>(pods, links.get(), std::move(options));
  lock::DirectoryServiceOptions service;
  service.max_waiting = config.max_waiting;
  service.may_be_host = IsHostOf;
  lock::ServeDirectory(directory, std::move(service), conduit.get());
  return absl::OkStatus();
}

std::vector<std::string> LockServer::Parts::Problems() const {
  std::vector<std::string> problems;
  const absl::Status status = directory->List({.limit = 1}).status();
  if (!status.ok()) problems.emplace_back(status.message());
  return problems;
}

LockdStatus LockServer::Parts::Status() const {
  const auto counters = directory->counters();
  return {.pod = config.pod,
          .version = std::string(kVersion),
          .started = started,
          .revision = counters.revision,
          .sessions = counters.sessions,
          .stores = counters.stores,
          .held = counters.held,
          .waiting = counters.waiting,
          .requests = counters.requests,
          .commits = counters.commits,
          .problems = Problems()};
}

HttpResponse LockServer::Parts::Metrics() const {
  const auto counters = directory->counters();
  MetricFamilies families;
  AddBuild("pod", config.pod, started, &families);
  AddHttp(http_counters == nullptr ? HttpCounters{} : http_counters.load()->counters(), &families);
  AddConduit(conduit->Stats(), &families);
  families.Counter("lock_requests_total", "Requests that changed something").Add(counters.requests);
  families.Counter("lock_commits_total", "Commits that carried them").Add(counters.commits);
  families.Gauge("lock_revision", "Changes since the directory was made").Add(counters.revision);
  families.Gauge("lock_sessions", "Sessions of hosts that live").Add(counters.sessions);
  families.Gauge("lock_stores", "Stores in the directory").Add(counters.stores);
  families.Gauge("lock_held", "Stores that a host holds").Add(counters.held);
  families.Gauge("lock_waiting", "Requests that wait for a store").Add(counters.waiting);
  return MetricsResponse(families);
}

absl::StatusOr<Router> LockServer::Parts::MakeRouter() {
  Router router;
  PODKIT_RETURN_IF_ERROR(MountHealth([this] { return Problems(); },
                                     [this](const HttpRequest&) { return Metrics(); }, &router));
  PODKIT_RETURN_IF_ERROR(MountConduit(conduit.get(), links.get(), &router));
  LockApiOptions options;
  PODKIT_ASSIGN_OR_RETURN(options.token, ReadSecret(config.token_file));
  options.status = [this] { return Status(); };
  options.log = [log = log](bool changed, std::string_view line) {
    log->log(changed ? spdlog::level::info : spdlog::level::debug, "admin: {}", OneLine(line));
  };
  PODKIT_RETURN_IF_ERROR(AddLockApi(directory.get(), std::move(options), &router));
  return router;
}

absl::Status LockServer::Parts::Serve() {
  PODKIT_ASSIGN_OR_RETURN(Router router, MakeRouter());
  auto server = HttpServer::Start(MakeHttpOptions(config, log), std::move(router));
  if (absl::IsUnavailable(server.status())) {
    return absl::UnavailableError(
        fmt::format("{}; stop what listens there, or choose another address with --listen",
                    std::string(server.status().message())));
  }
  if (!server.ok()) return server.status();
  http = *std::move(server);
  http_counters = http.get();
  links->Serve([this](conduit::ReceivedCall call) { conduit->Answer(std::move(call)); });
  return absl::OkStatus();
}

LockServer::LockServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

LockServer::~LockServer() { Stop(absl::ZeroDuration()); }

absl::Status LockServer::Check(const LockdConfig& config) {
  PODKIT_RETURN_IF_ERROR(LoadPods(config).status());
  PODKIT_RETURN_IF_ERROR(CheckTlsFiles(config));
  return CheckToken(config.token_file, config.data, "lockd");
}

absl::StatusOr<std::unique_ptr<LockServer>> LockServer::Start(const LockdConfig& config,
                                                              std::shared_ptr<spdlog::logger> log) {
  PODKIT_RETURN_IF_ERROR(Check(config));
  auto parts = std::make_unique<Parts>();
  parts->config = config;
  parts->log = std::move(log);
  PODKIT_ASSIGN_OR_RETURN(parts->pods, LoadPods(config));
  PODKIT_RETURN_IF_ERROR(parts->OpenDirectory());
  PODKIT_RETURN_IF_ERROR(parts->MakeConduit());
  if (OwnsToken(config.token_file, config.data)) {
    PODKIT_RETURN_IF_ERROR(EnsureSecret(config.token_file));
  }
  PODKIT_RETURN_IF_ERROR(parts->Serve());
  return std::unique_ptr<LockServer>(new LockServer(std::move(parts)));
}

uint16_t LockServer::port() const { return parts_->http->port(); }

void LockServer::Reload() {
  if (parts_->config.pods_file.empty()) return;
  const absl::Status status = parts_->pods->Reload();
  if (status.ok()) {
    parts_->log->info("reloaded: {} pods in '{}'", parts_->pods->All().size(),
                      parts_->config.pods_file);
  } else {
    parts_->log->error("not reloaded, the pods stay as they were: {}",
                       OneLine(std::string(status.message())));
  }
}

void LockServer::Stop(absl::Duration grace) {
  parts_->directory->Close();
  parts_->links->Drain(grace);
  if (parts_->http) parts_->http->Stop(grace);
  parts_->links->Stop();
}

}  // namespace podkit::servers
