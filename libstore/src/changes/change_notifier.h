// Tells whoever waits for it that a collection has changed: the callback in this pod's options, and
// the pods of the collection's viewers.
//
// A hint, not a message: it may be lost, and several changes may come as one. Sync tokens say what
// changed. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "context.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/conduit.h"
#include "podkit/store/errors.h"
#include "podkit/store/store.h"

namespace podkit::store {

// Owner's pod to a viewer's pod.
struct CollectionChanged {
  static constexpr conduit::CommandInfo kInfo = {
      .name = "collection-changed", .since = 1, .effect = conduit::Effect::kIdempotent};
  struct Target {
    // NOLINTBEGIN(readability-identifier-naming): the members' names on the wire.
    std::string homeUID;
    std::string homeChildID;
    // NOLINTEND(readability-identifier-naming)
    static constexpr auto Fields() {
      return std::make_tuple(Required("homeUID", &Target::homeUID),
                             Required("homeChildID", &Target::homeChildID));
    }
  };
  using Arguments = conduit::Nothing;
  using Response = conduit::Nothing;
  using Errors = StoreErrors;
};

class ChangeNotifier {
 public:
  using Callback = std::function<void(const CollectionChange&)>;

  // Calls `callback`, which may be empty, for changes here and on other pods. `context` must
  // outlive the notifier.
  ChangeNotifier(const Context& context, Callback callback);
  ~ChangeNotifier();

  // Starts the thread that tells the other pods, if the options ask for one.
  void Start();

  // A collection that lives here has changed, and that is committed. Does not wait for other pods.
  void Changed(const CollectionChange& change);

  // Tells the other pods what has changed since the last time.
  void Flush();

  // Takes the word of another pod. AccessDenied unless the owner lives there.
  absl::Status Receive(const conduit::CallContext& call, const CollectionChange& change);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace podkit::store
