#include "discovery/host_list.h"

#include <tuple>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/message.h"

namespace podkit::conduit::internal {
namespace {

constexpr JsonLimits kLimits = {.max_bytes = kMaxHostListBytes, .max_depth = kMaxHostListDepth};

struct ListedPod {
  std::string id;
  std::vector<std::string> hosts;
  static constexpr auto Fields() {
    return std::make_tuple(Required("id", &ListedPod::id), Required("hosts", &ListedPod::hosts));
  }
};

absl::StatusOr<PodHosts> ReadPod(const JsonValue& value, size_t index) {
  const auto hosts = value.Member("hosts");
  if (hosts && hosts->size() > kMaxListedHosts) {
    return absl::ResourceExhaustedError(
        fmt::format("$.pods[{}].hosts: has {} hosts, more than the limit of {}", index,
                    hosts->size(), kMaxListedHosts));
  }
  ListedPod pod;
  const absl::Status status = Codec<ListedPod>::Decode(value, &pod);
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("$.pods[{}]: {}", index, std::string(status.message())));
  }
  return PodHosts{.pod = std::move(pod.id), .hosts = std::move(pod.hosts)};
}

}  // namespace

absl::StatusOr<std::vector<PodHosts>> ParseHostList(std::string text) {
  PODKIT_ASSIGN_OR_RETURN(const JsonDocument document,
                          JsonDocument::Parse(std::move(text), kLimits));
  const auto entries = document.root().Member("pods");
  if (!entries || entries->kind() != JsonValue::Kind::kArray) {
    return absl::InvalidArgumentError("it is not an object with an array \"pods\"");
  }
  if (entries->size() > kMaxListedPods) {
    return absl::ResourceExhaustedError(fmt::format(
        "$.pods: has {} pods, more than the limit of {}", entries->size(), kMaxListedPods));
  }
  std::vector<PodHosts> pods;
  for (size_t i = 0; i < entries->size(); ++i) {
    PODKIT_ASSIGN_OR_RETURN(PodHosts pod, ReadPod(entries->Element(i), i));
    pods.push_back(std::move(pod));
  }
  return pods;
}

std::string WriteHostList(const std::vector<PodHosts>& pods, std::string_view source) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("pods");
  writer.BeginArray();
  for (const PodHosts& pod : pods) {
    writer.BeginObject();
    writer.Key("id");
    writer.String(pod.pod);
    writer.Key("hosts");
    writer.BeginArray();
    for (const std::string& host : pod.hosts) writer.String(host);
    writer.EndArray();
    writer.EndObject();
  }
  writer.EndArray();
  writer.Key("source");
  writer.String(source);
  writer.EndObject();
  return writer.Take() + "\n";
}

std::string SourceOfHostList(std::string text) {
  const auto document = JsonDocument::Parse(std::move(text), kLimits);
  if (!document.ok()) return {};
  const auto source = document->root().Member("source");
  return source ? std::string(source->AsString().value_or("")) : std::string();
}

}  // namespace podkit::conduit::internal
