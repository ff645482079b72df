#include "podkit/lock/directory_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "command_errors.h"
#include "podkit/lock/directory_commands.h"

namespace podkit::lock {
namespace {

using conduit::CallContext;
using Directory = WriteLockDirectory;

constexpr absl::Duration kLongestPoll = absl::Minutes(1);
constexpr absl::Duration kRetryAfter = absl::Milliseconds(500);

absl::Status Refuse(std::string_view why) {
  return MakeLockError({.error = LockError::kInvalidRequest}, why);
}

// Lives as long as the conduit.
class Service {
 public:
  Service(std::shared_ptr<Directory> directory, DirectoryServiceOptions options)
      : directory_(std::move(directory)), options_(std::move(options)) {}

  Directory& directory() { return *directory_; }

  absl::Status CheckHost(const CallContext& context, const std::string& host) const {
    if (!options_.may_be_host || options_.may_be_host(*context.caller, host)) {
      return absl::OkStatus();
    }
    return Refuse(fmt::format("pod '{}' may not be host '{}'", context.caller->id, host));
  }

  absl::Status CheckOperator(const CallContext& context) const {
    const bool may = options_.is_operator ? options_.is_operator(*context.caller)
                                          : context.caller->acts_for_any_user;
    if (may) return absl::OkStatus();
    return Refuse(fmt::format("pod '{}' is not an operator's", context.caller->id));
  }

  absl::Status CheckWait(absl::Duration wait) const {
    if (wait <= options_.longest_wait) return absl::OkStatus();
    return Refuse(
        fmt::format("a request may wait {} at most", absl::FormatDuration(options_.longest_wait)));
  }

  // A call that waits, if there is room for one more.
  class Waiting {
   public:
    Waiting(Service& service, absl::Duration wait)
        : service_(service), counts_(wait > absl::ZeroDuration()) {
      if (counts_) room_ = ++service_.waiting_ <= service_.options_.max_waiting;
    }
    ~Waiting() {
      if (counts_) --service_.waiting_;
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    absl::Status status() const {
      if (room_) return absl::OkStatus();
      return conduit::MakeError(conduit::Overloaded{kRetryAfter}, "too many calls wait for locks");
    }

   private:
    Service& service_;
    const bool counts_;
    bool room_ = true;
  };

 private:
  const std::shared_ptr<Directory> directory_;
  const DirectoryServiceOptions options_;
  std::atomic<size_t> waiting_ = 0;
};

// What the directory says, in the form that the command declares.
template <typename Response>
absl::StatusOr<Response> Answer(const absl::Status& status) {
  if (!status.ok()) return ToCommandError(status);
  return Response{};
}
template <typename Response, typename T>
absl::StatusOr<Response> Answer(absl::StatusOr<T> value) {
  if (!value.ok()) return ToCommandError(value.status());
  return Response{*std::move(value)};
}

class Registrar {
 public:
  Registrar(std::shared_ptr<Service> service, conduit::Conduit* conduit)
      : service_(std::move(service)), conduit_(conduit) {}

  // If check(service, context, arguments) is OK, the answer is run(directory, arguments).
  template <typename Command, typename Check, typename Run>
  void AddChecked(const Check& check, const Run& run, const conduit::HandleOptions& options = {}) {
    using Arguments = typename Command::Arguments;
    using Response = typename Command::Response;
    conduit_->Handle<Command>(
        [service = service_, check, run](const CallContext& context,
                                         const Arguments& arguments) -> absl::StatusOr<Response> {
          const absl::Status allowed = check(*service, context, arguments);
          if (!allowed.ok()) return ToCommandError(allowed);
          return Answer<Response>(run(service->directory(), arguments));
        },
        options);
  }
  template <typename Command, typename Run>
  void Add(const Run& run, const conduit::HandleOptions& options = {}) {
    AddChecked<Command>(
        [](const Service&, const CallContext&, const auto&) { return absl::OkStatus(); }, run,
        options);
  }
  template <typename Command, typename Run>
  void AddForOperator(const Run& run) {
    AddChecked<Command>([](const Service& service, const CallContext& context,
                           const auto&) { return service.CheckOperator(context); },
                        run);
  }
  // For arguments with a member `wait`: run(directory, arguments) may hold its thread that long.
  template <typename Command, typename Run>
  void AddWaiting(const Run& run) {
    using Arguments = typename Command::Arguments;
    using Response = typename Command::Response;
    conduit_->Handle<Command>(
        [service = service_, run](const CallContext&,
                                  const Arguments& arguments) -> absl::StatusOr<Response> {
          const absl::Status bounded = service->CheckWait(arguments.wait);
          if (!bounded.ok()) return ToCommandError(bounded);
          const Service::Waiting waiting(*service, arguments.wait);
          if (!waiting.status().ok()) return waiting.status();
          return Answer<Response>(run(service->directory(), arguments));
        });
  }

