// What the handlers of a pod work with, and the questions that more than one of them asks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/discovery.h"
#include "podkit/conduit/mux_transport.h"
#include "podkit/store/store.h"
#include "servers/common/admin_messages.h"

namespace podkit::servers {

// Thread-safe parts that outlive every handler.
struct PodServices {
  store::Store* store = nullptr;
  conduit::Conduit* conduit = nullptr;
  const conduit::MuxTransport* links = nullptr;   // Null: no other pod can be linked.
  const conduit::Discovery* discovery = nullptr;  // Null: hosts are those of the pods file.
  std::string data_folder;
  absl::Time started;
};

// What keeps the pod from doing its work; empty if nothing does. Writes to the disk.
std::vector<std::string> Problems(const PodServices& pod);

absl::StatusOr<PodStatus> StatusOf(const PodServices& pod);

// The hosts of every pod but the own one, by pod.
std::vector<HostEntry> ListHosts(const PodServices& pod);

// Calls one pod through the conduit.
PingResult Ping(conduit::Conduit* conduit, const std::string& pod);

// Calls every pod but the own one, several at a time.
std::vector<PingResult> PingAll(conduit::Conduit* conduit);

}  // namespace podkit::servers
