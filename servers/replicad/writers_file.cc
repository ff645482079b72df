#include "servers/replicad/writers_file.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "podkit/conduit/message.h"
#include "servers/common/files.h"

namespace podkit::servers {
namespace {

constexpr size_t kMaxFileBytes = size_t{16} << 20;

struct GrantEntry {
  std::string volume;
  std::vector<std::string> may;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("volume", &GrantEntry::volume),
                           conduit::Required("may", &GrantEntry::may));
  }
};

struct WriterEntry {
  std::string id;
  std::vector<std::string> keys;
  std::vector<GrantEntry> grants;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("id", &WriterEntry::id),
                           conduit::Required("keys", &WriterEntry::keys),
                           conduit::Required("grants", &WriterEntry::grants));
  }
};

struct QuotaEntry {
  std::string volume;
  uint64_t bytes = 0;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("volume", &QuotaEntry::volume),
                           conduit::Required("bytes", &QuotaEntry::bytes));
  }
};

struct WritersEntries {
  std::vector<WriterEntry> writers;
  std::vector<std::string> private_volumes;
  std::vector<QuotaEntry> quotas;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("writers", &WritersEntries::writers),
                           conduit::Optional("private_volumes", &WritersEntries::private_volumes),
                           conduit::Optional("quotas", &WritersEntries::quotas));
  }
};

absl::StatusOr<replica::Grant> GrantOf(const GrantEntry& entry) {
  replica::Grant grant{.volume = entry.volume};
  for (const std::string& word : entry.may) {
    bool* const right = word == "read"     ? &grant.read
                        : word == "put"    ? &grant.put
                        : word == "delete" ? &grant.erase
                        : word == "rename" ? &grant.rename
                                           : nullptr;
    if (right == nullptr) {
      return absl::InvalidArgumentError(
          fmt::format("'{}' is not read, put, delete or rename", word));
    }
    *right = true;
  }
  return grant;
}

absl::StatusOr<replica::Writer> WriterOf(const WriterEntry& entry) {
  replica::Writer writer{.id = entry.id};
  const auto named = [&](const absl::Status& status) {
    return absl::InvalidArgumentError(
        fmt::format("writer '{}': {}", entry.id, std::string(status.message())));
  };
  for (const std::string& hex : entry.keys) {
    const auto key = replica::PublicKey::FromHex(hex);
    if (!key.ok()) return named(key.status());
    writer.keys.push_back(*key);
  }
  for (const GrantEntry& one : entry.grants) {
    const auto grant = GrantOf(one);
    if (!grant.ok()) return named(grant.status());
    writer.grants.push_back(*grant);
  }
  return writer;
}

absl::StatusOr<std::shared_ptr<const replica::Writers>> ParseWriters(std::string text) {
  PODKIT_ASSIGN_OR_RETURN(const auto entries, conduit::FromJson<WritersEntries>(std::move(text)));
  std::vector<replica::Writer> writers;
  for (const WriterEntry& entry : entries.writers) {
    PODKIT_ASSIGN_OR_RETURN(replica::Writer writer, WriterOf(entry));
    writers.push_back(std::move(writer));
  }
  std::map<std::string, uint64_t, std::less<>> quotas;
  for (const QuotaEntry& entry : entries.quotas) {
    if (quotas.emplace(entry.volume, entry.bytes).second) continue;
    return absl::InvalidArgumentError(fmt::format("two quotas for volume '{}'", entry.volume));
  }
  return replica::Writers::Create(std::move(writers),
                                  {entries.private_volumes.begin(), entries.private_volumes.end()},
                                  std::move(quotas));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const replica::Writers>> ReadWritersFile(const std::string& path) {
  if (path.empty()) return replica::Writers::Create({});
  PODKIT_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxFileBytes));
  auto writers = ParseWriters(std::move(text));
  if (writers.ok()) return writers;
  return absl::InvalidArgumentError(
      fmt::format("writers file '{}': {}", path, std::string(writers.status().message())));
}

}  // namespace podkit::servers
