// What the classes behind one Store share.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "answers/store_answers.h"
#include "internal/rights.h"
#include "messages/postman.h"
#include "podkit/conduit/conduit.h"
#include "podkit/store/store.h"
#include "podkit/store/user_directory.h"
#include "sqlite/user_stores.h"

namespace podkit::store {

class ChangeNotifier;
class HomeRounds;
class OperationCounters;
class OrphanCollector;
class ShareReconciler;

struct Context {
  StoreOptions options;
  std::string pod_id;
  std::shared_ptr<const UserDirectory> directory;
  conduit::Conduit* conduit = nullptr;  // Null: no other pod can be reached.
  std::unique_ptr<UserStores> stores;
  std::unique_ptr<StoreAnswers> answers;
  std::unique_ptr<OperationCounters> operations;
  // These go before what they read from.
  std::unique_ptr<Postman> postman;
  std::unique_ptr<ChangeNotifier> notifier;
  std::unique_ptr<ShareReconciler> reconciler;
  std::unique_ptr<OrphanCollector> orphan_collector;
  std::unique_ptr<HomeRounds> rounds;

  Context();
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  absl::Time Now() const { return options.now(); }
};

// The pod on which `uid` lives. NoSuchUser.
absl::StatusOr<std::string> PodOf(const Context& context, const std::string& uid);

// The collection that `info` shows, for `actor`: internal if its owner lives here, else external.
absl::StatusOr<std::unique_ptr<HomeChild>> OpenChild(const Context& context, CollectionInfo info,
                                                     const Actor& actor);

}  // namespace podkit::store
