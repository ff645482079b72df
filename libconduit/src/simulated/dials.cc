// Opens streams on a SimulatedNetwork.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "simulated/network.h"
#include "simulated/stream.h"

namespace podkit::conduit::internal {
namespace {

class SimulatedDialer final : public StreamDialer,
                              public std::enable_shared_from_this<SimulatedDialer> {
 public:
  SimulatedDialer(std::shared_ptr<SimulatedState> network, std::string from)
      : network_(std::move(network)), from_(std::move(from)) {}

  void Dial(DialTarget target, StreamAcceptor opened,
            std::function<void(absl::Status)> failed) override;
  void Stop() override;

 private:
  struct Attempt {
    DialTarget target;
    StreamAcceptor opened;
    std::function<void(absl::Status)> failed;
    uint64_t timer = 0;
  };

  void Connect(const std::shared_ptr<Attempt>& attempt);
  void Fail(const std::shared_ptr<Attempt>& attempt, absl::StatusCode code, std::string_view why);
  // False if it has ended.
  bool Take(const std::shared_ptr<Attempt>& attempt);

  const std::shared_ptr<SimulatedState> network_;
  const std::string from_;
  bool stopped_ = false;
  std::vector<std::shared_ptr<Attempt>> attempts_;
  std::vector<std::weak_ptr<SimulatedConnection>> opened_;
};

void SimulatedDialer::Dial(DialTarget target, StreamAcceptor opened,
                           std::function<void(absl::Status)> failed) {
  if (stopped_) return;
  const auto attempt =
      std::make_shared<Attempt>(Attempt{std::move(target), std::move(opened), std::move(failed)});
  attempts_.push_back(attempt);
  if (attempt->target.deadline != absl::InfiniteFuture()) {
    attempt->timer = network_->After<SimulatedDialer>(
        attempt->target.deadline - network_->Now(), weak_from_this(),
        [attempt](SimulatedDialer& self) {
          self.Fail(attempt, absl::StatusCode::kDeadlineExceeded, "it took too long to connect");
        });
  }
  network_->After<SimulatedDialer>(network_->RoundTrip(from_, attempt->target.host),
                                   weak_from_this(),
                                   [attempt](SimulatedDialer& self) { self.Connect(attempt); });
}

bool SimulatedDialer::Take(const std::shared_ptr<Attempt>& attempt) {
  if (std::erase(attempts_, attempt) == 0) return false;
  if (attempt->timer != 0) network_->Forget(attempt->timer);
  return true;
}

void SimulatedDialer::Fail(const std::shared_ptr<Attempt>& attempt, absl::StatusCode code,
                           std::string_view why) {
  if (!Take(attempt)) return;
  attempt->failed(absl::Status(code, fmt::format("{}: {}", attempt->target.host, why)));
}

void SimulatedDialer::Connect(const std::shared_ptr<Attempt>& attempt) {
  const std::string& to = attempt->target.host;
  if (network_->HostAt(from_) == nullptr) {
    return Fail(attempt, absl::StatusCode::kUnavailable, "this host has lost the network");
  }
  if (network_->Apart(from_, to)) return;  // It waits until its deadline.
  const auto host = network_->HostAt(to);
  if (host == nullptr || !host->accept) {
    return Fail(attempt, absl::StatusCode::kUnavailable, "the connection was refused");
  }
  if (!Take(attempt)) return;
  const auto connection = std::make_shared<SimulatedConnection>(network_, from_, to);
  std::erase_if(opened_, [](const auto& one) { return one.expired(); });
  opened_.push_back(connection);
  network_->Tell("stream", from_, to);
  network_->Add(connection);
  const auto acceptor = host->accept(connection->StreamOf(1));
  const auto dialler = attempt->opened(connection->StreamOf(0));
  if (acceptor != nullptr) connection->Attach(1, acceptor);
  if (dialler != nullptr) connection->Attach(0, dialler);
  if (acceptor == nullptr) connection->Refused(1);
  if (dialler == nullptr) connection->Refused(0);
}

void SimulatedDialer::Stop() {
  if (std::exchange(stopped_, true)) return;
  while (!attempts_.empty()) {
    const auto attempt = attempts_.back();
    Fail(attempt, absl::StatusCode::kCancelled, "this side ends");
  }
  for (const auto& weak : std::exchange(opened_, {})) {
    if (const auto connection = weak.lock()) {
      connection->Drop(0, absl::CancelledError("this side ends"));
    }
  }
}

}  // namespace

std::shared_ptr<StreamDialer> MakeSimulatedDialer(std::shared_ptr<SimulatedState> network,
                                                  std::string from) {
  return std::make_shared<SimulatedDialer>(std::move(network), std::move(from));
}

}  // namespace podkit::conduit::internal
