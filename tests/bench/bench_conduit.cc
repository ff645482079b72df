// A small call: how many a second and how long one takes, in process and over HTTP, and how near
// that is to what the parts cost without a conduit.
//
// Likewise many of them in one batch, beside the same calls one after the other.
//
// The limit over HTTP is libcurl, posting the same bytes to the same server, which answers the same
// bytes. The limit in process is the cryptography and the JSON alone.
#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "hmac.h"
#include "podkit/conduit/batch.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/http_transport.h"
#include "podkit/conduit/in_process.h"
#include "servers/http/http_server.h"
#include "tests/bench/load.h"
#include "tests/bench/mixed_bench.h"
#include "tests/bench/stream_bench.h"
#include "tests/conduit/cheese.h"

namespace podkit::bench {
namespace {

using conduit::CallContext;
using conduit::Conduit;
using conduit::EatCheez;
using conduit::JsonDocument;
using conduit::JsonWriter;
using conduit::Pod;
using conduit::Pods;
using conduit::WireReply;
using conduit::WireRequest;
using servers::HttpRequest;
using servers::HttpResponse;
using servers::HttpServer;

struct Plan {
  int rounds;
  std::chrono::milliseconds round;
};

const std::string kKey(32, 'k');
const EatCheez::Arguments kArguments{.name = "gouda", .origin = "nl"};

std::shared_ptr<Pods> PodsOf(std::string own_id, std::vector<std::string> hosts_of_b = {}) {
  return *Pods::Create({Pod{.id = "A", .keys = {kKey}},
                        Pod{.id = "B", .hosts = std::move(hosts_of_b), .keys = {kKey}}},
                       std::move(own_id));
}

void Serve(Conduit& b) {
  b.Handle<EatCheez>(
      [](const CallContext&,
         const EatCheez::Arguments& arguments) -> absl::StatusOr<EatCheez::Response> {
        return EatCheez::Response{.rating = 5, .text = arguments.origin};
      });
}

bool CallOnce(Conduit& a) { return a.Call<EatCheez>("B", kArguments).ok(); }

void PrintLoad(std::string_view way, int callers, const Load& load) {
  PrintFigure(fmt::format("conduit/{}_calls_{}", way, callers), load.per_second, "calls/s");
  PrintFigure(fmt::format("conduit/{}_p50_{}", way, callers), load.p50_us, "us");
  PrintFigure(fmt::format("conduit/{}_p99_{}", way, callers), load.p99_us, "us");
  PrintFigure(fmt::format("conduit/{}_cpu_{}", way, callers), load.cpu_us, "us");
}

bool CallBatch(Conduit& a, int calls) {
  conduit::Batch batch;
  for (int i = 0; i < calls; ++i) batch.Add<EatCheez>(kArguments);
  return a.Call("B", batch).ok();
}

// One caller makes that many calls in a row, or in one batch.
void BenchBatch(const Plan& plan, std::string_view way, Conduit& a, int calls, double goal) {
  const auto singly = [&](int) {
    for (int i = 0; i < calls; ++i) {
      if (!CallOnce(a)) return false;
    }
    return true;
  };
  const auto [single, batch] = RunLoadsInTurn(
      plan.rounds, [&] { return RunLoad(1, plan.round, singly); },
      [&] { return RunLoad(1, plan.round, [&](int) { return CallBatch(a, calls); }); });
  PrintFigure(fmt::format("conduit/{}_{}_singly_p50", way, calls), single.p50_us, "us");
  PrintFigure(fmt::format("conduit/{}_{}_in_batch_p50", way, calls), batch.p50_us, "us");
  PrintRatio(fmt::format("conduit/{}_batch_of_{}_to_single_calls", way, calls),
             batch.per_second / single.per_second, goal);
}

// The bytes of one call, and what signing and reading them costs: two signatures and two checks,
// two texts written and two read.
struct BareCall {
  WireRequest request;
  WireReply reply;
  conduit::internal::HmacKey key = *conduit::internal::HmacKey::Create(kKey);

