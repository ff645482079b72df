// A user store with collections, used without a home: what InternalHomeChild is tested on.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "internal/internal_home_child.h"
#include "podkit/store/errors.h"
#include "podkit/store/home_child.h"
#include "podkit/store/store.h"
#include "sqlite/user_store.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace podkit::store {

class CollectionFixture {
 public:
  // The store of ann, with the collections "work" and "home".
  CollectionFixture() { Reopen(); }

  // An event with this UID.
  static std::string Event(std::string_view uid, std::string_view summary = "Meeting",
                           std::string_view start = "20260302T100000Z",
                           std::string_view end = "20260302T110000Z");

  // Closes the file and opens it again.
  void Reopen();
  void AddCollection(const std::string& id, const std::string& components = "");
  void AddShare(const std::string& share_uid, const std::string& collection_id,
                const std::string& viewer, const std::string& access, const std::string& status);
  void Execute(const std::string& sql);

  // The collection as ann sees it, or as `actor` does.
  std::unique_ptr<HomeChild> Open(const std::string& id, Actor actor = {.uid = "ann"});

  UserStore& store() { return *store_; }
  testing::FakeClock& clock() { return clock_; }
  StoreOptions& options() { return options_; }

 private:
  testing::TempDir folder_;
  testing::FakeClock clock_;
  StoreOptions options_;
  std::shared_ptr<UserStore> store_;
};

// Stores the text, which must succeed.
inline PutResult Put(HomeChild& child, const std::string& name, const std::string& text,
                     const Precondition& condition = {}) {
  return testing::ValueOf(child.PutObject(name, Bytes{text}, condition));
}

inline std::string TextOf(HomeChild& child, const std::string& name) {
  return testing::ValueOf(testing::ValueOf(child.ObjectWith({.name = name}))->Text()).data;
}

inline std::vector<std::string> NamesOf(const std::vector<ObjectInfo>& objects) {
  std::vector<std::string> names;
  for (const ObjectInfo& object : objects) names.push_back(object.name);
  return names;
}

using Names = std::vector<std::string>;

}  // namespace podkit::store
