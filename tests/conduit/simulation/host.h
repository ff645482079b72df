// One process of a pod in the simulation: a conduit with its transports, and what it answers. A
// host that crashed stays as a ghost until the schedule has ended, cut off from everybody; what it
// still does, nobody hears of.
//
// For one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "event_log.h"
#include "hosts/random.h"
#include "ledger.h"
#include "plan.h"
#include "podkit/conduit/answers.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/in_process.h"
#include "podkit/conduit/mux_transport.h"
#include "podkit/conduit/testing/manual_scheduler.h"
#include "podkit/conduit/testing/simulated_network.h"

namespace podkit::conduit::simulation {

// What the hosts of a schedule share.
struct Surroundings {
  explicit Surroundings(const Plan& the_plan, bool keeps_text)
      : plan(the_plan), log(keeps_text), network(scheduler.get(), the_plan.seed) {}

  const Plan& plan;
  EventLog log;
  const std::shared_ptr<testing::ManualScheduler> scheduler =
      std::make_shared<testing::ManualScheduler>(EventLog::kStart);
  testing::SimulatedNetwork network;
  InProcessNetwork in_process;
  Ledger ledger;
  bool calm = false;       // The troubles are over.
  int responders = 0;      // That take their time, one within the other.
  uint64_t processes = 0;  // Were begun.
};

class Host {
 public:
  struct Identity {
    std::string address;
    std::shared_ptr<Pods> pods;  // As it knows them.
    Wire wire = Wire::kLinks;    // It calls over links or with requests, or in process.
    bool impostor = false;
    std::string other_host;            // Of its pod; may be empty.
    AnswerStore* kept_well = nullptr;  // Of its pod.
    // A wiretap: sees each request, and stands before whoever accepts streams. May be empty.
    std::function<void(const WireRequest&)> on_request;
    std::function<StreamAcceptor(StreamAcceptor)> overhear;
  };

  Host(Surroundings& around, Identity identity);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  Conduit& conduit() { return *conduit_; }
  MuxTransport& links() { return *links_; }
  const Identity& identity() const { return identity_; }
  const std::string& address() const { return identity_.address; }
  const std::string& pod() const { return identity_.pods->own_id(); }
  bool alive() const { return alive_; }

  // Takes the network from it. What it does from now on does not count.
  void Crash(bool silently);
  // Takes no more calls over links, and makes none.
  void Drain(absl::Duration grace) {
    drained_ = true;
    links_->Drain(grace);
  }
  bool drained() const { return drained_; }
  // No more links and calls over them.
  void Stop() { links_->Stop(); }

  // What is not over, one line each.
  std::vector<std::string> InFlight();

 private:
  std::string Name(Kind kind) const;
  ConduitOptions OptionsOf();
  void MakeLinks();
  void Listen();
  template <Command C>
  void Serve(Kind kind, const HandleOptions& options);
  absl::StatusOr<Shape::Response> Respond(Kind kind, const CallContext& context,
                                          const Shape::Arguments& arguments);
  // Counts as executed.
  int64_t Enter(Kind kind, const CallContext& context, const Shape::Arguments& arguments);
  void TakeTime(const CallContext& context, absl::Duration takes, int64_t number);
  bool RunLater(std::function<void()> work);

  Surroundings& around_;
  const Identity identity_;
  internal::Random random_;
  bool alive_ = true;
  bool drained_ = false;
  std::unique_ptr<AnswerStore> kept_;
  std::unique_ptr<MuxTransport> links_;
  std::unique_ptr<Transport> requests_;
  std::unique_ptr<Conduit> conduit_;
};

}  // namespace podkit::conduit::simulation
