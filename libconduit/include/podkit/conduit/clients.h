// Finds clients: of a pod, of all pods, of any; and waits for a pod that cannot be called yet.
//
//   Clients clients(&conduit);
//   absl::StatusOr<Client> b = clients.ClientFor("B", absl::Seconds(30));
//   if (!b.ok()) return b.status();
//   absl::StatusOr<EatCheez::Response> answer = b->Call<EatCheez>({.name = "gouda"});
//
// A pod can be called once a host of it is known and, on a transport that keeps connections, a
// connection to one stands. That may change before the call is made: errors are normal.
//
// Thread-safe. The conduit must outlive it.
// Errors: NoConnectionsAvailable (client_errors.h) names the pod, why it cannot be called, and how
// long that was waited for; nothing was executed.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/client.h"
#include "podkit/conduit/client_errors.h"
#include "podkit/conduit/scheduler.h"

namespace podkit::conduit {

struct ClientsOptions {
  std::shared_ptr<Scheduler> scheduler = nullptr;  // Null: the system's.
  // Any number below the one that it gets, which is at least 1. Empty: at random.
  std::function<size_t(size_t)> choose = {};
};

class Clients {
 public:
  explicit Clients(Conduit* conduit, ClientsOptions options = {});
  // Ends every wait.
  ~Clients();
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  // Waits at most `limit`, and until `stop`, until the pod can be called, also for one that the
  // pods file does not have yet. Connects to its hosts meanwhile. kInvalidArgument: it is the own
  // pod; kCancelled, as of a call: it was stopped.
  absl::StatusOr<Client> ClientFor(std::string_view pod,
                                   absl::Duration limit = absl::ZeroDuration(),
                                   std::stop_token stop = {});

  // The same without waiting: `done` is called once, from any thread and perhaps before this
  // returns. It must not block.
  using Done = std::function<void(absl::StatusOr<Client>)>;
  void AwaitClient(std::string_view pod, absl::Duration limit, Done done,
                   std::stop_token stop = {});

  // One client for each pod that can be called now, by pod; perhaps none.
  std::vector<Client> AllClients() const;

  // A client of any pod that can be called now; the second form, of one of these.
  absl::StatusOr<Client> AnyClient() const;
  absl::StatusOr<Client> AnyClient(const std::vector<std::string>& pods) const;

  // One client for each of these pods, in their order. NoConnectionsAvailable names all that cannot
  // be called now.
  absl::StatusOr<std::vector<Client>> ClientsOf(const std::vector<std::string>& pods) const;

  // One client for each host of the pod that can be called now; perhaps none.
  std::vector<Client> HostClients(std::string_view pod) const;

  // How many wait.
  size_t waiting() const;

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace podkit::conduit
