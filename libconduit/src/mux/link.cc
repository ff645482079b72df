#include "mux/link.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "fmt/format.h"
#include "podkit/conduit/error.h"
#include "returned_call.h"

namespace podkit::conduit::internal {
namespace {

// Memory for more events than this is given back when they are through.
constexpr size_t kKeptEvents = 256;

HandshakeConfig WithBinding(HandshakeConfig identity, const ByteStream& stream) {
  identity.channel_binding = stream.ChannelBinding();
  return identity;
}

absl::Status StatusOf(const MuxFailure& failure) {
  if (failure.going_away) return ReturnedCall(failure.why);
  if (failure.retry_after <= absl::ZeroDuration()) {
    return TransportError(failure.outcome, failure.why);
  }
  return conduit::MakeError(Overloaded{failure.retry_after}, failure.why);
}

template <typename T>
void ClearBatch(std::vector<T>& batch) {
  batch.clear();
  if (batch.capacity() > kKeptEvents) std::vector<T>().swap(batch);
}

}  // namespace

IncomingCall::IncomingCall(std::shared_ptr<MuxLink> link, uint64_t id,
                           std::shared_ptr<const Pod> caller, WireRequest request)
    : id_(id), caller_(std::move(caller)), request_(std::move(request)), link_(std::move(link)) {}

IncomingCall::~IncomingCall() { Reply({.status = 500}); }

std::stop_token IncomingCall::stop_token() {
  MutexLock lock(&mutex_);
  if (!stop_) {
    stop_.emplace();
    if (stopped_) stop_->request_stop();  // Nobody can listen yet.
  }
  return stop_->get_token();
}

void IncomingCall::RequestStop() {
  std::optional<std::stop_source> stop;
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
    stop = stop_;
  }
  if (stop) stop->request_stop();
}

std::shared_ptr<MuxLink> IncomingCall::TakeLink() {
  MutexLock lock(&mutex_);
  return std::exchange(link_, nullptr);
}

void IncomingCall::Reply(WireReply reply) {
  if (const auto link = TakeLink()) {
    link->Reply(id_, reply.status, ContentOf(reply.content_type).value_or(Content::kNone),
                std::move(reply.body));
  }
}

void IncomingCall::Refuse(absl::Duration retry_after) {
  if (const auto link = TakeLink()) link->Refuse(id_, retry_after);
}

MuxLink::MuxLink(std::shared_ptr<ByteStream> stream, MuxConnection connection, MuxLinkConfig config)
    : stream_(std::move(stream)),
      scheduler_(std::move(config.scheduler)),
      handlers_(std::move(config.handlers)),
      connection_(std::move(connection)) {}

std::shared_ptr<MuxLink> MuxLink::Create(std::shared_ptr<ByteStream> stream,
                                         MuxConnection connection, MuxLinkConfig config) {
  const absl::Time next = connection.NextTick();
  const bool has_events = connection.has_events();
  // Not make_shared: the constructor is private.
  std::shared_ptr<MuxLink> link(
      new MuxLink(std::move(stream), std::move(connection), std::move(config)));
  link->StartTimer(next);
  if (has_events) link->DrainLater();  // A dialler without a key is closed from the start.
  return link;
}

std::shared_ptr<MuxLink> MuxLink::Dial(std::shared_ptr<ByteStream> stream,
                                       std::shared_ptr<const Pod> target, MuxLinkConfig config) {
  MuxConnection connection(WithBinding(config.identity, *stream), std::move(target), config.options,
                           config.scheduler->Now());
  return Create(std::move(stream), std::move(connection), std::move(config));
}

std::shared_ptr<MuxLink> MuxLink::Accept(std::shared_ptr<ByteStream> stream, MuxLinkConfig config) {
  MuxConnection connection(WithBinding(config.identity, *stream), config.options,
                           config.scheduler->Now());
  return Create(std::move(stream), std::move(connection), std::move(config));
}

uint64_t MuxLink::Start(WireRequest request, Done done) {
  const auto content = ContentOf(request.content_type);
  absl::StatusOr<uint64_t> id = uint64_t{0};
  bool wake = false;
  if (!content) {
    id = TransportError(Outcome::kNotExecuted,
                        fmt::format("the connection cannot carry '{}'", request.content_type));
  } else {
    MutexLock lock(&mutex_);
    id = connection_.StartCall(*content, std::move(request.body));
    if (id.ok()) waiting_[*id].swap(done);
    wake = NeedsWake();
  }
  if (wake) stream_->Wake();
  if (id.ok()) return *id;
  done(id.status());
  return 0;
}

bool MuxLink::NeedsWake() {
  if (asked_ || !connection_.has_output()) return false;
  if (draining_ && drainer_ == std::this_thread::get_id()) return false;
  asked_ = true;
  return true;
}

template <typename Change>
void MuxLink::Apply(const Change& change) {
  bool wake = false;
  bool drain = false;
  {
    MutexLock lock(&mutex_);
    change();
    drain = connection_.has_events();
    wake = !drain && NeedsWake();
  }
  if (drain) Drain();
  if (wake) stream_->Wake();
}

