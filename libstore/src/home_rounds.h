// A thread that visits all homes of the pod once in StoreOptions::care_period, a few after the
// others, for what is done about them in the background.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "context.h"

namespace podkit::store {

// Between two visits, so that all of so many homes are visited once in `period`.
absl::Duration PauseBetweenVisits(absl::Duration period, size_t homes);

class HomeRounds {
 public:
  // One visit to some homes, by uid, at least one. It says itself what it could not do, and ends
  // soon when `stop` is asked for.
  using Visit =
      std::function<void(const std::vector<std::string>& uids, const std::stop_token& stop)>;

  // `context`, and what `visits` use, must outlive the rounds.
  HomeRounds(const Context& context, std::vector<Visit> visits);
  // Waits for the visit that is under way.
  ~HomeRounds();

  // Starts the thread, if the options ask for one.
  void Start();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace podkit::store
