#include "podkit/conduit/conduit.h"

#include <map>
#include <utility>

#include "batch/batch_command.h"
#include "cancel_command.h"
#include "common/status_macros.h"
#include "conduit_impl.h"
#include "fmt/format.h"
#include "hosts/random.h"
#include "meeting.h"
#include "outcome.h"
#include "utf8.h"

namespace podkit::conduit {
namespace {

using internal::Cancel;
using internal::ForLog;

constexpr absl::Duration kCancelTimeout = absl::Seconds(2);
constexpr absl::Duration kMeetTimeout = absl::Seconds(5);

bool IsBuiltIn(std::string_view command) {
  return command == Ping::kInfo.name || command == Cancel::kInfo.name ||
         command == internal::Hello::kInfo.name ||
         command == internal::DescribeCommands::kInfo.name;
}

// Answers pods that ask what this one serves.
void HandleMeeting(Conduit& conduit, internal::ServedCommands& served, const std::string& version) {
  using internal::DescribeCommands;
  using internal::Hello;
  conduit.Handle<Hello>(
      [&](const CallContext&, const Hello::Arguments&) {
        return absl::StatusOr<Hello::Response>({.version = version, .commands = served.List()});
      },
      {.quick = true});
  conduit.Handle<DescribeCommands>(
      [&](const CallContext&, const DescribeCommands::Arguments& arguments) {
        return absl::StatusOr<DescribeCommands::Response>(
            {.schemas = served.Describe(arguments.names)});
      });
}

}  // namespace

CallOptions CallOptions::Within(const CallContext& context, absl::Time now) {
  return {.timeout = context.deadline - now,
          .actor = context.actor,
          .stop = context.stop,
          .trace = context.trace};
}

namespace internal {
namespace {

JsonValue Constant(const char* text) {
  // Never destroyed: values may be used until the program ends.
  static const auto* const object = new JsonDocument(*JsonDocument::Parse("{}"));
  static const auto* const array = new JsonDocument(*JsonDocument::Parse("[]"));
  return text[0] == '{' ? object->root() : array->root();
}

}  // namespace

JsonValue EmptyObject() { return Constant("{}"); }
JsonValue EmptyArray() { return Constant("[]"); }

}  // namespace internal

absl::Status Conduit::Impl::CheckCall(std::string_view pod, const Pod* target,
                                      const CommandInfo& info, const CallOptions& call) const {
  if (pod == pods->own_id()) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is for pod '{}' itself, which needs no conduit", info.name, pod));
  }
  if (target == nullptr) {
    return absl::NotFoundError(
        fmt::format("no pod '{}' for '{}': add it to the pods file", ForLog(pod, 64), info.name));
  }
  PODKIT_RETURN_IF_ERROR(internal::CheckOptions(info, call));
  if (call.timeout <= absl::ZeroDuration()) {
    return absl::DeadlineExceededError(
        fmt::format("no time was left to call '{}' on pod '{}'", info.name, pod));
  }
  return absl::OkStatus();
}

void Conduit::Impl::WatchConnections() {
  link_news->Set([this](const HostEvent& event) {
    internal::CalledPod* const pod = called.Find(event.pod);
    if (pod == nullptr) return;  // It asks for itself when it is called first.
    const bool connected = event.kind == HostEvent::Kind::kConnected;
    pod->hosts().SetLink(event.host, {.connection = connected ? HostConnection::kConnected
                                                              : HostConnection::kDisconnected,
                                      .since = event.at,
                                      .reason = event.reason});
  });
  connections_watch = transport->WatchConnections([gate = link_news](const HostEvent& event) {
    gate->Pass([&](const auto& tell) { tell(event); });
  });
}

void Conduit::Impl::Enter() {
  MutexLock lock(&mutex);
  ++in_flight;
}

void Conduit::Impl::Leave() {
  MutexLock lock(&mutex);
  // Under the lock: who waits may destroy this as soon as it is let go.
  if (--in_flight == 0) one_ended.SignalAll();
}

void Conduit::Impl::CountSent(std::string_view command, bool ok, absl::Duration took) {
  MutexLock lock(&mutex);
  auto entry = sent.find(command);
  if (entry == sent.end()) entry = sent.try_emplace(std::string(command)).first;
  entry->second.Add(ok, took);
}

// Of a call to another pod. An error that its command declares is an answer like any other.
void Conduit::Impl::LogFailure(std::string_view pod, std::string_view command,
                               const absl::Status& why, absl::Duration took) {
  const Outcome outcome = OutcomeOf(why);
  if (outcome == Outcome::kDeclaredError || outcome == Outcome::kCancelled) return;
  const auto left_out = failure_log.Admit(now());
  if (!left_out) return;
  Log(LogLevel::kWarning,
      fmt::format("'{}' on pod '{}' ended as {} after {} ms: {}{}", command, ForLog(pod, 64),
                  OutcomeName(outcome), absl::ToInt64Milliseconds(took),
                  ForLog(std::string(why.message())),
                  *left_out == 0 ? "" : fmt::format(" ({} more failed before)", *left_out)));
}

