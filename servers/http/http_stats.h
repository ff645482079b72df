// Counters that one io thread and the workers of its requests add to. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "servers/http/http_options.h"

namespace podkit::servers {

class HttpStats {
 public:
  using Counter = std::atomic<uint64_t>;

  static void Add(Counter& counter, uint64_t n = 1) {
    counter.fetch_add(n, std::memory_order_relaxed);
  }
  void AddResponse(int status) { Add(responses[static_cast<size_t>(status / 100) % 6]); }

  void AddTo(HttpCounters* sum) const {
    sum->connections_timed_out += connections_timed_out;
    sum->bytes_received += bytes_received;
    sum->bytes_sent += bytes_sent;
    sum->queue_refused += queue_refused;
    sum->upgraded += upgraded;
    sum->upgraded_open += upgraded_open;
    for (size_t i = 0; i < responses.size(); ++i) sum->responses[i] += responses[i];
  }

  Counter connections_timed_out = 0;
  Counter bytes_received = 0;
  Counter bytes_sent = 0;
  Counter queue_refused = 0;
  Counter upgraded = 0;
  Counter upgraded_open = 0;
  std::array<Counter, 6> responses = {};
};

}  // namespace podkit::servers
