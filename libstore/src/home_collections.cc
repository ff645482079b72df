#include "home_collections.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "common/status_macros.h"
#include "external/external_pod_collections.h"
#include "internal/free_busy.h"
#include "internal/pod_collections.h"
#include "operations/counted.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

std::unique_ptr<PodCollections> CollectionsOn(const Context& context, const std::string& pod,
                                              const std::string& resident,
                                              const std::string& actor) {
  if (pod == context.pod_id) {
    return Counted(*context.operations, MakeInternalPodCollections(context, actor));
  }
  return std::make_unique<ExternalPodCollections>(context, resident, actor);
}

// What one pod is asked in one name.
struct Batch {
  std::vector<CollectionRef> refs;
  std::vector<std::string> names;
};
using Batches = std::map<std::pair<std::string, std::string>, Batch>;  // By pod and actor.

// What is shared with the home is used in its user's name, whoever asks.
Batches BatchesOf(const Context& context, const std::string& home_uid, const std::string& actor,
                  const std::vector<CollectionInfo>& children) {
  Batches batches;
  for (const CollectionInfo& child : children) {
    // Of an owner whom the directory does not know any more: no pod has it.
    const std::string pod = PodOf(context, child.owner_uid).value_or("");
    Batch& batch = batches[{pod, child.share_uid.empty() ? actor : home_uid}];
    batch.refs.push_back(
        {.owner_uid = child.owner_uid, .collection_id = child.id, .share_uid = child.share_uid});
    batch.names.push_back(child.name);
  }
  return batches;
}

// Keeps those of `children` that the query asks for.
absl::Status Select(const FreeBusyQuery& query, const std::string& home_uid,
                    std::vector<CollectionInfo>* children) {
  if (!query.collections) {
    std::erase_if(*children, [](const CollectionInfo& child) { return child.transparent; });
    return absl::OkStatus();
  }
  std::vector<CollectionInfo> selected;
  for (const std::string& name : *query.collections) {
    const auto child = std::find_if(children->begin(), children->end(),
                                    [&](const CollectionInfo& one) { return one.name == name; });
    if (child == children->end()) {
      return MakeError(NoSuchCollection{.home = home_uid, .collection = name},
                       fmt::format("the home of '{}' has no collection '{}'", home_uid, name));
    }
    const bool again = std::any_of(selected.begin(), selected.end(),
                                   [&](const CollectionInfo& one) { return one.name == name; });
    if (!again) selected.push_back(*child);
  }
  *children = std::move(selected);
  return absl::OkStatus();
}

void AddUnknown(const Batch& batch, const std::vector<std::string>& ids, FreeBusy* result) {
  for (size_t i = 0; i < batch.refs.size(); ++i) {
    if (std::find(ids.begin(), ids.end(), batch.refs[i].collection_id) != ids.end()) {
      result->unknown.push_back(batch.names[i]);
    }
  }
}

}  // namespace

absl::StatusOr<FreeBusy> FreeBusyOfHome(const Context& context, const std::string& home_uid,
                                        const std::string& actor, const FreeBusyQuery& query) {
  PODKIT_RETURN_IF_ERROR(PlanFreeBusy(query).status());
  PODKIT_ASSIGN_OR_RETURN(const std::string home_pod, PodOf(context, home_uid));
  PODKIT_ASSIGN_OR_RETURN(
      auto children, CollectionsOn(context, home_pod, home_uid, actor)->FreeBusySources(home_uid));
  PODKIT_RETURN_IF_ERROR(Select(query, home_uid, &children));
  FreeBusy result;
  for (const auto& [key, batch] : BatchesOf(context, home_uid, actor, children)) {
    const auto& [pod, name] = key;
    const auto busy = CollectionsOn(context, pod, batch.refs.front().owner_uid, name)
                          ->BusyTime(batch.refs, query);
    if (!busy.ok()) {
      if (GetError<TooManyResults>(busy.status())) return busy.status();
      result.unknown.insert(result.unknown.end(), batch.names.begin(), batch.names.end());
      continue;
    }
    result.periods.insert(result.periods.end(), busy->periods.begin(), busy->periods.end());
    AddUnknown(batch, busy->unknown, &result);
  }
  result.periods = MergePeriods(result.periods);
  std::sort(result.unknown.begin(), result.unknown.end());
  return result;
}

absl::StatusOr<std::vector<CollectionToken>> SyncTokensOf(
    const Context& context, const std::string& home_uid, const std::string& actor,
    const std::vector<CollectionInfo>& children) {
  std::vector<CollectionToken> tokens;
  for (const auto& [key, batch] : BatchesOf(context, home_uid, actor, children)) {
    const auto& [pod, name] = key;
    const auto answer =
        CollectionsOn(context, pod, batch.refs.front().owner_uid, name)->SyncTokens(batch.refs);
    const bool fits = answer.ok() && answer->size() == batch.refs.size();
    for (size_t i = 0; i < batch.refs.size(); ++i) {
      CollectionToken& token = tokens.emplace_back();
      if (fits) {
        token = (*answer)[i];
      } else {
        // An answer for more or fewer than were asked for does not tell which token is whose.
        token.error = ErrorName(answer.status());
      }
      token.name = batch.names[i];
    }
  }
  std::sort(tokens.begin(), tokens.end(),
            [](const CollectionToken& a, const CollectionToken& b) { return a.name < b.name; });
  return tokens;
}

}  // namespace podkit::store
