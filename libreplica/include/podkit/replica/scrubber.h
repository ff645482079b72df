// Reads back every chunk that a gateway keeps, at a set pace and again after a while, and verifies
// it.
//
// What is lost or damaged is logged, counted, and remembered by the gateway, which says that it
// lacks it and does not serve it. It is mended if the gateway's cache still has it, or with what
// `fetch` gets elsewhere. Where a pass got to is kept in the gateway's catalog: after a restart it
// goes on there, and after a crash at most some seconds before.
//
// Thread-safe, but that one thread at a time calls Step or Run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "podkit/replica/chunk.h"
#include "podkit/replica/gateway.h"

namespace podkit::replica {

struct ScrubOptions {
  uint64_t bytes_per_second = uint64_t{4} << 20;  // A small chunk counts as 4 KiB.
  // From the beginning of one pass to that of the next, and before the first.
  absl::Duration interval = absl::Hours(30 * 24);
  // The bytes of a chunk from another replica; what has not the hash is thrown away. Empty: none.
  std::function<absl::StatusOr<std::string>(const ChunkName&, const ChunkHash&)> fetch;
  std::function<absl::Time()> now = absl::Now;
};

// Of the pass that runs, or else of the last one.
struct ScrubReport {
  bool running = false;
  absl::Time began = absl::InfinitePast();  // Before the first: when there was a scrubber first.
  absl::Time ended = absl::InfinitePast();  // Of the last one that ended.
  uint64_t passes = 0;                      // That ended.
  uint64_t chunks = 0;
  uint64_t bytes = 0;
  uint64_t damaged = 0;    // Found lost or damaged,
  uint64_t mended = 0;     // and whole again since.
  uint64_t unchecked = 0;  // The driver failed whenever it was asked.
};

class Scrubber {
 public:
  // `gateway` outlives it. kInvalidArgument names the option at fault; other errors are those of
  // the catalog.
  static absl::StatusOr<std::unique_ptr<Scrubber>> Create(Gateway* gateway, ScrubOptions options);
  // Remembers where it got to.
  ~Scrubber();

  // Checks the next chunk if it is time to, and returns when the next step is due.
  absl::Time Step();
  // Steps when they are due, until it is stopped. Waits by the real clock.
  void Run(const std::stop_token& stop);
  // The next step begins a pass, unless one runs.
  void BeginPass();

  ScrubReport report() const;

 private:
  class Impl;
  explicit Scrubber(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace podkit::replica
