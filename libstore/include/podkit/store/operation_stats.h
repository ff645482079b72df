// What became of the operations on the homes that live on one pod, since its start, and how long
// they took.
//
// An operation is what a front end asks of such a home: of this pod, or through another one. Each
// is counted once, on the pod where the home lives, and is called as the remote action is
// (docs/remote-store-api.md): so a method that is made of others counts as those, and
// ObjectResource::AddAttachment as the parts that it uploads and writes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "podkit/conduit/call_stats.h"

namespace podkit::store {

struct OperationStats {
  std::string operation;  // "homechild-put-object"; or "home-open": Store::HomeFor on this pod.
  int64_t calls = 0;      // That ended, and of these with an error:
  int64_t refused = 0;    // what was asked cannot be had: not there, not allowed, not as expected,
                          // no calendar data, over a limit. Every other named error is of these.
  int64_t failed = 0;     // this pod is at fault: StoreDamaged, AttachmentDamaged, StoreFull of a
                          // disk, StoreBusy, PodUnavailable, and what has no name.
  double seconds = 0;     // Of all together.
  // Calls in each class of conduit::kLatencyBounds.
  std::array<int64_t, conduit::kLatencyBounds.size() + 1> latencies = {};
};

// Files that were attached to objects of these homes, and read from there, by whomever.
struct AttachmentStats {
  int64_t written = 0;        // Files, new ones and those in the place of others.
  int64_t written_bytes = 0;  // Also of uploaded parts whose file was not attached in the end.
  int64_t read = 0;           // Files that were read to their end.
  int64_t read_bytes = 0;     // Also of others.
};

}  // namespace podkit::store
