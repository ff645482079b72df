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

// Thread-safe. Must answer from memory: it is asked inside of transactions.
class UserDirectory {
 public:
  virtual ~UserDirectory() = default;
  // NoSuchUser if there is none.
  virtual absl::StatusOr<User> Find(std::string_view uid) const = 0;
  // By uid.
  virtual std::vector<User> All() const = 0;
};

// Users from a JSON file: {"users": [{"uid": "ann", "name": "Ann", "pod": "A"}]}.
class FileUserDirectory final : public UserDirectory {
 public:
  // Errors name the file, the user and the member at fault.
  static absl::StatusOr<std::shared_ptr<FileUserDirectory>> Load(std::string path);
  // The same without a file; Reload then changes nothing.
  static absl::StatusOr<std::shared_ptr<FileUserDirectory>> Create(std::vector<User> users);
  ~FileUserDirectory() override;

  // Reads the file again. On any error everything stays as it was.
  absl::Status Reload();

  absl::StatusOr<User> Find(std::string_view uid) const override;
  std::vector<User> All() const override;

 private:
  struct State;
  explicit FileUserDirectory(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// 1 to 128 letters, digits and "._@+-", not beginning with '.'.
bool IsValidUid(std::string_view uid);

}  // namespace podkit::store