 private:
  const std::shared_ptr<Service> service_;
  conduit::Conduit* const conduit_;
};

void ServeSessions(Registrar& to) {
  to.AddChecked<OpenLockSession>(
      [](const Service& service, const CallContext& context, const SessionRequest& request) {
        return service.CheckHost(context, request.host);
      },
      [](Directory& directory, const SessionRequest& request) {
        return directory.OpenSession(request);
      });
  // It waits for nothing, not even for the disk.
  to.Add<RenewLockSession>(
      [](Directory& directory, const LockSession& one) { return directory.Renew(one.session); },
      {.quick = true});
  to.Add<CloseLockSession>([](Directory& directory, const LockSession& one) {
    return directory.CloseSession(one.session);
  });
  to.Add<ListSessionGrants>(
      [](Directory& directory, const LockSession& one) { return directory.GrantsOf(one.session); });
  to.AddWaiting<WaitForLockNotices>([](Directory& directory, const NoticeQuery& query) {
    return directory.WaitForNotices(query.session, query.cursor,
                                    std::min(query.wait, kLongestPoll));
  });
}

void ServeHolders(Registrar& to) {
  to.AddWaiting<AcquireLock>([](Directory& directory, const AcquireRequest& request) {
    return directory.Acquire(request);
  });
  to.Add<CancelAcquireLock>([](Directory& directory, const AcquireName& name) {
    return directory.CancelAcquire(name.session, name.request_id, name.store);
  });
  to.Add<MoveLockHead>(
      [](Directory& directory, const HeadChange& change) { return directory.MoveHead(change); });
  to.Add<SetLockWakeUp>([](Directory& directory, const WakeUp& wake_up) {
    return directory.SetWakeUp(wake_up.holding, wake_up.wake_at);
  });
  to.Add<ReleaseLock>([](Directory& directory, const ReleaseRequest& request) {
    return directory.Release(request);
  });
  to.Add<HandOverLock>([](Directory& directory, const HandOverRequest& request) {
    return directory.HandOver(request);
  });
}

void ServeReaders(Registrar& to) {
  to.Add<CreateLockStore>([](Directory& directory, const StoreName& name) {
    return directory.CreateStore(name.store);
  });
  to.Add<FindLock>(
      [](Directory& directory, const StoreName& name) { return directory.Find(name.store); });
  to.Add<ListLocks>(
      [](Directory& directory, const ListQuery& query) { return directory.List(query); });
  to.AddWaiting<WatchLocks>([](Directory& directory, const WatchQuery& query) {
    return directory.Watch(query.prefix, query.after, std::min(query.wait, kLongestPoll));
  });
  to.Add<AskToHandOverLock>([](Directory& directory, const OperatorRequest& request) {
    return directory.AskToHandOver(request.store, request.by, request.reason);
  });
}

void ServeOperators(Registrar& to) {
  to.AddForOperator<DeleteLockStore>([](Directory& directory, const OperatorRequest& request) {
    return directory.DeleteStore(request.store, request.by, request.reason);
  });
  to.AddForOperator<BreakLock>([](Directory& directory, const OperatorRequest& request) {
    return directory.Break(request.store, request.by, request.reason);
  });
  to.AddForOperator<ReadLockAudit>([](Directory& directory, const AuditQuery& query) {
    return directory.ReadAudit(query.after);
  });
  to.AddForOperator<ExportLocks>(
      [](Directory& directory, const conduit::Nothing&) { return directory.Export(); });
  to.AddForOperator<ImportLocks>(
      [](Directory& directory, const DirectoryImage& image) { return directory.Import(image); });
}

}  // namespace

void ServeDirectory(std::shared_ptr<WriteLockDirectory> directory, DirectoryServiceOptions options,
                    conduit::Conduit* conduit) {
  Registrar to(std::make_shared<Service>(std::move(directory), std::move(options)), conduit);
  ServeSessions(to);
  ServeHolders(to);
  ServeReaders(to);
  ServeOperators(to);
}

}  // namespace podkit::lock
