// What travels with a call besides its arguments: who asks, for how long, and on whose behalf.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "absl/time/time.h"
#include "podkit/conduit/pods.h"

namespace podkit::conduit {

// The write lock of the store that a call is made for. The other pod refuses a call whose token is
// smaller than one it saw for that store: a holder that lost its lock cannot even send messages.
struct StoreToken {
  std::string store;  // Its id, at most 256 bytes.
  int64_t token = 0;
  int64_t transaction = 0;  // Of the store, as its holder counts them.
  friend bool operator==(const StoreToken&, const StoreToken&) = default;
};

struct CallContext;
struct KeyedCall;

struct CallOptions {
  absl::Duration timeout = absl::Seconds(10);
  // The user in whose name the call is made; empty for the pod itself. UTF-8, at most 256 bytes.
  std::string actor = {};
  // Ends the call early, here and, as soon as it can be told, at the responder.
  std::stop_token stop = {};
  // Makes a write safe to repeat, where the other pod keeps answers (answers.h): it executes calls
  // with the same key of the same pod once, and gives the others the same answer. For one call and
  // its repeats: with other arguments it is KeyReused. UTF-8, at most 128 bytes.
  std::string key = {};
  // Gives a write a key of its own, unless it has one: so it is repeated when its answer is lost.
  bool make_key = false;
  // For tracing: a W3C traceparent, passed on as it is; at most 128 bytes.
  std::string trace = {};
  std::optional<StoreToken> store_token = {};
  // How often it is sent at most; 1: never again. It is repeated only where that is safe: nothing
  // was executed, or the command only reads or is idempotent, or the other pod keeps its answer
  // under its key. Hosts that could not be reached do not count, nor does StillRunning.
  int max_attempts = 3;
  // For Balance::kByKey: calls with the same one go to the same host.
  std::string balance_key = {};
  // Only this one of the pod's hosts, as the transport names it; empty for whichever serves best.
  std::string host = {};
  // Bytes that travel beside the call's JSON, as they are; null for none. They count for the limit
  // on bodies.
  std::shared_ptr<const std::string> payload = nullptr;
  // Gets what travels beside the answer, before the call ends; null where an answer has none.
  std::shared_ptr<std::string> reply_payload = nullptr;
  // Gets the host that answered, else the one that was called last, before the call ends.
  std::shared_ptr<std::string> used_host = nullptr;

  // For a call that is part of answering another one: its actor, trace, stop and what is left of
  // its time at `now`.
  static CallOptions Within(const CallContext& context, absl::Time now);
};

// Who calls, as authenticated. Valid during the call.
struct CallContext {
  std::shared_ptr<const Pod> caller;
  std::string actor;
  absl::Time deadline;
  std::stop_token stop = {};  // The caller wants the answer no more: stop when it is convenient.
  std::string key = {};       // "" if the caller gave none.
  // Null unless the call has a key and its command an AnswerStore: a responder whose store does
  // not do that by itself keeps its answer in the transaction of what it does.
  const KeyedCall* keyed = nullptr;
  std::string trace = {};
  std::optional<StoreToken> store_token = {};
  std::string_view payload = {};         // The bytes beside the call's JSON.
  std::string* reply_payload = nullptr;  // Where the responder puts those beside its answer.
};

}  // namespace podkit::conduit
