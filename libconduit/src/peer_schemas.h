// What the hosts of other pods serve, as they said when they were met, and so what becomes of a
// call before it is sent.
//
// Does no I/O: it says what it has to know, and is told. Thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "meeting.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/schema.h"

namespace podkit::conduit::internal {

class PeerSchemas {
 public:
  // How long what a host said is good for a call that goes out, and for one that is refused: a pod
  // that was updated is called again this soon.
  static constexpr absl::Duration kGoodFor = absl::Seconds(60);
  static constexpr absl::Duration kRefusedFor = absl::Seconds(5);
  // Of one host. What is beyond is called as if it had said nothing.
  static constexpr size_t kMostCommands = 10'000;

  struct PeerName {
    std::string_view pod;
    std::string_view host;
    auto operator<=>(const PeerName&) const = default;
  };
  struct Peer {
    std::string pod;
    std::string host;
    auto operator<=>(const Peer&) const = default;
    operator PeerName() const { return {pod, host}; }  // NOLINT(google-explicit-constructor)
  };

  // A command as it is declared here.
  struct Own {
    CommandSchema schema;
    std::string fingerprint;
  };

  // Where the answers of a command are kept for a repeat.
  struct Answers {
    std::string id;
    absl::Duration window;
  };

  enum class Step {
    kSend,
    kRefuse,    // With the status: outcome kNotImplemented, nothing was sent.
    kHello,     // Call Hello, and tell Met or Silent.
    kDescribe,  // Call DescribeCommands for this command, and tell Described.
  };
  struct Decision {
    Step step = Step::kSend;
    absl::Status refusal;
  };

  // What is to be done for a call of the command `own`, whose request has the members `request`, a
  // JSON object; it is read only if it depends on that. Ask again after a hello or a description.
  Decision Decide(PeerName peer, const Own& own, std::string_view request, absl::Time now);

  // The host answered Hello.
  void Met(const Peer& peer, const Hello::Response& answer, absl::Time now);
  // It is too old to know Hello: its commands are just called.
  void Silent(const Peer& peer, absl::Time now);
  // It answered DescribeCommands; a schema that cannot be read is no reason to refuse a call.
  void Described(const Peer& peer, const std::string& command,
                 const DescribeCommands::Response& answer);
  // It turned out to be another than was met: it is met anew before the next call.
  void Forget(const Peer& peer);

  // What a host said, when it was met last, of the answers to that command; nothing if it keeps
  // none.
  std::optional<Answers> AnswersOf(PeerName peer, std::string_view command);

 private:
  struct Served {
    std::string fingerprint;
    Answers answers;  // Without an id: none are kept.
    bool described = false;
    bool readable = false;
    CommandSchema schema;  // If readable.
    std::string compared;  // The fingerprint that `breaks` is for.
    std::vector<SchemaBreak> breaks;
  };
  struct Knowledge {
    absl::Time met;
    bool silent = false;
    bool complete = true;  // It had no more commands than are kept.
    std::string version;
    std::map<std::string, Served, std::less<>> served;
  };

  struct Before {
    using is_transparent = void;
    bool operator()(PeerName a, PeerName b) const { return a < b; }
  };

  static Decision DecideServed(PeerName peer, const Knowledge& knowledge, Served& served,
                               const Own& own, std::string_view request);

  Mutex mutex_;
  std::map<Peer, Knowledge, Before> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
