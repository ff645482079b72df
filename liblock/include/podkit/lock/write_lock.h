// The right of this host to write one store, until it is given back or lost.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/lock/errors.h"
#include "podkit/lock/types.h"

namespace podkit::lock {

// Where the chunks of a saved store go.
class ChunkSink {
 public:
  virtual ~ChunkSink() = default;
  // The bytes are durable when OK is returned. A name stands for the same bytes for ever, so
  // putting one again is allowed and does nothing.
  virtual absl::Status Put(std::string_view name, std::string_view bytes) = 0;
};

// What was uploaded.
struct SavedState {
  std::string manifest;  // Names it.
  int64_t position = 0;  // The last transaction in it.
  absl::Time wake_at = absl::InfiniteFuture();
};

// Brings the store as it is now into the sink, as changes against `parent` where that helps.
using SaveFunction = std::function<absl::StatusOr<SavedState>(const Head& parent, ChunkSink& sink)>;

// Thread-safe. Made by a Session and valid on after it, but then only to say that it is lost.
//
// Destroying it while the store is held abandons the store, and waits for the directory to know.
class WriteLock {
 public:
  struct Core;  // Of the implementation.

  explicit WriteLock(std::shared_ptr<Core> core);
  ~WriteLock();
  WriteLock(const WriteLock&) = delete;
  WriteLock& operator=(const WriteLock&) = delete;

  const std::string& store() const;
  // To be stored with every write of the store, and compared in the same transaction: whoever finds
  // a greater one there must not write.
  Token token() const;
  const Grant& grant() const;  // As it was given.
  Head head() const;           // As this lock last moved it.

  // Ask before a write is acknowledged. OK while the store is surely this host's. kInJeopardy while
  // that is in doubt, and once it was asked to give the store back without an answer: wait, or
  // refuse with "try again". kLockLost: stop, keep what is unsaved aside. kAlreadyReleased. By the
  // host's own clock, without asking the directory.
  absl::Status Check() const;

  // Says that the store has a transaction of this number, which is not in the head yet.
  void Changed(int64_t position);
  // True if the head has everything that Changed() told of.
  bool saved() const;

  // Saves the store, which may be in use meanwhile: `save` uploads first, then the head is moved,
  // so a failure on the way leaves the old head and chunks that nobody sees. One at a time; a
  // second is refused with kInvalidRequest. kParentMismatch if the head is not what this lock
  // knows; kLockLost or kStaleToken if the store is not this host's any more; errors of `save` as
  // they are. After kDirectoryUnavailable the head may have moved: the next Write finds out first.
  absl::StatusOr<Head> Write(const SaveFunction& save, ChunkSink& sink);

  // Changes when the store must be open next, without saving it. See HeadChange.
  absl::Status SetWakeUp(absl::Time wake_at);

  // Gives the store back. kNotSaved, and it stays held, if there is unsaved work; kAlreadyReleased
  // the second time. With kDirectoryUnavailable it may be called again.
  absl::Status Release();
  // Gives the store back and the work after the head up; the audit log says so.
  absl::Status Abandon(const std::string& reason);
  // Gives the store to a host, with the position that Changed() told last, and returns its token.
  // kNoSuchHost: nothing happened. That host must have the work after the head from elsewhere (a
  // shared folder, a copy), or it must be saved before.
  absl::StatusOr<Token> HandOver(const std::string& host);

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace podkit::lock
