// Two pods that call each other over HTTP on this machine. Any HTTP server can mount a conduit;
// this one is Podkit's own, of servers/http.
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <tuple>

#include "podkit/conduit/conduit.h"
#include "podkit/conduit/http_transport.h"
#include "servers/http/http_server.h"

namespace conduit = podkit::conduit;
namespace servers = podkit::servers;

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

// Passes a request on to the conduit, with the headers that it wants, and its reply back.
servers::HttpResponse Receive(conduit::Conduit& pod, const servers::HttpRequest& request) {
  const auto header = [&](std::string_view name) {
    return std::string(request.headers.Find(name).value_or(""));
  };
  conduit::WireReply reply = pod.Receive({.content_type = header("Content-Type"),
                                          .authorization = header("Authorization"),
                                          .body = request.body});
  return {.status = reply.status,
          .headers = {{"Content-Type", reply.content_type},
                      {"X-Podkit-Authorization", reply.authorization}},
          .body = std::move(reply.body)};
}

int main() {
  const std::string key(32, 'k');  // A secret that the two pods share.
  conduit::HttpTransport transport;
  conduit::Conduit b(*conduit::Pods::Create({{.id = "A", .keys = {key}}, {.id = "B"}}, "B"),
                     &transport);
  b.Handle<EatCheez>([](const conduit::CallContext& context,
                        const EatCheez::Arguments& cheese) -> absl::StatusOr<int64_t> {
    std::cout << "pod " << context.caller->id << " asks for " << cheese.name << "\n";
    return 10;
  });
  servers::Router router;
  const absl::Status mounted =
      router.Add("POST", conduit::kConduitPath,
                 [&b](const servers::HttpRequest& request) { return Receive(b, request); });
  const auto server = servers::HttpServer::Start({}, std::move(router));  // On a free port.
  if (!mounted.ok() || !server.ok()) return 1;

  const std::string host = "http://127.0.0.1:" + std::to_string((*server)->port());
  conduit::Conduit a(
      *conduit::Pods::Create({{.id = "A"}, {.id = "B", .hosts = {host}, .keys = {key}}}, "A"),
      &transport);
  const absl::StatusOr<int64_t> rating = a.Call<EatCheez>("B", {.name = "gouda"});
  if (!rating.ok()) {
    std::cerr << rating.status() << "\n";
    return 1;
  }
  std::cout << "pod B rates it " << *rating << "\n";
}
