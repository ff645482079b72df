// Calls the methods of an object of this pod, and counts each as the operation that it is.
//
// Owner-thread, as the object is.
#pragma once

#include <memory>
#include <utility>

#include "external/remote_actions.h"
#include "operations/operation_counters.h"

namespace podkit::store {

template <typename Interface>
class CountingCaller {
 public:
  // `counters` must outlive the caller.
  CountingCaller(OperationCounters& counters, std::unique_ptr<Interface> object)
      : counters_(counters), object_(std::move(object)) {}

  OperationCounters& counters() const { return counters_; }
  Interface& object() const { return *object_; }

  template <auto kMethod, typename... A>
  auto Call(const A&... arguments) const {
    using TheAction = ActionOf<kMethod>;
    return counters_.Run<TheAction>(
        [&] { return counters_.Call<TheAction>(*object_, arguments...); });
  }

 private:
  OperationCounters& counters_;
  std::unique_ptr<Interface> object_;
};

}  // namespace podkit::store
