// Calls one command on many clients at the same time and gives the results as they come.
//
//   Gather<EatCheez> gather(clients.All(), {.name = "gouda"});
//   for (const auto& [client, answer, took, index] : gather) {
//     if (answer.ok()) Celebrate(client.pod(), answer->rating);
//   }
//
// Every call has exactly one result: one that came too late is there as timed out, one that was
// cancelled as cancelled, and OutcomeOf tells whether it may have been executed. A call that was
// never sent says kNotExecuted, whether its time had passed (kDeadlineExceeded) or the rest was
// cancelled (kCancelled).
//
// Three forms: a loop or Next, which wait; Start, which calls back; Collect, which gives a future.
// Thread-safe, and no thread of its own: the calls' own threads do the work. Holds no lock while it
// calls. The clients' conduits outlive the calls.
#pragma once

#include <cstddef>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/client.h"

namespace podkit::conduit {

struct GatherOptions {
  // Of each call. Its time counts from the start of the gather and so bounds the whole; its stop
  // cancels all.
  CallOptions call = {};
  size_t max_in_flight = 0;  // Calls at a time; 0: all of them.
  // The rest is cancelled once so many calls succeeded; 0: never.
  size_t first = 0;
  // The same, and also as soon as so many cannot succeed any more.
  size_t quorum = 0;
};

// One call to make.
template <Command C>
struct GatherCall {
  Client client;
  typename C::Arguments arguments = {};
  TargetOf<C> target = {};
};

// One call that ended.
template <Command C>
struct Gathered {
  Client client;
  absl::StatusOr<typename C::Response> result;
  absl::Duration took;  // 0 for a call that was never sent.
  size_t index = 0;     // Of the call, in the order in which they were given.
};

namespace internal {

// What a gather does whatever its command: when each call starts, and when the rest is cancelled.
// Held by the calls that run, so it lives until they have ended.
class GatherRun : public std::enable_shared_from_this<GatherRun> {
 public:
  // `conduit` has the clock; may be null if there are no calls.
  GatherRun(size_t calls, GatherOptions options, const Conduit* conduit);
  virtual ~GatherRun();
  GatherRun(const GatherRun&) = delete;
  GatherRun& operator=(const GatherRun&) = delete;

  void Begin();
  void Cancel();
  // Waits for a call to end that was not given yet; nothing if all were given.
  std::optional<size_t> Next();
  bool satisfied() const;
  absl::Duration Took(size_t index) const;  // Of a call that ended.

 protected:
  // Call `index` has ended, and its result has been put where it belongs.
  void Ended(size_t index, bool ok);

 private:
  // Called without locks held, and one at a time.
  virtual void StartCall(size_t index, const CallOptions& options) = 0;  // Leads to Ended, once.
  virtual void NeverSent(size_t index, absl::Status why) = 0;
  virtual bool calls_back() const { return false; }  // Then Deliver is called in place of Next.
  virtual void Deliver(size_t index) { (void)index; }
  virtual void Finished() {}

  void Pump();

  struct State;
  const std::unique_ptr<State> state_;
};

template <Command C>
class GatherOf : public GatherRun {
 public:
  GatherOf(std::vector<GatherCall<C>> calls, GatherOptions options)
      : GatherRun(calls.size(), std::move(options),
                  calls.empty() ? nullptr : &calls.front().client.conduit()),
        calls_(std::move(calls)),
        results_(calls_.size(), absl::StatusOr<typename C::Response>(absl::UnknownError(""))) {}

  // Once for each index that has ended.
  Gathered<C> Take(size_t index) {
    return {.client = calls_[index].client,
            .result = std::move(results_[index]),
            .took = Took(index),
            .index = index};
  }

 private:
  void StartCall(size_t index, const CallOptions& options) override {
    const GatherCall<C>& call = calls_[index];
    auto self = std::static_pointer_cast<GatherOf>(this->shared_from_this());
    call.client.template Start<C>(
        call.target, call.arguments, options,
        [self = std::move(self), index](absl::StatusOr<typename C::Response> result) {
          const bool ok = result.ok();
          self->results_[index] = std::move(result);
          self->Ended(index, ok);
        });
  }
  void NeverSent(size_t index, absl::Status why) override { results_[index] = std::move(why); }

