// Runs calls with keys through the AnswerStore of their command, and counts what became of them.
//
// Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/mutex.h"
#include "envelope.h"
#include "podkit/conduit/answers.h"
#include "podkit/conduit/call_stats.h"

namespace podkit::conduit::internal {

// A call that was run.
struct RunCall {
  WireReply reply;
  bool ok = false;    // It was answered with a value.
  bool keep = false;  // The reply holds for repeats, too.
};

// What is asked, whoever asks: a repeat may come later, with less time and another token.
std::string DigestOf(const JsonValue& request, std::string_view payload);

// Whether an error that a command declares and a responder returned holds for repeats. One whose
// code says that it may go better later does not.
bool HoldsForRepeats(const absl::Status& error);

class KeyedCalls {
 public:
  // What `run` returns, or what it once returned for this key; or an error of the AnswerStore,
  // which is put into words by `explain`. `wanted` is the id of the answers that the caller counts
  // on; empty: on none. `unkept` hears of an answer that could not be kept.
  RunCall Run(AnswerStore& answers, const KeyedCall& call, std::string_view wanted,
              absl::FunctionRef<RunCall()> run,
              absl::FunctionRef<absl::Status(const absl::Status&)> explain,
              absl::FunctionRef<void(const absl::Status&)> unkept);

  // Without the keys that are held.
  KeyStats Stats() const {
    MutexLock lock(&mutex_);
    return stats_;
  }

 private:
  void Count(int64_t KeyStats::*what) {
    MutexLock lock(&mutex_);
    ++(stats_.*what);
  }
  void CountError(const absl::Status& error);

  mutable Mutex mutex_;
  KeyStats stats_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace podkit::conduit::internal
