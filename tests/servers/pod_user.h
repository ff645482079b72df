// A user as podctl knows him: what he sees and does through one of two pods.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "podkit/store/types.h"
#include "servers/common/admin_messages.h"
#include "tests/servers/two_pods.h"
#include "tests/support/catch.h"

namespace podkit::testing {

template <typename T>
T Parsed(const std::string& json) {
  return ValueOf(conduit::FromJson<T>(json));
}

template <typename T>
std::vector<T> List(std::string_view name, const std::string& json) {
  return ValueOf(servers::FromJsonMember<std::vector<T>>(name, json));
}

// What podctl says, as one user on one pod.
class User {
 public:
  User(const TwoPods& pods, std::string uid, std::string pod)
      : pods_(pods), base_({"--as", std::move(uid), "--pod", std::move(pod)}) {}

  ProcessResult Run(std::vector<std::string> arguments) const {
    return pods_.Podctl(WithBase(std::move(arguments)));
  }
  std::string Json(std::vector<std::string> arguments) const {
    return pods_.PodctlJson(WithBase(std::move(arguments)));
  }

  std::vector<store::ObjectInfo> Objects(const std::string& collection) const {
    return List<store::ObjectInfo>("objects", Json({"objects", collection}));
  }
  std::vector<std::string> ObjectNames(const std::string& collection) const {
    std::vector<std::string> names;
    for (const store::ObjectInfo& object : Objects(collection)) names.push_back(object.name);
    return names;
  }
  std::optional<store::CollectionInfo> Collection(const std::string& name) const {
    const auto all = List<store::CollectionInfo>("collections", Json({"collections"}));
    const auto found = std::ranges::find(all, name, &store::CollectionInfo::name);
    return found == all.end() ? std::nullopt : std::optional(*found);
  }
  std::vector<store::ShareInfo> Shares(const std::string& collection) const {
    return List<store::ShareInfo>("shares", Json({"shares", collection}));
  }
  std::vector<store::ShareInfo> Invitations() const {
    return List<store::ShareInfo>("invitations", Json({"invitations"}));
  }
  std::vector<store::Notification> Notifications() const {
    return List<store::Notification>("notifications", Json({"notifications"}));
  }

 private:
  std::vector<std::string> WithBase(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), base_.begin(), base_.end());
    return arguments;
  }

  const TwoPods& pods_;
  const std::vector<std::string> base_;
};

inline void AcceptFrom(const User& viewer, const std::string& share_uid, const std::string& name) {
  Eventually("invited", [&] {
    const auto all = viewer.Invitations();
    const auto found = std::ranges::find(all, share_uid, &store::ShareInfo::share_uid);
    return found != all.end() && found->status == store::ShareStatus::kInvited;
  });
  const auto info =
      Parsed<store::CollectionInfo>(viewer.Json({"accept", share_uid, "--name", name}));
  CHECK(info.name == name);
  CHECK(info.owner_uid == "anna");
}

}  // namespace podkit::testing
