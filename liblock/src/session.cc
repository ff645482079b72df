#include "podkit/lock/session.h"

#include <utility>

#include "common/status_macros.h"
#include "session_core.h"

namespace podkit::lock {

absl::StatusOr<std::unique_ptr<Session>> Session::Open(
    std::shared_ptr<WriteLockDirectory> directory, SessionOptions options) {
  auto core = std::make_shared<Core>(std::move(directory), std::move(options));
  PODKIT_RETURN_IF_ERROR(core->Open());
  core->StartThreads();
  return std::unique_ptr<Session>(new Session(std::move(core)));
}

Session::Session(std::shared_ptr<Core> core) : core_(std::move(core)) {}
Session::~Session() { core_->StopThreads(); }

const std::string& Session::id() const { return core_->id(); }
Session::State Session::state() const { return core_->StateNow(); }

absl::StatusOr<std::unique_ptr<WriteLock>> Session::Acquire(const std::string& store,
                                                            const AcquireOptions& options) {
  return core_->Acquire(store, options);
}

absl::Status Session::Cancel(const std::string& store, const std::string& cancel_name) {
  return core_->Cancel(store, cancel_name);
}

absl::StatusOr<std::unique_ptr<WriteLock>> Session::Claim(const std::string& store) {
  return core_->Claim(store);
}

absl::Status Session::Close() { return core_->Close(); }
void Session::Step() { core_->Step(); }

}  // namespace podkit::lock
