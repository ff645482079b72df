// The files of the demo: two pods that know each other, six users, and podctl's configuration.
//
//   podctl.json  pods.json  users.json  keys/a-b.key
//   A/podd.json  A/podd.log  A/data/...
//   B/podd.json  B/podd.log  B/data/...
//
// and a chunk gateway, if there is to be one:
//
//   keys/writer.key  G/replicad.json  G/writers.json  G/gateway.key  G/replicad.log  G/data/...
//
// and a lock directory, whose pods file has the pods A and B:
//
//   keys/a-locks.key  keys/b-locks.key  locks/lockd.json  locks/pods.json  locks/lockd.log
//   locks/data/...
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace podkit::podctl {

struct DemoLayout {
  std::string folder;
  uint16_t port_a = 8201;
  uint16_t port_b = 8202;
  bool with_replica = false;
  uint16_t port_gateway = 8401;
  bool with_lockd = false;
  uint16_t port_lockd = 8301;

  std::string File(const std::string& name) const { return folder + "/" + name; }
  std::string settings() const { return File("podctl.json"); }
};

// The owner of the imported calendars, on pod A, and who is invited to one, on pod B.
inline constexpr const char* kDemoOwner = "anna";
inline constexpr const char* kDemoViewer = "emma";

// Writes what is missing. Keys and users stay as they are; what depends on the ports is written
// anew.
absl::Status WriteDemoFiles(const DemoLayout& layout);

}  // namespace podkit::podctl
