// Answers kept under the idempotency keys of their calls: a call that is repeated because its
// answer was lost gets that answer, and what it asked for happens once. docs/conduit-keys.md has
// the whole story.
//
//   const auto answers = MakeMemoryAnswers();
//   conduit.Handle<Order>(responder, {.answers = answers.get()});
//   ...
//   other.Call<Order>("B", {.cheese = "brie"}, {.make_key = true});
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/message.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit {

// A call with a key, as its responder has it. Valid during the call.
struct KeyedCall {
  std::string caller;  // The pod, as authenticated: keys of different pods are different keys.
  std::string key;
  std::string command;
  // SHA-256, in hexadecimal, of all that is asked: command, actor, target, arguments, payload.
  std::string digest;
  JsonValue request;  // The whole request, the members of its target among them.
};

// Where the answers of one or more commands are kept.
//
// Thread-safe. A responder with a database of its own implements it so that the answer commits in
// the transaction of its effect: CallContext::keyed tells the responder that there is something to
// keep, AnswerWith makes what is kept. MakeMemoryAnswers is for those without.
class AnswerStore {
 public:
  virtual ~AnswerStore() = default;

  // Names what is kept, 1 to 64 printable ASCII characters. Hosts, and processes one after the
  // other, that have the same answers say the same; who lost them says something else. A write that
  // may have been executed is repeated only where the id is the same.
  virtual std::string Id() const = 0;

  // How long an answer is kept. A caller repeats within half of that; afterwards the key is as if
  // it had never been used.
  virtual absl::Duration Window() const = 0;

  // Before the call runs. Nothing: let it run, and call End. A reply: of the call that had this
  // key; it does not run again. Errors, each without any effect: KeyReused, StillRunning,
  // Overloaded (no room for another key), or what the command declares.
  virtual absl::StatusOr<std::optional<WireReply>> Begin(const KeyedCall& call) = 0;

  // After it ran, before its caller hears of it. Null: it may run again under this key, if nothing
  // was kept meanwhile. Else `reply` is to be kept, unless that was done in the transaction of the
  // effect. An error is logged; the caller gets his answer all the same.
  virtual absl::Status End(const KeyedCall& call, const WireReply* reply) = 0;

  // How many keys are held, as far as is known without looking through files.
  virtual size_t Keys() const = 0;
};

namespace internal {
absl::StatusOr<WireReply> MakeAnswer(std::string_view value, std::string_view payload);
}  // namespace internal

// The reply that answers a command with `response`: what a responder keeps in its own transaction.
// kInternal if a text in it is not UTF-8: then it can be answered to nobody.
template <Encodable Response>
absl::StatusOr<WireReply> AnswerWith(const Response& response, std::string_view payload = {}) {
  constexpr bool kNothing = std::is_same_v<Response, Nothing>;
  return internal::MakeAnswer(kNothing ? std::string() : ToJson(response), payload);
}

// What is kept in place of an answer that is too large to keep: BodyTooLarge, which says that the
// command was executed.
WireReply TooLargeToKeep(const KeyedCall& call, size_t bytes, size_t limit);

// The errors of Begin.
absl::Status KeyReusedError(const KeyedCall& call, std::string_view first_command,
                            std::string_view first_digest);
absl::Status StillRunningError(const KeyedCall& call);
absl::Status NoRoomForKeyError(const KeyedCall& call, absl::Duration retry_after);

// Of one calling pod each.
struct AnswerLimits {
  absl::Duration window = absl::Minutes(5);  // More than twice the timeouts of calls.
  // With so many keys, or so many bytes in their answers, a new key is refused with Overloaded.
  size_t max_keys = 100'000;
  size_t max_bytes = size_t{32} << 20;
  size_t max_answer_bytes = size_t{1} << 20;  // Of a larger one it is kept that it was given.
};

// Answers in the memory of this process. A restart forgets them, and other hosts do not have them:
// its Id is a random one, so callers know, and a write whose answer went with it stays `unknown`.
std::unique_ptr<AnswerStore> MakeMemoryAnswers(
    const AnswerLimits& limits = {}, std::function<absl::Time()> now = [] { return absl::Now(); });

}  // namespace podkit::conduit