void MuxLink::Cancel(uint64_t id) {
  Apply([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { connection_.Cancel(id); });
}

void MuxLink::Reply(uint64_t id, int status, Content content, std::string body) {
  Apply([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    incoming_.erase(id);
    connection_.Reply(id, status, content, std::move(body));
  });
}

void MuxLink::Refuse(uint64_t id, absl::Duration retry_after) {
  Apply([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    incoming_.erase(id);
    connection_.Refuse(id, retry_after);
  });
}

void MuxLink::Close(const absl::Status& why) {
  Apply([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { connection_.Close(why); });
}

void MuxLink::Closed(const absl::Status& why) {
  Apply([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    stream_closed_ = true;
    connection_.StreamEnded(why);
  });
}

void MuxLink::Receive(std::string_view bytes) {
  const absl::Time now = scheduler_->Now();
  Apply([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { connection_.Receive(bytes, now); });
}

void MuxLink::Shutdown(absl::Duration grace, GoAwayReason reason, absl::Duration retry_after) {
  scheduler_->At(scheduler_->Now() + grace, [weak = weak_from_this()] {
    if (const auto link = weak.lock()) link->Close(absl::OkStatus());
  });
  Apply([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { connection_.GoAway(reason, retry_after); });
}

std::string MuxLink::TakeOutput() {
  bool drain = false;
  std::string output;
  {
    MutexLock lock(&mutex_);
    output = connection_.TakeOutput();
    if (output.empty()) asked_ = false;
    drain = connection_.has_events() && !draining_;
  }
  // A stream that asks for output need not expect to be closed meanwhile.
  if (drain) DrainLater();
  return output;
}

void MuxLink::DrainLater() {
  scheduler_->At(scheduler_->Now(), [weak = weak_from_this()] {
    if (const auto link = weak.lock()) link->Drain();
  });
}

void MuxLink::StartTimer(absl::Time when) {
  if (when == absl::InfiniteFuture()) return;
  const uint64_t timer = scheduler_->At(when, [weak = weak_from_this()] {
    if (const auto link = weak.lock()) link->Tick();
  });
  MutexLock lock(&mutex_);
  timer_ = timer;
}

void MuxLink::Tick() {
  const absl::Time now = scheduler_->Now();
  absl::Time next;
  Apply([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    connection_.Tick(now);
    // Not at once again, whatever the clock does.
    next = std::max(connection_.NextTick(), now + absl::Milliseconds(1));
  });
  StartTimer(next);
}

void MuxLink::Drain() {
  {
    MutexLock lock(&mutex_);
    if (draining_) return;
    draining_ = true;
    drainer_ = std::this_thread::get_id();
  }
  bool more = true;
  bool wake = false;
  bool close = false;
  uint64_t timer = 0;
  while (more) {
    {
      MutexLock lock(&mutex_);
      more = TakeBatch();
      if (!more) {
        draining_ = false;
        wake = NeedsWake();
        close = connection_.closed() && !std::exchange(stream_closed_, true);
        if (connection_.closed()) timer = std::exchange(timer_, 0);
      }
    }
    if (more) RunBatch();
  }
  if (wake) stream_->Wake();
  if (timer != 0) scheduler_->Cancel(timer);
  if (close) stream_->Close();
}

bool MuxLink::TakeBatch() {
  connection_.TakeEvents(&events_);
  for (MuxEvent& event : events_) {
    const auto take_done = [&](uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      const auto entry = waiting_.find(id);
      dones_.push_back(std::move(entry->second));
      waiting_.erase(entry);
    };
    if (auto* const reply = std::get_if<MuxReply>(&event)) {
      take_done(reply->id);
    } else if (auto* const failure = std::get_if<MuxFailure>(&event)) {
      take_done(failure->id);
    } else if (auto* const call = std::get_if<MuxCall>(&event)) {
      calls_.push_back(std::make_shared<IncomingCall>(
          shared_from_this(), call->id, connection_.peer().pod,
          WireRequest{.content_type = std::string(ContentName(call->content)),
                      .body = std::move(call->body)}));
      incoming_[call->id] = calls_.back();
    } else if (auto* const cancel = std::get_if<MuxCancel>(&event)) {
      const auto entry = incoming_.find(cancel->id);
      calls_.push_back(entry == incoming_.end() ? nullptr : entry->second.lock());
    } else if (std::holds_alternative<MuxConnected>(event)) {
      peer_ = connection_.peer();
    }
  }
  return !events_.empty();
}

void MuxLink::RunBatch() {
  auto done = dones_.begin();
  auto call = calls_.begin();
  const auto run = [&](auto& event) {
    using Event = std::decay_t<decltype(event)>;
    if constexpr (std::is_same_v<Event, MuxReply>) {
      (*done++)(WireReply{.status = event.status,
                          .content_type = std::string(ContentName(event.content)),
                          .body = std::move(event.body)});
    } else if constexpr (std::is_same_v<Event, MuxFailure>) {
      (*done++)(StatusOf(event));
    } else if constexpr (std::is_same_v<Event, MuxCall>) {
      const auto incoming = std::move(*call++);
      if (handlers_.on_call) handlers_.on_call(incoming);
    } else if constexpr (std::is_same_v<Event, MuxCancel>) {
      if (const auto cancelled = std::move(*call++)) cancelled->RequestStop();
    } else if constexpr (std::is_same_v<Event, MuxConnected>) {
      if (handlers_.on_connected) handlers_.on_connected(peer_);
    } else if constexpr (std::is_same_v<Event, MuxGoingAway>) {
      if (handlers_.on_going_away) handlers_.on_going_away(event.reason, event.retry_after);
    } else {
      if (handlers_.on_closed) handlers_.on_closed(event.why);
      handlers_ = {};
    }
  };
  for (MuxEvent& event : events_) std::visit(run, event);
  ClearBatch(events_);
  ClearBatch(dones_);
  ClearBatch(calls_);
}

bool MuxLink::accepts_calls() const {
  MutexLock lock(&mutex_);
  return connection_.accepts_calls();
}

size_t MuxLink::calls_out() const {
  MutexLock lock(&mutex_);
  return connection_.calls_out();
}

size_t MuxLink::calls_in() const {
  MutexLock lock(&mutex_);
  return connection_.calls_in();
}

}  // namespace podkit::conduit::internal
