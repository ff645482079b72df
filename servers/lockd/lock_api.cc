#include "servers/lockd/lock_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "podkit/lock/directory_commands.h"
#include "servers/common/admin_messages.h"
#include "servers/common/known_members.h"
#include "servers/common/operator_token.h"
#include "servers/common/request_check.h"
#include "servers/common/status_to_http.h"

namespace podkit::servers {
namespace {

using ApiAnswer = absl::StatusOr<HttpResponse>;

// A watch is asked again by whoever goes on watching.
constexpr absl::Duration kLongestWatch = absl::Seconds(20);

struct Api {
  lock::WriteLockDirectory* directory;
  LockApiOptions options;
};

std::string Query(const HttpRequest& request, std::string_view name) {
  return request.Query(name).value_or("");
}

absl::StatusOr<int64_t> Number(const HttpRequest& request, std::string_view name, int64_t absent) {
  const std::string text = Query(request, name);
  if (text.empty()) return absent;
  const auto number = ParseNumber<int64_t>(text);
  if (number) return *number;
  return absl::InvalidArgumentError(fmt::format("{}: '{}' is not a number", name, text));
}

absl::StatusOr<LockOrder> Order(const HttpRequest& request) {
  auto order = conduit::FromJson<LockOrder>(request.body);
  absl::Status status = order.status();
  if (status.ok()) {
    status = CheckMembers<LockOrder>(conduit::JsonDocument::Parse(request.body)->root());
  }
  if (status.ok()) return order;
  return absl::InvalidArgumentError("body: " + std::string(status.message()));
}

template <conduit::Encodable T>
ApiAnswer Value(const absl::StatusOr<T>& value) {
  if (!value.ok()) return value.status();
  return HttpResponse::Json(200, conduit::ToJson(*value));
}

ApiAnswer Done(const absl::Status& status) {
  if (!status.ok()) return status;
  return HttpResponse{.status = 204, .headers = {}, .body = {}};
}

ApiAnswer GetStatus(const Api& api, const HttpRequest&) {
  return HttpResponse::Json(200, conduit::ToJson(api.options.status()));
}

ApiAnswer ListLocks(const Api& api, const HttpRequest& request) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t limit, Number(request, "limit", 1000));
  return Value(api.directory->List({.prefix = Query(request, "prefix"),
                                    .host = Query(request, "host"),
                                    .after = Query(request, "after"),
                                    .limit = limit}));
}

ApiAnswer GetLock(const Api& api, const HttpRequest& request) {
  return Value(api.directory->Find(std::string(request.Param("store"))));
}

ApiAnswer WatchLocks(const Api& api, const HttpRequest& request) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t after, Number(request, "after", -1));
  if (after < 0) return absl::InvalidArgumentError("after: give the revision to watch from");
  PODKIT_ASSIGN_OR_RETURN(const int64_t wait, Number(request, "wait_ms", 0));
  return Value(api.directory->Watch(
      Query(request, "prefix"), after,
      std::clamp(absl::Milliseconds(wait), absl::ZeroDuration(), kLongestWatch)));
}

ApiAnswer CreateLock(const Api& api, const HttpRequest& request) {
  return Done(api.directory->CreateStore(std::string(request.Param("store"))));
}

ApiAnswer DeleteLock(const Api& api, const HttpRequest& request) {
  return Done(api.directory->DeleteStore(std::string(request.Param("store")), Query(request, "by"),
                                         Query(request, "reason")));
}

ApiAnswer BreakLock(const Api& api, const HttpRequest& request) {
  PODKIT_ASSIGN_OR_RETURN(const LockOrder order, Order(request));
  PODKIT_ASSIGN_OR_RETURN(
      const lock::Token token,
      api.directory->Break(std::string(request.Param("store")), order.by, order.reason));
  return HttpResponse::Json(200, ToJsonMember("token", token));
}

ApiAnswer AskToHandOver(const Api& api, const HttpRequest& request) {
  PODKIT_ASSIGN_OR_RETURN(const LockOrder order, Order(request));
  return Done(
      api.directory->AskToHandOver(std::string(request.Param("store")), order.by, order.reason));
}

ApiAnswer ReadAudit(const Api& api, const HttpRequest& request) {
  PODKIT_ASSIGN_OR_RETURN(const int64_t after, Number(request, "after", 0));
  PODKIT_ASSIGN_OR_RETURN(auto entries, api.directory->ReadAudit(after));
  return HttpResponse::Json(200, conduit::ToJson(lock::AuditPage{.entries = std::move(entries)}));
}

struct ApiRoute {
  const char* method;
  const char* path;
  ApiAnswer (*handler)(const Api&, const HttpRequest&);
  std::string_view parameters = "actor";  // Of the query, with spaces between them.
};

constexpr ApiRoute kRoutes[] = {
    {"GET", "/status", GetStatus},
    {"GET", "/locks", ListLocks, "actor prefix host after limit"},
    {"GET", "/locks/{store}", GetLock},
    {"PUT", "/locks/{store}", CreateLock},
    {"DELETE", "/locks/{store}", DeleteLock, "actor by reason"},
    {"POST", "/locks/{store}/break", BreakLock},
    {"POST", "/locks/{store}/ask-to-hand-over", AskToHandOver},
    {"GET", "/lock-events", WatchLocks, "actor prefix after wait_ms"},
    {"GET", "/lock-audit", ReadAudit, "actor after"},
};

HttpResponse Answer(const Api& api, const ApiRoute& route, const HttpRequest& request) {
  if (!IsOperator(request, api.options.token)) return AskForToken();
  const absl::Time start = absl::Now();
  const absl::Status good = CheckRequest(request, route.parameters);
  ApiAnswer answer = good.ok() ? route.handler(api, request) : good;
  HttpResponse response = answer.ok() ? *std::move(answer) : ErrorResponse(answer.status());
  if (api.options.log) {
    api.options.log(request.method != "GET",
                    fmt::format("{} {} {}: {} in {:.1f} ms", request.method, request.path(),
                                request.method == "GET" ? "" : request.body, response.status,
                                absl::ToDoubleMilliseconds(absl::Now() - start)));
  }
  return response;
}

}  // namespace

absl::Status AddLockApi(lock::WriteLockDirectory* directory, LockApiOptions options,
                        Router* router) {
  const auto api = std::make_shared<const Api>(Api{directory, std::move(options)});
  for (const ApiRoute& route : kRoutes) {
    PODKIT_RETURN_IF_ERROR(router->Add(
        route.method, fmt::format("{}{}", kAdminPath, route.path),
        [api, &route](const HttpRequest& request) { return Answer(*api, route, request); }));
  }
  return absl::OkStatus();
}

}  // namespace podkit::servers
