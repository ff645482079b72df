// The calls of a batch on their way to a host, and the answers to them.
//
// Thread-safe. One attempt is out at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "call_request.h"
#include "common/mutex.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/json.h"

namespace podkit::conduit::internal {

class OutgoingBatch {
 public:
  struct Call {
    CallRequest request;   // As if it were sent by itself.
    absl::Status problem;  // If not OK, it never is.
  };

  explicit OutgoingBatch(std::vector<Call> calls);

  const std::vector<Call>& calls() const { return calls_; }
  // No call is left to send. After Prepare without those that the host refuses.
  bool nothing_to_send() const;
  // As of a call that does all this. Without those that are never sent.
  Effect effect() const;
  bool every_write_has_key() const;
  // The answers that the keyed writes count on, one id for each call ("": it counts on none);
  // nothing if one of them is not kept. After Prepare.
  std::optional<KeptAnswers> FindKept(
      absl::FunctionRef<std::optional<PeerSchemas::Answers>(std::string_view)> answers_of) const;

  // Before each attempt: why the host cannot serve some of the calls; OK for the others. Once the
  // batch may have been executed it is sent with the same calls or not at all: kNotExecuted.
  absl::Status Prepare(std::vector<absl::Status> refusals);

  // The frames of the request. `answers` as in FindKept, or empty.
  std::string Encode(absl::Time now, absl::Time deadline, const std::vector<std::string>& answers);

  // Takes the answers in these frames. An error is the end of the attempt as a whole: nothing was
  // executed, for a reason that the conduit deals with; a call with its key is still running; or it
  // is no answer (kUnknown).
  absl::Status Read(std::string_view pod, std::string_view frames);

  // The host turned out not to be the one that was met.
  bool met_another() const;

  // An attempt may have been executed, whatever becomes of the others.
  void MayHaveBeenExecuted();

  // How each call ended, where the batch as a whole ended so. Once.
  std::vector<absl::StatusOr<JsonDocument>> TakeResults(const absl::Status& whole);

 private:
  bool LeftOut(size_t index) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Verdict() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::vector<Call> calls_;
  mutable Mutex mutex_;
  std::vector<absl::Status> problems_ ABSL_GUARDED_BY(mutex_);  // Also those that came up later.
  std::vector<absl::Status> refusals_ ABSL_GUARDED_BY(mutex_);  // Of the last attempt.
  bool maybe_executed_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<absl::StatusOr<JsonDocument>> results_ ABSL_GUARDED_BY(mutex_);  // Of the last one.
};

}  // namespace podkit::conduit::internal
