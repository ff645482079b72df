#include "servers/replicad/peers_file.h"

#include <fmt/format.h>

#include <tuple>
#include <utility>

#include "common/durable.h"
#include "common/status_macros.h"
#include "podkit/conduit/message.h"
#include "podkit/replica/replica_set.h"
#include "servers/common/files.h"
#include "servers/common/known_members.h"

namespace podkit::servers {
namespace {

constexpr size_t kMaxPeersBytes = size_t{1} << 20;

struct PeerEntry {
  std::string id;
  std::string url;
  std::string public_key;
  std::string ca_file;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("id", &PeerEntry::id),
                           conduit::Required("url", &PeerEntry::url),
                           conduit::Required("public_key", &PeerEntry::public_key),
                           conduit::Optional("ca_file", &PeerEntry::ca_file));
  }
};

struct PeerEntries {
  std::vector<PeerEntry> peers;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("peers", &PeerEntries::peers));
  }
};

absl::StatusOr<std::vector<replica::ReplicaClientOptions>> ParsePeers(
    const std::string& text, const std::string& folder, const std::string& id,
    const replica::SigningKey& key) {
  PODKIT_ASSIGN_OR_RETURN(const auto entries, conduit::FromJson<PeerEntries>(text));
  PODKIT_ASSIGN_OR_RETURN(const auto document, conduit::JsonDocument::Parse(text));
  PODKIT_RETURN_IF_ERROR(CheckMembers<PeerEntries>(document.root()));
  std::vector<replica::ReplicaClientOptions> peers;
  replica::ReplicaSetOptions together;
  for (const PeerEntry& entry : entries.peers) {
    const auto named = [&](const absl::Status& status) {
      return absl::InvalidArgumentError(
          fmt::format("peer '{}': {}", entry.id, std::string(status.message())));
    };
    if (entry.id == id) return named(absl::InvalidArgumentError("it is this gateway itself"));
    const auto public_key = replica::PublicKey::FromHex(entry.public_key);
    if (!public_key.ok()) return named(public_key.status());
    peers.push_back({.url = entry.url,
                     .gateway = entry.id,
                     .gateway_key = *public_key,
                     .writer = id,
                     .key = key,
                     .sign_reads = true,
                     .ca_file = ResolvePath(folder, entry.ca_file)});
    auto client = replica::ReplicaClient::Create(peers.back());
    if (!client.ok()) return named(client.status());
    together.gateways.push_back(*std::move(client));
  }
  if (!peers.empty()) PODKIT_RETURN_IF_ERROR(replica::ReplicaSet::Create(together).status());
  return peers;
}

}  // namespace

absl::StatusOr<std::vector<replica::ReplicaClientOptions>> ReadPeersFile(
    const std::string& path, const std::string& id, const replica::SigningKey& key) {
  if (path.empty()) return std::vector<replica::ReplicaClientOptions>();
  PODKIT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxPeersBytes));
  auto peers = ParsePeers(text, podkit::FolderOf(path), id, key);
  if (peers.ok()) return peers;
  return absl::InvalidArgumentError(
      fmt::format("peers file '{}': {}", path, std::string(peers.status().message())));
}

}  // namespace podkit::servers
