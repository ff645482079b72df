// A write on another real pod whose answer a proxy swallows: the client gets one success, and one
// change was made; also if the pod is killed between the commit and the answer.
#include <fmt/format.h>

#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "podkit/store/types.h"
#include "tests/servers/two_pods.h"
#include "tests/support/catch.h"
#include "tests/support/loopback_server.h"
#include "tests/support/raw_http_client.h"

namespace podkit::testing {
namespace {

// Stands before a pod. Swallows the first answer to a put: the pod has done it, and who asked finds
// the connection closed.
class SwallowingProxy {
 public:
  explicit SwallowingProxy(uint16_t port)
      : port_(port), server_([this](const LoopbackRequest& request) { return Pass(request); }) {}
  ~SwallowingProxy() { GoOn(); }

  std::string address() const { return server_.address(); }

  // Waits until it holds the answer.
  void AwaitAnswer() {
    const absl::Time end = absl::Now() + absl::Seconds(30);
    MutexLock lock(&mutex_);
    while (!holds_ && absl::Now() < end) changed_.WaitFor(&mutex_, end - absl::Now());
    REQUIRE(holds_);
  }
  // Has it swallow the answer that it holds.
  void GoOn() {
    MutexLock lock(&mutex_);
    goes_on_ = true;
    changed_.SignalAll();
  }
  int puts() {
    MutexLock lock(&mutex_);
    return puts_;
  }

 private:
  LoopbackReply Pass(const LoopbackRequest& request) {
    std::string head = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.path);
    for (const auto& [name, value] : request.headers)
      head += fmt::format("{}: {}\r\n", name, value);
    RawHttpReply reply;
    try {
      reply = RawHttpClient(port_).Exchange(head + "\r\n" + request.body);
    } catch (const std::exception&) {
      return {.action = LoopbackReply::Action::kClose};
    }
    const bool is_put = request.body.find("\"homechild-put-object\"") != std::string::npos;
    if (is_put && Swallows()) return {.action = LoopbackReply::Action::kClose};
    LoopbackReply passed{.status = reply.status, .body = std::move(reply.body)};
    for (auto& [name, value] : reply.headers) {
      if (name != "content-length" && name != "connection")
        passed.headers.emplace_back(name, value);
    }
    return passed;
  }

  bool Swallows() {
    MutexLock lock(&mutex_);
    if (++puts_ > 1) return false;
    holds_ = true;
    changed_.SignalAll();
    while (!goes_on_) changed_.Wait(&mutex_);
    return true;
  }

  const uint16_t port_;
  Mutex mutex_;
  CondVar changed_;
  bool holds_ ABSL_GUARDED_BY(mutex_) = false;
  bool goes_on_ ABSL_GUARDED_BY(mutex_) = false;
  int puts_ ABSL_GUARDED_BY(mutex_) = 0;
  LoopbackServer server_;  // Ends first.
};

// Pod B finds pod A behind the proxy from now on.
void PutBefore(TwoPods& pods, const SwallowingProxy& proxy) {
  REQUIRE(pods.Stop("B") == 0);
  std::ofstream(pods.File("pods.json")) << fmt::format(
      R"({{"pods": [
  {{"id": "A", "hosts": ["{}"], "key_files": ["keys/a-b.key"], "acts_for_any_user": true}},
  {{"id": "B", "hosts": ["http://127.0.0.1:{}"], "key_files": ["keys/a-b.key"], "acts_for_any_user": true}}
]}})",
      proxy.address(), pods.Port("B"));
  pods.Start("B");
}

// What anna asks on a pod about her calendar.
podctl::ApiRequest ForAnna(std::string method, std::vector<std::string> below_calendar) {
  podctl::ApiRequest request{.method = std::move(method),
                             .path = {"homes", "anna", "collections", "calendar"},
                             .query = {{"actor", "anna"}}};
  request.path.insert(request.path.end(), below_calendar.begin(), below_calendar.end());
  return request;
}

store::Changes ChangesOn(const TwoPods& pods, const std::string& pod, const std::string& since) {
  podctl::ApiRequest request = ForAnna("GET", {"changes"});
  if (!since.empty()) request.query.emplace_back("since", since);
  return ValueOf(conduit::FromJson<store::Changes>(ValueOf(pods.Api(pod)->Call(request))));
}

std::string MetricsOf(const TwoPods& pods, const std::string& pod) {
  return RawHttpClient(pods.Port(pod)).Exchange("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").body;
}

TEST_CASE("A put on another pod whose answer is swallowed succeeds once and changes once",
          "[e2e][keys]") {
  const bool dies = GENERATE(false, true);
  CAPTURE(dies);
  TwoPods pods;
  SwallowingProxy proxy(pods.Port("A"));
  PutBefore(pods, proxy);
  const std::string token = ChangesOn(pods, "A", "").sync_token;

  podctl::ApiRequest put = ForAnna("PUT", {"objects", "lunch.ics", "text"});
  put.headers = {{"If-None-Match", "*"}};  // Done twice, it would be refused.
  put.body = Event("lunch");
  absl::StatusOr<podctl::ApiReply> reply = absl::UnknownError("");
  std::jthread client([&, api = pods.Api("B")] { reply = api->Send(put); });
  proxy.AwaitAnswer();
  if (dies) {
    pods.Kill("A");
    pods.Start("A");
  }
  proxy.GoOn();
  client.join();

  REQUIRE(ValueOf(reply).status == 201);
  CHECK(proxy.puts() == 2);
  const auto made = ValueOf(conduit::FromJson<store::PutResult>(reply->body));
  CHECK(made.created);
  const store::Changes changes = ChangesOn(pods, "A", token);
  REQUIRE(changes.changed.size() == 1);
  CHECK(conduit::ToJson(changes.changed.front()) == conduit::ToJson(made.object));
  const auto revision = [](const std::string& of) {
    return std::stoll(of.substr(of.rfind('/') + 1));
  };
  CHECK(revision(changes.sync_token) == revision(token) + 1);

  const std::string metrics = MetricsOf(pods, "A");
  const std::string executed = dies ? "0" : "1";
  CHECK_THAT(metrics, Catch::Contains("podkit_conduit_keyed_total{result=\"repeated\"} 1\n"));
  CHECK_THAT(metrics,
             Catch::Contains("podkit_conduit_keyed_total{result=\"executed\"} " + executed + "\n"));
  CHECK_THAT(metrics, Catch::Contains("podkit_conduit_keys_held " + executed + "\n"));
  CHECK(pods.Stop("A") == 0);
  CHECK(pods.Stop("B") == 0);
}

}  // namespace
}  // namespace podkit::testing
