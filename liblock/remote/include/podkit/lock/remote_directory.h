// A lock directory on another pod, asked through a conduit: the client of lockd.
//
// Thread-safe. What the conduit cannot tell (no answer, no connection, too much to do) becomes
// kDirectoryUnavailable: repeat the request with its id, as a Session does by itself. Names must be
// UTF-8. Durations travel as whole milliseconds, cut towards zero, so a session counts its term no
// longer than the directory does.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "podkit/conduit/conduit.h"
#include "podkit/lock/directory.h"

namespace podkit::lock {

struct RemoteDirectoryOptions {
  std::string pod;  // Of the directory.
  // For an answer, beyond the time that a request waits for something. Keep it below a third of the
  // sessions' term, which is how often they renew.
  absl::Duration timeout = absl::Seconds(3);
};

class RemoteDirectory final : public WriteLockDirectory {
 public:
  // `conduit` outlives the directory.
  RemoteDirectory(conduit::Conduit* conduit, RemoteDirectoryOptions options);

  absl::StatusOr<SessionGrant> OpenSession(const SessionRequest& request) override;
  absl::StatusOr<absl::Duration> Renew(const std::string& session) override;
  absl::Status CloseSession(const std::string& session) override;
  absl::StatusOr<std::vector<Grant>> GrantsOf(const std::string& session) override;
  absl::StatusOr<NoticePage> WaitForNotices(const std::string& session, const NoticeCursor& cursor,
                                            absl::Duration wait) override;
  absl::StatusOr<Grant> Acquire(const AcquireRequest& request) override;
  absl::Status CancelAcquire(const std::string& session, const std::string& request_id,
                             const std::string& store) override;
  absl::StatusOr<Head> MoveHead(const HeadChange& change) override;
  absl::Status SetWakeUp(const Holding& holding, absl::Time wake_at) override;
  absl::Status Release(const ReleaseRequest& request) override;
  absl::StatusOr<Token> HandOver(const HandOverRequest& request) override;
  absl::Status CreateStore(const std::string& store) override;
  absl::Status DeleteStore(const std::string& store, const std::string& by,
                           const std::string& reason) override;
  absl::StatusOr<LockInfo> Find(const std::string& store) override;
  absl::StatusOr<ListPage> List(const ListQuery& query) override;
  absl::StatusOr<WatchPage> Watch(const std::string& prefix, Revision after,
                                  absl::Duration wait) override;
  absl::Status AskToHandOver(const std::string& store, const std::string& from,
                             const std::string& reason) override;
  absl::StatusOr<Token> Break(const std::string& store, const std::string& by,
                              const std::string& reason) override;
  absl::StatusOr<std::vector<AuditEntry>> ReadAudit(int64_t after) override;
  absl::StatusOr<DirectoryImage> Export() override;
  absl::Status Import(const DirectoryImage& image) override;

 private:
  template <typename Command>
  absl::StatusOr<typename Command::Response> Call(const typename Command::Arguments& arguments,
                                                  absl::Duration wait = absl::ZeroDuration());

  conduit::Conduit* const conduit_;
  const RemoteDirectoryOptions options_;
};

}  // namespace podkit::lock
