// Finds the handler of a request by its method and path.
//
// A pattern is a path whose segments are literal text or {name}, which stands for one segment that
// is not empty: "/users/{user}/calendars/{name}". A literal segment goes before a {name}, so
// "/users/me" is found beside "/users/{user}". {name...} at the end stands for all that follows, if
// nothing else fits. Segments are compared after decoding, one by one: an encoded slash ("%2F")
// never separates.
//
// Thread-compatible: fill it, then share it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "servers/http/http_message.h"

namespace podkit::servers {

// Called from many threads at once. An exception becomes a 500 with a reference that is logged.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

// Takes the body of one request while it arrives, and then answers.
class BodyReceiver {
 public:
  virtual ~BodyReceiver() = default;
  // The next piece, on the connection's io thread, as with HandlerThread::kInline. False: the
  // answer is decided, whatever follows.
  virtual bool Receive(std::string_view bytes) = 0;
  // The body has ended, or Receive was false. On a worker thread, once.
  virtual HttpResponse Finish() = 0;
};

// Called on the io thread with a request whose body is still to come.
using BodyHandler = std::function<std::unique_ptr<BodyReceiver>(const HttpRequest&)>;

enum class HandlerThread {
  kPool,    // A worker thread: may block. A full queue answers 503 in its place.
  kInline,  // The connection's io thread: memory only and a few microseconds, as all others wait.
};

struct RouteOptions {
  HandlerThread thread = HandlerThread::kPool;
  size_t max_body_bytes = 0;  // 0: what the server allows by default.
};

struct UpgradeOptions {
  HandlerThread thread = HandlerThread::kInline;
  // Called once when the server begins to stop, before anything is closed; must not block. The
  // streams then have the grace to end by themselves. May be empty.
  std::function<void()> stopping = {};
};

struct Route {
  std::string method;
  std::string pattern;
  std::string protocol;  // Empty unless the route upgrades.
  HttpHandler handler;
  BodyHandler body_handler;  // In place of the handler.
  RouteOptions options;
  std::vector<std::string> param_names;
};

class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  // kInvalidArgument if the pattern does not start with '/' or has a malformed or repeated {name};
  // kAlreadyExists if the method already has a route for the same paths. A GET route also serves
  // HEAD unless HEAD has its own.
  absl::Status Add(std::string_view method, std::string_view pattern, HttpHandler handler,
                   RouteOptions options = {});

  // A route whose requests are not kept in memory whole: `handler` makes a receiver for each. A
  // client whose body is refused in the middle gets the answer and is cut off. Fails as Add does.
  absl::Status AddStreamed(std::string_view method, std::string_view pattern, BodyHandler handler,
                           size_t max_body_bytes);

  // A GET route on which a connection can switch from HTTP to `protocol` ("name/version"). The
  // handler sees only HTTP/1.1 requests without a body that ask for it, all others are told what is
  // wrong with 400 or 426. It answers with HttpResponse::SwitchTo, or refuses with any other reply.
  // After the 101 the connection has no time-outs but while it closes. Fails as Add does.
  absl::Status AddUpgrade(std::string_view pattern, std::string_view protocol, HttpHandler handler,
                          UpgradeOptions options = {});
  // The callbacks `stopping` of all upgrades.
  const std::vector<std::function<void()>>& stopping() const { return stopping_; }

  struct Match {
    const Route* route = nullptr;  // Lives as long as the router.
    std::vector<std::pair<std::string, std::string>> params;
    std::string allow;  // With no route: the methods of this path, "" if nothing is there.
  };
  // `path` is percent-encoded, without a query.
  Match Find(std::string_view method, std::string_view path) const;

 private:
  struct Node;
  struct Search;

  absl::Status AddRoute(std::unique_ptr<Route> route);

  std::unique_ptr<Node> root_;
  std::vector<std::function<void()>> stopping_;
};

}  // namespace podkit::servers
