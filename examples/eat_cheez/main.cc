// A command with a name and an origin that answers a rating, or an error that it declares; between
// two pods in one process.
#include <cstdint>
#include <iostream>
#include <string>
#include <tuple>

#include "podkit/conduit/conduit.h"
#include "podkit/conduit/in_process.h"

namespace conduit = podkit::conduit;

// What EatCheez may answer in place of a rating. It arrives as this type.
struct NoSuchCheese {
  static constexpr std::string_view kClass = "NoSuchCheese";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kNotFound;
  std::string name;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("name", &NoSuchCheese::name));
  }
};

// The declaration that caller and responder share.
struct EatCheez {
  static constexpr conduit::CommandInfo kInfo = {.name = "eat-cheez",
                                                 .effect = conduit::Effect::kRead};
  struct Arguments {
    std::string name;
    std::string origin = "unknown";
    static constexpr auto Fields() {
      return std::make_tuple(conduit::Required("name", &Arguments::name),
                             conduit::Optional("origin", &Arguments::origin));
    }
  };
  struct Response {
    int64_t rating = 0;
    static constexpr auto Fields() {
      return std::make_tuple(conduit::Required("rating", &Response::rating));
    }
  };
  using Errors = conduit::ErrorList<NoSuchCheese>;
};

// The responder: a plain function of named arguments.
absl::StatusOr<EatCheez::Response> Rate(const conduit::CallContext&,
                                        const EatCheez::Arguments& cheese) {
  if (cheese.name != "gouda") {
    return conduit::MakeError(NoSuchCheese{.name = cheese.name}, "no such cheese here");
  }
  return EatCheez::Response{.rating = cheese.origin == "nl" ? 10 : 7};
}

void Ask(conduit::Conduit& pod, const EatCheez::Arguments& cheese) {
  const absl::StatusOr<EatCheez::Response> answer = pod.Call<EatCheez>("B", cheese);
  std::cout << cheese.name << " from " << cheese.origin << ": ";
  if (answer.ok()) {
    std::cout << "rated " << answer->rating << "\n";
  } else if (const auto error = conduit::GetError<NoSuchCheese>(answer.status())) {
    std::cout << "B has no " << error->name << "\n";
  } else {
    std::cout << conduit::OutcomeName(conduit::OutcomeOf(answer.status())) << ": "
              << answer.status() << "\n";
  }
}

int main() {
  const std::string key(32, 'k');  // A secret that the two pods share.
  conduit::InProcessNetwork network;
  conduit::Conduit a(*conduit::Pods::Create({{.id = "A"}, {.id = "B", .keys = {key}}}, "A"),
                     &network);
  conduit::Conduit b(*conduit::Pods::Create({{.id = "A", .keys = {key}}, {.id = "B"}}, "B"),
                     &network);
  network.Connect("B", [&b](const conduit::WireRequest& request) { return b.Receive(request); });
  b.Handle<EatCheez>(Rate);

  Ask(a, {.name = "gouda", .origin = "nl"});
  Ask(a, {.name = "gouda"});
  Ask(a, {.name = "brie", .origin = "fr"});
}
