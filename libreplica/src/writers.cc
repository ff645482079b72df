#include "podkit/replica/writers.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "podkit/replica/chunk.h"

namespace podkit::replica {
namespace {

const Grant* GrantFor(const Writer& writer, std::string_view volume) {
  const auto grant = std::find_if(writer.grants.begin(), writer.grants.end(),
                                  [&](const Grant& one) { return one.volume == volume; });
  return grant == writer.grants.end() ? nullptr : &*grant;
}

absl::Status Check(const Writer& writer) {
  const auto bad = [&](std::string_view what) {
    return absl::InvalidArgumentError(fmt::format("writer '{}': {}", writer.id, what));
  };
  // An id and a volume have the same form.
  if (!ValidateChunkName({.volume = writer.id, .file = "f"}).ok()) {
    return bad("an id is 1 to 64 letters, digits, '-' and '_'");
  }
  if (writer.keys.empty() || writer.keys.size() > 4) return bad("needs 1 to 4 keys");
  std::set<std::string_view> volumes;
  for (const Grant& grant : writer.grants) {
    if (!ValidateChunkName({.volume = grant.volume, .file = "f"}).ok()) {
      return bad(fmt::format("no volume can be called '{}'", grant.volume));
    }
    if (!volumes.insert(grant.volume).second) {
      return bad(fmt::format("two grants for volume '{}'", grant.volume));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Writers>> Writers::Create(
    std::vector<Writer> writers, std::set<std::string, std::less<>> private_volumes,
    std::map<std::string, uint64_t, std::less<>> quotas) {
  for (const std::string& volume : private_volumes) {
    if (ValidateChunkName({.volume = volume, .file = "f"}).ok()) continue;
    return absl::InvalidArgumentError(fmt::format("no private volume can be called '{}'", volume));
  }
  for (const auto& [volume, bytes] : quotas) {
    if (ValidateChunkName({.volume = volume, .file = "f"}).ok()) continue;
    return absl::InvalidArgumentError(
        fmt::format("no volume with a quota can be called '{}'", volume));
  }
  std::shared_ptr<Writers> made(new Writers);
  for (Writer& writer : writers) {
    PODKIT_RETURN_IF_ERROR(Check(writer));
    std::string id = writer.id;
    if (!made->writers_.emplace(id, std::move(writer)).second) {
      return absl::InvalidArgumentError(fmt::format("writer '{}' is named twice", id));
    }
  }
  made->private_volumes_ = std::move(private_volumes);
  made->quotas_ = std::move(quotas);
  return made;
}

std::optional<uint64_t> Writers::QuotaOf(std::string_view volume) const {
  const auto quota = quotas_.find(volume);
  if (quota == quotas_.end()) return std::nullopt;
  return quota->second;
}

const Writer* Writers::Find(std::string_view id) const {
  const auto found = writers_.find(id);
  return found == writers_.end() ? nullptr : &found->second;
}

bool Writers::MayRead(const Writer& writer, std::string_view volume) {
  const Grant* grant = GrantFor(writer, volume);
  return grant != nullptr && grant->read;
}

bool Writers::May(const Writer& writer, std::string_view volume, Operation operation) {
  const Grant* grant = GrantFor(writer, volume);
  if (grant == nullptr) return false;
  switch (operation) {
    case Operation::kPut:
      return grant->put;
    case Operation::kDelete:
      return grant->erase;
    case Operation::kRename:
      return grant->rename;
    case Operation::kLacking:
      return grant->read || grant->put || grant->erase || grant->rename;
  }
  return false;
}

bool Writers::Verify(const Writer& writer, SignedFor purpose, std::string_view bytes,
                     std::string_view signature) {
  return std::any_of(writer.keys.begin(), writer.keys.end(), [&](const PublicKey& key) {
    return replica::Verify(key, purpose, bytes, signature);
  });
}

}  // namespace podkit::replica
