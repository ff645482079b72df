// What writers of a few objects were told and readers of them saw, judged afterwards.
//
// Every text that is put has a number of its own. A write takes effect once, at a moment between
// its beginning and its acknowledgement; one that was neither acknowledged nor refused, once or
// never, at any later moment until Close. So a text that is seen although another write was
// acknowledged that began after this one had taken effect, was written twice, or the other one was
// lost.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace podkit::testing {

class WriteHistory {
 public:
  enum class Outcome { kDone, kRefused, kUnknown };

  // Before the request is sent; the number of the write.
  int BeginPut(const std::string& object) { return Begin(object, true); }
  int BeginRemove(const std::string& object) { return Begin(object, false); }
  // When its answer is there, or it is known that none comes.
  void End(int write, Outcome outcome);

  // Around the request of a read; `seen` is the number of the text, nothing if there is no object.
  int64_t BeginRead();
  void EndRead(const std::string& object, int64_t began, std::optional<int> seen);

  // No write that began before takes effect from now on.
  void Close();

  // Each read since the last time that nothing explains, in words.
  std::vector<std::string> Contradictions();

  // Those that were ever put.
  std::set<std::string> Objects() const;
  size_t reads() const;

 private:
  struct Write {
    std::string object;
    bool put = true;
    int64_t began = 0;
    int64_t ended = 0;
    std::optional<int64_t> closed;  // By when it has taken effect if it ever does.
    Outcome outcome = Outcome::kUnknown;
  };
  struct Read {
    std::string object;
    int64_t began = 0;
    int64_t ended = 0;
    std::optional<int> seen;
  };

  int Begin(const std::string& object, bool put);
  int64_t Now() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ++now_; }
  // By when each text that was seen had taken effect.
  std::map<int, int64_t> FirstSeen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Judge(const Read& read, const std::map<int, int64_t>& first_seen) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string JudgeText(const Read& read, int seen, const std::map<int, int64_t>& first_seen) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string JudgeAbsence(const Read& read) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  int64_t now_ ABSL_GUARDED_BY(mutex_) = 0;  // Counts what happens: the order is all that matters.
  std::vector<Write> writes_ ABSL_GUARDED_BY(mutex_);
  std::vector<Read> reads_ ABSL_GUARDED_BY(mutex_);
  size_t judged_ ABSL_GUARDED_BY(mutex_) = 0;  // Of the reads.
};

}  // namespace podkit::testing
