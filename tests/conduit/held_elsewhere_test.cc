#include <string>

#include "podkit/conduit/in_process.h"
#include "tests/support/catch.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

using Fault = InProcessNetwork::Fault;

struct Find {
  static constexpr CommandInfo kInfo = {.name = "find", .effect = Effect::kWrite};
  using Arguments = Nothing;
  using Response = Nothing;
  using Errors = ErrorList<>;
};

// Two hosts, each a server of its own; the first one holds nothing.
struct Holders {
  explicit Holders(const std::string& named = "b2") {
    b1.Handle<Find>([this, named](const CallContext&, const Nothing&) {
      ++refused;
      return conduit::MakeError(HeldElsewhere{named}, "held by another host");
    });
    b2.Handle<Find>([this](const CallContext&, const Nothing&) {
      ++executed;
      return b2_holds ? absl::OkStatus() : conduit::MakeError(HeldElsewhere{"b1"}, "not here");
    });
    for (Conduit* const host : {&b1, &b2}) {
      network.ConnectHost("B", host == &b1 ? "b1" : "b2",
                          [host](const WireRequest& request) { return host->Receive(request); });
    }
  }
  absl::Status Call(const std::string& key = {}) {
    return a.Call<Find>("B", {}, {.balance_key = key}).status();
  }

  int refused = 0;
  int executed = 0;
  bool b2_holds = true;
  InProcessNetwork network;
  Conduit a{PodsOf("A"), &network, {.balance = Balance::kRandom, .seed = 7}};
  Conduit b1{PodsOf("B"), &network};
  Conduit b2{PodsOf("B"), &network};
};

}  // namespace

TEST_CASE("A call goes to the host that holds what it is for, and later ones at once",
          "[conduit][hosts]") {
  Holders holders;
  for (int i = 0; i < 20; ++i) REQUIRE(holders.Call("alice") == absl::OkStatus());
  CHECK(holders.executed == 20);
  CHECK(holders.refused <= 1);
  // Without a key nothing is remembered, and every call arrives all the same.
  holders.refused = 0;
  for (int i = 0; i < 20; ++i) REQUIRE(holders.Call() == absl::OkStatus());
  CHECK(holders.executed == 40);
  CHECK(holders.refused > 1);
}

TEST_CASE("A host that is named and cannot be reached is forgotten", "[conduit][hosts]") {
  Holders holders;
  while (holders.refused == 0) REQUIRE(holders.Call("alice") == absl::OkStatus());
  holders.network.SetFault("b2", Fault::kRefuse);
  const absl::Status down = holders.Call("alice");
  CHECK(OutcomeOf(down) == Outcome::kNotExecuted);
  holders.network.SetFault("b2", Fault::kNone);
  CHECK(holders.Call("alice") == absl::OkStatus());
}

TEST_CASE("Hosts that send a call in circles, or to nobody, do not execute it",
          "[conduit][hosts]") {
  Holders circle;
  circle.b2_holds = false;
  const absl::Status status = circle.Call();
  CHECK(OutcomeOf(status) == Outcome::kNotExecuted);
  CHECK(GetError<HeldElsewhere>(status).has_value());
  CHECK(circle.refused + circle.executed == 4);

  for (const char* name : {"", "c9"}) {
    Holders unnamed(name);
    for (int i = 0; i < 10; ++i) CHECK(unnamed.Call() == absl::OkStatus());
    CHECK(unnamed.executed == 10);
  }
}

}  // namespace podkit::conduit
