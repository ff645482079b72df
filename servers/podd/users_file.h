// The users file of a pod, checked against the pods that there are.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "podkit/conduit/pods.h"
#include "podkit/store/user_directory.h"

namespace podkit::servers {

// Reads the file; nobody lives anywhere if `path` is empty. Refuses members of the file and of its
// groups that mean nothing: a misspelt "groups" would take back what was shared with groups. A user
// may have members of his own.
absl::StatusOr<std::shared_ptr<store::FileUserDirectory>> LoadUsersFile(const std::string& path);

// Refuses a user whose pod is not one of `pods`: nobody could reach him.
absl::Status CheckPodsOfUsers(const store::UserDirectory& users, const conduit::Pods& pods,
                              const std::string& path);

}  // namespace podkit::servers
