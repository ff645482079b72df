// Two pods, A and B, that share a key and are hooked up: the test beds of the conduit.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/in_process.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"

namespace podkit::conduit {

inline const std::string kKey = "the key that pods A and B share.....";
inline const std::string kOtherKey = "another key, which is not the same..";

// What a conduit wrote to its log. Thread-safe.
class LogLines {
 public:
  std::function<void(LogLevel, std::string_view)> sink() {
    return [this](LogLevel, std::string_view line) {
      MutexLock lock(&mutex_);
      lines_.emplace_back(line);
    };
  }
  size_t size() const {
    MutexLock lock(&mutex_);
    return lines_.size();
  }
  bool Contain(std::string_view text) const {
    MutexLock lock(&mutex_);
    return std::any_of(lines_.begin(), lines_.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

// The pods as `own_id` knows them.
inline std::shared_ptr<Pods> PodsOf(std::string own_id, std::vector<std::string> keys = {kKey}) {
  std::vector<Pod> pods;
  for (const char* id : {"A", "B"}) pods.push_back(Pod{.id = id, .keys = keys});
  return testing::ValueOf(Pods::Create(std::move(pods), std::move(own_id)));
}

// Both conduits in one process, on a clock that the test moves.
struct InProcessBed {
  testing::FakeClock clock;
  LogLines log_a;
  LogLines log_b;
  InProcessNetwork network;
  Conduit a;
  Conduit b;

  explicit InProcessBed(ConduitOptions options = {})
      : a(PodsOf("A"), &network, With(options, log_a)),
        b(PodsOf("B"), &network, With(options, log_b)) {
    network.Connect("A", [this](const WireRequest& request) { return a.Receive(request); });
    network.Connect("B", [this](const WireRequest& request) { return b.Receive(request); });
  }

 private:
  ConduitOptions With(ConduitOptions options, LogLines& log) {
    options.now = clock.function();
    options.log = log.sink();
    return options;
  }
};

}  // namespace podkit::conduit
