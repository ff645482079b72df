// A lock directory behind conduit commands: what a RemoteDirectory on another pod talks to.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "absl/time/time.h"
#include "podkit/conduit/conduit.h"
#include "podkit/lock/directory.h"

namespace podkit::lock {

struct DirectoryServiceOptions {
  // Calls that wait for a grant, a notice or an event hold a thread each: more at a time are told
  // to come back. Give the conduit's pool, and the HTTP server's, more threads than that, so that
  // releases always find one.
  size_t max_waiting = 256;
  absl::Duration longest_wait = absl::Hours(1);  // Of an acquire; others are cut to a minute.
  // May `caller` open a session for the host of this name? Empty: always.
  std::function<bool(const conduit::Pod& caller, std::string_view host)> may_be_host;
  // May `caller` break locks, delete stores, read the audit log, export and import? Empty: if it
  // acts for any user.
  std::function<bool(const conduit::Pod& caller)> is_operator;
};

// Makes `conduit` answer the commands of directory_commands.h from `directory`. Before the
// conduit's first request. A caller that may not do something gets kInvalidRequest.
void ServeDirectory(std::shared_ptr<WriteLockDirectory> directory, DirectoryServiceOptions options,
                    conduit::Conduit* conduit);

}  // namespace podkit::lock