  bool CryptoAndJson() const {
    bool good = true;
    for (const std::string* text : {&request.body, &reply.body}) {
      good = good && key.Sign({request.authorization, *text}).ok();
      good = good && key.Sign({request.authorization, *text}).ok();
      auto document = JsonDocument::Parse(*text);
      good = good && document.ok() && document->root().size() > 0;
    }
    return good &&
           conduit::ToJson(kArguments).size() + conduit::ToJson(EatCheez::Response{}).size() > 0;
  }
};

BareCall BenchInProcess(const Plan& plan) {
  conduit::InProcessNetwork network;
  Conduit a(PodsOf("A"), &network);
  Conduit b(PodsOf("B"), &network);
  Serve(b);
  network.Connect("B", [&](const WireRequest& request) { return b.Receive(request); });
  BareCall bare;
  network.SetTap([&](std::string_view, const WireRequest& request, const WireReply& reply) {
    bare.request = request;
    bare.reply = reply;
  });
  if (!CallOnce(a)) std::abort();
  network.SetTap({});
  for (const int callers : {16, 64}) {
    PrintLoad("in_process", callers,
              RunLoad(callers, plan.round, [&](int) { return CallOnce(a); }));
  }
  const auto [load, parts] = RunLoadsInTurn(
      plan.rounds, [&] { return RunLoad(1, plan.round, [&](int) { return CallOnce(a); }); },
      [&] { return RunLoad(1, plan.round, [&](int) { return bare.CryptoAndJson(); }); });
  PrintLoad("in_process", 1, load);
  PrintRatio("conduit/in_process_to_crypto_and_json", load.per_second / parts.per_second, 0.5);
  BenchBatch(plan, "in_process", a, 100, 1.0);
  return bare;
}

HttpResponse AnswerOf(WireReply reply) {
  HttpResponse response{.status = reply.status, .headers = {}, .body = std::move(reply.body)};
  response.headers.emplace_back("Content-Type", std::move(reply.content_type));
  response.headers.emplace_back("X-Podkit-Authorization", std::move(reply.authorization));
  return response;
}

std::unique_ptr<HttpServer> StartServer(Conduit& b, const BareCall& bare) {
  servers::Router router;
  const auto mounted = router.Add("POST", conduit::kConduitPath, [&](const HttpRequest& request) {
    return AnswerOf(
        b.Receive({.content_type = std::string(request.headers.Find("content-type").value_or("")),
                   .authorization = std::string(request.headers.Find("authorization").value_or("")),
                   .body = request.body}));
  });
  const auto limit =
      router.Add("POST", "/bare", [&](const HttpRequest&) { return AnswerOf(bare.reply); });
  auto server = HttpServer::Start({}, std::move(router));
  if (!mounted.ok() || !limit.ok() || !server.ok()) std::abort();
  return *std::move(server);
}

// libcurl as one would use it at its best: a kept handle, nothing looked at.
class BareClient {
 public:
  BareClient(const std::string& url, const BareCall& bare)
      : curl_(curl_easy_init()), body_(bare.request.body) {
    for (const std::string& line :
         {"Content-Type: " + bare.request.content_type,
          "Authorization: " + bare.request.authorization, std::string("Expect:")}) {
      headers_ = curl_slist_append(headers_, line.c_str());
    }
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body_.c_str());
    curl_easy_setopt(curl_, CURLOPT_PROXY, "");
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, 10'000L);
    curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &reply_);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &BareClient::Take);
  }
  ~BareClient() {
    curl_easy_cleanup(curl_);
    curl_slist_free_all(headers_);
  }
  BareClient(const BareClient&) = delete;
  BareClient& operator=(const BareClient&) = delete;

  bool Post() {
    reply_.clear();
    return curl_easy_perform(curl_) == CURLE_OK && !reply_.empty();
  }

 private:
  static size_t Take(char* data, size_t size, size_t count, void* reply) {
    static_cast<std::string*>(reply)->append(data, size * count);
    return size * count;
  }

  CURL* const curl_;
  const std::string body_;
  curl_slist* headers_ = nullptr;
  std::string reply_;
};

void BenchHttp(const Plan& plan, const BareCall& bare) {
  conduit::HttpTransport transport;
  Conduit b(PodsOf("B"), &transport);
  Serve(b);
  const auto server = StartServer(b, bare);
  const std::string address = fmt::format("http://127.0.0.1:{}", server->port());
  Conduit a(PodsOf("A", {address}), &transport);
  BenchBatch(plan, "http", a, 10, 3.0);
  BenchBatch(plan, "http", a, 100, 5.0);
  for (const int callers : {1, 16, 64}) {
    std::vector<std::unique_ptr<BareClient>> clients;
    for (int i = 0; i < callers; ++i) {
      clients.push_back(std::make_unique<BareClient>(address + "/bare", bare));
    }
    const auto [limit, load] = RunLoadsInTurn(
        plan.rounds,
        [&] {
          return RunLoad(callers, plan.round,
                         [&](int thread) { return clients[static_cast<size_t>(thread)]->Post(); });
        },
        [&] { return RunLoad(callers, plan.round, [&](int) { return CallOnce(a); }); });
    PrintLoad("http", callers, load);
    PrintLoad("bare_http", callers, limit);
    PrintRatio(fmt::format("conduit/http_to_bare_libcurl_{}", callers),
               load.per_second / limit.per_second, 0.8);
  }
}

}  // namespace
}  // namespace podkit::bench

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string_view(argv[1]) == "--quick";
  const podkit::bench::Plan plan = quick ? podkit::bench::Plan{1, std::chrono::milliseconds(20)}
                                         : podkit::bench::Plan{7, std::chrono::milliseconds(400)};
  const auto bare = podkit::bench::BenchInProcess(plan);
  podkit::bench::BenchHttp(plan, bare);
  podkit::bench::RunMixedBench(quick);
  podkit::bench::RunStreamBench(quick);
}
