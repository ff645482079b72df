#include "mux/dialer.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/text.h"
#include "fmt/format.h"
#include "host_address.h"
#include "mux/socket_stream.h"
#include "mux/upgrade.h"

namespace podkit::conduit::internal {
namespace {

void SetOption(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof(value));
}

// Small frames leave at once, and a peer that vanished is noticed though nobody sends.
void Prepare(int fd) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

std::string ErrnoText(int error) { return std::generic_category().message(error); }

}  // namespace

// One dial, from the name to the stream. Lives on the loop thread.
class Dialer::Attempt final : public IoLoop::Handler,
                              public std::enable_shared_from_this<Dialer::Attempt> {
 public:
  Attempt(std::shared_ptr<Shared> shared, DialTarget target, StreamAcceptor opened,
          std::function<void(absl::Status)> failed)
      : shared_(std::move(shared)),
        target_(std::move(target)),
        opened_(std::move(opened)),
        failed_(std::move(failed)) {}

  void Begin();

 private:
  enum class Step { kResolving, kConnecting, kHandshaking, kSending, kReading, kDone };

  void OnReady(bool readable, bool writable) override;
  void OnStop() override { Fail(absl::CancelledError("this side ends")); }

  absl::Status ReadHost();
  void OnResolved(absl::StatusOr<std::vector<SocketAddress>> addresses);
  void ConnectNext();
  // Why the connection to the address of this turn could not even begin.
  absl::Status StartConnecting(const SocketAddress& address);
  void OnConnected();
  // Each is true if the next step can begin.
  bool Handshake();
  bool SendRequest();
  void ReadReply();
  void OnMoved(const Channel::Moved& moved, std::string_view doing);
  void AwaitUntil(absl::Time when);
  void OnTimer(uint64_t timer);
  void CancelTimer();
  void NextAddress(const absl::Status& why);
  void Fail(const absl::Status& why);
  void Succeed(std::string_view early);
  void Finish();

  const std::shared_ptr<Shared> shared_;
  DialTarget target_;
  StreamAcceptor opened_;
  std::function<void(absl::Status)> failed_;

  bool tls_ = false;
  std::string authority_;  // "[::1]:8443"
  std::string name_;       // "::1"
  uint16_t port_ = 0;

  Step step_ = Step::kResolving;
  std::vector<SocketAddress> addresses_;
  size_t next_address_ = 0;
  UniqueFd fd_;
  std::unique_ptr<Channel> channel_;
  std::string request_;
  size_t request_sent_ = 0;
  UpgradeReply reply_;
  std::optional<uint64_t> timer_;
  uint64_t timers_ = 0;
};

absl::Status Dialer::Attempt::ReadHost() {
  absl::StatusOr<std::string> normal = NormalHostAddress(target_.host);
  if (!normal.ok()) return normal.status();
  tls_ = normal->starts_with("https:");
  authority_ = normal->substr(normal->find("//") + 2);
  const size_t colon = authority_.rfind(':');
  name_ = authority_.substr(0, colon);
  if (name_.starts_with('[')) name_ = name_.substr(1, name_.size() - 2);
  port_ = ParseNumber<uint16_t>(std::string_view(authority_).substr(colon + 1)).value_or(0);
  return absl::OkStatus();
}

void Dialer::Attempt::Begin() {
  shared_->loop->Add(shared_from_this());
  if (const absl::Status status = ReadHost(); !status.ok()) return Fail(status);
  AwaitUntil(target_.deadline);
  if (const auto address = ParseAddress(name_, port_)) {
    std::vector<SocketAddress> only = {*address};
    return OnResolved(std::move(only));
  }
  shared_->resolver->Resolve(name_, port_,
                             [loop = shared_->loop, self = shared_from_this()](
                                 absl::StatusOr<std::vector<SocketAddress>> found) {
                               loop->Post([self, found = std::move(found)]() mutable {
                                 self->OnResolved(std::move(found));
                               });
                             });
}

void Dialer::Attempt::OnResolved(absl::StatusOr<std::vector<SocketAddress>> addresses) {
  if (step_ != Step::kResolving) return;  // Too late.
  if (!addresses.ok()) return Fail(addresses.status());
  addresses_ = *std::move(addresses);
  ConnectNext();
}

