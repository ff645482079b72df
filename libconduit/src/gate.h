// Passes calls on to a function that can be taken away while they come.
//
// Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace podkit::conduit::internal {

template <typename Argument>
class Gate {
 public:
  using Function = std::function<void(Argument)>;

  // From now on calls go to `function`; to nothing if it is empty, and then it waits for those that
  // are in the old one. So not in a call.
  void Set(Function function) {
    auto shared = function ? std::make_shared<const Function>(std::move(function)) : nullptr;
    MutexLock lock(&mutex_);
    function_ = std::move(shared);
    while (function_ == nullptr && inside_ > 0) one_left_.Wait(&mutex_);
  }

  // Calls `call` with the function, which is there for so long. False if there is none.
  template <typename Call>
  bool Pass(const Call& call) {
    const auto function = Enter();
    if (function == nullptr) return false;
    call(*function);
    MutexLock lock(&mutex_);
    if (--inside_ == 0) one_left_.SignalAll();
    return true;
  }

 private:
  std::shared_ptr<const Function> Enter() {
    MutexLock lock(&mutex_);
    if (function_ != nullptr) ++inside_;
    return function_;
  }

  Mutex mutex_;
  CondVar one_left_;
  std::shared_ptr<const Function> function_ ABSL_GUARDED_BY(mutex_);
  int inside_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace podkit::conduit::internal
