// The end of a home: everybody on the other side of its shares and delegations is told, and when
// all of that is delivered its file and its attachments go.
//
// A row of the pod's database says so before it begins and is the last to go, with that of the
// home: whatever stops it on the way, it goes on after the next start. Thread-safe.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "context.h"
#include "messages/message.h"
#include "podkit/store/store.h"

namespace podkit::store {

// Begins, or goes on. See Store::PurgeHome.
absl::StatusOr<PurgedHome> PurgeHome(const Context& context, const std::string& uid);

// Goes on with all that an earlier process left.
void ResumePurges(const Context& context);

// The outbox of `uid` is empty: removes his home if it is being purged. False if it cannot yet.
bool FinishPurge(const Context& context, const std::string& uid);

// A message to a home that is being purged: what it offers is turned down at once.
absl::Status ReceiveWhilePurging(const Context& context, const Message& message);

}  // namespace podkit::store
