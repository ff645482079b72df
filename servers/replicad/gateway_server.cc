#include "servers/replicad/gateway_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "podkit/conduit/json.h"
#include "podkit/replica/driver_processes.h"
#include "podkit/replica/gateway.h"
#include "servers/common/files.h"
#include "servers/common/log.h"
#include "servers/common/metric_families.h"
#include "servers/common/mount.h"
#include "servers/common/signing_key.h"
#include "servers/common/version.h"
#include "servers/http/http_server.h"
#include "servers/replicad/chunk_http.h"
#include "servers/replicad/driver_file.h"
#include "servers/replicad/driver_watch.h"
#include "servers/replicad/peers_file.h"
#include "servers/replicad/scrubbing.h"
#include "servers/replicad/writers_file.h"

namespace podkit::servers {
namespace {

using Log = std::shared_ptr<spdlog::logger>;
using replica::DriverMethod;
using replica::DriverProcesses;

// Beside chunks and control part: boundaries and part headers.
constexpr size_t kMultipartBytes = 64 << 10;

std::string DataFolder(const ReplicadConfig& config) {
  return std::filesystem::absolute(config.data).lexically_normal().string();
}

// True if replicad makes the key itself: only in its own folder, so that a wrong path is noticed.
bool OwnsKey(const ReplicadConfig& config) {
  std::error_code error;
  const auto folder = std::filesystem::path(config.key_file).parent_path();
  return std::filesystem::weakly_canonical(folder, error) ==
         std::filesystem::weakly_canonical(config.data, error);
}

absl::Status CheckKey(const ReplicadConfig& config) {
  const absl::Status status = ReadSigningKey(config.key_file).status();
  if (!absl::IsNotFound(status) || OwnsKey(config)) {
    return absl::IsNotFound(status) ? absl::OkStatus() : status;
  }
  return absl::NotFoundError(
      fmt::format("there is no key file '{}': make it with 'podctl chunk keygen'; replicad makes "
                  "the one in its data folder itself",
                  config.key_file));
}

absl::StatusOr<std::shared_ptr<DriverProcesses>> StartDriver(const ReplicadConfig& config,
                                                             const Log& log) {
  const std::string data = DataFolder(config);
  PODKIT_ASSIGN_OR_RETURN(auto options, ReadDriverFile(config.driver_file, data));
  if (config.driver_file.empty()) PODKIT_RETURN_IF_ERROR(MakeFolder(ResolvePath(data, "chunks")));
  options.log = [log](std::string_view line) { log->info("{}", OneLine(line)); };
  auto started = DriverProcesses::Start(std::move(options));
  if (!started.ok()) return started.status();
  return std::shared_ptr<DriverProcesses>(*std::move(started));
}

replica::GatewayOptions MakeGatewayOptions(const ReplicadConfig& config,
                                           const replica::SigningKey& key, const Log& log) {
  replica::GatewayOptions options;
  options.id = config.gateway;
  options.folder = DataFolder(config);
  options.key = key;
  options.limits.max_chunk_bytes = config.max_chunk_bytes;
  options.limits.max_data_bytes = config.memory_bytes;
  options.memory_bytes = config.memory_bytes;
  options.cache_bytes = config.cache_bytes;
  options.driver_timeout = absl::Seconds(config.driver_timeout_seconds);
  options.log = [log](std::string_view line) { log->warn("{}", OneLine(line)); };
  return options;
}

HttpServerOptions MakeHttpOptions(const ReplicadConfig& config, const Log& log) {
  HttpServerOptions options = ServingHttpOptions(config);
  options.io_threads = config.io_threads;
  options.log = HttpLog(log);
  return options;
}

// Writes a file without a name and lets it go; "" if that went well.
std::string WriteProblem(const std::string& folder) {
  const int fd = open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  const char byte = '.';
  const bool written = fd >= 0 && write(fd, &byte, 1) == 1;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (written || error == EOPNOTSUPP) return "";
  return fmt::format("cannot write to the data folder '{}': {}", folder, std::strerror(error));
}

void AddDriver(const DriverProcesses& driver, MetricFamilies* to) {
  const auto add = [&](const char* name, const char* help, auto member) {
    to->Counter(name, help);
    for (int i = 0; i < replica::kDriverMethods; ++i) {
      const auto method = static_cast<DriverMethod>(i);
      if (!driver.Has(method)) continue;
      to->Add(driver.counters(method).*member, {{"method", std::string(replica::NameOf(method))}});
    }
  };
  using Counters = replica::WorkerCounters;
  add("driver_calls_total", "Calls of the driver", &Counters::calls);
  add("driver_workers_started_total", "Worker processes started", &Counters::started);
  add("driver_crashed_total", "Calls whose worker ended", &Counters::crashed);
  add("driver_hung_total", "Calls whose worker was killed at the deadline", &Counters::hung);
  add("driver_garbage_total", "Calls that were answered with rubbish", &Counters::garbage);
  add("driver_refused_total", "Calls for which there was no worker", &Counters::refused);
}

void AddGatewayCounters(const replica::Gateway& gateway, MetricFamilies* to) {
  const replica::GatewayCounters counters = gateway.counters();
  to->Counter("gateway_chunks_stored_total", "Chunks stored").Add(counters.stored);
  to->Counter("gateway_chunks_deleted_total", "Chunks deleted").Add(counters.deleted);
  to->Counter("gateway_cache_hits_total", "Reads from the cache").Add(counters.cache_hits);
  to->Counter("gateway_cache_misses_total", "Reads from the driver").Add(counters.cache_misses);
  to->Counter("gateway_cache_absent_total", "Reads of what the driver just did not have")
      .Add(counters.cache_absent);
  to->Counter("gateway_chunks_corrupt_total", "Chunks that came back with other bytes")
      .Add(counters.corrupt);
  to->Counter("gateway_chunks_lost_total", "Chunks that did not come back").Add(counters.lost);
  to->Counter("gateway_chunks_mended_total", "Lost or damaged chunks that were put again")
      .Add(counters.mended);
  to->Gauge("gateway_volume_bytes", "Bytes of chunks in volumes with a quota");
  for (const auto& [volume, bytes] : gateway.VolumeBytes()) to->Add(bytes, {{"volume", volume}});
  if (const auto damaged = gateway.DamagedChunks(); damaged.ok()) {
    to->Gauge("gateway_chunks_damaged", "Chunks that are lost or damaged").Add(*damaged);
  }
}

}  // namespace

// In the order in which they are made; each uses those above it.
struct GatewayServer::Parts {
  ReplicadConfig config;
  Log log;
  absl::Time started = absl::Now();
  std::string public_key;
  mutable Mutex mutex;
  std::shared_ptr<DriverProcesses> driver_in_use ABSL_GUARDED_BY(mutex);
  std::unique_ptr<replica::Gateway> gateway;
  std::unique_ptr<DriverWatch> watch;
  std::unique_ptr<Scrubbing> scrubbing;                    // Null: there is none.
  std::atomic<const HttpServer*> http_counters = nullptr;  // Set once it serves.
  std::unique_ptr<HttpServer> http;

