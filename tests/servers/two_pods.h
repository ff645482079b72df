// Two podd processes, A and B, on free ports with a folder of their own, and podctl to ask them.
//
// anna, ben and clara live on A; david, emma and farid on B. Both pods stop with this object.
// Owner-thread, but Api may be used from several threads at once, a client in each.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "servers/podctl/demo_layout.h"
#include "servers/podctl/pod_client.h"
#include "tests/support/process_under_test.h"
#include "tests/support/temp_dir.h"

namespace podkit::testing {

class TwoPods {
 public:
  // Starts both, with these flags on top.
  explicit TwoPods(std::vector<std::string> flags = {});

  // Starts the pod and returns when it answers.
  void Start(const std::string& pod);
  // The same in two steps.
  void Launch(const std::string& pod);
  void AwaitStart(const std::string& pod);
  void Kill(const std::string& pod);
  // SIGTERM, and waits for the end: its exit status.
  int Stop(const std::string& pod);
  ProcessUnderTest& Process(const std::string& pod) { return *pods_.at(pod); }

  const podctl::DemoLayout& layout() const { return layout_; }
  uint16_t Port(const std::string& pod) const {
    return pod == "A" ? layout_.port_a : layout_.port_b;
  }
  std::string File(std::string_view name) const { return folder_.File(name); }
  // Writes `text` to a new file.
  std::string NewFile(std::string_view name, std::string_view text) const;

  // A connection to the operator's API of the pod.
  std::unique_ptr<podctl::PodClient> Api(const std::string& pod) const;

  // Runs podctl with these arguments.
  ProcessResult Podctl(std::vector<std::string> arguments) const;
  // The same with --json; must succeed. Its output.
  std::string PodctlJson(std::vector<std::string> arguments) const;

 private:
  const std::vector<std::string> flags_;
  TempDir folder_;
  podctl::DemoLayout layout_;
  std::map<std::string, std::unique_ptr<ProcessUnderTest>> pods_;
};

// Asks again and again until the answer is yes: for what another process does in its own time.
// Fails the test after `limit`.
void Eventually(std::string_view what, const std::function<bool()>& is_so,
                absl::Duration limit = absl::Seconds(30));

// A one-hour event.
std::string Event(std::string_view uid, std::string_view summary = "Lunch");

}  // namespace podkit::testing
