// Two pods in one process: A asks B what it thinks of a cheese.
#include <cstdint>
#include <iostream>
#include <string>
#include <tuple>

#include "podkit/conduit/conduit.h"
#include "podkit/conduit/in_process.h"

namespace conduit = podkit::conduit;

// The declaration that caller and responder share.
struct RateCheese {
  static constexpr conduit::CommandInfo kInfo = {.name = "rate-cheese",
                                                 .effect = conduit::Effect::kRead};
  struct Arguments {
    std::string name;
    static constexpr auto Fields() {
      return std::make_tuple(conduit::Required("name", &Arguments::name));
    }
  };
  using Response = int64_t;
  using Errors = conduit::ErrorList<>;
};

int main() {
  // Each pod knows the key that it shares with the other one.
  const std::string key(32, 'k');
  conduit::InProcessNetwork network;  // HttpTransport between processes.
  conduit::Conduit a(*conduit::Pods::Create({{.id = "A"}, {.id = "B", .keys = {key}}}, "A"),
                     &network);
  conduit::Conduit b(*conduit::Pods::Create({{.id = "A", .keys = {key}}, {.id = "B"}}, "B"),
                     &network);
  network.Connect("B", [&b](const conduit::WireRequest& request) { return b.Receive(request); });

  b.Handle<RateCheese>([](const conduit::CallContext&,
                          const RateCheese::Arguments& arguments) -> absl::StatusOr<int64_t> {
    return arguments.name == "gouda" ? 10 : 1;
  });

  const absl::StatusOr<int64_t> rating = a.Call<RateCheese>("B", {.name = "gouda"});
  if (!rating.ok()) {
    std::cerr << rating.status() << "\n";
    return 1;
  }
  std::cout << "B gives gouda " << *rating << " of 10\n";
}
