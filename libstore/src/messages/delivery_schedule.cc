#include "messages/delivery_schedule.h"

#include <algorithm>

namespace podkit::store {

absl::Duration PauseAfter(int64_t failures) {
  constexpr absl::Duration kFirst = absl::Milliseconds(250);
  constexpr absl::Duration kLongest = absl::Seconds(30);
  return std::min(kLongest, kFirst * (int64_t{1} << std::clamp<int64_t>(failures - 1, 0, 10)));
}

void DeliverySchedule::Post(const std::string& uid) { unsorted_[uid] = absl::InfinitePast(); }

std::vector<std::string> DeliverySchedule::TakeUnsorted(absl::Time now) {
  std::vector<std::string> uids;
  for (auto& [uid, when] : unsorted_) {
    if (when > now) continue;
    uids.push_back(uid);
    when = absl::InfiniteFuture();
  }
  return uids;
}

void DeliverySchedule::Sorted(const std::string& uid, const std::set<std::string>& pods) {
  // He may have written another message meanwhile, and is looked at again.
  const auto entry = unsorted_.find(uid);
  if (entry != unsorted_.end() && entry->second == absl::InfiniteFuture()) unsorted_.erase(entry);
  for (const std::string& pod : pods) lanes_[pod].due[uid] = absl::InfinitePast();
}

void DeliverySchedule::SortLater(const std::string& uid, absl::Time when) {
  const auto [entry, is_new] = unsorted_.emplace(uid, when);
  if (!is_new) entry->second = std::min(entry->second, when);
}

void DeliverySchedule::AlsoServe(const std::string& uid, const std::set<std::string>& pods) {
  for (const std::string& pod : pods) lanes_[pod].due.emplace(uid, absl::InfinitePast());
}

std::vector<std::string> DeliverySchedule::Pods() const {
  std::vector<std::string> pods;
  pods.reserve(lanes_.size());
  for (const auto& [pod, lane] : lanes_) pods.push_back(pod);
  return pods;
}

bool DeliverySchedule::IsServed(const std::string& pod) const {
  const auto lane = lanes_.find(pod);
  return lane != lanes_.end() && lane->second.served;
}

std::vector<std::string> DeliverySchedule::Begin(const std::string& pod, absl::Time now) {
  Lane& lane = lanes_[pod];
  lane.served = true;
  std::vector<std::string> uids;
  if (lane.left_alone_until > now) return uids;
  for (auto& [uid, due] : lane.due) {
    if (due > now) continue;
    uids.push_back(uid);
    due = absl::InfiniteFuture();
  }
  std::rotate(uids.begin(), std::upper_bound(uids.begin(), uids.end(), lane.last_failed),
              uids.end());
  return uids;
}

void DeliverySchedule::Finish(const std::string& pod, const std::string& uid, absl::Time next_due) {
  Lane& lane = lanes_[pod];
  const auto entry = lane.due.find(uid);
  if (entry == lane.due.end()) return;
  // Sorted may have said meanwhile that there is more.
  entry->second = std::min(entry->second, next_due);
  if (entry->second == absl::InfiniteFuture()) lane.due.erase(entry);
}

void DeliverySchedule::PodAnswered(const std::string& pod) {
  Lane& lane = lanes_[pod];
  lane.failures = 0;
  lane.last_failed.clear();
  lane.left_alone_until = absl::InfinitePast();
}

void DeliverySchedule::PodFailed(const std::string& pod, const std::string& uid, absl::Time now) {
  Lane& lane = lanes_[pod];
  lane.last_failed = uid;
  lane.left_alone_until = now + PauseAfter(++lane.failures);
}

void DeliverySchedule::End(const std::string& pod) { lanes_[pod].served = false; }

absl::Time DeliverySchedule::NextSort() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [uid, when] : unsorted_) next = std::min(next, when);
  return next;
}

absl::Time DeliverySchedule::NextService(const std::string& pod) const {
  absl::Time next = absl::InfiniteFuture();
  const auto lane = lanes_.find(pod);
  if (lane == lanes_.end()) return next;
  for (const auto& [uid, due] : lane->second.due) next = std::min(next, due);
  if (next == absl::InfiniteFuture()) return next;
  return std::max(next, lane->second.left_alone_until);
}

absl::Time DeliverySchedule::NextDue() const {
  absl::Time next = NextSort();
  for (const auto& [pod, lane] : lanes_) next = std::min(next, NextService(pod));
  return next;
}

absl::Time DeliverySchedule::LeftAloneUntil(const std::string& pod) const {
  const auto lane = lanes_.find(pod);
  return lane == lanes_.end() ? absl::InfinitePast() : lane->second.left_alone_until;
}

bool DeliverySchedule::IsIdle(const std::string& uid) const {
  if (unsorted_.contains(uid)) return false;
  return std::none_of(lanes_.begin(), lanes_.end(),
                      [&](const auto& entry) { return entry.second.due.contains(uid); });
}

}  // namespace podkit::store