void Conduit::Impl::LogRefusal(const WireRequest& request, const absl::Status& why) {
  const auto left_out = refusal_log.Admit(now());
  if (!left_out) return;
  Log(LogLevel::kWarning,
      fmt::format("refused a request of {} bytes: it {}{}", request.body.size(),
                  ForLog(std::string(why.message())),
                  *left_out == 0 ? "" : fmt::format(" ({} more were refused before)", *left_out)));
}

WorkerPool* Conduit::Impl::Pool() {
  MutexLock lock(&mutex);
  if (pool == nullptr) {
    pool = std::make_unique<WorkerPool>(options.worker_threads, options.max_waiting_calls);
  }
  return pool.get();
}

Scheduler& Conduit::Impl::TheScheduler() {
  MutexLock lock(&mutex);
  if (scheduler == nullptr) {
    scheduler = options.scheduler == nullptr ? MakeSystemScheduler() : options.scheduler;
  }
  return *scheduler;
}

// Null for what every pod answers, or is asked while it is met.
std::shared_ptr<const internal::PeerSchemas::Own> Conduit::Impl::DeclaredHere(
    const CommandInfo& info, CommandSchema (*schema)()) {
  if (!options.meet_hosts || IsBuiltIn(info.name)) return nullptr;
  {
    MutexLock lock(&mutex);
    const auto found = declared.find(schema);
    if (found != declared.end()) return found->second;
  }
  auto own = std::make_shared<internal::PeerSchemas::Own>();
  own->schema = schema();
  own->fingerprint = Fingerprint(own->schema);
  MutexLock lock(&mutex);
  return declared.try_emplace(schema, std::move(own)).first->second;
}

WireReply Conduit::Impl::AnswerHere(std::shared_ptr<const Pod> caller, const WireRequest& request) {
  const auto opened = responders.Open(std::move(caller), request, {});
  return opened.ok() ? responders.Run(**opened).reply : internal::ExceptionReply(opened.status());
}

Conduit::Conduit(std::shared_ptr<Pods> pods, Transport* transport, ConduitOptions options)
    : impl_(std::make_unique<Impl>(std::move(pods), transport, std::move(options))) {
  internal::Greeter* greeter = nullptr;
  if (impl_->options.meet_hosts) greeter = &impl_->greeter.emplace(HowToMeet());
  impl_->environment = {
      .transport = transport,
      .called = &impl_->called,
      .greeter = greeter,
      .options = &impl_->options,
      .now = impl_->now,
      .scheduler = [impl = impl_.get()]() -> Scheduler& { return impl->TheScheduler(); },
      .seed =
          [impl = impl_.get()] {
            return internal::MixBits(impl->host_options.seed + ++impl->calls);
          },
      .cancel =
          [this](std::string_view pod, std::string_view host, std::string call) {
            Start<Cancel>(pod, {}, {.call = std::move(call)},
                          {.timeout = kCancelTimeout, .host = std::string(host)},
                          [](const absl::StatusOr<Nothing>&) {});
          },
      .leave = [impl = impl_.get()] { impl->Leave(); }};
  Handle<Ping>([](const CallContext&, const Nothing&) { return absl::OkStatus(); },
               {.quick = true});
  Handle<Cancel>(
      [this](const CallContext& context, const Cancel::Arguments& arguments) {
        impl_->responders.running().Stop(context.caller->id, arguments.call);
        return absl::OkStatus();
      },
      {.quick = true});
  HandleMeeting(*this, impl_->served, impl_->options.version);
  impl_->WatchConnections();
  Handle<internal::BatchCommand>([this](const CallContext& context, const Nothing&) {
    return impl_->batches.Answer(context);
  });
}

Conduit::~Conduit() {
  impl_->link_news->Set({});
  std::unique_ptr<WorkerPool> pool;
  {
    MutexLock lock(&impl_->mutex);
    while (impl_->in_flight > 0) impl_->one_ended.Wait(&impl_->mutex);
    pool = std::move(impl_->pool);
  }
}

internal::GreeterOptions Conduit::HowToMeet() {
  const auto only = [](const internal::PeerSchemas::Peer& peer) {
    return CallOptions{.timeout = kMeetTimeout, .max_attempts = 1, .host = peer.host};
  };
  return {.hello =
              [this, only](const auto& peer, auto done) {
                Start<internal::Hello>(peer.pod, {}, {.version = impl_->options.version},
                                       only(peer), std::move(done));
              },
          .describe =
              [this, only](const auto& peer, const std::string& command, auto done) {
                Start<internal::DescribeCommands>(peer.pod, {}, {.names = {command}}, only(peer),
                                                  std::move(done));
              },
          .now = impl_->now,
          .scheduler = [impl = impl_.get()]() -> Scheduler& { return impl->TheScheduler(); }};
}

const Pods& Conduit::pods() const { return *impl_->pods; }

Transport& Conduit::transport() const { return *impl_->transport; }

absl::Time Conduit::Now() const { return impl_->now(); }

