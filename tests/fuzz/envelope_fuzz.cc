// What another pod, or somebody who pretends to be one, can send. The first byte chooses who: a pod
// with the right key sends any body; a stranger sends any header; a pod with the right key answers
// a call with any body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "authenticator.h"
#include "podkit/conduit/conduit.h"
#include "tests/conduit/cheese.h"
#include "tests/conduit/sync_transport.h"

namespace podkit::conduit {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

void Require(bool good) {
  if (!good) std::abort();
}

std::shared_ptr<Pods> PodsOf(std::string own_id) {
  const std::string key(32, 'k');
  return *Pods::Create({Pod{.id = "A", .keys = {key}}, Pod{.id = "B", .keys = {key}}},
                       std::move(own_id));
}

// Answers what it is told to.
class Answering final : public SyncTransport {
 public:
  std::function<WireReply(const WireRequest&)> answer;
  absl::StatusOr<WireReply> Exchange(const WireRequest& request) override {
    return answer(request);
  }
};

struct World {
  Answering transport;
  Conduit a{PodsOf("A"), &transport, {.now = [] { return kNow; }}};
  Conduit b{PodsOf("B"), &transport, {.now = [] { return kNow; }}};
  const std::shared_ptr<Pods> pods_of_a = PodsOf("A");
  internal::Authenticator as_a{pods_of_a, absl::Seconds(60), kNow};
  internal::Authenticator as_b{PodsOf("B"), absl::Seconds(60), kNow};

  World() {
    b.Handle<Echo>(
        [](const CallContext&, const Echo::Arguments& arguments) -> absl::StatusOr<Bytes> {
          return std::get<0>(arguments);
        });
    b.Handle<EatCheez>(
        [](const CallContext&,
           const EatCheez::Arguments& arguments) -> absl::StatusOr<EatCheez::Response> {
          if (arguments.name.empty())
            return MakeError(NoSuchCheese{arguments.origin}, arguments.origin);
          return EatCheez::Response{1, arguments.name};
        });
    b.Handle<Rename>([](const CallContext& context, const Rename::Target& target,
                        const Rename::Arguments& arguments) {
      Require(context.actor.size() <= 256 && context.deadline > kNow);
      return absl::InternalError(target.home + std::get<0>(arguments));
    });
  }

  void PostSigned(std::string_view body) {
    WireRequest request{.content_type = "application/json", .body = std::string(body)};
    const auto exchange = as_a.SignRequest(pods_of_a->Find("B"), kNow, request);
    Require(exchange.ok());
    const WireReply reply = b.Receive(request);
    Require(reply.status == 200 || reply.status == 400);
    Require(internal::Authenticator::VerifyReply(*exchange, reply).ok());
    const auto document = JsonDocument::Parse(reply.body);
    Require(document.ok() && document->root().Member("result"));
    Require(b.Receive(request).status == 403);  // A second time it is a replay.
  }

  void PostUnsigned(std::string_view text) {
    const size_t end = text.find('\n');
    WireRequest request{.content_type = "application/json"};
    request.authorization = text.substr(0, end);
    if (end != std::string_view::npos) request.body = text.substr(end + 1);
    const WireReply reply = b.Receive(request);
    Require(reply.status == 403 && reply.body.empty() && reply.authorization.empty());
  }

  void AnswerSigned(std::string_view body) {
    transport.answer = [&](const WireRequest& request) {
      const auto exchange = as_b.VerifyRequest(request, kNow);
      Require(exchange.ok());
      WireReply reply{.content_type = "application/json", .body = std::string(body)};
      Require(internal::Authenticator::SignReply(*exchange, reply).ok());
      return reply;
    };
    const auto answer = a.Call<EatCheez>("B", {.name = "x"});
    Require(answer.ok() == (OutcomeOf(answer.status()) == Outcome::kOk));
    static_cast<void>(GetError<NoSuchCheese>(answer.status()));
  }
};

}  // namespace
}  // namespace podkit::conduit

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Never destroyed: libFuzzer leaves with exit.
  static auto* const world = new podkit::conduit::World;
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      world->PostSigned(rest);
      break;
    case 1:
      world->PostUnsigned(rest);
      break;
    default:
      world->AnswerSigned(rest);
  }
  return 0;
}
