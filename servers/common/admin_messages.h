// What the operator's API of a pod says, beyond the store's own types: podd writes it, podctl reads
// it.
//
// Lists travel as an object with one member, {"users": [...]}, so that more can stand beside them.
// Decoding ignores members that it does not know.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/hosts.h"
#include "podkit/conduit/message.h"
#include "podkit/store/types.h"

namespace podkit::servers {

inline constexpr std::string_view kAdminPath = "/admin/v1";

// The pod that answers.
struct PodStatus {
  std::string pod;
  std::string version;
  absl::Time started;
  int64_t users = 0;  // Of the directory that live on this pod.
  int64_t homes = 0;  // That exist here.
  int64_t pending_messages = 0;
  std::vector<std::string> problems;  // What keeps it from being ready; empty: it is.
  std::string hosts_from;             // Where hosts are found; "": in the pods file.

  static constexpr auto Fields() {
    using conduit::Optional;
    return std::make_tuple(
        conduit::Required("pod", &PodStatus::pod), Optional("version", &PodStatus::version),
        Optional("started", &PodStatus::started), Optional("users", &PodStatus::users),
        Optional("homes", &PodStatus::homes),
        Optional("pending_messages", &PodStatus::pending_messages),
        Optional("problems", &PodStatus::problems), Optional("hosts_from", &PodStatus::hosts_from));
  }
};

// A pod of the pods file.
struct PodEntry {
  std::string id;
  std::vector<std::string> hosts;
  bool own = false;  // The pod that answers.
  bool acts_for_any_user = false;

  static constexpr auto Fields() {
    using conduit::Optional;
    return std::make_tuple(conduit::Required("id", &PodEntry::id),
                           Optional("hosts", &PodEntry::hosts), Optional("own", &PodEntry::own),
                           Optional("acts_for_any_user", &PodEntry::acts_for_any_user));
  }
};

// A host of another pod: how calls to it go, and the connection to it.
struct HostEntry {
  std::string pod;
  std::string host;
  conduit::HostState state = conduit::HostState::kUp;
  conduit::HostConnection link = conduit::HostConnection::kNotKept;
  std::optional<absl::Time> link_since;
  std::string reason;   // Why it is disconnected.
  std::string version;  // That it said it runs, on its last link.
  int64_t links = 0;    // Whoever dialled.
  int64_t in_flight = 0;
  int64_t calls = 0;        // That ended, and of these:
  int64_t failures = 0;     // without an answer.
  double milliseconds = 0;  // Of late; 0 before the first answer.

  static constexpr auto Fields() {
    using conduit::Optional;
    return std::make_tuple(
        conduit::Required("pod", &HostEntry::pod), conduit::Required("host", &HostEntry::host),
        Optional("state", &HostEntry::state), Optional("link", &HostEntry::link),
        Optional("link_since", &HostEntry::link_since), Optional("reason", &HostEntry::reason),
        Optional("version", &HostEntry::version), Optional("links", &HostEntry::links),
        Optional("in_flight", &HostEntry::in_flight), Optional("calls", &HostEntry::calls),
        Optional("failures", &HostEntry::failures),
        Optional("milliseconds", &HostEntry::milliseconds));
  }
};

// What came of calling another pod through the conduit.
struct PingResult {
  std::string pod;
  bool reachable = false;
  double milliseconds = 0;
  std::string problem;  // Why it is not reachable.

  static constexpr auto Fields() {
    using conduit::Optional;
    return std::make_tuple(conduit::Required("pod", &PingResult::pod),
                           conduit::Required("reachable", &PingResult::reachable),
                           Optional("milliseconds", &PingResult::milliseconds),
                           Optional("problem", &PingResult::problem));
  }
};

struct UserEntry {
  std::string uid;
  std::string name;
  std::string pod;

