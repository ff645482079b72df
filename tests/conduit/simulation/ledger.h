// The books of one schedule: which calls were made and how they ended, and what was executed; and
// the judge who compares the two.
//
// For one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "plan.h"
#include "podkit/conduit/error.h"

namespace podkit::conduit::simulation {

struct CallRecord {
  int64_t operation = 0;
  std::string from;  // Pod.
  std::string to;
  Kind kind = Kind::kRead;
  How how = How::kOk;
  bool with_key = false;
  bool stranger = false;        // Made by somebody without keys.
  bool must_succeed = false;    // Nothing is in its way.
  bool waits_for_reply = true;  // The transport ends it in time.
  absl::Time began;
  absl::Duration timeout;
  absl::Time stopped = absl::InfiniteFuture();  // By its caller, while it ran.
  bool in_gather = false;                       // Which may cancel it.
  int64_t follows = -1;                         // In a batch: the call whose answer it uses.

  int ends = 0;
  absl::Time ended;
  Outcome outcome = Outcome::kUnknown;
  absl::Status status;
  int64_t execution = -1;      // What the answer says.
  size_t payload_bytes = 0;    // Of the answer.
  std::weak_ptr<void> memory;  // What its callback holds.
};

struct Execution {
  int64_t call = -1;
  int64_t operation = 0;
  Kind kind = Kind::kRead;
  std::string caller;  // As the responder was told.
  std::string pod;
  std::string host;
  std::string answers;    // Where the answer is kept; "": nowhere.
  int64_t after = -1;     // The execution that it was told to follow.
  bool impostor = false;  // By somebody without keys.
  How how = How::kOk;
  absl::Time began;
  absl::Duration time_left;     // As the responder was told.
  bool stopped_before = false;  // The caller's stop was known already.
  absl::Time heard_stop = absl::InfiniteFuture();
  absl::Time ended = absl::InfiniteFuture();
};

struct Ledger {
  std::deque<CallRecord> calls;  // By their numbers, which travel as their traces.
  std::deque<Execution> executions;
  std::vector<std::string> problems;  // Found while the schedule ran.

  int64_t NewCall(CallRecord call) {
    calls.push_back(std::move(call));
    return static_cast<int64_t>(calls.size()) - 1;
  }
  CallRecord& call(int64_t number) { return calls.at(static_cast<size_t>(number)); }
  Execution& execution(int64_t number) { return executions.at(static_cast<size_t>(number)); }
};

struct JudgeOptions {
  // Cancels reach responders within that. Infinite: perhaps not at all.
  absl::Duration stop_takes = absl::InfiniteDuration();
  // So does the end of a call that is answered elsewhere.
  absl::Duration end_takes = absl::InfiniteDuration();
};

// What is wrong with the books, one line each; every line names the call.
std::vector<std::string> Judge(const Ledger& ledger, const JudgeOptions& options);

std::string CallText(const Ledger& ledger, size_t call);

}  // namespace podkit::conduit::simulation
