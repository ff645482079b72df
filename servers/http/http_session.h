// The protocol of one connection, without the connection: it is given bytes and the time, and says
// what to send and what to do next.
//
// Owner-thread. At most one request is in work and those pipelined behind it wait, so replies are
// in order. What it keeps is bounded: one head, one body, one read of further input, and 64 KiB of
// replies plus the one that exceeded them. A body that is streamed is not kept.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "servers/http/http_message.h"
#include "servers/http/http_options.h"
#include "servers/http/http_stats.h"
#include "servers/http/request_parser.h"
#include "servers/http/router.h"

namespace podkit::servers {

class HttpSession {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // What sessions share; it all outlives them.
  struct Env {
    const Router* router;
    const HttpServerOptions* options;
    HttpStats* stats;
    const std::string* date;  // What the Date header says now.
  };

  enum class Next {
    kRead,     // Read up to ReadSize() bytes and call Receive.
    kProcess,  // Call Process: input is here that had to wait for the output.
    kSubmit,   // Give TakeJob() to a worker and call Reply when it is done, or call RefuseBusy now.
    kWait,     // A worker has the request.
    kSwitch,   // Call TakeSwitch: the connection speaks another protocol now. The last call.
    kLinger,   // Send no more; read and drop what comes until the peer closes.
    kClose,    // Close the connection.
  };

  struct Job {
    const Route* route;
    HttpRequest request;
    std::unique_ptr<BodyReceiver> receiver;  // Null unless the route is streamed.
  };

  struct Switch {
    conduit::StreamAcceptor acceptor;
    std::string peer;
    std::string early;  // What came behind the request.
  };

  HttpSession(const Env& env, std::string peer, TimePoint now);

  // What to do once Output() is sent. Ask again after each call.
  Next next() const;
  size_t ReadSize() const;

  void Receive(std::string_view bytes, TimePoint now);
  void Process(TimePoint now) { Receive({}, now); }
  Job TakeJob();
  void Reply(HttpResponse response, TimePoint now);
  Switch TakeSwitch();
  void RefuseBusy(TimePoint now);
  // The server has no room for this connection: answers 503 and closes.
  void RefuseConnection(TimePoint now);

  // The next bytes to send, valid until the next call; empty if there are none.
  std::string_view Output() const;
  void Sent(size_t bytes, TimePoint now);
  // Without output: what is left of a file to send. Null if there is none.
  const HttpFile* OutputFile() const;
  void SentFile(size_t bytes, TimePoint now);

  // Ends what takes too long; true if something did.
  bool Tick(TimePoint now);
  // Closes when idle: now, or after the request that has begun.
  void Drain() { draining_ = true; }

 private:
  // Up to kBody input is taken; from kReady on it waits; from kLastReply on it is dropped.
  enum class Phase {
    kIdle,
    kHead,
    kBody,
    kReady,
    kHandling,
    kSwitching,
    kLastReply,
    kLinger,
    kClosed,
  };

  bool CanConsume() const;
  size_t Consume(std::string_view input, TimePoint now);
  void OnHead(TimePoint now);
  void OnRequest(TimePoint now);
  void BeginBody();
  void TakeBody(std::string_view bytes);
  bool CutBody(TimePoint now);
  absl::Status CheckHead();
  void FindRoute();
  std::optional<HttpResponse> UpgradeProblem() const;
  void StartRequest(absl::Duration timeout, TimePoint now);
  void Finish(HttpResponse response, TimePoint now);
  void Refuse(HttpResponse response, TimePoint now);
  void Append(HttpResponse response, bool keep_alive, TimePoint now);
  void BeginOutput(TimePoint now);
  void ClearOutput();
  bool HasOutput() const { return !Output().empty() || file_.owner != nullptr; }
  void OnOutputSent(TimePoint now);
  // Time-out plus the time that `bytes` may take.
  TimePoint Allowed(TimePoint start, absl::Duration timeout, uint64_t bytes) const;
  TimePoint Deadline() const;

  const Env env_;
  std::string peer_;
  RequestParser parser_;
  HttpRequest request_;
  const Route* route_ = nullptr;
  std::optional<HttpResponse> early_reply_;  // Decided by the head, due after the body.
  bool head_request_ = false;
  std::unique_ptr<BodyReceiver> receiver_;
  bool body_refused_ = false;         // By the receiver: what follows is not for it.
  bool body_cut_ = false;             // The answer is due before the body has ended.
  conduit::StreamAcceptor acceptor_;  // Set from kSwitching on.

  Phase phase_ = Phase::kIdle;
  TimePoint phase_start_;
  absl::Duration phase_timeout_;
  bool draining_ = false;
  bool linger_ = false;

  std::string input_;    // Received and not yet used.
  bool starved_ = true;  // input_ is of no use until more comes.

  std::string output_;
  std::string large_body_;  // Sent after output_, and not copied into it.
  size_t output_sent_ = 0;  // Of both.
  HttpFile file_;           // What is left of it; sent after both.
  uint64_t file_sent_ = 0;
  TimePoint output_start_;
};

// Runs the route's handler, or lets the receiver of the body answer. An exception, or a response
// that cannot be sent, becomes a 500.
HttpResponse CallHandler(const Route& route, const HttpRequest& request,
                         const HttpServerOptions& options, BodyReceiver* receiver = nullptr);

}  // namespace podkit::servers
