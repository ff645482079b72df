#include "host.h"

#include <charconv>
#include <optional>
#include <stdexcept>
#include <stop_token>

#include "fmt/format.h"

namespace podkit::conduit::simulation {
namespace {

// Responders that take their time while another one does; the next ones take none.
constexpr int kMostAtOnce = 4;
constexpr absl::Duration kLongestQueue = absl::Milliseconds(5);

int64_t NumberOf(std::string_view trace) {
  int64_t number = -1;
  std::from_chars(trace.data(), trace.data() + trace.size(), number);
  return number;
}

}  // namespace

Host::Host(Surroundings& around, Identity identity)
    : around_(around),
      identity_(std::move(identity)),
      random_(internal::MixBits(around.plan.seed) + ++around.processes),
      kept_(MakeMemoryAnswers({}, [clock = around.scheduler] { return clock->Now(); })) {
  MakeLinks();
  if (identity_.wire == Wire::kRequests) requests_ = around_.network.RequestsFrom(address());
  Transport* const transport = identity_.wire == Wire::kInProcess  ? &around_.in_process
                               : identity_.wire == Wire::kRequests ? requests_.get()
                                                                   : links_.get();
  conduit_ = std::make_unique<Conduit>(identity_.pods, transport, OptionsOf());
  Serve<Peek>(Kind::kPeek, {.quick = true});
  Serve<Read>(Kind::kRead, {});
  Serve<Set>(Kind::kSet, {});
  Serve<Write>(Kind::kWrite, {});
  Serve<Keep>(Kind::kKeep, {.answers = kept_.get()});
  Serve<KeepWell>(Kind::kKeepWell, {.answers = identity_.kept_well});
  Listen();
}

ConduitOptions Host::OptionsOf() {
  ConduitOptions options;
  options.balance = around_.plan.balance;
  options.meet_hosts = around_.plan.meet_hosts;
  options.seed = random_.Next() | 1;
  options.scheduler = around_.scheduler;
  options.executor = [this](std::function<void()> work) { return RunLater(std::move(work)); };
  options.on_host_event = [this](const HostEvent& event) {
    around_.log.Add(around_.scheduler->Now(), HostEventName(event.kind), address(), event.host, 0);
  };
  return options;
}

void Host::MakeLinks() {
  MuxTransportOptions options;
  options.host_name = address();
  options.scheduler = around_.scheduler;
  options.dialer = around_.network.DialerOf(address());
  options.seed = random_.Next() | 1;
  options.on_event = [this](const HostEvent& event) {
    const bool connected = event.kind == HostEvent::Kind::kConnected;
    around_.log.Add(around_.scheduler->Now(), connected ? "link" : "link lost", address(),
                    event.host, 0);
  };
  links_ = *MuxTransport::Create(identity_.pods, std::move(options));
}

void Host::Listen() {
  links_->Serve([this](ReceivedCall call) { conduit_->Answer(std::move(call)); });
  const auto receive = [this](const WireRequest& request) {
    if (identity_.on_request) identity_.on_request(request);
    WireReply reply = conduit_->Receive(request);
    // Who crashed meanwhile sends nothing: what comes instead is nobody's answer.
    if (!alive_) return WireReply{.status = 503};
    return reply;
  };
  StreamAcceptor accept = links_->Acceptor();
  if (identity_.overhear) accept = identity_.overhear(std::move(accept));
  around_.network.Start(address(), {.receive = receive, .accept = std::move(accept)});
  if (around_.plan.wire != Wire::kInProcess) return;
  around_.in_process.ConnectHost(pod(), address(), receive);
  around_.in_process.SetFault(address(), InProcessNetwork::Fault::kNone);
}

bool Host::RunLater(std::function<void()> work) {
  if (!around_.calm && random_.Unit() < around_.plan.refuses) return false;
  around_.scheduler->At(around_.scheduler->Now() + kLongestQueue * random_.Unit(), std::move(work));
  return true;
}

template <Command C>
void Host::Serve(Kind kind, const HandleOptions& options) {
  conduit_->Handle<C>(
      [this, kind](const CallContext& context, const Shape::Arguments& arguments) {
        return Respond(kind, context, arguments);
      },
      options);
}

absl::StatusOr<Shape::Response> Host::Respond(Kind kind, const CallContext& context,
                                              const Shape::Arguments& arguments) {
  // As if the crash had come before it began.
  if (!alive_) return absl::UnavailableError("a ghost");
  const auto how = static_cast<How>(arguments.how);
  if (how == How::kHeldElsewhere && !identity_.other_host.empty() &&
      address() > identity_.other_host) {
    return MakeError(HeldElsewhere{identity_.other_host}, "the other host has it");
  }
  const int64_t number = Enter(kind, context, arguments);
  if (kind != Kind::kPeek) TakeTime(context, arguments.takes, number);
  Execution& execution = around_.ledger.execution(number);
  execution.ended = around_.scheduler->Now();
  around_.log.Add(around_.scheduler->Now(), "executed", context.caller->id, address(), number);
  switch (how) {
    case How::kDeclaredError:
      return MakeError(Refused{}, "refused");
    case How::kUndeclaredError:
      return absl::InternalError("out of order");
    case How::kThrow:
      throw std::runtime_error("out of order");
    default:
      *context.reply_payload = std::string(static_cast<size_t>(arguments.reply_bytes), 'r');
      return Shape::Response{.execution = number};
  }
}

int64_t Host::Enter(Kind kind, const CallContext& context, const Shape::Arguments& arguments) {
  const absl::Time now = around_.scheduler->Now();
  const int64_t call = NumberOf(context.trace);
  Execution execution{.call = call >= 0 ? call : arguments.operation,  // Of a gather.
                      .operation = arguments.operation,
                      .kind = kind,
                      .caller = context.caller->id,
                      .pod = pod(),
                      .host = address(),
                      .after = arguments.after.value_or(-1),
                      .impostor = identity_.impostor,
                      .how = static_cast<How>(arguments.how),
                      .began = now,
                      .time_left = context.deadline - now,
                      .stopped_before = context.stop.stop_requested()};
  if (context.keyed != nullptr) {
    execution.answers = (kind == Kind::kKeep ? kept_.get() : identity_.kept_well)->Id();
  }
  around_.ledger.executions.push_back(std::move(execution));
  const int64_t number = static_cast<int64_t>(around_.ledger.executions.size()) - 1;
  around_.log.Add(now, "executes", context.caller->id, address(), number);
  return number;
}

void Host::TakeTime(const CallContext& context, absl::Duration takes, int64_t number) {
  const std::stop_callback heard(context.stop, [this, number] {
    around_.ledger.execution(number).heard_stop = around_.scheduler->Now();
  });
  if (takes <= absl::ZeroDuration() || around_.responders >= kMostAtOnce) return;
  ++around_.responders;
  around_.scheduler->Advance(takes);
  --around_.responders;
}

void Host::Crash(bool silently) {
  alive_ = false;
  around_.log.Add(around_.scheduler->Now(), "crash", address(), "", silently);
  around_.network.Stop(address(), silently);
  if (around_.plan.wire == Wire::kInProcess) {
    around_.in_process.SetFault(address(), InProcessNetwork::Fault::kRefuse);
  }
  links_->Stop();
}

std::vector<std::string> Host::InFlight() {
  std::vector<std::string> all;
  const auto count = [&](size_t number, std::string_view what) {
    if (number > 0) all.push_back(fmt::format("{}: {} {}", address(), number, what));
  };
  count(conduit_->InFlight(), "calls are in flight");
  for (const MuxHostLinks& status : links_->Status()) {
    count(status.calls_out, fmt::format("calls are out to {}", status.host));
    count(status.calls_in, fmt::format("calls of {} are not answered", status.host));
  }
  for (const auto& other : identity_.pods->All()) {
    for (const HostStatus& status : conduit_->Hosts(other->id)) {
      count(static_cast<size_t>(status.in_flight), fmt::format("are counted at {}", status.host));
    }
  }
  return all;
}

}  // namespace podkit::conduit::simulation
