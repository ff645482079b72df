#include "podkit/lock/remote_directory.h"

#include <algorithm>
#include <utility>

#include "command_errors.h"
#include "common/status_macros.h"
#include "podkit/lock/directory_commands.h"

namespace podkit::lock {

RemoteDirectory::RemoteDirectory(conduit::Conduit* conduit, RemoteDirectoryOptions options)
    : conduit_(conduit), options_(std::move(options)) {}

template <typename Command>
absl::StatusOr<typename Command::Response> RemoteDirectory::Call(
    const typename Command::Arguments& arguments, absl::Duration wait) {
  const absl::Duration timeout = options_.timeout + std::max(wait, absl::ZeroDuration());
  auto answer = conduit_->Call<Command>(options_.pod, arguments, {.timeout = timeout});
  if (!answer.ok()) return FromCommandError(options_.pod, answer.status());
  return answer;
}

absl::StatusOr<SessionGrant> RemoteDirectory::OpenSession(const SessionRequest& request) {
  return Call<OpenLockSession>({request});
}

absl::StatusOr<absl::Duration> RemoteDirectory::Renew(const std::string& session) {
  PODKIT_ASSIGN_OR_RETURN(const RenewedTerm renewed, Call<RenewLockSession>({session}));
  return renewed.term;
}

absl::Status RemoteDirectory::CloseSession(const std::string& session) {
  return Call<CloseLockSession>({session}).status();
}

absl::StatusOr<std::vector<Grant>> RemoteDirectory::GrantsOf(const std::string& session) {
  PODKIT_ASSIGN_OR_RETURN(Grants grants, Call<ListSessionGrants>({session}));
  return std::move(grants.grants);
}

absl::StatusOr<NoticePage> RemoteDirectory::WaitForNotices(const std::string& session,
                                                           const NoticeCursor& cursor,
                                                           absl::Duration wait) {
  return Call<WaitForLockNotices>({.session = session, .cursor = cursor, .wait = wait}, wait);
}

absl::StatusOr<Grant> RemoteDirectory::Acquire(const AcquireRequest& request) {
  return Call<AcquireLock>({request}, request.wait);
}

absl::Status RemoteDirectory::CancelAcquire(const std::string& session,
                                            const std::string& request_id,
                                            const std::string& store) {
  return Call<CancelAcquireLock>({.session = session, .request_id = request_id, .store = store})
      .status();
}

absl::StatusOr<Head> RemoteDirectory::MoveHead(const HeadChange& change) {
  return Call<MoveLockHead>({change});
}

absl::Status RemoteDirectory::SetWakeUp(const Holding& holding, absl::Time wake_at) {
  return Call<SetLockWakeUp>({.holding = holding, .wake_at = wake_at}).status();
}

absl::Status RemoteDirectory::Release(const ReleaseRequest& request) {
  return Call<ReleaseLock>({request}).status();
}

absl::StatusOr<Token> RemoteDirectory::HandOver(const HandOverRequest& request) {
  PODKIT_ASSIGN_OR_RETURN(const TokenAnswer answer, Call<HandOverLock>({request}));
  return answer.token;
}

absl::Status RemoteDirectory::CreateStore(const std::string& store) {
  return Call<CreateLockStore>({store}).status();
}

absl::Status RemoteDirectory::DeleteStore(const std::string& store, const std::string& by,
                                          const std::string& reason) {
  return Call<DeleteLockStore>({.store = store, .by = by, .reason = reason}).status();
}

absl::StatusOr<LockInfo> RemoteDirectory::Find(const std::string& store) {
  return Call<FindLock>({store});
}

absl::StatusOr<ListPage> RemoteDirectory::List(const ListQuery& query) {
  return Call<ListLocks>({query});
}

absl::StatusOr<WatchPage> RemoteDirectory::Watch(const std::string& prefix, Revision after,
                                                 absl::Duration wait) {
  return Call<WatchLocks>({.prefix = prefix, .after = after, .wait = wait}, wait);
}

absl::Status RemoteDirectory::AskToHandOver(const std::string& store, const std::string& from,
                                            const std::string& reason) {
  return Call<AskToHandOverLock>({.store = store, .by = from, .reason = reason}).status();
}

absl::StatusOr<Token> RemoteDirectory::Break(const std::string& store, const std::string& by,
                                             const std::string& reason) {
  PODKIT_ASSIGN_OR_RETURN(const TokenAnswer answer,
                          Call<BreakLock>({.store = store, .by = by, .reason = reason}));
  return answer.token;
}

absl::StatusOr<std::vector<AuditEntry>> RemoteDirectory::ReadAudit(int64_t after) {
  PODKIT_ASSIGN_OR_RETURN(AuditPage page, Call<ReadLockAudit>({after}));
  return std::move(page.entries);
}

absl::StatusOr<DirectoryImage> RemoteDirectory::Export() { return Call<ExportLocks>({}); }

absl::Status RemoteDirectory::Import(const DirectoryImage& image) {
  return Call<ImportLocks>({image}).status();
}

}  // namespace podkit::lock
