// A directory seen through a network that loses requests and answers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "podkit/lock/directory.h"

namespace podkit::lock {

// What happens to messages. Decides for one at a time; called on the thread of the caller.
class Network {
 public:
  using Message = std::function<void(WriteLockDirectory&)>;
  virtual ~Network() = default;
  // Null: the request is lost on its way, or will arrive later; `message` carries it out.
  virtual WriteLockDirectory* Deliver(const Message& message) = 0;
  // False: the answer is lost.
  virtual bool Return() = 0;
};

class Link final : public WriteLockDirectory {
 public:
  explicit Link(Network& network) : network_(network) {}

  absl::StatusOr<SessionGrant> OpenSession(const SessionRequest& request) override {
    return Call([=](auto& to) { return to.OpenSession(request); });
  }
  absl::StatusOr<absl::Duration> Renew(const std::string& session) override {
    return Call([=](auto& to) { return to.Renew(session); });
  }
  absl::Status CloseSession(const std::string& session) override {
    return Call([=](auto& to) { return to.CloseSession(session); });
  }
  absl::StatusOr<std::vector<Grant>> GrantsOf(const std::string& session) override {
    return Call([=](auto& to) { return to.GrantsOf(session); });
  }
  absl::StatusOr<NoticePage> WaitForNotices(const std::string& session, const NoticeCursor& cursor,
                                            absl::Duration wait) override {
    return Call([=](auto& to) { return to.WaitForNotices(session, cursor, wait); });
  }
  absl::StatusOr<Grant> Acquire(const AcquireRequest& request) override {
    return Call([=](auto& to) { return to.Acquire(request); });
  }
  absl::Status CancelAcquire(const std::string& session, const std::string& request_id,
                             const std::string& store) override {
    return Call([=](auto& to) { return to.CancelAcquire(session, request_id, store); });
  }
  absl::StatusOr<Head> MoveHead(const HeadChange& change) override {
    return Call([=](auto& to) { return to.MoveHead(change); });
  }
  absl::Status SetWakeUp(const Holding& holding, absl::Time wake_at) override {
    return Call([=](auto& to) { return to.SetWakeUp(holding, wake_at); });
  }
  absl::Status Release(const ReleaseRequest& request) override {
    return Call([=](auto& to) { return to.Release(request); });
  }
  absl::StatusOr<Token> HandOver(const HandOverRequest& request) override {
    return Call([=](auto& to) { return to.HandOver(request); });
  }
  absl::Status CreateStore(const std::string& store) override {
    return Call([=](auto& to) { return to.CreateStore(store); });
  }
  absl::Status DeleteStore(const std::string& store, const std::string& by,
                           const std::string& reason) override {
    return Call([=](auto& to) { return to.DeleteStore(store, by, reason); });
  }
  absl::StatusOr<LockInfo> Find(const std::string& store) override {
    return Call([=](auto& to) { return to.Find(store); });
  }
  absl::StatusOr<ListPage> List(const ListQuery& query) override {
    return Call([=](auto& to) { return to.List(query); });
  }
  absl::StatusOr<WatchPage> Watch(const std::string& prefix, Revision after,
                                  absl::Duration wait) override {
    return Call([=](auto& to) { return to.Watch(prefix, after, wait); });
  }
  absl::Status AskToHandOver(const std::string& store, const std::string& from,
                             const std::string& reason) override {
    return Call([=](auto& to) { return to.AskToHandOver(store, from, reason); });
  }
  absl::StatusOr<Token> Break(const std::string& store, const std::string& by,
                              const std::string& reason) override {
    return Call([=](auto& to) { return to.Break(store, by, reason); });
  }
  absl::StatusOr<std::vector<AuditEntry>> ReadAudit(int64_t after) override {
    return Call([=](auto& to) { return to.ReadAudit(after); });
  }
  absl::StatusOr<DirectoryImage> Export() override {
    return Call([](auto& to) { return to.Export(); });
  }
  absl::Status Import(const DirectoryImage& image) override {
    return Call([=](auto& to) { return to.Import(image); });
  }

 private:
  template <typename Request>
  auto Call(const Request& request) -> decltype(request(std::declval<WriteLockDirectory&>())) {
    const auto lost = [] { return MakeLockError({.error = LockError::kDirectoryUnavailable}); };
    WriteLockDirectory* const directory = network_.Deliver([request](WriteLockDirectory& to) {
      [[maybe_unused]] const auto nobody_listens = request(to);
    });
    if (directory == nullptr) return lost();
    auto result = request(*directory);
    if (!network_.Return()) return lost();
    return result;
  }

  Network& network_;
};

}  // namespace podkit::lock
