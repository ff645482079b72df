// Makes the calls of a schedule and writes them into the ledger.
//
// For one thread. Outlives the calls.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host.h"

namespace podkit::conduit::simulation {

Shape::Arguments ArgumentsOf(const PlannedCall& call, int64_t operation);

class Calls {
 public:
  explicit Calls(Surroundings* around) : around_(*around) {}

  // Call number `planned` of the plan, from that host now. `must_succeed`: nothing is in its way.
  void Make(Host& host, size_t planned, bool must_succeed);

  // A read that must succeed.
  void Probe(Host& host, const std::string& pod);

  // All that calls held is let go of, and every gather is done.
  void CheckForgotten();

 private:
  struct GatherRecord {
    size_t calls = 0;
    size_t ended = 0;
    int done = 0;
  };

  CallRecord RecordOf(const Host& host, const std::string& pod, const PlannedCall& call);
  CallOptions OptionsOf(const PlannedCall& call, int64_t number, int64_t operation);
  // Plans the cancel of the calls with these numbers, which are one for the conduit.
  void Cancel(const PlannedCall& call, std::vector<int64_t> numbers, CallOptions& options);
  template <Command C>
  void Start(Host& host, const std::string& pod, const PlannedCall& call, CallRecord record);
  void StartGather(Host& host, const PlannedCall& call, bool must_succeed);
  struct BatchUnderWay;
  void StartBatch(Host& host, const std::string& pod, const PlannedCall& call, bool must_succeed);
  void AddTo(BatchUnderWay& under_way, const PlannedCall& item, CallRecord record);
  template <Command C>
  void AddTo(BatchUnderWay& under_way, const PlannedCall& item, CallRecord record);
  void Ended(int64_t number, const absl::StatusOr<Shape::Response>& result);

  Surroundings& around_;
  std::map<size_t, int64_t> operations_;  // By the number in the plan; of honest pods.
  std::vector<std::shared_ptr<GatherRecord>> gathers_;
};

}  // namespace podkit::conduit::simulation
