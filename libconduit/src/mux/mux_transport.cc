#include "podkit/conduit/mux_transport.h"

#include <string>
#include <utility>

#include "common/status_macros.h"
#include "gate.h"
#include "hmac.h"
#include "mux/link_pool.h"
#include "watchers.h"

namespace podkit::conduit {
namespace {

using internal::IncomingCall;
using internal::LinkPool;

constexpr absl::Duration kRetryAfter = absl::Seconds(1);

using Receiver = std::function<void(ReceivedCall)>;

// Who answers, which Stop takes away while calls may come.
using ReceiverGate = internal::Gate<ReceivedCall>;

void PassCall(ReceiverGate& gate, const std::shared_ptr<IncomingCall>& call) {
  const bool received = gate.Pass([&](const Receiver& receiver) {
    receiver({.caller = call->caller(),
              .request = std::move(call->request()),
              .stop = call->stop_token(),
              .reply = [call](WireReply reply) { call->Reply(std::move(reply)); }});
  });
  if (!received) call->Refuse(kRetryAfter);
}

}  // namespace

struct MuxTransport::State {
  using Watchers = internal::Watchers<HostEvent>;

  std::shared_ptr<ReceiverGate> gate = std::make_shared<ReceiverGate>();
  std::shared_ptr<Watchers> watchers = std::make_shared<Watchers>();
  std::shared_ptr<LinkPool> pool;
};

MuxTransport::MuxTransport(std::unique_ptr<State> state) : state_(std::move(state)) {}

MuxTransport::~MuxTransport() { Stop(); }

absl::StatusOr<std::unique_ptr<MuxTransport>> MuxTransport::Create(std::shared_ptr<Pods> pods,
                                                                   MuxTransportOptions options) {
  auto state = std::make_unique<State>();
  internal::LinkPoolOptions links;
  links.identity = {.pods = std::move(pods),
                    .host_name = std::move(options.host_name),
                    .software_version = std::move(options.software_version)};
  links.mux.max_body_bytes = options.max_body_bytes;
  links.mux.max_calls_in = options.max_calls_in;
  links.scheduler = options.scheduler == nullptr ? MakeSystemScheduler() : options.scheduler;
  links.connect_timeout = options.connect_timeout;
  links.dialer = std::move(options.dialer);
  links.seed = options.seed != 0 ? options.seed : internal::RandomSeed();
  links.on_call = [gate = state->gate](const std::shared_ptr<IncomingCall>& call) {
    PassCall(*gate, call);
  };
  links.on_event = [watchers = state->watchers,
                    on_event = std::move(options.on_event)](const HostEvent& event) {
    if (on_event) on_event(event);
    watchers->Tell(event);
  };
  PODKIT_ASSIGN_OR_RETURN(state->pool, LinkPool::Create(std::move(links)));
  return std::unique_ptr<MuxTransport>(new MuxTransport(std::move(state)));
}

void MuxTransport::Serve(Receiver receiver) { state_->gate->Set(std::move(receiver)); }

StreamAcceptor MuxTransport::Acceptor() { return state_->pool->Acceptor(); }

void MuxTransport::ConnectAll() { state_->pool->ConnectAll(); }

void MuxTransport::Drain(absl::Duration grace) { state_->pool->Drain(grace); }

void MuxTransport::Stop() {
  state_->gate->Set({});
  state_->pool->Stop();
}

std::vector<MuxHostLinks> MuxTransport::Status() const { return state_->pool->Status(); }

bool MuxTransport::SpeaksOnlyHttp(const Pod& pod, std::string_view host) const {
  return state_->pool->SpeaksOnlyHttp(pod, host);
}

std::vector<std::string> MuxTransport::HostsOf(const Pod& pod) const {
  return state_->pool->HostsOf(pod);
}

std::vector<std::string> MuxTransport::ConnectedHostsOf(const Pod& pod) const {
  return state_->pool->ConnectedHostsOf(pod);
}

HostLink MuxTransport::LinkTo(const Pod& pod, std::string_view host) const {
  return state_->pool->LinkTo(pod, host);
}

void MuxTransport::ConnectTo(const Pod& pod) { state_->pool->ConnectTo(pod); }

std::shared_ptr<void> MuxTransport::WatchConnections(ConnectionWatcher changed) {
  return state_->watchers->Add(std::move(changed));
}

void MuxTransport::Send(Sending sending) {
  state_->pool->Send({.pod = std::move(sending.pod),
                      .host = std::move(sending.host),
                      .request = std::move(sending.request),
                      .deadline = sending.deadline,
                      .stop = std::move(sending.stop),
                      .done = std::move(sending.done)});
}

}  // namespace podkit::conduit
