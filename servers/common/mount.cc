#include "servers/common/mount.h"

#include <utility>

#include "common/status_macros.h"
#include "servers/common/admin_messages.h"
#include "servers/common/log.h"

namespace podkit::servers {
namespace {

HttpResponse ReceiveConduit(conduit::Conduit* conduit, conduit::Recorder* recorder,
                            const HttpRequest& request) {
  const conduit::WireRequest wire{
      .content_type = std::string(request.headers.Find("Content-Type").value_or("")),
      .authorization = std::string(request.headers.Find("Authorization").value_or("")),
      .body = request.body};
  conduit::WireReply reply =
      recorder == nullptr ? conduit->Receive(wire) : recorder->Receive(*conduit, wire);
  HttpResponse response{.status = reply.status, .headers = {}, .body = std::move(reply.body)};
  if (!reply.content_type.empty()) {
    response.headers.emplace_back("Content-Type", reply.content_type);
  }
  if (!reply.authorization.empty()) {
    response.headers.emplace_back("X-Podkit-Authorization", reply.authorization);
  }
  return response;
}

}  // namespace

std::function<void(conduit::LogLevel, std::string_view)> ConduitLog(
    std::shared_ptr<spdlog::logger> log) {
  return [log = std::move(log)](conduit::LogLevel level, std::string_view text) {
    log->log(level == conduit::LogLevel::kInfo      ? spdlog::level::info
             : level == conduit::LogLevel::kWarning ? spdlog::level::warn
                                                    : spdlog::level::err,
             OneLine(text));
  };
}

std::function<void(HttpLogLevel, std::string_view)> HttpLog(std::shared_ptr<spdlog::logger> log) {
  return [log = std::move(log)](HttpLogLevel level, std::string_view text) {
    log->log(level == HttpLogLevel::kInfo      ? spdlog::level::debug
             : level == HttpLogLevel::kWarning ? spdlog::level::warn
                                               : spdlog::level::err,
             OneLine(text));
  };
}

std::function<void(const conduit::HostEvent&)> LinkLog(std::shared_ptr<spdlog::logger> log) {
  return [log = std::move(log)](const conduit::HostEvent& event) {
    if (event.kind == conduit::HostEvent::Kind::kConnected) {
      log->info("link to pod '{}', host '{}': {}", event.pod, event.host, OneLine(event.reason));
    } else {
      log->warn("no link to pod '{}', host '{}': {}", event.pod, event.host, OneLine(event.reason));
    }
  };
}

absl::Status MountConduit(conduit::Conduit* conduit, conduit::MuxTransport* links, Router* router,
                          conduit::Recorder* recorder) {
  PODKIT_RETURN_IF_ERROR(
      router->Add("POST", conduit::kConduitPath, [conduit, recorder](const HttpRequest& request) {
        return ReceiveConduit(conduit, recorder, request);
      }));
  return router->AddUpgrade(conduit::kMuxPath, conduit::kMuxProtocol, [links](const HttpRequest&) {
    return HttpResponse::SwitchTo(links->Acceptor());
  });
}

absl::Status MountHealth(std::function<std::vector<std::string>()> problems, HttpHandler metrics,
                         Router* router) {
  const auto alive = [](const HttpRequest&) { return HttpResponse::Text(200, "alive\n"); };
  PODKIT_RETURN_IF_ERROR(router->Add("GET", "/healthz", alive, {.thread = HandlerThread::kInline}));
  PODKIT_RETURN_IF_ERROR(
      router->Add("GET", "/readyz", [problems = std::move(problems)](const HttpRequest&) {
        const std::vector<std::string> found = problems();
        return HttpResponse::Json(found.empty() ? 200 : 503, ToJsonMember("problems", found));
      }));
  return router->Add("GET", "/metrics", std::move(metrics));
}

}  // namespace podkit::servers
