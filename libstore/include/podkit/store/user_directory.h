// Says which users there are and on which pod each one lives. The store asks it and never guesses.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace podkit::store {

struct User {
  std::string uid;   // See IsValidUid.
  std::string name;  // For people.
  std::string pod;
};

// Users who are invited, or delegated to, together.
struct Group {
  std::string id;                    // As a uid; no user has the same.
  std::string name;                  // For people.
  std::vector<std::string> members;  // Users, on any pod, and groups.
};

// Thread-safe. Must answer from memory: it is asked inside of transactions.
class UserDirectory {
 public:
  virtual ~UserDirectory() = default;
  // NoSuchUser if there is none.
  virtual absl::StatusOr<User> Find(std::string_view uid) const = 0;
  // By uid.
  virtual std::vector<User> All() const = 0;

  // A directory without groups need not say so.
  // NoSuchUser if there is none.
  virtual absl::StatusOr<Group> FindGroup(std::string_view id) const;
  // By id.
  virtual std::vector<Group> AllGroups() const { return {}; }
  // The users in the group, by uid, those in groups within it included; none if there is no such
  // group.
  virtual std::vector<std::string> UsersIn(std::string_view /*group*/) const { return {}; }
  virtual bool IsIn(std::string_view /*group*/, std::string_view /*uid*/) const { return false; }
};

// Users from a JSON file: {"users": [{"uid": "ann", "name": "Ann", "pod": "A"}],
// "groups": [{"id": "staff", "name": "Staff", "members": ["ann", "another-group"]}]}.
class FileUserDirectory final : public UserDirectory {
 public:
  // Errors name the file, the user and the member at fault.
  static absl::StatusOr<std::shared_ptr<FileUserDirectory>> Load(std::string path);
  // The same without a file; Reload then changes nothing.
  static absl::StatusOr<std::shared_ptr<FileUserDirectory>> Create(std::vector<User> users,
                                                                   std::vector<Group> groups = {});
  // Puts others in their place, all or none.
  absl::Status Replace(std::vector<User> users, std::vector<Group> groups = {});
  ~FileUserDirectory() override;

  // Reads the file again. On any error everything stays as it was.
  absl::Status Reload();

  absl::StatusOr<User> Find(std::string_view uid) const override;
  std::vector<User> All() const override;
  absl::StatusOr<Group> FindGroup(std::string_view id) const override;
  std::vector<Group> AllGroups() const override;
  std::vector<std::string> UsersIn(std::string_view group) const override;
  bool IsIn(std::string_view group, std::string_view uid) const override;

 private:
  struct State;
  explicit FileUserDirectory(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// 1 to 128 letters, digits and "._@+-", not beginning with '.'.
bool IsValidUid(std::string_view uid);

}  // namespace podkit::store
