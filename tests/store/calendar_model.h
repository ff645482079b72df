// What users did to their collections and shares, as far as it is certain: what stores are compared
// with.
#pragma once

#include <map>
#include <set>
#include <string>

#include "pod_cluster.h"

namespace podkit::testing {

// What became of a write.
enum class Fate { kDone, kRefused, kNotDone, kUncertain };

inline Fate FateOf(const absl::Status& status) {
  if (status.ok()) return Fate::kDone;
  if (!IsError<store::PodUnavailable>(status)) return Fate::kRefused;
  return conduit::OutcomeOf(status) == conduit::Outcome::kNotExecuted ? Fate::kNotDone
                                                                      : Fate::kUncertain;
}

struct ModelShare {
  std::string share_uid;
  store::Access access = store::Access::kRead;
  // Where it may stand when everything is delivered: the viewer's answer, and kInvited if the owner
  // asked anew, for the model does not know which came first.
  std::set<store::ShareStatus> status = {store::ShareStatus::kInvited};
  bool asked_anew = false;
  std::string name;  // In the viewer's home while he shows it.
};

struct ModelCollection {
  std::string owner;
  std::string name;
  std::map<std::string, std::string> texts;  // By the objects' names.
  std::map<std::string, ModelShare> shares;  // By viewer.
};

}  // namespace podkit::testing
