#include "tests/bench/mixed_bench.h"

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "podkit/conduit/answers.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/in_process.h"
#include "podkit/conduit/mux_transport.h"
#include "servers/http/http_server.h"
#include "tests/bench/load.h"

namespace podkit::bench {
namespace {

using conduit::CallContext;
using conduit::CallOptions;
using conduit::CommandInfo;
using conduit::Conduit;
using conduit::Effect;
using conduit::ErrorList;
using conduit::MuxTransport;
using conduit::Pod;
using conduit::Pods;
using servers::HttpResponse;
using servers::HttpServer;
using Milliseconds = std::chrono::milliseconds;

constexpr int kCallers = 16;
constexpr int kOneIn = 100;  // So many calls is one slow.

struct Fast {
  static constexpr CommandInfo kInfo = {.name = "fast", .effect = Effect::kRead};
  using Arguments = std::tuple<std::string>;
  using Response = std::string;
  using Errors = ErrorList<>;
};
struct Slow : Fast {
  static constexpr CommandInfo kInfo = {.name = "slow", .effect = Effect::kRead};
};
struct Put : Fast {
  static constexpr CommandInfo kInfo = {.name = "put", .effect = Effect::kWrite};
};

const Fast::Arguments kArguments{std::string(128, 't')};

absl::StatusOr<std::string> SayAgain(const CallContext&, const Fast::Arguments& arguments) {
  return std::get<0>(arguments);
}

std::shared_ptr<Pods> MixedPods(std::string own_id, std::vector<std::string> hosts_of_b = {}) {
  const std::string key(32, 'k');
  return *Pods::Create({Pod{.id = "A", .keys = {key}},
                        Pod{.id = "B", .hosts = std::move(hosts_of_b), .keys = {key}}},
                       std::move(own_id));
}

// Pod A calls pod B over one link. B has threads enough for the slow calls.
class LinkedPair {
 public:
  explicit LinkedPair(Milliseconds slow) {
    b_.Handle<Fast>(SayAgain);
    b_.Handle<Slow>([slow](const CallContext& context, const Fast::Arguments& arguments) {
      std::this_thread::sleep_for(slow);
      return SayAgain(context, arguments);
    });
    transport_b_->Serve([this](conduit::ReceivedCall call) { b_.Answer(std::move(call)); });
  }
  ~LinkedPair() {
    server_->Stop(absl::Seconds(1));
    transport_a_->Stop();
    transport_b_->Stop();
  }
  LinkedPair(const LinkedPair&) = delete;
  LinkedPair& operator=(const LinkedPair&) = delete;

  bool CallFast() { return a_.Call<Fast>("B", kArguments).ok(); }
  void StartSlow() {
    a_.Start<Slow>("B", {}, kArguments, {}, [](const absl::StatusOr<std::string>&) {});
  }

 private:
  std::unique_ptr<HttpServer> Mount() {
    servers::Router router;
    const auto added = router.AddUpgrade(conduit::kMuxPath, conduit::kMuxProtocol,
                                         [this](const servers::HttpRequest&) {
                                           return HttpResponse::SwitchTo(transport_b_->Acceptor());
                                         });
    auto server = HttpServer::Start({}, std::move(router));
    if (!added.ok() || !server.ok()) std::abort();
    return *std::move(server);
  }

  const std::unique_ptr<MuxTransport> transport_b_ = *MuxTransport::Create(MixedPods("B"));
  const std::unique_ptr<HttpServer> server_ = Mount();
  const std::shared_ptr<Pods> pods_a_ =
      MixedPods("A", {fmt::format("http://127.0.0.1:{}", server_->port())});
  const std::unique_ptr<MuxTransport> transport_a_ = *MuxTransport::Create(pods_a_);
  Conduit b_{MixedPods("B"), transport_b_.get(), {.worker_threads = 64}};
  Conduit a_{pods_a_, transport_a_.get()};
};

// The fast calls alone; then as many of them while one call in a hundred more is slow.
void BenchSlow(int rounds, Milliseconds round, Milliseconds slow) {
  LinkedPair pair(slow);
  std::vector<int> calls(kCallers);
  const auto beside_slow = [&](int thread) {
    if (++calls[static_cast<size_t>(thread)] % kOneIn == 0) pair.StartSlow();
    return pair.CallFast();
  };
  const auto [alone, beside] = RunLoadsInTurn(
      rounds, [&] { return RunLoad(kCallers, round, [&](int) { return pair.CallFast(); }); },
      [&] { return RunLoad(kCallers, round, beside_slow); });
  PrintFigure("conduit/links_fast_p99_alone", alone.p99_us, "us");
  PrintFigure("conduit/links_fast_p99_beside_slow", beside.p99_us, "us");
  PrintRatio("conduit/links_fast_p99_alone_to_beside_slow", alone.p99_us / beside.p99_us, 0.5);
}

// Writes whose answers are kept, beside the same writes without keys.
void BenchKeys(int rounds, Milliseconds round) {
  const auto answers = conduit::MakeMemoryAnswers(
      {.window = absl::Seconds(1), .max_keys = 10'000'000, .max_bytes = size_t{4} << 30});
  conduit::InProcessNetwork network;
  Conduit a(MixedPods("A"), &network);
  Conduit b(MixedPods("B"), &network);
  b.Handle<Put>(SayAgain, {.answers = answers.get()});
  network.Connect("B", [&](const conduit::WireRequest& request) { return b.Receive(request); });
  const auto run = [&](bool keyed) {
    return RunLoad(1, round, [&](int) {
      return a.Call<Put>("B", kArguments, CallOptions{.make_key = keyed}).ok();
    });
  };
  const auto [plain, keyed] = RunLoadsInTurn(
      rounds, [&] { return run(false); }, [&] { return run(true); });
  PrintFigure("conduit/in_process_write_cpu", plain.cpu_us, "us");
  PrintFigure("conduit/in_process_keyed_write_cpu", keyed.cpu_us, "us");
  PrintRatio("conduit/in_process_keyed_to_plain_writes", keyed.per_second / plain.per_second, 0.6);
  network.Connect("B", {});
}

}  // namespace

void RunMixedBench(bool quick) {
  const int rounds = quick ? 1 : 5;
  const Milliseconds round(quick ? 20 : 500);
  BenchSlow(rounds, round, Milliseconds(quick ? 5 : 100));
  BenchKeys(rounds, round);
}

}  // namespace podkit::bench
