// One command on all pods at the same time, and the results as they come; then on any quorum.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "podkit/conduit/clients.h"
#include "podkit/conduit/gather.h"
#include "podkit/conduit/in_process.h"

namespace conduit = podkit::conduit;

struct EatCheez {
  static constexpr conduit::CommandInfo kInfo = {.name = "eat-cheez",
                                                 .effect = conduit::Effect::kRead};
  struct Arguments {
    std::string name;
    static constexpr auto Fields() {
      return std::make_tuple(conduit::Required("name", &Arguments::name));
    }
  };
  using Response = int64_t;  // The rating.
  using Errors = conduit::ErrorList<>;
};

// Pods B, C and D, each with a taste of its own, and A, which asks them.
struct Pods {
  conduit::InProcessNetwork network;
  std::vector<std::unique_ptr<conduit::Conduit>> raters;
  std::unique_ptr<conduit::Conduit> a;

  Pods() {
    std::vector<conduit::Pod> known = {{.id = "A"}};
    for (const std::string id : {"B", "C", "D"}) {
      const std::string key = "the secret of A and " + id + std::string(32, '.');
      known.push_back({.id = id, .keys = {key}});
      auto rater = std::make_unique<conduit::Conduit>(
          *conduit::Pods::Create({{.id = "A", .keys = {key}}, {.id = id}}, id), &network);
      rater->Handle<EatCheez>(
          [id](const conduit::CallContext&, const EatCheez::Arguments&) -> absl::StatusOr<int64_t> {
            return id[0] - 'A';
          });
      network.Connect(id, [pod = rater.get()](const conduit::WireRequest& request) {
        return pod->Receive(request);
      });
      raters.push_back(std::move(rater));
    }
    a = std::make_unique<conduit::Conduit>(*conduit::Pods::Create(std::move(known), "A"), &network);
  }
};

int main() {
  Pods pods;
  pods.network.SetFault("C", conduit::InProcessNetwork::Fault::kStall);  // It answers nothing.
  const conduit::Clients clients(pods.a.get());

  conduit::Gather<EatCheez> gather(clients.AllClients(), {.name = "gouda"},
                                   {.call = {.timeout = absl::Seconds(10)}});
  std::vector<std::string> lines;
  for (const auto& [client, rating, took, index] : gather) {
    lines.push_back("pod " + client.pod() + ": " +
                    (rating.ok()
                         ? "rated " + std::to_string(*rating)
                         : std::string(conduit::OutcomeName(conduit::OutcomeOf(rating.status())))));
  }
  std::sort(lines.begin(), lines.end());  // They came in any order.
  for (const std::string& line : lines) std::cout << line << "\n";

  conduit::Gather<EatCheez> two(clients.AllClients(), {.name = "gouda"}, {.quorum = 2});
  while (const auto one = two.Next()) {
  }
  std::cout << "two of three agree to rate: " << (two.satisfied() ? "yes" : "no") << "\n";
}
