// Decides when which pod is served with whose messages.
//
// A message goes the way: its writer is posted; his outbox is looked through for the pods that its
// messages go to (sorted); each of those pods is served, by itself, with what is due. A pod that
// does not answer is left alone with growing pauses, and nobody else waits for it. A plain object
// that does no I/O and is told the time. Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace podkit::store {

// A quarter of a second after the first failure, doubled with every other one, half a minute at
// most.
absl::Duration PauseAfter(int64_t failures);

class DeliverySchedule {
 public:
  // The user has written messages.
  void Post(const std::string& uid);
  // Users whose outboxes are to be looked through now. For each one Sorted or SortLater must
  // follow.
  std::vector<std::string> TakeUnsorted(absl::Time now);
  void Sorted(const std::string& uid, const std::set<std::string>& pods);
  void SortLater(const std::string& uid, absl::Time when);
  // Sees to it that these pods will be served with his messages, now if they would not be yet.
  void AlsoServe(const std::string& uid, const std::set<std::string>& pods);

  // All pods that ever had messages.
  std::vector<std::string> Pods() const;
  bool IsServed(const std::string& pod) const;
  // Begins to serve the pod, which is not being served: with the messages of these users, in that
  // order. None if nothing is due, or the pod is left alone. For each user Finish must follow, then
  // End.
  std::vector<std::string> Begin(const std::string& pod, absl::Time now);
  // The user's messages to the pod were tried; the next one is due then, InfiniteFuture if there is
  // none.
  void Finish(const std::string& pod, const std::string& uid, absl::Time next_due);
  void PodAnswered(const std::string& pod);
  // With a message of `uid`: next time others come first, so that no message that a pod cannot
  // take holds up the rest.
  void PodFailed(const std::string& pod, const std::string& uid, absl::Time now);
  void End(const std::string& pod);

  // When outboxes are to be looked through next; when a pod is to be served next; either.
  absl::Time NextSort() const;
  absl::Time NextService(const std::string& pod) const;
  absl::Time NextDue() const;
  // Until when the pod is left alone; InfinitePast if it is not.
  absl::Time LeftAloneUntil(const std::string& pod) const;

  // True if nothing is planned for the user.
  bool IsIdle(const std::string& uid) const;

 private:
  struct Lane {
    std::map<std::string, absl::Time> due;  // By user; InfiniteFuture: being tried.
    absl::Time left_alone_until = absl::InfinitePast();
    int64_t failures = 0;
    std::string last_failed;  // User.
    bool served = false;
  };

  std::map<std::string, absl::Time> unsorted_;  // By user: when to look; InfiniteFuture: taken.
  std::map<std::string, Lane> lanes_;           // By pod.
};

}  // namespace podkit::store
