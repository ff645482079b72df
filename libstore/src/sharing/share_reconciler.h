// Compares the shares of this pod's homes with what their other side has, and heals differences.
//
// Goes through the homes in order and holds one page of shares for each pod: when it is full, or at
// the end, that pod is asked once for all of it. Homes on this pod are asked in the same way,
// without the conduit. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "context.h"
#include "podkit/conduit/conduit.h"
#include "podkit/store/store.h"
#include "sharing/share_sides.h"

namespace podkit::store {

class ShareReconciler {
 public:
  // `context` must outlive the reconciler.
  explicit ShareReconciler(const Context& context);
  ~ShareReconciler();

  // See Store::ReconcileShares. InvalidRequest unless `homes` is positive.
  absl::StatusOr<ReconciledShares> Run(const std::string& after, int64_t homes);

  // The same for these homes, in the background; see HomeRounds.
  void Visit(const std::vector<std::string>& uids, const std::stop_token& stop);

  // Answers another pod. AccessDenied unless all of its sides are those of users who live there;
  // TooManyResults.
  absl::StatusOr<std::vector<ShareFacts>> Receive(const conduit::CallContext& call,
                                                  const std::vector<ShareSide>& sides);

  // Since the start.
  int64_t compared() const;
  HealedShares healed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace podkit::store
