// A home that lives on another pod. Its own collections are external ones.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "context.h"
#include "external/remote_caller.h"
#include "home_collections.h"
#include "operations/home_through.h"

namespace podkit::store {

class ExternalHome final : public HomeThrough<RemoteCaller> {
 public:
  ExternalHome(const Context& context, const std::string& uid, const std::string& actor)
      : HomeThrough(RemoteCaller(context, {.homeUID = uid}, {.uid = actor})) {}

  const std::string& uid() const override { return caller().target().homeUID; }

  absl::StatusOr<std::unique_ptr<HomeChild>> ChildWith(const CollectionKey& key) override {
    auto info = FindChild(key);
    if (!info.ok()) return std::move(info).status();
    Actor actor = {.uid = caller().actor().uid, .directory = caller().context().directory.get()};
    if (!info->share_uid.empty()) {
      // What is shared with this home is used in its user's name, whoever looks at the home. How
      // much of that a delegate may do shows in the access that he was told: one who may not write
      // leaves what his owner keeps for himself alone.
      if (!actor.uid.empty() && actor.uid != uid()) {
        actor.delegate_uid = actor.uid;
        actor.read_only = info->access != Access::kReadWrite;
      }
      actor.uid = uid();
      actor.share_uid = info->share_uid;
    }
    return OpenChild(caller().context(), *std::move(info), actor);
  }

  absl::StatusOr<std::vector<CollectionToken>> SyncTokens() override {
    auto children = LoadChildren();
    if (!children.ok()) return std::move(children).status();
    return SyncTokensOf(caller().context(), uid(), caller().actor().uid, *children);
  }
  absl::StatusOr<FreeBusy> FindFreeBusy(const FreeBusyQuery& query) override {
    return FreeBusyOfHome(caller().context(), uid(), caller().actor().uid, query);
  }
};

}  // namespace podkit::store
