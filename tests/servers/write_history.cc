#include "tests/servers/write_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace podkit::testing {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

}  // namespace

int WriteHistory::Begin(const std::string& object, bool put) {
  MutexLock lock(&mutex_);
  writes_.push_back({.object = object, .put = put, .began = Now(), .ended = kNever});
  return static_cast<int>(writes_.size()) - 1;
}

void WriteHistory::End(int write, Outcome outcome) {
  MutexLock lock(&mutex_);
  Write& ended = writes_.at(static_cast<size_t>(write));
  ended.ended = Now();
  ended.outcome = outcome;
  if (outcome == Outcome::kDone) ended.closed = ended.ended;
}

int64_t WriteHistory::BeginRead() {
  MutexLock lock(&mutex_);
  return Now();
}

void WriteHistory::EndRead(const std::string& object, int64_t began, std::optional<int> seen) {
  MutexLock lock(&mutex_);
  reads_.push_back({.object = object, .began = began, .ended = Now(), .seen = seen});
}

void WriteHistory::Close() {
  MutexLock lock(&mutex_);
  const int64_t now = Now();
  for (Write& write : writes_) {
    if (!write.closed) write.closed = now;
  }
}

std::vector<std::string> WriteHistory::Contradictions() {
  MutexLock lock(&mutex_);
  const auto first_seen = FirstSeen();
  std::vector<std::string> contradictions;
  for (; judged_ < reads_.size(); ++judged_) {
    std::string contradiction = Judge(reads_[judged_], first_seen);
    if (!contradiction.empty()) contradictions.push_back(std::move(contradiction));
  }
  return contradictions;
}

std::set<std::string> WriteHistory::Objects() const {
  MutexLock lock(&mutex_);
  std::set<std::string> objects;
  for (const Write& write : writes_) objects.insert(write.object);
  return objects;
}

size_t WriteHistory::reads() const {
  MutexLock lock(&mutex_);
  return reads_.size();
}

std::map<int, int64_t> WriteHistory::FirstSeen() const {
  std::map<int, int64_t> first_seen;
  for (const Read& read : reads_) {
    if (!read.seen) continue;
    const auto [entry, is_new] = first_seen.emplace(*read.seen, read.ended);
    if (!is_new) entry->second = std::min(entry->second, read.ended);
  }
  return first_seen;
}

std::string WriteHistory::Judge(const Read& read, const std::map<int, int64_t>& first_seen) const {
  const std::string what = read.seen ? JudgeText(read, *read.seen, first_seen) : JudgeAbsence(read);
  return what.empty() ? what
                      : fmt::format("'{}' at {}..{} {}", read.object, read.began, read.ended, what);
}

std::string WriteHistory::JudgeText(const Read& read, int seen,
                                    const std::map<int, int64_t>& first_seen) const {
  if (seen < 0 || static_cast<size_t>(seen) >= writes_.size()) {
    return fmt::format("has text {}, which nobody wrote", seen);
  }
  const Write& source = writes_[static_cast<size_t>(seen)];
  if (!source.put || source.object != read.object || source.began > read.ended) {
    return fmt::format("has text {}, which was not put there", seen);
  }
  if (source.outcome == Outcome::kRefused) {
    return fmt::format("has text {}, which was refused", seen);
  }
  const int64_t effective = std::min(source.closed.value_or(kNever), first_seen.at(seen));
  for (size_t i = 0; i < writes_.size(); ++i) {
    const Write& other = writes_[i];
    if (other.object != read.object || other.outcome != Outcome::kDone) continue;
    if (other.began > effective && other.ended < read.began) {
      return fmt::format("has text {}, of before {}, although {} {} was acknowledged at {}..{}",
                         seen, effective, other.put ? "put" : "removal", i, other.began,
                         other.ended);
    }
  }
  return "";
}

std::string WriteHistory::JudgeAbsence(const Read& read) const {
  for (size_t i = 0; i < writes_.size(); ++i) {
    const Write& put = writes_[i];
    const bool there = put.object == read.object && put.put && put.outcome == Outcome::kDone &&
                       put.ended < read.began;
    if (!there) continue;
    const bool removed = std::any_of(writes_.begin(), writes_.end(), [&](const Write& other) {
      return other.object == read.object && !other.put && other.outcome != Outcome::kRefused &&
             other.began < read.ended && other.closed.value_or(kNever) > put.began;
    });
    if (!removed) {
      return fmt::format("is not there, although put {} was acknowledged at {}..{}", i, put.began,
                         put.ended);
    }
  }
  return "";
}

}  // namespace podkit::testing
