#include "command_errors.h"

#include <fmt/format.h>

#include <string>

#include "podkit/lock/directory_commands.h"

namespace podkit::lock {
namespace {

template <typename Named>
bool MakeNamed(const LockErrorDetails& details, const absl::Status& status, absl::Status* named) {
  if (details.error != Named::kError) return false;
  *named = conduit::MakeError(Named{.store = details.store,
                                    .holder = details.holder,
                                    .token = details.token,
                                    .remaining = details.remaining,
                                    .manifest = details.manifest},
                              std::string(status.message()));
  return true;
}

template <typename Named>
bool ReadNamed(const absl::Status& status, absl::Status* rebuilt) {
  const auto named = conduit::GetError<Named>(status);
  if (!named) return false;
  *rebuilt = RebuildLockError({.error = Named::kError,
                               .store = named->store,
                               .holder = named->holder,
                               .token = named->token,
                               .remaining = named->remaining,
                               .manifest = named->manifest},
                              std::string(status.message()));
  return true;
}

template <typename... Named>
absl::Status ToNamed(conduit::ErrorList<Named...>, const absl::Status& status) {
  const LockErrorDetails details = GetLockError(status);
  absl::Status named = status;
  static_cast<void>((MakeNamed<Named>(details, status, &named) || ...));
  return named;
}

template <typename... Named>
absl::Status FromNamed(conduit::ErrorList<Named...>, const absl::Status& status) {
  absl::Status rebuilt;
  static_cast<void>((ReadNamed<Named>(status, &rebuilt) || ...));
  return rebuilt;
}

}  // namespace

absl::Status ToCommandError(const absl::Status& status) { return ToNamed(LockErrors(), status); }

absl::Status FromCommandError(std::string_view pod, const absl::Status& status) {
  if (status.ok()) return status;
  absl::Status rebuilt = FromNamed(LockErrors(), status);
  if (!rebuilt.ok()) return rebuilt;
  const bool refused = conduit::GetError<conduit::InvalidArguments>(status).has_value() ||
                       conduit::GetError<conduit::BadJson>(status).has_value();
  return MakeLockError(
      {.error = refused ? LockError::kInvalidRequest : LockError::kDirectoryUnavailable},
      fmt::format("pod '{}': {}", pod, std::string(status.message())));
}

}  // namespace podkit::lock
