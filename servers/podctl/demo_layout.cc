#include "servers/podctl/demo_layout.h"

#include <fmt/format.h>

#include <filesystem>
#include <string_view>

#include "common/status_macros.h"
#include "servers/common/files.h"
#include "servers/common/signing_key.h"

namespace podkit::podctl {
namespace {

constexpr std::string_view kUsers = R"({"users": [
  {"uid": "anna", "name": "Anna Berg", "pod": "A"},
  {"uid": "ben", "name": "Ben Okafor", "pod": "A"},
  {"uid": "clara", "name": "Clara Moreau", "pod": "A"},
  {"uid": "david", "name": "David Lindqvist", "pod": "B"},
  {"uid": "emma", "name": "Emma Rossi", "pod": "B"},
  {"uid": "farid", "name": "Farid Haddad", "pod": "B"}
]}
)";

// The operator may ask either pod for anybody's home, so each acts for the users of the other.
std::string PodsFile(const DemoLayout& layout) {
  return fmt::format(R"({{"pods": [
  {{"id": "A", "hosts": ["http://127.0.0.1:{}"], "key_files": ["keys/a-b.key"], "acts_for_any_user": true}},
  {{"id": "B", "hosts": ["http://127.0.0.1:{}"], "key_files": ["keys/a-b.key"], "acts_for_any_user": true}}
]}}
)",
                     layout.port_a, layout.port_b);
}

std::string PodctlFile(const DemoLayout& layout, std::string_view gateways) {
  std::string locks;
  if (layout.with_lockd) {
    locks = fmt::format(R"(,
  {{"id": "locks", "url": "http://127.0.0.1:{}", "token_file": "locks/data/operator.token"}})",
                        layout.port_lockd);
  }
  return fmt::format(R"({{"pods": [
  {{"id": "A", "url": "http://127.0.0.1:{}", "token_file": "A/data/operator.token"}},
  {{"id": "B", "url": "http://127.0.0.1:{}", "token_file": "B/data/operator.token"}}{}
]{}}}
)",
                     layout.port_a, layout.port_b, locks, gateways);
}

// Makes the key if it is missing; its public half.
absl::StatusOr<std::string> MakeKey(const std::string& path) {
  PODKIT_RETURN_IF_ERROR(servers::EnsureSecret(path));
  PODKIT_ASSIGN_OR_RETURN(const auto key, servers::ReadSigningKey(path));
  return key.public_key().Hex();
}

// Returns what podctl's configuration says of the gateway.
absl::StatusOr<std::string> WriteGateway(const DemoLayout& layout) {
  PODKIT_RETURN_IF_ERROR(servers::MakeFolder(layout.File("G")));
  PODKIT_ASSIGN_OR_RETURN(const std::string gateway_key, MakeKey(layout.File("G/gateway.key")));
  PODKIT_ASSIGN_OR_RETURN(const std::string writer_key, MakeKey(layout.File("keys/writer.key")));
  PODKIT_RETURN_IF_ERROR(
      servers::WriteFile(layout.File("G/writers.json"), fmt::format(R"({{"writers": [
  {{"id": "demo", "keys": ["{}"],
   "grants": [{{"volume": "demo", "may": ["put", "delete", "rename"]}}]}}
]}}
)",
                                                                    writer_key)));
  PODKIT_RETURN_IF_ERROR(
      servers::WriteFile(layout.File("G/replicad.json"), fmt::format(R"({{"gateway": "g1",
 "listen": "127.0.0.1:{}",
 "data": "data",
 "key_file": "gateway.key",
 "writers_file": "writers.json"}}
)",
                                                                     layout.port_gateway)));
  return fmt::format(R"(,
 "gateways": [
  {{"id": "g1", "url": "http://127.0.0.1:{}",
   "public_key": "{}",
   "writer": "demo", "key_file": "keys/writer.key"}}
])",
                     layout.port_gateway, gateway_key);
}

// The pods share a key with the directory each, for it must tell them apart.
absl::Status WriteLockd(const DemoLayout& layout) {
  for (const char* key : {"keys/a-locks.key", "keys/b-locks.key"}) {
    PODKIT_RETURN_IF_ERROR(servers::EnsureSecret(layout.File(key)));
  }
  PODKIT_RETURN_IF_ERROR(servers::MakeFolder(layout.File("locks")));
  PODKIT_RETURN_IF_ERROR(
      servers::WriteFile(layout.File("locks/pods.json"),
                         fmt::format(R"({{"pods": [
  {{"id": "locks", "hosts": ["http://127.0.0.1:{}"]}},
  {{"id": "A", "hosts": ["http://127.0.0.1:{}"], "key_files": ["../keys/a-locks.key"]}},
  {{"id": "B", "hosts": ["http://127.0.0.1:{}"], "key_files": ["../keys/b-locks.key"]}}
]}}
)",
                                     layout.port_lockd, layout.port_a, layout.port_b)));
  return servers::WriteFile(layout.File("locks/lockd.json"), fmt::format(R"({{"pod": "locks",
 "listen": "127.0.0.1:{}",
 "data": "data",
 "pods_file": "pods.json"}}
)",
                                                                         layout.port_lockd));
}

absl::Status WritePod(const DemoLayout& layout, const std::string& id, uint16_t port) {
  PODKIT_RETURN_IF_ERROR(servers::MakeFolder(layout.File(id)));
  return servers::WriteFile(layout.File(id + "/podd.json"), fmt::format(R"({{"pod": "{}",
 "listen": "127.0.0.1:{}",
 "data": "data",
 "pods_file": "../pods.json",
 "users_file": "../users.json"}}
)",
                                                                        id, port));
}

}  // namespace

absl::Status WriteDemoFiles(const DemoLayout& layout) {
  PODKIT_RETURN_IF_ERROR(servers::MakeFolder(layout.File("keys")));
  PODKIT_RETURN_IF_ERROR(servers::EnsureSecret(layout.File("keys/a-b.key")));
  std::error_code ignored;
  if (!std::filesystem::exists(layout.File("users.json"), ignored)) {
    PODKIT_RETURN_IF_ERROR(servers::WriteFile(layout.File("users.json"), kUsers));
  }
  PODKIT_RETURN_IF_ERROR(servers::WriteFile(layout.File("pods.json"), PodsFile(layout)));
  std::string gateways;
  if (layout.with_replica) {
    PODKIT_ASSIGN_OR_RETURN(gateways, WriteGateway(layout));
  }
  if (layout.with_lockd) PODKIT_RETURN_IF_ERROR(WriteLockd(layout));
  PODKIT_RETURN_IF_ERROR(servers::WriteFile(layout.settings(), PodctlFile(layout, gateways)));
  PODKIT_RETURN_IF_ERROR(WritePod(layout, "A", layout.port_a));
  return WritePod(layout, "B", layout.port_b);
}

}  // namespace podkit::podctl
