#include "stranger.h"

#include "fmt/format.h"
#include "mux/record.h"

namespace podkit::conduit::simulation {
namespace {

using internal::kRecordHeaderBytes;

constexpr size_t kMostHeard = 8;
constexpr size_t kMostBytes = 16 << 10;

// Passes everything on, and notes what comes.
class Wiretap final : public StreamUser {
 public:
  Wiretap(std::shared_ptr<StreamUser> user, std::function<void(std::string_view)> note)
      : user_(std::move(user)), note_(std::move(note)) {}

  void Receive(std::string_view bytes) override {
    note_(bytes);
    user_->Receive(bytes);
  }
  std::string TakeOutput() override { return user_->TakeOutput(); }
  void Closed(const absl::Status& why) override { user_->Closed(why); }

 private:
  const std::shared_ptr<StreamUser> user_;
  const std::function<void(std::string_view)> note_;
};

// Says what it was told to, and listens.
class Parrot final : public StreamUser {
 public:
  Parrot(std::string to_say, std::function<void(std::string_view)> heard)
      : to_say_(std::move(to_say)), heard_(std::move(heard)) {}

  void Receive(std::string_view bytes) override { answer_ += bytes; }
  std::string TakeOutput() override { return std::exchange(to_say_, {}); }
  void Closed(const absl::Status&) override { heard_(answer_); }

 private:
  std::string to_say_;
  const std::function<void(std::string_view)> heard_;
  std::string answer_;
};

// A hello that was true once is answered with one message, behind its length. Whoever does not
// prove himself then hears nothing more.
bool IsAtMostAnAnswer(std::string_view bytes) {
  if (bytes.size() < kRecordHeaderBytes) return true;
  size_t size = 0;
  for (const char byte : bytes.substr(0, kRecordHeaderBytes)) {
    size = size << 8 | static_cast<unsigned char>(byte);
  }
  return bytes.size() <= kRecordHeaderBytes + size;
}

}  // namespace

Stranger::Stranger(testing::SimulatedNetwork* network, const std::string& address,
                   std::vector<std::string>* problems)
    : network_(network),
      problems_(problems),
      requests_(network->RequestsFrom(address)),
      dialer_(network->DialerOf(address)) {
  network_->Start(address, {});
}

void Stranger::Hear(const std::string& to, const std::shared_ptr<const Pod>& pod,
                    const WireRequest& request) {
  if (heard_.size() < kMostHeard) heard_.push_back({to, pod, request});
}

StreamAcceptor Stranger::Overhear(const std::string& to, StreamAcceptor accept) {
  return [this, to, accept = std::move(accept)](
             std::shared_ptr<ByteStream> stream) -> std::shared_ptr<StreamUser> {
    auto user = accept(std::move(stream));
    if (user == nullptr || streams_.size() >= kMostHeard) return user;
    const auto heard = std::make_shared<Stream>(Stream{.to = to, .bytes = {}});
    streams_.push_back(heard);
    return std::make_shared<Wiretap>(std::move(user), [heard](std::string_view bytes) {
      if (heard->bytes.size() < kMostBytes) heard->bytes += bytes;
    });
  };
}

void Stranger::Replay(absl::Time deadline) {
  for (const Heard& heard : std::exchange(heard_, {})) {
    requests_->Send({.pod = heard.pod,
                     .host = heard.to,
                     .request = heard.request,
                     .deadline = deadline,
                     .done = [this, to = heard.to](const absl::StatusOr<WireReply>& reply) {
                       if (!reply.ok() || reply->status == 403) return;
                       problems_->push_back(
                           fmt::format("{} answered a replay with HTTP {}", to, reply->status));
                     }});
  }
  for (const auto& heard : std::exchange(streams_, {})) {
    const auto note = [this, to = heard->to](std::string_view answer) {
      if (IsAtMostAnAnswer(answer)) return;
      problems_->push_back(fmt::format("{} went on with a stranger who replayed a link", to));
    };
    dialer_->Dial(
        {.host = heard->to, .deadline = deadline},
        [bytes = heard->bytes, note](const std::shared_ptr<ByteStream>&) {
          return std::make_shared<Parrot>(bytes, note);
        },
        [](const absl::Status&) {});
  }
}

}  // namespace podkit::conduit::simulation
