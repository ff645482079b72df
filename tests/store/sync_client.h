// A client that knows a home by its sync tokens: it asks what changed, and lists nothing but what
// it is told to.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "pod_cluster.h"

namespace podkit::testing {

class SyncClient {
 public:
  // Catches up; with collections whose pod does not answer, later.
  void Sync(store::Home& home) {
    const auto changes = ValueOf(home.ChangesSince(home_token_, true));
    CheckForward(home_token_, changes.sync_token);
    home_token_ = changes.sync_token;
    for (const std::string& name : changes.deleted) {
      names_.erase(name);
      EraseMembers(name);
    }
    names_.insert(changes.changed.begin(), changes.changed.end());
    const std::set<std::string> invalid(changes.invalid.begin(), changes.invalid.end());
    for (const std::string& name : invalid) EraseMembers(name);
    for (const auto& info : ValueOf(home.LoadChildren())) {
      SyncCollection(home, info);
      if (info.share_uid.empty() && invalid.contains(info.name)) AddMembers(info);
    }
  }

  // That it has what is listed, when every pod answers.
  void Compare(store::Home& home) {
    std::set<std::string> names;
    for (const auto& info : ValueOf(home.LoadChildren())) {
      names.insert(info.name);
      const auto child = ValueOf(home.ChildWith({.id = info.id}));
      std::map<std::string, std::string> etags;
      for (const auto& object : ValueOf(child->LoadObjects())) {
        etags[object.name] = object.etag;
        if (info.share_uid.empty()) names.insert(info.name + "/" + object.name);
      }
      INFO("collection " << info.name);
      CHECK(collections_[KeyOf(info)].etags == etags);
    }
    CHECK(names_ == names);
  }

 private:
  struct Collection {
    std::string token;
    std::map<std::string, std::string> etags;  // By name.
  };

  // Who is invited again after a share was taken back begins anew.
  static std::string KeyOf(const store::CollectionInfo& info) {
    return info.id + " " + info.share_uid;
  }

  void EraseMembers(const std::string& collection) {
    names_.erase(names_.lower_bound(collection + "/"), names_.lower_bound(collection + "0"));
  }
  void AddMembers(const store::CollectionInfo& info) {
    for (const auto& [name, etag] : collections_[KeyOf(info)].etags) {
      names_.insert(info.name + "/" + name);
    }
  }

  void SyncCollection(store::Home& home, const store::CollectionInfo& info) {
    Collection& collection = collections_[KeyOf(info)];
    const auto child = ValueOf(home.ChildWith({.id = info.id}));
    const auto changes = child->ChangesSince(collection.token);
    if (!changes.ok()) {
      // Its pod does not answer, or it was taken back and this home has not heard so.
      CHECK((IsError<store::PodUnavailable>(changes) || IsError<store::NoSuchShare>(changes) ||
             IsError<store::NoSuchCollection>(changes)));
      return;
    }
    CheckForward(collection.token, changes->sync_token);
    collection.token = changes->sync_token;
    for (const std::string& name : changes->deleted) collection.etags.erase(name);
    for (const auto& object : changes->changed) collection.etags[object.name] = object.etag;
  }

  static void CheckForward(const std::string& before, const std::string& after) {
    if (!before.empty()) CHECK(RevisionOf(before) <= RevisionOf(after));
  }
  static int64_t RevisionOf(const std::string& token) {
    return std::strtoll(token.c_str() + token.rfind('/') + 1, nullptr, 10);
  }

  std::string home_token_;
  std::set<std::string> names_;  // Collections, and "collection/member" of own ones.
  std::map<std::string, Collection> collections_;
};

}  // namespace podkit::testing
