#include "servers/podd/config.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "common/status_macros.h"
#include "servers/common/files.h"

namespace podkit::servers {
namespace {

constexpr std::string_view kDescription =
    "podd serves one pod: the homes of its users, the conduit to the other pods, and the\n"
    "operator's API that podctl uses.\n"
    "\n"
    "With no configuration at all it serves pod A on 127.0.0.1:8201, alone and without users, and\n"
    "keeps its data in ./podkit-data.\n";

// Pods exchange what they can serve, which has some KiB, in calls of their own.
constexpr int64_t kLeastBodyBytes = 64 << 10;

constexpr std::string_view kFooter = R"(Configuration file:
  One JSON object whose members are named like the flags, with '_' for '-':
    {"pod": "A", "listen": "127.0.0.1:8201", "data": "data",
     "pods_file": "pods.json", "users_file": "users.json"}
  Its paths are relative to its folder. A flag goes before the file.

Signals:
  SIGTERM, SIGINT   finish the requests in work and stop; a second one stops at once
  SIGHUP            read the pods file and the users file again, and look for hosts

Paths that it serves:
  /conduit          other pods, each request signed
  /admin/v1/...     the operator, with the token: docs/operations.md lists all of it
  /healthz /readyz  alive; ready, or what is wrong
  /metrics          for Prometheus

Exit status:
  0 stopped as asked, 1 cannot start or go on, 2 a flag or the configuration file is wrong

Examples:
  podd
  podd --users-file users.json --listen 127.0.0.1:9000 --data /var/lib/podd
  podd --config /etc/podd.json --check-config
)";

std::vector<Flag> Flags(PoddSettings* settings) {
  return ServingFlags(
      {"pod", &settings->pod, "ID", "Id of this pod, as in the pods file [A]"}, settings,
      PoddConfig(),
      {
          {"pods-file", &settings->pods_file, kFile, "The pods and their keys [this pod is alone]"},
          {"hosts-from", &settings->hosts_from, kFileOrUrl,
           "Find the hosts of the other pods there while podd runs [only in the pods file]"},
          {"users-file", &settings->users_file, kFile, "Who lives on which pod [nobody]"},
          {"token-file", &settings->token_file, kFile,
           "The operator's token [operator.token in the data folder, where it is made]"},
          {"transport", &settings->transport, "NAME",
           "How to call other pods: http; links, which pods before 0.2 do not know; or "
           "links-or-http, as each host can be called [http]"},
          {"record", &settings->record, kFile,
           "Record there what other pods ask and are answered, without secrets [nowhere]"},
          {"max-body-bytes", &settings->max_body_bytes, kNumber, "Size of a request [33554432]"},
          {"attachment-uri", &settings->attachment_uri, "URI",
           "What the URIs of attachments begin with, the same on every pod "
           "[podkit:/attachments]"},
          {"max-attachment-bytes", &settings->max_attachment_bytes, kNumber,
           "Size of an attachment [104857600]"},
          {"max-attachments", &settings->max_attachments, kNumber, "Attachments of an event [100]"},
          {"attachment-quota", &settings->attachment_quota, kNumber,
           "Bytes of all attachments of one user [1073741824]"},
      });
}

absl::Status CheckStore(const PoddSettings& settings, store::StoreOptions* store) {
  constexpr int64_t kMost = int64_t{1} << 50;
  PODKIT_RETURN_IF_ERROR(TakeNumber("max-attachment-bytes", settings.max_attachment_bytes, 0,
                                    &store->max_attachment_bytes, kMost));
  PODKIT_RETURN_IF_ERROR(TakeNumber("max-attachments", settings.max_attachments, 0,
                                    &store->max_attachments_per_object));
  PODKIT_RETURN_IF_ERROR(TakeNumber("attachment-quota", settings.attachment_quota, 0,
                                    &store->attachment_quota, kMost));
  store->attachment_uri = settings.attachment_uri.value_or(store->attachment_uri);
  if (store::IsValidAttachmentUri(store->attachment_uri)) return absl::OkStatus();
  return WrongFlag("attachment-uri",
                   fmt::format("'{}' is no URI to go on with '/': give a scheme, ':' and what "
                               "follows, in ASCII, and no '/' at the end",
                               store->attachment_uri));
}

absl::StatusOr<PoddConfig> Check(const PoddSettings& settings) {
  PoddConfig config;
  PODKIT_RETURN_IF_ERROR(CheckServing(settings, &config));
  config.pod = settings.pod.value_or(config.pod);
  config.pods_file = settings.pods_file.value_or("");
  config.hosts_from = settings.hosts_from.value_or("");
  if (!config.hosts_from.empty() && config.pods_file.empty()) {
    return WrongFlag("hosts-from", "needs --pods-file, which has the keys");
  }
  config.users_file = settings.users_file.value_or("");
  config.record = settings.record.value_or("");
  config.token_file = settings.token_file.value_or(ResolvePath(config.data, "operator.token"));
  const std::string transport = settings.transport.value_or("http");
  if (transport != "http" && transport != "links" && transport != "links-or-http") {
    return WrongFlag("transport",
                     fmt::format("'{}' is not http, links or links-or-http", transport));
  }
  config.calls_over_links = transport != "http";
  config.calls_over_http = transport != "links";
  PODKIT_RETURN_IF_ERROR(TakeNumber("max-body-bytes", settings.max_body_bytes, kLeastBodyBytes,
                                    &config.max_body_bytes));
  PODKIT_RETURN_IF_ERROR(CheckStore(settings, &config.store));
  return config;
}

}  // namespace

const Program<PoddSettings, PoddConfig> kPodd = {
    .text = {.name = "podd", .description = kDescription, .footer = kFooter},
    .flags = Flags,
    .check = Check};

}  // namespace podkit::servers
