// A small HTTP/1.1 server on loopback that can misbehave: for tests of HTTP clients.
//
// Thread-safe. Each connection has a thread of its own, on which the handler runs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace podkit::testing {

struct LoopbackRequest {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  // Names in lower case.
  std::string body;
};

struct LoopbackReply {
  enum class Action {
    kAnswer,
    kClose,      // Close the connection in place of an answer.
    kCut,        // Close it in the middle of the answer's body.
    kStall,      // Never answer; the connection stays open until the server stops.
    kAnswerRaw,  // `body` is everything that is sent; then close.
  };

  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  Action action = Action::kAnswer;
  bool close_after = false;  // Answer as usual, then close without saying so in a header.
};

struct LoopbackOptions {
  uint16_t port = 0;  // 0: a free one.
  // PEM files; given, the server speaks https.
  std::string certificate_file = {};
  std::string key_file = {};
};

class LoopbackServer {
 public:
  using Handler = std::function<LoopbackReply(const LoopbackRequest&)>;

  // Listens on 127.0.0.1. Throws std::runtime_error if it cannot.
  explicit LoopbackServer(Handler handler, const LoopbackOptions& options = {});
  // Closes all connections and waits for the handlers that run.
  ~LoopbackServer();
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  uint16_t port() const;
  std::string address() const;  // "http://127.0.0.1:port", or https.
  int connections() const;      // Accepted since the start.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace podkit::testing
