// Two ends of a multiplexed connection between pods A, which dialled, and B.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mux/connection.h"
#include "podkit/conduit/pods.h"
#include "tests/support/catch.h"

namespace podkit::conduit::internal {

inline const std::string kPairKey = "the key that pods A and B share.....";
inline const std::string kNewPairKey = "their next key, not the same one....";
inline const absl::Time kMuxStart = absl::FromUnixSeconds(1'700'000'000);

// The pods as `own_id` knows them; C is one that shares another key with each.
inline std::shared_ptr<Pods> MuxPods(std::string own_id,
                                     std::vector<std::string> keys = {kPairKey}) {
  std::vector<Pod> pods;
  for (const char* id : {"A", "B", "C"}) {
    pods.push_back({.id = id, .keys = keys});
    if (pods.back().id == "C") pods.back().keys = {"the key that is shared with pod C..."};
  }
  if (own_id == "C") {
    for (Pod& pod : pods) pod.keys = {"the key that is shared with pod C..." + pod.id};
  }
  return podkit::testing::ValueOf(Pods::Create(std::move(pods), std::move(own_id)));
}

inline HandshakeConfig IdentityOf(std::string own_id, std::vector<std::string> keys = {kPairKey}) {
  return {.pods = MuxPods(own_id, std::move(keys)),
          .host_name = "host-of-" + own_id,
          .software_version = "1.2"};
}

// One end, and what happened there.
struct MuxEnd {
  explicit MuxEnd(MuxConnection c) : connection(std::move(c)) {}

  // Takes the events of type T out of those that happened so far.
  template <typename T>
  std::vector<T> Take() {
    connection.TakeEvents(&events);
    std::vector<T> taken;
    for (MuxEvent& event : events) {
      if (auto* const t = std::get_if<T>(&event)) taken.push_back(std::move(*t));
    }
    std::erase_if(events, [](const MuxEvent& event) { return std::holds_alternative<T>(event); });
    return taken;
  }
  // The one event of that type.
  template <typename T>
  T TakeOne() {
    std::vector<T> taken = Take<T>();
    REQUIRE(taken.size() == 1);
    return std::move(taken.front());
  }
  uint64_t Call(std::string body) {
    return podkit::testing::ValueOf(connection.StartCall(Content::kJson, std::move(body)));
  }
  // Takes every call that came and answers it with what it said.
  size_t AnswerAll() {
    std::vector<MuxCall> calls = Take<MuxCall>();
    for (MuxCall& call : calls) {
      connection.Reply(call.id, 200, Content::kPayload, "re:" + call.body);
    }
    return calls.size();
  }

  MuxConnection connection;
  std::vector<MuxEvent> events;
};

class MuxPair {
 public:
  explicit MuxPair(const MuxOptions& options = {}, const HandshakeConfig& of_a = IdentityOf("A"),
                   const HandshakeConfig& of_b = IdentityOf("B"))
      : MuxPair(options, options, of_a, of_b) {}
  MuxPair(const MuxOptions& options_of_a, const MuxOptions& options_of_b,
          const HandshakeConfig& of_a = IdentityOf("A"),
          const HandshakeConfig& of_b = IdentityOf("B"))
      : a(MuxConnection(of_a, of_a.pods->Find("B"), options_of_a, kMuxStart)),
        b(MuxConnection(of_b, options_of_b, kMuxStart)) {}

  // Moves everything until both are quiet; the bytes that went from each end.
  void Run() {
    for (bool moved = true; moved;) {
      moved = Move(a, b, &sent_by_a);
      moved = Move(b, a, &sent_by_b) || moved;
    }
  }
  // As Run, and both are connected.
  MuxPair& Connect() {
    Run();
    REQUIRE(a.Take<MuxConnected>().size() == 1);
    REQUIRE(b.Take<MuxConnected>().size() == 1);
    return *this;
  }
  bool Move(MuxEnd& from, MuxEnd& to, std::string* log) {
    const std::string bytes = from.connection.TakeOutput();
    if (bytes.empty()) return false;
    *log += bytes;
    to.connection.Receive(bytes, now);
    return true;
  }
  void Advance(absl::Duration duration) {
    now += duration;
    a.connection.Tick(now);
    b.connection.Tick(now);
  }

  absl::Time now = kMuxStart;
  MuxEnd a;
  MuxEnd b;
  std::string sent_by_a;
  std::string sent_by_b;
};

}  // namespace podkit::conduit::internal
