// A lock directory behind conduit commands, and its client, hooked up in each of the ways there
// are. The conformance tests run on all.
#pragma once

#include <memory>
#include <tuple>

#include "directory_bed.h"

namespace podkit::lock {

enum class Way { kInProcess, kHttp, kLinks };

// What can go wrong with answers on the way, in process.
enum class WayFault { kNone, kRefuse, kLoseAnswers };

class RemoteBed : public LocalBed {
 public:
  explicit RemoteBed(Way way, bool caller_is_operator = true);
  ~RemoteBed();

  WriteLockDirectory& directory() { return *remote_; }
  std::shared_ptr<WriteLockDirectory> shared() { return remote_; }
  void SetFault(WayFault fault);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::shared_ptr<WriteLockDirectory> remote_;
};

class InProcessRemoteBed : public RemoteBed {
 public:
  InProcessRemoteBed() : RemoteBed(Way::kInProcess) {}
};
class HttpRemoteBed : public RemoteBed {
 public:
  HttpRemoteBed() : RemoteBed(Way::kHttp) {}
};
class LinkRemoteBed : public RemoteBed {
 public:
  LinkRemoteBed() : RemoteBed(Way::kLinks) {}
};

using AllBeds = std::tuple<MemoryBed, SqliteBed, InProcessRemoteBed, HttpRemoteBed, LinkRemoteBed>;

}  // namespace podkit::lock