  std::shared_ptr<DriverProcesses> driver() const {
    MutexLock lock(&mutex);
    return driver_in_use;
  }
  void set_driver(std::shared_ptr<DriverProcesses> driver) {
    MutexLock lock(&mutex);
    driver_in_use.swap(driver);
  }

  absl::Status OpenGateway();
  absl::Status StartScrubbing(const replica::SigningKey& key);
  absl::Status Serve();
  absl::StatusOr<Router> MakeRouter();
  std::vector<std::string> Problems() const;
  HttpResponse Status() const;
  HttpResponse Metrics() const;
  void ReloadWriters();
  void ReloadDriver();
};

absl::Status GatewayServer::Parts::OpenGateway() {
  PODKIT_RETURN_IF_ERROR(MakeFolder(config.data));
  if (OwnsKey(config)) PODKIT_RETURN_IF_ERROR(EnsureSecret(config.key_file));
  PODKIT_ASSIGN_OR_RETURN(const replica::SigningKey key, ReadSigningKey(config.key_file));
  public_key = key.public_key().Hex();
  PODKIT_ASSIGN_OR_RETURN(auto writers, ReadWritersFile(config.writers_file));
  PODKIT_ASSIGN_OR_RETURN(auto started_driver, StartDriver(config, log));
  set_driver(started_driver);
  PODKIT_ASSIGN_OR_RETURN(gateway,
                          replica::Gateway::Open(MakeGatewayOptions(config, key, log),
                                                 std::move(started_driver), std::move(writers)));
  watch = std::make_unique<DriverWatch>(
      DriverWatchOptions{.driver = [this] { return driver(); },
                         .interval = absl::Seconds(config.driver_check_seconds)});
  return StartScrubbing(key);
}

absl::Status GatewayServer::Parts::StartScrubbing(const replica::SigningKey& key) {
  if (config.scrub_bytes_per_second == 0) return absl::OkStatus();
  PODKIT_ASSIGN_OR_RETURN(const auto peers, ReadPeersFile(config.peers_file, config.gateway, key));
  PODKIT_ASSIGN_OR_RETURN(scrubbing,
                          Scrubbing::Start(gateway.get(),
                                           {.bytes_per_second = config.scrub_bytes_per_second,
                                            .interval = absl::Hours(config.scrub_interval_hours)},
                                           peers));
  return absl::OkStatus();
}

std::vector<std::string> GatewayServer::Parts::Problems() const {
  std::vector<std::string> problems;
  for (std::string problem : {watch->Problem(), WriteProblem(DataFolder(config))}) {
    if (!problem.empty()) problems.push_back(std::move(problem));
  }
  return problems;
}

HttpResponse GatewayServer::Parts::Status() const {
  const replica::GatewayCounters counters = gateway->counters();
  conduit::JsonWriter json;
  const auto text = [&](std::string_view name, std::string_view value) {
    json.Key(name);
    json.String(value);
  };
  const auto number = [&](std::string_view name, uint64_t value) {
    json.Key(name);
    json.Unsigned(value);
  };
  json.BeginObject();
  text("gateway", config.gateway);
  text("version", kVersion);
  text("public_key", public_key);
  text("started", absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", started, absl::UTCTimeZone()));
  text("problem", watch->Problem());
  number("max_chunk_bytes", config.max_chunk_bytes);
  number("stored", counters.stored);
  number("deleted", counters.deleted);
  number("cache_hits", counters.cache_hits);
  number("cache_misses", counters.cache_misses);
  number("corrupt", counters.corrupt);
  number("lost", counters.lost);
  number("mended", counters.mended);
  if (const auto damaged = gateway->DamagedChunks(); damaged.ok()) number("damaged", *damaged);
  if (scrubbing != nullptr) {
    json.Key("scrub");
    scrubbing->WriteStatus(&json);
  }
  json.EndObject();
  return HttpResponse::Json(200, json.Take());
}

HttpResponse GatewayServer::Parts::Metrics() const {
  MetricFamilies families;
  AddBuild("gateway", config.gateway, started, &families);
  if (const HttpServer* server = http_counters) AddHttp(server->counters(), &families);
  AddGatewayCounters(*gateway, &families);
  if (scrubbing != nullptr) scrubbing->AddMetrics(&families);
  AddDriver(*driver(), &families);
  return MetricsResponse(families);
}

absl::StatusOr<Router> GatewayServer::Parts::MakeRouter() {
  Router router;
  PODKIT_RETURN_IF_ERROR(MountHealth([this] { return Problems(); },
                                     [this](const HttpRequest&) { return Metrics(); }, &router));
  PODKIT_RETURN_IF_ERROR(
      router.Add("GET", "/status", [this](const HttpRequest&) { return Status(); }));
  const size_t max_body =
      config.memory_bytes + replica::GatewayOptions().max_control_bytes + kMultipartBytes;
  PODKIT_RETURN_IF_ERROR(AddGateway(gateway.get(), max_body, &router));
  return router;
}

absl::Status GatewayServer::Parts::Serve() {
  PODKIT_ASSIGN_OR_RETURN(Router router, MakeRouter());
  auto serving = HttpServer::Start(MakeHttpOptions(config, log), std::move(router));
  if (absl::IsUnavailable(serving.status())) {
    return absl::UnavailableError(
        fmt::format("{}; stop what listens there, or choose another address with --listen",
                    std::string(serving.status().message())));
  }
  if (!serving.ok()) return serving.status();
  http = *std::move(serving);
  http_counters = http.get();
  return absl::OkStatus();
}

void GatewayServer::Parts::ReloadWriters() {
  if (config.writers_file.empty()) return;
  auto writers = ReadWritersFile(config.writers_file);
  if (!writers.ok()) {
    log->error("not reloaded, the writers stay as they were: {}",
               OneLine(std::string(writers.status().message())));
    return;
  }
  gateway->SetWriters(*std::move(writers));
  log->info("reloaded: the writers in '{}'", config.writers_file);
}

void GatewayServer::Parts::ReloadDriver() {
  auto driver = StartDriver(config, log);
  if (!driver.ok()) {
    log->error("not reloaded, the driver stays as it was: {}",
               OneLine(std::string(driver.status().message())));
    return;
  }
  set_driver(*driver);
  gateway->SetDriver(*std::move(driver));
  log->info("reloaded: the driver");
}

GatewayServer::GatewayServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

GatewayServer::~GatewayServer() { Stop(absl::ZeroDuration()); }

absl::Status GatewayServer::Check(const ReplicadConfig& config) {
  PODKIT_RETURN_IF_ERROR(ReadWritersFile(config.writers_file).status());
  PODKIT_RETURN_IF_ERROR(ReadDriverFile(config.driver_file, DataFolder(config)).status());
  PODKIT_RETURN_IF_ERROR(
      ReadPeersFile(config.peers_file, config.gateway, replica::SigningKey::Generate()).status());
  PODKIT_RETURN_IF_ERROR(CheckTlsFiles(config));
  return CheckKey(config);
}

absl::StatusOr<std::unique_ptr<GatewayServer>> GatewayServer::Start(
    const ReplicadConfig& config, std::shared_ptr<spdlog::logger> log) {
  PODKIT_RETURN_IF_ERROR(Check(config));
  auto parts = std::make_unique<Parts>();
  parts->config = config;
  parts->log = std::move(log);
  PODKIT_RETURN_IF_ERROR(parts->OpenGateway());
  PODKIT_RETURN_IF_ERROR(parts->Serve());
  return std::unique_ptr<GatewayServer>(new GatewayServer(std::move(parts)));
}

uint16_t GatewayServer::port() const { return parts_->http->port(); }

std::string GatewayServer::public_key() const { return parts_->public_key; }

void GatewayServer::Reload() {
  parts_->ReloadWriters();
  parts_->ReloadDriver();
}

void GatewayServer::Stop(absl::Duration grace) {
  if (parts_->http) parts_->http->Stop(grace);
}

}  // namespace podkit::servers
