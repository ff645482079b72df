// A chunk gateway without a socket: whoever has an HTTP server hands it requests.
//
// Signed requests put, delete and rename; anybody gets (docs/replica-protocol.md). What is
// acknowledged is durable: the driver has it, and so has the catalog of what is kept here. What is
// served is verified, against the hash that it was put with or the sums of the cache. A chunk that
// the driver lost or damaged is remembered as that, and taken anew when it is put again.
//
// Thread-safe. Begin and Finish may touch the disk and wait for the driver: call them on a pool,
// not where sockets are served. For a POST, Begin and Receive only compute (a signature, hashes)
// and copy to memory: they may run where the bytes come in.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "podkit/replica/chunk_driver.h"
#include "podkit/replica/control.h"
#include "podkit/replica/keys.h"
#include "podkit/replica/writers.h"

namespace podkit::replica {

struct GatewayOptions {
  std::string id;      // As requests name it: 1 to 64 letters, digits, '-' and '_'.
  std::string folder;  // For the catalog and the cache; one gateway in one process uses it.
  SigningKey key = SigningKey::Generate();  // Signs replies.
  ControlLimits limits;
  size_t max_control_bytes = 1 << 20;
  uint64_t memory_bytes = uint64_t{256} << 20;  // For chunks on their way; beyond it 503.
  uint64_t cache_bytes = uint64_t{1} << 30;     // Of files; 0: no cache.
  // How long the driver is not asked again for a chunk that it just did not have.
  absl::Duration absent_for = absl::Seconds(5);
  absl::Duration max_clock_skew = absl::Minutes(5);
  absl::Duration driver_timeout = absl::Seconds(30);  // Of one call of the driver.
  absl::Duration retry_after = absl::Seconds(1);      // What a 503 says.
  std::function<absl::Time()> now = absl::Now;        // Of requests and their freshness.
  std::function<void(std::string_view)> log = [](std::string_view) {};
};

struct GatewayRequest {
  std::string method;
  std::string target;  // As sent.
  std::vector<std::pair<std::string, std::string>> headers;
};

// A part of an open file that is sent as it is; the descriptor lives as long as the owner.
struct FileBody {
  std::shared_ptr<const void> owner;  // Null: there is none.
  int fd = -1;
  uint64_t offset = 0;
  uint64_t size = 0;
};

struct GatewayReply {
  int status = 200;
  // Content-Length is here for HEAD only.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // Or
  FileBody file;
};

// One request.
class GatewayExchange {
 public:
  virtual ~GatewayExchange() = default;
  // The next piece of the request's body, of any size. False: the reply is decided, whatever
  // follows; stop reading and call Finish.
  virtual bool Receive(std::string_view bytes) = 0;
  // The body has ended, or Receive was false. Once.
  virtual GatewayReply Finish() = 0;
};

struct GatewayCounters {
  uint64_t stored = 0;
  uint64_t deleted = 0;
  uint64_t cache_hits = 0;
  uint64_t cache_misses = 0;
  uint64_t cache_absent = 0;  // Reads of what the driver just did not have.
  uint64_t corrupt = 0;       // Chunks that came back from the driver with other bytes,
  uint64_t lost = 0;          // or not at all.
  uint64_t mended = 0;        // Of those, the ones that were put again.
};

struct GatewayCore;

class Gateway {
 public:
  // Errors name the option or file at fault.
  static absl::StatusOr<std::unique_ptr<Gateway>> Open(GatewayOptions options,
                                                       std::shared_ptr<ChunkDriver> driver,
                                                       std::shared_ptr<const Writers> writers);
  ~Gateway();

  // Must not outlive the gateway.
  std::unique_ptr<GatewayExchange> Begin(const GatewayRequest& request);

  // Takes over from the next request on; requests in work keep what they began with.
  void SetDriver(std::shared_ptr<ChunkDriver> driver);
  void SetWriters(std::shared_ptr<const Writers> writers);

  GatewayCounters counters() const;
  // Chunks that were lost or damaged when they were last read, and have not been put again.
  absl::StatusOr<uint64_t> DamagedChunks() const;
  // Bytes of chunks in volumes that had a quota when they were written to since the start.
  std::map<std::string, uint64_t> VolumeBytes() const;

 private:
  class Impl;
  friend GatewayCore& CoreOf(Gateway* gateway);

  explicit Gateway(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

// The media type of a signed reply. A delete or rename that went well has an empty reply unless the
// request's Accept header names it.
inline constexpr std::string_view kReplyType = "application/vnd.podkit.replica-reply";

}  // namespace podkit::replica