  const std::vector<GatherCall<C>> calls_;
  std::vector<absl::StatusOr<typename C::Response>> results_;
};

template <Command C>
class GatherCallingBack final : public GatherOf<C> {
 public:
  GatherCallingBack(std::vector<GatherCall<C>> calls, GatherOptions options,
                    std::function<void(Gathered<C>)> each, std::function<void()> done)
      : GatherOf<C>(std::move(calls), std::move(options)),
        each_(std::move(each)),
        done_(std::move(done)) {}

 private:
  bool calls_back() const override { return true; }
  void Deliver(size_t index) override { each_(this->Take(index)); }
  void Finished() override {
    if (done_) done_();
  }

  const std::function<void(Gathered<C>)> each_;
  const std::function<void()> done_;
};

}  // namespace internal

template <Command C>
class Gather {
 public:
  // Starts the calls. No clients are no calls, and a loop that ends at once.
  explicit Gather(std::vector<GatherCall<C>> calls, GatherOptions options = {})
      : run_(std::make_shared<internal::GatherOf<C>>(std::move(calls), std::move(options))) {
    run_->Begin();
  }
  explicit Gather(const std::vector<Client>& clients, const typename C::Arguments& arguments = {},
                  GatherOptions options = {})
      : Gather(CallsOf(clients, arguments), std::move(options)) {}

  // Cancels what has not ended, without waiting for it.
  ~Gather() {
    if (run_ != nullptr) run_->Cancel();
  }
  Gather(Gather&&) noexcept = default;
  Gather& operator=(Gather&&) = delete;

  // Waits for the next call to end; nothing once all have ended and were given. Each result is
  // given once, to whichever thread asks. Not for callbacks of calls, which must not wait.
  std::optional<Gathered<C>> Next() {
    const auto index = run_->Next();
    if (!index) return std::nullopt;
    return run_->Take(*index);
  }

  // Cancels what has not ended; that is given as cancelled.
  void Cancel() { run_->Cancel(); }

  // True once so many calls succeeded as `first` and `quorum` ask for; without them, all calls.
  bool satisfied() const { return run_->satisfied(); }

  class Iterator {
   public:
    using value_type = Gathered<C>;
    using difference_type = std::ptrdiff_t;
    explicit Iterator(Gather* gather) : gather_(gather), current_(gather->Next()) {}
    Gathered<C>& operator*() { return *current_; }
    Iterator& operator++() {
      current_ = gather_->Next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) { return !it.current_; }

   private:
    Gather* gather_;
    std::optional<Gathered<C>> current_;
  };

  // For one loop: each result is given once, so that a second loop gives what the first one left.
  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return {}; }

  // The same call to all.
  static std::vector<GatherCall<C>> CallsOf(const std::vector<Client>& clients,
                                            const typename C::Arguments& arguments = {}) {
    std::vector<GatherCall<C>> calls;
    for (const Client& client : clients) {
      calls.push_back({.client = client, .arguments = arguments, .target = {}});
    }
    return calls;
  }

  // Without waiting: `each` gets every result, one at a time, and then `done` is called, which may
  // be empty; from any thread, perhaps before Start returns. They must not block.
  static void Start(std::vector<GatherCall<C>> calls, GatherOptions options,
                    std::function<void(Gathered<C>)> each, std::function<void()> done = {}) {
    std::make_shared<internal::GatherCallingBack<C>>(std::move(calls), std::move(options),
                                                     std::move(each), std::move(done))
        ->Begin();
  }

  // All results, in the order of the calls.
  static std::future<std::vector<Gathered<C>>> Collect(std::vector<GatherCall<C>> calls,
                                                       GatherOptions options = {}) {
    struct Collected {
      std::vector<std::optional<Gathered<C>>> results;
      std::promise<std::vector<Gathered<C>>> promise;
    };
    const auto collected = std::make_shared<Collected>();
    collected->results.resize(calls.size());
    auto future = collected->promise.get_future();
    Start(
        std::move(calls), std::move(options),
        [collected](Gathered<C> one) { collected->results[one.index].emplace(std::move(one)); },
        [collected] {
          std::vector<Gathered<C>> all;
          for (auto& result : collected->results) all.push_back(*std::move(result));
          collected->promise.set_value(std::move(all));
        });
    return future;
  }

 private:
  std::shared_ptr<internal::GatherOf<C>> run_;
};

}  // namespace podkit::conduit
