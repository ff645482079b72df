// Who uses two pods while they are killed: one who shares and answers, one who writes at each pod,
// and one who looks.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "servers/podctl/pod_client.h"
#include "tests/servers/two_pods.h"
#include "tests/servers/write_history.h"

namespace podkit::testing::crash {

// anna, on pod A, owns the collection `plan`; emma, on pod B, has it as `shared`.
enum class Operation {
  kInvite,
  kInviteToRead,
  kUninvite,
  kAccept,
  kDecline,
  kOwnerPut,
  kOwnerRemove,
  kViewerPut,
  kViewerRemove,
};
inline constexpr size_t kOperations = 9;
std::string_view NameOf(Operation operation);

// A flag that other threads wait for.
class Flag {
 public:
  void Set();
  bool IsSet() const;
  // Returns when it is set, at the latest after `limit`; whether it is.
  bool WaitFor(absl::Duration limit);

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  bool set_ ABSL_GUARDED_BY(mutex_) = false;
};

// Tells the killer when an operation of the kind that he wants is under way. Thread-safe.
class Trap {
 public:
  class Inside {
   public:
    Inside(Trap& trap, Operation operation);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    Trap& trap_;
    const Operation operation_;
    const int64_t number_;
    const absl::Time began_;
  };

  Trap();
  void Set(Operation wanted);
  // False if none of the wanted kind begins in time. The one that does waits for who waits here.
  bool WaitForPrey(absl::Duration limit);
  // Whether the one that was waited for is still under way.
  bool Holds() const;
  // How long operations of this kind took of late.
  absl::Duration Typical(Operation operation) const;

 private:
  int64_t Enter(Operation operation);
  void Leave(Operation operation, int64_t number, absl::Duration took);

  mutable Mutex mutex_;
  CondVar changed_;
  Operation wanted_ ABSL_GUARDED_BY(mutex_) = Operation::kInvite;
  int64_t entered_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t prey_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: none yet.
  bool seen_ ABSL_GUARDED_BY(mutex_) = true;  // By who waits for it.
  bool holds_ ABSL_GUARDED_BY(mutex_) = false;
  std::array<absl::Duration, kOperations> typical_ ABSL_GUARDED_BY(mutex_) = {};
};

using Outcome = WriteHistory::Outcome;
Outcome OutcomeOf(const absl::StatusOr<podctl::ApiReply>& reply);

// Invites, answers and takes back.
class Sharer {
 public:
  Sharer(const TwoPods& pods, Trap& trap);
  // An answer without an invitation is kRefused.
  Outcome Do(Operation operation);

 private:
  Outcome Answer(std::string_view answer);

  const std::unique_ptr<podctl::PodClient> a_;
  const std::unique_ptr<podctl::PodClient> b_;
  Trap& trap_;
};

// A collection as somebody uses it through his pod.
struct Place {
  std::string pod;
  std::string user;
  std::string collection;
};
inline const Place kOwnerPlace = {.pod = "A", .user = "anna", .collection = "plan"};
inline const Place kViewerPlace = {.pod = "B", .user = "emma", .collection = "shared"};

// Puts, replaces and removes objects, a few of them again and again. Both writers use the same.
class Writer {
 public:
  Writer(const TwoPods& pods, const Place& place, uint32_t seed, Trap& trap, WriteHistory& history);
  // Until the flag is set.
  void Run(Flag& stop);
  // When it has ended.
  size_t acknowledged() const { return acknowledged_; }
  // Writes that were done or refused; from any thread.
  int answered() const { return answered_; }

 private:
  Outcome Put(const std::string& object);
  Outcome Remove(const std::string& object);

  const std::unique_ptr<podctl::PodClient> client_;
  const Place place_;
  const bool owner_;
  std::mt19937 random_;
  Trap& trap_;
  WriteHistory& history_;
  int kept_ = 0;
  size_t acknowledged_ = 0;
  std::atomic<int> answered_ = 0;
};

// Reads objects and tells the history what is there.
class Reader {
 public:
  Reader(const TwoPods& pods, const Place& place, WriteHistory& history);
  // False if the pod does not say.
  bool Read(const std::string& object);
  // Those that are written again and again, until the flag is set.
  void Run(Flag& stop);

 private:
  const std::unique_ptr<podctl::PodClient> client_;
  const Place place_;
  WriteHistory& history_;
};

}  // namespace podkit::testing::crash