  static constexpr auto Fields() {
    using conduit::Optional;
    return std::make_tuple(conduit::Required("uid", &UserEntry::uid),
                           Optional("name", &UserEntry::name),
                           conduit::Required("pod", &UserEntry::pod));
  }
};

// A message to another home that waits for its delivery.
struct MessageEntry {
  std::string id;
  std::string from;
  std::string to;
  std::string pod;  // Where it goes; empty: the directory does not know the receiver.
  std::string kind;
  int64_t attempts = 0;
  absl::Time created;
  absl::Time next_attempt;
  std::string last_error;

  static constexpr auto Fields() {
    using conduit::Optional;
    return std::make_tuple(
        conduit::Required("id", &MessageEntry::id), Optional("from", &MessageEntry::from),
        Optional("to", &MessageEntry::to), Optional("pod", &MessageEntry::pod),
        Optional("kind", &MessageEntry::kind), Optional("attempts", &MessageEntry::attempts),
        Optional("created", &MessageEntry::created),
        Optional("next_attempt", &MessageEntry::next_attempt),
        Optional("last_error", &MessageEntry::last_error));
  }
};

// What is wrong with a color, which is "#RRGGBB" or "#RRGGBBAA", for every calendar program shows
// these alike, or nothing, to take away what was there; empty if all is well.
inline std::string ColorFault(const std::string& text) {
  const bool right_size = text.size() == 7 || text.size() == 9;
  const bool is_color =
      right_size && text.front() == '#' && std::all_of(text.begin() + 1, text.end(), [](char c) {
        return std::isxdigit(static_cast<unsigned char>(c)) != 0;
      });
  return text.empty() || is_color ? "" : fmt::format("'{}' is not #RRGGBB or #RRGGBBAA", text);
}

struct NewCollection {
  std::string name;
  store::CollectionProperties properties;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("name", &NewCollection::name),
                           conduit::Optional("properties", &NewCollection::properties));
  }
};

// Absent members keep what is there. The properties are set before the name.
struct CollectionChange {
  std::optional<std::string> name;
  std::optional<store::CollectionProperties> properties;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("name", &CollectionChange::name),
                           conduit::Optional("properties", &CollectionChange::properties));
  }
};

struct Invitation {
  store::Access access = store::Access::kRead;
  std::string summary;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("access", &Invitation::access),
                           conduit::Optional("summary", &Invitation::summary));
  }
};

struct DelegateTerms {
  store::Access access = store::Access::kRead;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("access", &DelegateTerms::access));
  }
};

struct GroupEntry {
  std::string id;
  std::string name;
  std::vector<std::string> members;  // Users and groups.
  int64_t users = 0;                 // In it, those in groups within it included.

  static constexpr auto Fields() {
    using conduit::Optional;
    return std::make_tuple(
        conduit::Required("id", &GroupEntry::id), Optional("name", &GroupEntry::name),
        Optional("members", &GroupEntry::members), Optional("users", &GroupEntry::users));
  }
};

struct Acceptance {
  std::string name;  // For the collection in the viewer's home; empty: chosen.

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Optional("name", &Acceptance::name));
  }
};

// That a home is to go for ever.
struct PurgeConfirmation {
  std::string confirm;  // The uid once more.

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("confirm", &PurgeConfirmation::confirm));
  }
};

struct Move {
  std::string collection;  // In the same home.
  std::string name;        // There; empty: the same.

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("collection", &Move::collection),
                           conduit::Optional("name", &Move::name));
  }
};

// {"<name>": value}.
template <conduit::Encodable T>
std::string ToJsonMember(std::string_view name, const T& value) {
  conduit::JsonWriter writer;
  writer.BeginObject();
  writer.Key(name);
  conduit::Codec<T>::Encode(writer, value);
  writer.EndObject();
  return writer.Take();
}

// The value of member `name` of the object `text`.
template <conduit::Encodable T>
absl::StatusOr<T> FromJsonMember(std::string_view name, std::string text) {
  auto document = conduit::JsonDocument::Parse(std::move(text));
  if (!document.ok()) return std::move(document).status();
  const auto member = document->root().Member(name);
  if (!member) return conduit::internal::MissingField(name);
  T value{};
  absl::Status status = conduit::Codec<T>::Decode(*member, &value);
  if (!status.ok()) return status;
  return value;
}

}  // namespace podkit::servers