void Dialer::Attempt::ConnectNext() {
  step_ = Step::kConnecting;
  const size_t left = addresses_.size() - next_address_;
  const absl::Time now = shared_->scheduler->Now();
  const SocketAddress& address = addresses_[next_address_++];
  // An address that does not answer must leave time for the others.
  AwaitUntil(now + (target_.deadline - now) / static_cast<int64_t>(left));
  if (const absl::Status status = StartConnecting(address); !status.ok()) NextAddress(status);
}

absl::Status Dialer::Attempt::StartConnecting(const SocketAddress& address) {
  fd_.Reset(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd_.get() < 0) return absl::UnavailableError(ErrnoText(errno));
  Prepare(fd_.get());
  if (!shared_->loop->Watch(fd_.get(), this, false, true)) {
    fd_.Reset();
    return absl::UnavailableError("no memory to wait for a socket");
  }
  if (connect(fd_.get(), address.get(), address.size) == 0 || errno == EINPROGRESS) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(ErrnoText(errno));
}

// Goes on with the next address, if there is one.
void Dialer::Attempt::NextAddress(const absl::Status& why) {
  if (fd_.get() >= 0) shared_->loop->Unwatch(fd_.get());
  fd_.Reset();
  if (next_address_ < addresses_.size()) return ConnectNext();
  const std::string address = addresses_[next_address_ - 1].ToString();
  Fail(absl::Status(why.code(),
                    fmt::format("cannot connect to {}: {}", address, std::string(why.message()))));
}

void Dialer::Attempt::OnReady(bool, bool) {
  switch (step_) {
    case Step::kResolving:
    case Step::kDone:
      return;
    case Step::kConnecting:
      OnConnected();
      break;
    case Step::kHandshaking:
    case Step::kSending:
    case Step::kReading:
      break;
  }
  if (step_ == Step::kHandshaking && Handshake()) step_ = Step::kSending;
  if (step_ == Step::kSending && SendRequest()) step_ = Step::kReading;
  if (step_ == Step::kReading) ReadReply();
}

void Dialer::Attempt::OnConnected() {
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return NextAddress(absl::UnavailableError(ErrnoText(error)));
  AwaitUntil(target_.deadline);
  if (tls_) {
    auto channel = shared_->tls.NewChannel(fd_.get(), name_, target_.ca_file);
    if (!channel.ok()) return Fail(channel.status());
    channel_ = *std::move(channel);
  } else {
    channel_ = std::make_unique<Channel>(fd_.get());
  }
  request_ = UpgradeRequest(authority_);
  step_ = Step::kHandshaking;
}

bool Dialer::Attempt::Handshake() {
  const Channel::Outcome outcome = channel_->Handshake();
  if (outcome == Channel::Outcome::kDone) return true;
  if (outcome != Channel::Outcome::kFailed) {
    OnMoved({outcome}, "the TLS handshake");
    return false;
  }
  const auto& tls = static_cast<const TlsChannel&>(*channel_);
  const bool refused = tls.certificate_refused();
  const std::string text = fmt::format("the TLS handshake failed: {}", tls.TakeHandshakeError());
  Fail(refused ? absl::FailedPreconditionError(text) : absl::UnavailableError(text));
  return false;
}

bool Dialer::Attempt::SendRequest() {
  while (request_sent_ < request_.size()) {
    const Channel::Moved moved = channel_->Write(std::string_view(request_).substr(request_sent_));
    if (moved.outcome != Channel::Outcome::kDone) {
      OnMoved(moved, "the request to upgrade");
      return false;
    }
    request_sent_ += moved.bytes;
  }
  return true;
}

void Dialer::Attempt::ReadReply() {
  const std::span<char> buffer = shared_->loop->scratch();
  for (;;) {
    const Channel::Moved moved = channel_->Read(buffer);
    if (moved.outcome != Channel::Outcome::kDone) return OnMoved(moved, "the answer");
    const auto answer = reply_.Feed({buffer.data(), moved.bytes});
    if (!answer) continue;
    return answer->ok() ? Succeed(**answer) : Fail(answer->status());
  }
}

