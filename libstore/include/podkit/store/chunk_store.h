// Where the bytes of attachments are kept: immutable chunks, each under the SHA-256 of its bytes,
// apart for each owner.
//
// Thread-safe. Calls may block; none is made within a transaction. Errors: StoreFull if there is no
// room; kNotFound where said; PodUnavailable or StoreBusy if it can be tried again; all else is the
// fault of the store.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace podkit::store {

class ChunkStore {
 public:
  virtual ~ChunkStore() = default;

  // Durable when it returns, or not there at all. What is there already is put anew, so that Remove
  // knows that somebody wants it. `name` is 64 lower-case hexadecimal digits, `bytes` at most
  // kAttachmentPartBytes.
  virtual absl::Status Put(const std::string& owner_uid, const std::string& name,
                           std::string_view bytes) = 0;

  // kNotFound. The caller compares the bytes with the name.
  virtual absl::StatusOr<std::string> Get(const std::string& owner_uid,
                                          const std::string& name) = 0;

  struct Entry {
    std::string name;  // What a crash left behind may have another form than chunks have.
    int64_t bytes = 0;
    absl::Time last_put;
  };
  // Everything of an owner, in no order.
  virtual absl::Status List(const std::string& owner_uid,
                            const std::function<void(const Entry&)>& visit) = 0;

  // Removes an entry unless it was put at or after `since`: true if it was removed. What is put
  // meanwhile stays.
  virtual absl::StatusOr<bool> RemoveUnlessPutSince(const std::string& owner_uid,
                                                    const std::string& name, absl::Time since) = 0;
};

}  // namespace podkit::store
