// Delivers what is in the outboxes of this pod's users.
//
// Messages from one user to another arrive in the order in which they were written. A message that
// cannot be delivered is tried again, with growing pauses, for ever; it holds back later ones to
// the same receiver only. Each pod is served by a thread of its own: one that does not answer holds
// up nothing that goes elsewhere. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "messages/message.h"
#include "podkit/store/store.h"
#include "sqlite/user_stores.h"

namespace podkit::store {

// Called from any thread.
struct PostmanRoutes {
  // The pod on which a user lives; empty if the directory does not know him.
  std::function<std::string(const std::string& uid)> pod_of;
  // Brings one message to its receiver: OK when it is committed there.
  std::function<absl::Status(const Message&)> carry;
  // May be empty. The user's outbox is empty; false: say it again later.
  std::function<bool(const std::string& uid)> emptied = {};
};

class Postman {
 public:
  // `stores` must outlive the postman, and so must what `options` refers to.
  Postman(UserStores* stores, const StoreOptions& options, PostmanRoutes routes);
  ~Postman();

  // Takes up what an earlier process left in the outboxes, and starts the threads if the options
  // ask for them.
  absl::Status Start();

  // Runs `write`, which may put messages into the outbox of `uid`, and sees to it that they are
  // delivered, also after a crash.
  absl::Status Post(const std::string& uid, const std::function<absl::Status()>& write);

  // Tries every message that is due once. Returns when the next one will be due; InfiniteFuture if
  // none waits.
  absl::Time DeliverDue();

  absl::StatusOr<std::vector<PendingMessage>> Pending();
  int64_t delivered() const;
  int64_t failed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace podkit::store
