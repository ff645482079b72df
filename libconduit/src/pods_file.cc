#include "pods_file.h"

#include <filesystem>

#include "absl/status/status.h"
#include "common/byte_order_mark.h"
#include "common/certificates.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "podkit/conduit/message.h"
#include "read_file.h"

namespace podkit::conduit::internal {
namespace {

constexpr size_t kMaxKeyFileBytes = 4096;

struct PodEntry {
  std::string id;
  std::vector<std::string> hosts;
  std::vector<std::string> key_files;
  std::string ca_file;
  bool acts_for_any_user = false;
  static constexpr auto Fields() {
    return std::make_tuple(Required("id", &PodEntry::id), Required("hosts", &PodEntry::hosts),
                           Optional("key_files", &PodEntry::key_files),
                           Optional("ca_file", &PodEntry::ca_file),
                           Optional("acts_for_any_user", &PodEntry::acts_for_any_user));
  }
};

struct PodsForm {
  std::vector<PodEntry> pods;
  static constexpr auto Fields() { return std::make_tuple(Required("pods", &PodsForm::pods)); }
};

// A person's typing error must not pass for an absent member.
template <Message M>
absl::Status RefuseUnknownMembers(const JsonValue& object) {
  const auto known =
      std::apply([](const auto&... field) { return std::vector<std::string_view>{field.name...}; },
                 M::Fields());
  for (size_t i = 0; i < object.size(); ++i) {
    const std::string_view name = object.MemberAt(i).first;
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return absl::InvalidArgumentError(
          fmt::format("$.{}: is not a known member; there are {}", name, fmt::join(known, ", ")));
    }
  }
  return absl::OkStatus();
}

absl::Status Prefixed(std::string_view prefix, const absl::Status& status) {
  return absl::Status(status.code(), fmt::format("{}: {}", prefix, std::string(status.message())));
}

std::string BesideFile(const std::string& path, const std::string& name) {
  return (std::filesystem::path(path).parent_path() / name).string();
}

absl::StatusOr<std::string> ReadKey(const std::string& path) {
  PODKIT_ASSIGN_OR_RETURN(std::string key,
                          ReadFile(path, {.max_bytes = kMaxKeyFileBytes, .owner_only = true}));
  PODKIT_RETURN_IF_ERROR(RefuseByteOrderMark(key, fmt::format("'{}'", path)));
  if (key.ends_with('\n')) key.pop_back();
  if (key.ends_with('\r')) key.pop_back();
  return key;
}

absl::StatusOr<Pod> ReadEntry(const std::string& path, std::string_view own_id,
                              const JsonValue& value) {
  PodEntry entry;
  PODKIT_RETURN_IF_ERROR(Codec<PodEntry>::Decode(value, &entry));
  PODKIT_RETURN_IF_ERROR(RefuseUnknownMembers<PodEntry>(value));
  Pod pod{.id = std::move(entry.id),
          .hosts = std::move(entry.hosts),
          .acts_for_any_user = entry.acts_for_any_user};
  if (!entry.ca_file.empty()) {
    pod.ca_file = BesideFile(path, entry.ca_file);
    absl::Status status = ReadFile(pod.ca_file, {}).status();
    if (status.ok()) status = CheckCertificates(pod.ca_file);
    if (!status.ok()) return Prefixed("$.ca_file", status);
  }
  if (pod.id == own_id) return pod;
  for (size_t i = 0; i < entry.key_files.size(); ++i) {
    auto key = ReadKey(BesideFile(path, entry.key_files[i]));
    if (!key.ok()) return Prefixed(fmt::format("$.key_files[{}]", i), key.status());
    pod.keys.push_back(*std::move(key));
  }
  return pod;
}

// How a message names an entry that may be wrong in any way.
std::string EntryName(const JsonValue& entry, size_t index) {
  const auto id = entry.Member("id");
  const auto text = id ? id->AsString() : std::nullopt;
  return text ? fmt::format("pod '{}'", text->substr(0, 64)) : fmt::format("pod {}", index + 1);
}

absl::StatusOr<std::vector<Pod>> ReadForm(const std::string& path, std::string_view own_id,
                                          const JsonValue& root) {
  const auto entries = root.Member("pods");
  if (!entries || entries->kind() != JsonValue::Kind::kArray) {
    return absl::InvalidArgumentError("it is not an object with an array \"pods\"");
  }
  PODKIT_RETURN_IF_ERROR(RefuseUnknownMembers<PodsForm>(root));
  std::vector<Pod> pods;
  for (size_t i = 0; i < entries->size(); ++i) {
    const JsonValue entry = entries->Element(i);
    auto pod = ReadEntry(path, own_id, entry);
    if (!pod.ok()) return Prefixed(EntryName(entry, i), pod.status());
    pods.push_back(*std::move(pod));
  }
  return pods;
}

}  // namespace

absl::StatusOr<std::vector<Pod>> ReadPodsFile(const std::string& path, std::string_view own_id) {
  PODKIT_ASSIGN_OR_RETURN(std::string text, ReadFile(path, {}));
  const auto document = JsonDocument::Parse(std::move(text));
  if (!document.ok()) {
    return absl::InvalidArgumentError(std::string(document.status().message()));
  }
  return ReadForm(path, own_id, document->root());
}

}  // namespace podkit::conduit::internal
