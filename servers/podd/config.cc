#include "servers/podd/config.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "common/status_macros.h"
#include "servers/common/files.h"
#include "servers/common/settings.h"
#include "servers/common/version.h"

namespace podkit::servers {
namespace {

constexpr std::string_view kDescription =
    "podd serves one pod: the homes of its users, the conduit to the other pods, and the\n"
    "operator's API that podctl uses.\n"
    "\n"
    "With no configuration at all it serves pod A on 127.0.0.1:8201, alone and without users, and\n"
    "keeps its data in ./podkit-data.\n";

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

void AddFlags(CLI::App* app, PoddCommandLine* line) {
  PoddSettings& to = line->settings;
  app->add_option("--config", line->config_file, "Read this JSON file first")->type_name("FILE");
  app->add_flag("--check-config", line->check_config,
                "Check everything that is read at the start, say what is wrong, and end");
  app->add_option("--pod", to.pod, "Id of this pod, as in the pods file [A]")->type_name("ID");
  app->add_option("--listen", to.listen, "Where to listen [127.0.0.1:8201]; [::1]:8201 for IPv6")
      ->type_name("ADDRESS:PORT");
  app->add_option("--data", to.data, "Folder of the data, made if missing [podkit-data]")
      ->type_name("FOLDER");
  app->add_option("--pods-file", to.pods_file, "The pods and their keys [this pod is alone]")
      ->type_name("FILE");
  app->add_option("--hosts-from", to.hosts_from,
                  "Find the hosts of the other pods there while podd runs [only in the pods file]")
      ->type_name("FILE|URL");
  app->add_option("--users-file", to.users_file, "Who lives on which pod [nobody]")
      ->type_name("FILE");
  app->add_option("--token-file", to.token_file,
                  "The operator's token [operator.token in the data folder, where it is made]")
      ->type_name("FILE");
  app->add_option("--tls-certificate-file", to.tls_certificate_file,
                  "PEM: speak https with this certificate and its chain")
      ->type_name("FILE");
  app->add_option("--tls-key-file", to.tls_key_file, "PEM: the key of the certificate")
      ->type_name("FILE");
  app->add_option("--log-level", to.log_level, "debug, info, warning or error [info]")
      ->type_name("LEVEL");
  app->add_option(
         "--transport", to.transport,
         "How to call other pods: http, or links, which pods before 0.2 do not know [http]")
      ->type_name("NAME");
  app->add_option("--max-connections", to.max_connections, "Connections at a time [4096]")
      ->type_name("N");
  app->add_option("--max-body-bytes", to.max_body_bytes, "Size of a request [33554432]")
      ->type_name("N");
  app->add_option("--threads", to.threads, "Requests in work at a time [8]")->type_name("N");
}

}  // namespace

std::string PoddConfig::url() const {
  return ListenAddress{.address = address, .port = port}.Url(!tls_key_file.empty());
}

absl::StatusOr<PoddCommandLine> ParseCommandLine(const std::vector<std::string>& arguments) {
  PoddCommandLine line;
  CLI::App app{std::string(kDescription), "podd"};
  app.footer(std::string(kFooter));
  app.set_version_flag("--version", fmt::format("podd {}", kVersion));
  AddFlags(&app, &line);
  try {
    std::vector<std::string> backwards(arguments.rbegin(), arguments.rend());
    app.parse(std::move(backwards));
  } catch (const CLI::CallForHelp&) {
    line.answer = app.help();
  } catch (const CLI::CallForVersion& call) {
    line.answer = fmt::format("{}\n", call.what());
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(fmt::format("{}; podd --help lists the flags", error.what()));
  }
  return line;
}

absl::StatusOr<PoddSettings> ReadSettings(const std::string& path) {
  PODKIT_ASSIGN_OR_RETURN(PoddSettings settings, ReadSettingsFile<PoddSettings>(path, "podd"));
  const std::string folder = std::filesystem::path(path).parent_path().string();
  for (auto* file :
       {&settings.data, &settings.pods_file, &settings.users_file, &settings.token_file,
        &settings.tls_certificate_file, &settings.tls_key_file}) {
    if (*file) *file = ResolvePath(folder, **file);
  }
  if (settings.hosts_from && settings.hosts_from->find("://") == std::string::npos) {
    *settings.hosts_from = ResolvePath(folder, *settings.hosts_from);
  }
  return settings;
}

absl::StatusOr<PoddConfig> CheckSettings(const PoddSettings& settings) {
  PoddConfig config;
  if (settings.pod) config.pod = *settings.pod;
  if (settings.listen) {
    PODKIT_ASSIGN_OR_RETURN(const ListenAddress listen, ParseListen(*settings.listen));
    config.address = listen.address;
    config.port = listen.port;
  }
  if (settings.data) config.data = *settings.data;
  if (config.data.empty()) return WrongFlag("data", "name a folder");
  config.pods_file = settings.pods_file.value_or("");
  config.hosts_from = settings.hosts_from.value_or("");
  config.users_file = settings.users_file.value_or("");
  config.token_file = settings.token_file.value_or(ResolvePath(config.data, "operator.token"));
  config.tls_certificate_file = settings.tls_certificate_file.value_or("");
  config.tls_key_file = settings.tls_key_file.value_or("");
  if (config.tls_certificate_file.empty() != config.tls_key_file.empty()) {
    return WrongFlag("tls-certificate-file",
                     "goes together with --tls-key-file: give both or none");
  }
  if (settings.log_level) config.log_level = *settings.log_level;
  PODKIT_RETURN_IF_ERROR(CheckLogLevel(config.log_level));
  const std::string transport = settings.transport.value_or("http");
  if (transport != "http" && transport != "links") {
    return WrongFlag("transport", fmt::format("'{}' is not http or links", transport));
  }
  config.calls_over_links = transport == "links";
  PODKIT_RETURN_IF_ERROR(
      TakeNumber("max-connections", settings.max_connections, 1, &config.max_connections));
  PODKIT_RETURN_IF_ERROR(
      TakeNumber("max-body-bytes", settings.max_body_bytes, 1024, &config.max_body_bytes));
  PODKIT_RETURN_IF_ERROR(TakeNumber("threads", settings.threads, 1, &config.threads));
  if (config.threads > 1024) return WrongFlag("threads", "at most 1024");
  return config;
}

}  // namespace podkit::servers
