// One calendar object: an event, a to-do or a journal entry with its overridden instances.
//
// Internal objects answer from the owner's file, external ones through the conduit; a caller cannot
// tell. A handle keeps what was true when it was made; methods work on what is true when they are
// called. Owner-thread. Must not outlive the Store it comes from. Errors: see errors.h;
// NoSuchObject when it was removed meanwhile; AccessDenied by the rights of the acting user,
// checked where the data is; PodUnavailable when the owner's pod is down.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/store/types.h"

namespace podkit::store {

class ObjectResource {
 public:
  virtual ~ObjectResource() = default;

  virtual const ObjectInfo& info() const = 0;

  // The bytes that the client stored.
  virtual absl::StatusOr<Bytes> Text() = 0;

  // Replaces the text; the UID must stay. Durable when it returns.
  virtual absl::StatusOr<PutResult> SetText(const Bytes& text, const Precondition& condition) = 0;

  virtual absl::Status Remove(const Precondition& condition) = 0;
};

}  // namespace podkit::store
