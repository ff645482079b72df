// Puts, gets and deletes chunks at one gateway, over HTTP.
//
// Every reply is checked: what a gateway says it did carries its signature and fits the request,
// and a chunk has the hash that was asked for. A request may be repeated whatever became of it: a
// chunk that is there already is present, one that is gone is deleted.
//
// Thread-safe: each call has a connection of its own, which is kept for later calls. A call blocks,
// no longer than to its deadline or its stop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "podkit/replica/chunk.h"
#include "podkit/replica/control.h"
#include "podkit/replica/keys.h"

namespace podkit::replica {

// What went wrong, by name; ErrorOf finds it in a status that a client returned.
enum class ClientError {
  kUnreachable,    // kUnavailable: nobody listens there; nothing was asked. Try later.
  kNoAnswer,       // kDeadlineExceeded: it may have been done. Repeat it.
  kBusy,           // kUnavailable: refused for now; RetryAfter says when to come back.
  kNotAdmitted,    // kUnauthenticated: key, gateway id or clock are not what the gateway expects.
  kNotAllowed,     // kPermissionDenied: the writer may not do this in this volume.
  kNoSuchChunk,    // kNotFound.
  kConflict,       // kAborted: other bytes are there under a name.
  kAlreadyThere,   // kAlreadyExists: only_if_absent, and it is there.
  kTooLarge,       // kResourceExhausted: beyond a limit of the gateway, or of this client.
  kDriverRefused,  // kResourceExhausted if its disk is full, else kInternal: the chunk's result
                   // says with which errno.
  kWrongBytes,     // kDataLoss: the chunk has not the hash that was asked for.
  kNotTrusted,     // kUnauthenticated: the reply is not signed by the gateway, or answers another
                   // request.
  kFailed,         // kInternal: the gateway or its driver broke. May be repeated.
  kOverQuota,      // kResourceExhausted: the volume has no room for it. Delete something.
  kStopped,        // kCancelled: the caller stopped it; it may have been done.
};
// "Unreachable", "NoAnswer", ...
std::string_view NameOf(ClientError error);
std::optional<ClientError> ErrorOf(const absl::Status& status);
// When to try again after kBusy; zero for all others.
absl::Duration RetryAfter(const absl::Status& status);

struct ReplicaClientOptions {
  std::string url;        // "http://127.0.0.1:8401"
  std::string gateway;    // Its id,
  PublicKey gateway_key;  // and what its replies are signed with.
  std::string writer;     // Who signs requests, and with what.
  SigningKey key = SigningKey::Generate();
  bool sign_reads = false;  // For private volumes.
  std::string ca_file;      // PEM: trusted for https instead of the system's.
  absl::Duration connect_timeout = absl::Seconds(3);
  uint64_t max_chunk_bytes = 64 << 20;
  // A put, delete or lacking of more than these is sent as several requests.
  size_t max_request_chunks = 1024;
  uint64_t max_request_bytes = uint64_t{32} << 20;  // A larger chunk goes alone.
  std::function<absl::Time()> now = absl::Now;      // Of signatures.
};

// How long a call may take: a deadline is enough.
struct CallLimits {
  // NOLINTNEXTLINE(google-explicit-constructor): most calls have no stop.
  CallLimits(absl::Time until, std::stop_token stopped_by = {})
      : deadline(until), stop(std::move(stopped_by)) {}

  absl::Time deadline;
  std::stop_token stop;  // Ends the call at once, from any thread.
};

struct ChunkToPut {
  ChunkName name;
  std::string_view bytes;
  uint64_t offset = 0;  // Where a block is in its file, and how many bytes of it it overwrites.
  uint64_t length = 0;
};

// A chunk; with a hash only if it has these bytes.
struct ChunkRef {
  ChunkName name;
  std::optional<ChunkHash> hash;
};

struct ChunkInfo {
  ChunkHash hash;
  uint64_t size = 0;
};

// What became of several chunks, in their order. All that came after what `status` tells are
// kNotTried; a chunk that the driver refused or that is in conflict does not stop the others.
struct BatchResult {
  std::vector<ChunkResult> results;
  absl::Status status;  // OK if all went well, else the first error.
};

struct PutOptions {
  std::string path;  // Of the file: a hint for gateways that keep real files.
  bool only_if_absent = false;
};

class ReplicaClient {
 public:
  // kInvalidArgument names the option at fault. Asks nothing yet.
  static absl::StatusOr<std::unique_ptr<ReplicaClient>> Create(ReplicaClientOptions options);
  ~ReplicaClient();

  const std::string& gateway() const;  // Its id.

  // Chunks of one volume. When it says kStored or kPresent, the chunk is durable.
  BatchResult Put(const std::vector<ChunkToPut>& chunks, const PutOptions& options,
                  const CallLimits& limits);
  BatchResult Delete(const std::vector<ChunkRef>& chunks, const CallLimits& limits);
  // Which of these the gateway lacks: kPresent, kAbsent, or kConflict if it has other bytes.
  BatchResult Lacking(const std::vector<ChunkRef>& chunks, const CallLimits& limits);
  // Tells the gateway that a file has another path, and hands it the manifest that goes with it.
  absl::Status Rename(const std::string& volume, const std::string& path,
                      const std::string& new_path, const std::optional<ChunkToPut>& manifest,
                      const CallLimits& limits);

  // The bytes, which have the hash.
  absl::StatusOr<std::string> Get(const ChunkName& name, const ChunkHash& hash,
                                  const CallLimits& limits);
  // What the gateway says the chunk is; nobody signed it.
  absl::StatusOr<ChunkInfo> Look(const ChunkName& name, const CallLimits& limits);
  // What the gateway's server shows under /status, as JSON, for people.
  absl::StatusOr<std::string> Status(const CallLimits& limits);

 private:
  class Impl;
  explicit ReplicaClient(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace podkit::replica