void Conduit::Register(const CommandInfo& info, std::vector<std::string_view> errors,
                       CommandSchema (*schema)(), const HandleOptions& options,
                       Responder responder) {
  impl_->served.Add(info.name, schema, options.answers);
  impl_->responders.Register(info, std::move(errors), options, std::move(responder));
}

void Conduit::Exchange(std::string_view pod, Asked asked, const CallOptions& options,
                       std::function<void(absl::StatusOr<JsonDocument>)> done) {
  const CommandInfo& info = asked.info;
  impl_->Enter();
  const absl::Time now = impl_->now();
  auto finish = [impl = impl_.get(), pod = std::string(pod), name = info.name, start = now,
                 done = std::move(done)](absl::StatusOr<JsonDocument> result) {
    const absl::Duration took = impl->now() - start;
    impl->CountSent(name, result.ok(), took);
    if (!result.ok()) impl->LogFailure(pod, name, result.status(), took);
    done(std::move(result));
  };
  auto target = impl_->pods->Find(pod);
  const absl::Status status = impl_->CheckCall(pod, target.get(), info, options);
  if (!status.ok()) {
    finish(WithOutcome(status, Outcome::kNotExecuted));
    impl_->Leave();
    return;
  }
  CallOptions with_key = options;
  if (options.make_key && options.key.empty() && info.effect == Effect::kWrite) {
    with_key.key = internal::RandomHex(internal::kMadeKeyBytes);
  }
  const bool needs_id = options.stop.stop_possible() && !impl_->transport->traits().carries_stop;
  internal::CallRequest request({.pod = std::move(target),
                                 .info = info,
                                 .declared = impl_->DeclaredHere(info, asked.schema),
                                 .members = std::move(asked.members),
                                 .options = std::move(with_key),
                                 .id = needs_id ? internal::RandomHex(8) : std::string(),
                                 .batch = std::move(asked.batch)},
                                &impl_->authenticator, impl_->options);
  std::make_shared<internal::OutgoingCall>(impl_->environment, std::move(request), now,
                                           std::move(finish))
      ->Begin();
}

absl::Status internal::BadValue(std::string_view pod, const CommandInfo& info,
                                const absl::Status& status) {
  return TransportError(Outcome::kUnknown,
                        fmt::format("the answer of pod '{}' to '{}' does not fit: {}", pod,
                                    info.name, std::string(status.message())));
}

WireReply Conduit::Receive(const WireRequest& request) {
  if (request.body.size() > impl_->options.max_body_bytes) {
    WireReply too_large;
    too_large.status = 413;
    return too_large;
  }
  const WireReply refusal{.status = 403, .content_type = {}, .authorization = {}, .body = {}};
  const auto exchange = impl_->authenticator.VerifyRequest(request, impl_->now());
  if (!exchange.ok()) {
    impl_->LogRefusal(request, exchange.status());
    return refusal;
  }
  WireReply reply = impl_->AnswerHere(exchange->peer, request);
  const absl::Status signed_reply = internal::Authenticator::SignReply(*exchange, reply);
  if (!signed_reply.ok()) {
    impl_->Log(LogLevel::kError, fmt::format("pod '{}' gets no answer: {}", exchange->peer->id,
                                             std::string(signed_reply.message())));
    return refusal;
  }
  return reply;
}

void Conduit::Answer(ReceivedCall call) {
  auto opened = impl_->responders.Open(std::move(call.caller), call.request, std::move(call.stop));
  if (!opened.ok()) return call.reply(internal::ExceptionReply(opened.status()));
  if ((*opened)->quick()) return call.reply(impl_->responders.Run(**opened).reply);
  impl_->Enter();
  const auto work =
      std::make_shared<std::unique_ptr<internal::Responders::Opened>>(*std::move(opened));
  std::function<void()> task = [impl = impl_.get(), work, reply = call.reply] {
    reply(impl->responders.Run(**work).reply);
    work->reset();  // It belongs to what may be gone once nothing is in flight.
    impl->Leave();
  };
  const auto& executor = impl_->options.executor;
  const bool taken = executor ? executor(std::move(task)) : impl_->Pool()->Submit(std::move(task));
  if (taken) return;
  call.reply(impl_->responders.RefuseBusy(**work));
  work->reset();
  impl_->Leave();
}

std::vector<HostStatus> Conduit::Hosts(std::string_view pod) const {
  internal::CalledPod* const called = impl_->called.Find(pod);
  return called == nullptr ? std::vector<HostStatus>() : called->hosts().Status(impl_->now());
}

KeyStats Conduit::Keys() const { return impl_->responders.Keys(); }

size_t Conduit::InFlight() const {
  MutexLock lock(&impl_->mutex);
  return impl_->in_flight;
}

std::vector<CommandStats> Conduit::Stats() const {
  std::map<std::string, CommandStats> stats;
  for (const auto& [name, command] : impl_->responders.commands()) {
    stats[name].received = command.received.Get();
  }
  {
    MutexLock lock(&impl_->mutex);
    for (const auto& [name, counter] : impl_->sent) stats[name].sent = counter.Get();
  }
  std::vector<CommandStats> all;
  for (auto& [name, one] : stats) {
    one.command = name;
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace podkit::conduit
