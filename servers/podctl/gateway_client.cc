#include "servers/podctl/gateway_client.h"

#include <fmt/format.h>

#include <utility>

#include "common/status_macros.h"
#include "servers/common/signing_key.h"
#include "servers/podctl/errors.h"

namespace podkit::podctl {
namespace {

constexpr uint64_t kMaxChunkBytes = uint64_t{1} << 30;

}  // namespace

absl::StatusOr<std::unique_ptr<replica::ReplicaClient>> ConnectGateway(const Settings& settings,
                                                                       const std::string& id) {
  PODKIT_ASSIGN_OR_RETURN(const GatewayAddress gateway, ChooseGateway(settings, id));
  const auto public_key = replica::PublicKey::FromHex(gateway.public_key);
  if (!public_key.ok()) {
    return Usage(
        fmt::format("gateway '{}': {}", gateway.id, std::string(public_key.status().message())));
  }
  PODKIT_RETURN_IF_ERROR(CheckCaFile("gateway", gateway.id, gateway.ca_file));
  PODKIT_ASSIGN_OR_RETURN(const auto key, servers::ReadSigningKey(gateway.key_file));
  auto client = replica::ReplicaClient::Create({.url = gateway.url,
                                                .gateway = gateway.id,
                                                .gateway_key = *public_key,
                                                .writer = gateway.writer,
                                                .key = key,
                                                .sign_reads = gateway.sign_reads,
                                                .ca_file = gateway.ca_file,
                                                .max_chunk_bytes = kMaxChunkBytes});
  if (!client.ok()) {
    return Usage(
        fmt::format("gateway '{}': {}", gateway.id, std::string(client.status().message())));
  }
  return client;
}

}  // namespace podkit::podctl