// Waits for what the channel wants, or fails in the middle of `doing`.
void Dialer::Attempt::OnMoved(const Channel::Moved& moved, std::string_view doing) {
  switch (moved.outcome) {
    case Channel::Outcome::kDone:
      return;
    case Channel::Outcome::kWantRead:
      return shared_->loop->Rewatch(fd_.get(), this, true, false);
    case Channel::Outcome::kWantWrite:
      return shared_->loop->Rewatch(fd_.get(), this, false, true);
    case Channel::Outcome::kEnd:
      return Fail(absl::UnavailableError(
          fmt::format("the other side closed the connection during {}", doing)));
    case Channel::Outcome::kFailed:
      return Fail(absl::UnavailableError(
          fmt::format("the connection broke during {}: {}", doing,
                      moved.error == 0 ? "not what TLS allows" : ErrnoText(moved.error))));
  }
}

void Dialer::Attempt::AwaitUntil(absl::Time when) {
  CancelTimer();
  if (when == absl::InfiniteFuture()) return;
  const uint64_t timer = ++timers_;
  timer_ = shared_->scheduler->At(when, [loop = shared_->loop, weak = weak_from_this(), timer] {
    loop->Post([weak, timer] {
      if (const auto self = weak.lock()) self->OnTimer(timer);
    });
  });
}

void Dialer::Attempt::CancelTimer() {
  if (timer_) shared_->scheduler->Cancel(*timer_);
  timer_.reset();
}

void Dialer::Attempt::OnTimer(uint64_t timer) {
  if (timer != timers_ || step_ == Step::kDone) return;
  const absl::Status late = absl::DeadlineExceededError("it took too long");
  if (step_ == Step::kConnecting) return NextAddress(late);
  constexpr std::string_view kDoing[] = {"to find the address", "to connect", "to shake hands",
                                         "to send the request to upgrade", "to be answered"};
  Fail(absl::DeadlineExceededError(
      fmt::format("it took too long {}", kDoing[static_cast<size_t>(step_)])));
}

void Dialer::Attempt::Fail(const absl::Status& why) {
  if (step_ == Step::kDone) return;
  if (fd_.get() >= 0) shared_->loop->Unwatch(fd_.get());
  Finish();
  fd_.Reset();
  const auto failed = std::move(failed_);
  opened_ = nullptr;
  failed(absl::Status(why.code(), fmt::format("{}: {}", target_.host, std::string(why.message()))));
}

void Dialer::Attempt::Succeed(std::string_view early) {
  Finish();
  const StreamAcceptor opened = std::move(opened_);
  failed_ = nullptr;
  SocketStream::Open(shared_->loop, shared_->scheduler,
                     {.fd = std::move(fd_),
                      .channel = std::move(channel_),
                      .tls = tls_,
                      .peer = addresses_[next_address_ - 1].ToString()},
                     opened, early);
}

void Dialer::Attempt::Finish() {
  step_ = Step::kDone;
  CancelTimer();
  shared_->loop->Remove(this);
}

absl::StatusOr<std::unique_ptr<Dialer>> Dialer::Create(DialerOptions options) {
  absl::StatusOr<std::shared_ptr<IoLoop>> loop = IoLoop::Create();
  if (!loop.ok()) return loop.status();
  auto shared = std::make_shared<Shared>();
  shared->loop = *std::move(loop);
  shared->scheduler = std::move(options.scheduler);
  auto resolver = std::make_unique<Resolver>(std::move(options.resolve));
  shared->resolver = resolver.get();
  std::unique_ptr<Dialer> dialer(new Dialer(std::move(shared), std::move(resolver)));
  try {
    MutexLock lock(&dialer->mutex_);
    dialer->thread_ = std::thread([loop = dialer->shared_->loop] { loop->Run(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(fmt::format("a dialler has no thread: {}", error.what()));
  }
  return dialer;
}

Dialer::Dialer(std::shared_ptr<Shared> shared, std::unique_ptr<Resolver> resolver)
    : resolver_(std::move(resolver)), shared_(std::move(shared)) {}

Dialer::~Dialer() { Stop(); }

void Dialer::Stop() {
  std::thread thread;
  {
    MutexLock lock(&mutex_);
    thread.swap(thread_);
  }
  if (!thread.joinable()) return;
  shared_->loop->Stop();
  thread.join();
}

void Dialer::Dial(DialTarget target, StreamAcceptor opened,
                  std::function<void(absl::Status)> failed) {
  const auto attempt =
      std::make_shared<Attempt>(shared_, std::move(target), std::move(opened), std::move(failed));
  shared_->loop->Post([attempt] { attempt->Begin(); });
}

}  // namespace podkit::conduit::internal
