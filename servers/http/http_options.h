// How an HttpServer is set up, and what it counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace podkit::servers {

enum class HttpLogLevel { kInfo, kWarning, kError };

// 16 random hexadecimal digits.
std::string RandomReference();

struct HttpServerOptions {
  std::string address = "127.0.0.1";  // An IP address; "::" or "0.0.0.0" for all.
  uint16_t port = 0;                  // 0: a free one, see HttpServer::port().

  // PEM files: the certificate with its chain, and its key. Both or none; given, the server speaks
  // only https (TLS 1.2 or later).
  std::string tls_certificate_file;
  std::string tls_key_file;

  int io_threads = 1;
  int worker_threads = 2;
  size_t queue_limit = 256;  // Requests that wait for a worker; one more is answered 503.

  // A connection beyond these is accepted and answered 503 at once (with TLS: closed).
  size_t max_connections = 4096;
  size_t max_header_bytes = 16 << 10;  // Beyond it 431. At least 1 KiB.
  size_t max_body_bytes = 1 << 20;     // Beyond it 413. A route may set its own.

  absl::Duration header_timeout = absl::Seconds(10);  // From the first byte (or the connect) on.
  // A body must come, and a reply be taken, within its time-out plus the time that its bytes may
  // take at this rate.
  absl::Duration body_timeout = absl::Seconds(20);
  absl::Duration write_timeout = absl::Seconds(20);
  size_t min_bytes_per_second = 1024;
  absl::Duration idle_timeout = absl::Seconds(60);     // Between two requests of a connection.
  absl::Duration linger_timeout = absl::Seconds(2);    // For a refused client to read the refusal.
  absl::Duration timer_resolution = absl::Seconds(1);  // How late a time-out may be; at most 1 s.

  // All are called from any of the server's threads, several at once, and must not throw.
  std::function<void(HttpLogLevel, std::string_view)> log = [](HttpLogLevel, std::string_view) {};
  std::function<absl::Time()> now = absl::Now;  // For the Date header.
  // Names the log line of a failed handler in the 500 that its client sees.
  std::function<std::string()> new_reference = RandomReference;
};

// A snapshot; each number is exact, their sum at one moment is not.
struct HttpCounters {
  uint64_t connections_accepted = 0;
  uint64_t connections_refused = 0;  // Beyond max_connections.
  uint64_t connections_open = 0;
  uint64_t connections_timed_out = 0;
  std::array<uint64_t, 6> responses = {};  // By class: [2] counts 200 to 299; [1] only 101.
  uint64_t bytes_received = 0;             // With TLS: of the clear text.
  uint64_t bytes_sent = 0;
  uint64_t queue_depth = 0;    // Requests that wait for a worker.
  uint64_t queue_refused = 0;  // Answered 503 because the queue was full.
  uint64_t upgraded = 0;       // Connections that switched to another protocol, and of these:
  uint64_t upgraded_open = 0;  // Also among connections_open.
};

}  // namespace podkit::servers
