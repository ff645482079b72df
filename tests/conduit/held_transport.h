// A transport whose calls stay on their way until the test answers them or lets them expire; and
// pods behind it that serve what the test registers.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "pending_send.h"
#include "podkit/conduit/conduit.h"
#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"

namespace podkit::conduit {

// Each host has the name of its pod. Thread-safe.
class HeldTransport final : public Transport {
 public:
  using Server = std::function<void(ReceivedCall)>;

  void Serve(const std::string& pod, Server server) { servers_[pod] = std::move(server); }

  // From now on answers at once, inside Send.
  void AnswerAtOnce() { at_once_ = true; }

  // Answers the oldest call to `pod` that is on its way. False if there is none.
  bool Answer(const std::string& pod) {
    const auto call = Take(pod);
    if (call == nullptr) return false;
    Reply(call);
    return true;
  }

  // Ends every call whose deadline has passed.
  void Expire(absl::Time now) {
    for (const auto& call : OnTheirWay()) {
      if (call->sending().deadline <= now) {
        call->Finish(TransportError(Outcome::kTimedOut, "no answer in time"));
      }
    }
  }

  // The pods that are being called, in the order of the calls.
  std::vector<std::string> called() const {
    std::vector<std::string> pods;
    for (const auto& call : OnTheirWay()) pods.push_back(call->sending().pod->id);
    return pods;
  }
  size_t sent() const {
    MutexLock lock(&mutex_);
    return sent_;
  }
  size_t most_at_a_time() const {
    MutexLock lock(&mutex_);
    return most_;
  }

  TransportTraits traits() const override { return {.authenticates = true, .carries_stop = true}; }
  std::vector<std::string> HostsOf(const Pod& pod) const override { return {pod.id}; }
  void Send(Sending sending) override {
    auto call = internal::PendingSend::Create(std::move(sending));
    {
      MutexLock lock(&mutex_);
      ++sent_;
      std::erase_if(held_, [](const auto& one) { return one->ended(); });
      held_.push_back(call);
      most_ = std::max(most_, held_.size());
    }
    if (at_once_) Answer(call->sending().pod->id);
  }

 private:
  using Call = std::shared_ptr<internal::PendingSend>;

  std::vector<Call> OnTheirWay() const {
    std::vector<Call> calls;
    MutexLock lock(&mutex_);
    for (const Call& call : held_) {
      if (!call->ended()) calls.push_back(call);
    }
    return calls;
  }
  Call Take(const std::string& pod) {
    MutexLock lock(&mutex_);
    const auto found = std::find_if(held_.begin(), held_.end(), [&](const Call& call) {
      return !call->ended() && call->sending().pod->id == pod;
    });
    if (found == held_.end()) return nullptr;
    Call call = *found;
    held_.erase(found);
    return call;
  }
  void Reply(const Call& call) {
    servers_.at(call->sending().pod->id)(
        {.caller = nullptr, .request = call->sending().request, .reply = [call](WireReply reply) {
           call->Finish(std::move(reply));
         }});
  }

  std::map<std::string, Server> servers_;
  bool at_once_ = false;
  mutable Mutex mutex_;
  std::vector<Call> held_ ABSL_GUARDED_BY(mutex_);
  size_t sent_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t most_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Pod A, and `count` others called "1", "2", ... that it calls over a HeldTransport.
class ManyPods {
 public:
  explicit ManyPods(size_t count) {
    std::vector<Pod> pods = {{.id = "A"}};
    for (size_t i = 1; i <= count; ++i) {
      pods.push_back({.id = std::to_string(i), .keys = {KeyOf(i)}});
    }
    for (size_t i = 1; i <= count; ++i) AddServer(i);
    a = std::make_unique<Conduit>(podkit::testing::ValueOf(Pods::Create(std::move(pods), "A")),
                                  &transport,
                                  ConduitOptions{.meet_hosts = false, .now = clock.function()});
  }

  Conduit& pod(size_t number) { return *servers_[number - 1]; }

  podkit::testing::FakeClock clock;
  HeldTransport transport;
  std::unique_ptr<Conduit> a;

 private:
  static std::string KeyOf(size_t number) {
    return "the key of A and another pod: " + std::to_string(100'000 + number);
  }

  void AddServer(size_t number) {
    const std::string id = std::to_string(number);
    const std::string key = KeyOf(number);
    auto pods =
        podkit::testing::ValueOf(Pods::Create({{.id = "A", .keys = {key}}, {.id = id}}, id));
    Conduit* server =
        servers_
            .emplace_back(std::make_unique<Conduit>(
                pods, &transport, ConduitOptions{.meet_hosts = false, .now = clock.function()}))
            .get();
    transport.Serve(id, [server, pods](ReceivedCall call) {
      call.caller = pods->Find("A");
      server->Answer(std::move(call));
    });
  }

  std::vector<std::unique_ptr<Conduit>> servers_;
};

}  // namespace podkit::conduit
