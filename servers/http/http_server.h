// An HTTP/1.1 server over TCP or TLS that answers from a Router.
//
// Thread-safe. Connections live on a few io threads; a handler runs there or on a bounded pool, as
// its route says. Every limit and time-out of HttpServerOptions is enforced before a handler sees
// the request. Errors of Start: kInvalidArgument = fix the named option or file; kUnavailable = the
// address cannot be listened on (in use, not of this machine, not permitted) or the system is out
// of threads.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "servers/http/http_options.h"
#include "servers/http/router.h"

namespace podkit::servers {

class HttpServer {
 public:
  // Listens and serves until Stop.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpServerOptions options,
                                                           Router router);
  // Stops without grace. Not in a handler.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;

  // Accepts no more, closes idle connections, lets those with a request answer it and those that
  // were upgraded end by themselves, and cuts what is left after `grace`. Returns when all threads
  // have ended, so not before the handlers that run; in a handler it only starts all this. May be
  // called by several threads, and again with less grace.
  void Stop(absl::Duration grace);

  HttpCounters counters() const;

 private:
  struct Impl;

  explicit HttpServer(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace podkit::servers
