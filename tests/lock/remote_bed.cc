#include "remote_bed.h"

#include <utility>

#include "podkit/conduit/conduit.h"
#include "podkit/conduit/http_transport.h"
#include "podkit/conduit/in_process.h"
#include "podkit/conduit/mux_transport.h"
#include "podkit/lock/directory_service.h"
#include "podkit/lock/remote_directory.h"
#include "servers/http/http_server.h"

namespace podkit::lock {
namespace {

constexpr int kServerThreads = 16;

// Pod A asks, pod L has the directory.
std::shared_ptr<conduit::Pods> PodsOf(std::string own_id, const std::string& host_of_l,
                                      bool operators) {
  const std::vector<std::string> keys = {"the key that pods A and L share....."};
  std::vector<std::string> hosts;
  if (!host_of_l.empty()) hosts.push_back(host_of_l);
  return ValueOf(conduit::Pods::Create({{.id = "A", .keys = keys, .acts_for_any_user = operators},
                                        {.id = "L", .hosts = std::move(hosts), .keys = keys}},
                                       std::move(own_id)));
}

conduit::ConduitOptions WithThreads() {
  conduit::ConduitOptions options;
  options.worker_threads = kServerThreads;
  return options;
}

}  // namespace

struct RemoteBed::Parts {
  conduit::InProcessNetwork network;
  conduit::HttpTransport http;
  std::unique_ptr<conduit::MuxTransport> links_of_a;
  std::unique_ptr<conduit::MuxTransport> links_of_l;
  std::unique_ptr<conduit::Conduit> a;
  std::unique_ptr<conduit::Conduit> l;
  std::unique_ptr<servers::HttpServer> server;

  ~Parts() {
    if (links_of_a) links_of_a->Stop();
    if (server) server->Stop(absl::ZeroDuration());
    if (links_of_l) links_of_l->Stop();
  }

  std::string StartServer() {
    servers::Router router;
    const auto receive = [this](const servers::HttpRequest& request) {
      const auto header = [&](const char* name) {
        return std::string(request.headers.Find(name).value_or(""));
      };
      const conduit::WireReply reply = l->Receive({.content_type = header("Content-Type"),
                                                   .authorization = header("Authorization"),
                                                   .body = request.body});
      return servers::HttpResponse{.status = reply.status,
                                   .headers = {{"Content-Type", reply.content_type},
                                               {"X-Podkit-Authorization", reply.authorization}},
                                   .body = reply.body};
    };
    REQUIRE(router.Add("POST", conduit::kConduitPath, receive) == absl::OkStatus());
    const auto upgrade = [this](const servers::HttpRequest&) {
      return servers::HttpResponse::SwitchTo(links_of_l->Acceptor());
    };
    REQUIRE(router.AddUpgrade(conduit::kMuxPath, conduit::kMuxProtocol, upgrade) ==
            absl::OkStatus());
    server =
        ValueOf(servers::HttpServer::Start({.worker_threads = kServerThreads}, std::move(router)));
    return "http://127.0.0.1:" + std::to_string(server->port());
  }
};

RemoteBed::RemoteBed(Way way, bool caller_is_operator) : parts_(std::make_unique<Parts>()) {
  directory_ = ValueOf(OpenMemoryDirectory(Options()));
  Parts& parts = *parts_;
  const auto pods_of_l = PodsOf("L", "", caller_is_operator);
  parts.links_of_l = ValueOf(conduit::MuxTransport::Create(pods_of_l));
  parts.l = std::make_unique<conduit::Conduit>(pods_of_l, &parts.network, WithThreads());
  ServeDirectory(directory_, {}, parts.l.get());
  const std::string host = way == Way::kInProcess ? "" : parts.StartServer();
  const auto pods_of_a = PodsOf("A", host, caller_is_operator);
  conduit::Transport* transport = &parts.network;
  if (way == Way::kHttp) transport = &parts.http;
  if (way == Way::kLinks) {
    parts.links_of_l->Serve(
        [l = parts.l.get()](conduit::ReceivedCall call) { l->Answer(std::move(call)); });
    parts.links_of_a = ValueOf(conduit::MuxTransport::Create(pods_of_a));
    transport = parts.links_of_a.get();
  }
  parts.network.Connect("L", [l = parts.l.get()](const conduit::WireRequest& request) {
    return l->Receive(request);
  });
  parts.a = std::make_unique<conduit::Conduit>(pods_of_a, transport, WithThreads());
  remote_ = std::make_shared<RemoteDirectory>(
      parts.a.get(), RemoteDirectoryOptions{.pod = "L", .timeout = absl::Seconds(20)});
}

RemoteBed::~RemoteBed() {
  remote_.reset();
  parts_.reset();
}

void RemoteBed::SetFault(WayFault fault) {
  using Fault = conduit::InProcessNetwork::Fault;
  constexpr Fault kFaults[] = {Fault::kNone, Fault::kRefuse, Fault::kLoseReply};
  parts_->network.SetFault("L", kFaults[static_cast<int>(fault)]);
}

}  // namespace podkit::lock
