#include "share_bench.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load.h"
#include "must.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/http_transport.h"
#include "podkit/conduit/in_process.h"
#include "podkit/store/store.h"
#include "servers/http/http_server.h"
#include "tests/support/temp_dir.h"

namespace podkit::bench {
namespace {

std::string Event(std::string_view uid) {
  return fmt::format(
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Podkit//Bench//EN\r\nBEGIN:VEVENT\r\nUID:{}\r\n"
      "DTSTAMP:20260101T000000Z\r\nDTSTART:20260302T100000Z\r\nDTEND:20260302T110000Z\r\n"
      "SUMMARY:The weekly meeting\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
      uid);
}

// Answers for a conduit that is made later, over HTTP on a free port.
std::unique_ptr<servers::HttpServer> Serve(conduit::Conduit** conduit) {
  servers::Router router;
  const auto receive = [conduit](const servers::HttpRequest& request) {
    const auto header = [&](std::string_view name) {
      return std::string(request.headers.Find(name).value_or(""));
    };
    conduit::WireReply reply = (*conduit)->Receive({.content_type = header("Content-Type"),
                                                    .authorization = header("Authorization"),
                                                    .body = request.body});
    servers::HttpResponse response{
        .status = reply.status, .headers = {}, .body = std::move(reply.body)};
    response.headers.emplace_back("Content-Type", reply.content_type);
    response.headers.emplace_back("X-Podkit-Authorization", reply.authorization);
    return response;
  };
  if (!router.Add("POST", conduit::kConduitPath, receive).ok()) std::abort();
  return Must(servers::HttpServer::Start({}, std::move(router)));
}

// ann on pod A shares her calendar with bob on pod B.
class TwoPods {
 public:
  // `network` null: over HTTP.
  explicit TwoPods(conduit::InProcessNetwork* network) {
    if (network == nullptr) {
      for (int i = 0; i < 2; ++i) servers_[i] = Serve(&receivers_[i]);
    }
    directory_ = Must(store::FileUserDirectory::Create({{"ann", "Ann", "A"}, {"bob", "Bob", "B"}}));
    for (int i = 0; i < 2; ++i) Open(i, network);
    const auto share = Must(Must(stores_[0]->HomeFor("ann", "ann"))
                                ->Invite("calendar", "bob", store::Access::kReadWrite, ""));
    stores_[0]->DeliverMessages();
    Must(Must(stores_[1]->HomeFor("bob", "bob"))->Accept(share.share_uid, "anns"));
    stores_[1]->DeliverMessages();
  }

  std::unique_ptr<store::HomeChild> Own() {
    return Must(Must(stores_[0]->HomeFor("ann", "ann"))->ChildWith({.name = "calendar"}));
  }
  std::unique_ptr<store::HomeChild> Shared() {
    return Must(Must(stores_[1]->HomeFor("bob", "bob"))->ChildWith({.name = "anns"}));
  }

 private:
  void Open(int i, conduit::InProcessNetwork* network) {
    const std::string ids[] = {"A", "B"};
    std::vector<conduit::Pod> pods;
    for (int j = 0; j < 2; ++j) {
      conduit::Pod pod = {.id = ids[j]};
      pod.hosts = {fmt::format("http://127.0.0.1:{}", servers_[j] ? servers_[j]->port() : 80)};
      if (j != i) pod.keys = {"a key for a benchmark, which is no secret"};
      pods.push_back(std::move(pod));
    }
    conduit::Transport* transport = network;
    if (network == nullptr) transport = &http_;
    conduits_[i] = std::make_unique<conduit::Conduit>(
        Must(conduit::Pods::Create(std::move(pods), ids[i])), transport);
    stores_[i] =
        Must(store::Store::Open({.folder = folder_.File(ids[i]), .deliver_in_background = false},
                                directory_, conduits_[i].get(), ids[i]));
    receivers_[i] = conduits_[i].get();
    if (network != nullptr) {
      network->Connect(ids[i], [conduit = receivers_[i]](const conduit::WireRequest& request) {
        return conduit->Receive(request);
      });
    }
  }

  testing::TempDir folder_;
  conduit::HttpTransport http_;
  std::shared_ptr<store::FileUserDirectory> directory_;
  conduit::Conduit* receivers_[2] = {};
  std::unique_ptr<conduit::Conduit> conduits_[2];
  std::unique_ptr<store::Store> stores_[2];
  std::unique_ptr<servers::HttpServer> servers_[2];  // Stop before what they answer from.
};

std::atomic<int64_t> next_event = 0;

Load PutLoad(store::HomeChild& child, std::chrono::milliseconds length) {
  return RunLoad(1, length, [&](int) {
    const std::string uid = fmt::format("event-{}", next_event++);
    return child.PutObject(uid + ".ics", {Event(uid)}, {}).ok();
  });
}

Load GetLoad(store::HomeChild& child, std::chrono::milliseconds length) {
  const auto object = Must(child.ObjectWith({.name = "get.ics"}));
  return RunLoad(1, length, [&](int) { return object->Text().ok(); });
}

void PrintLoad(std::string_view what, const Load& load) {
  PrintFigure(fmt::format("store/{}-calls", what), load.per_second, "calls/s");
  PrintFigure(fmt::format("store/{}-p50", what), load.p50_us, "us");
  PrintFigure(fmt::format("store/{}-p99", what), load.p99_us, "us");
}

// `what`: "get", say, which the owner does and the other through the share.
void Compare(std::string_view way, std::string_view what, const std::pair<Load, Load>& loads,
             double goal) {
  const auto& [own, shared] = loads;
  PrintLoad(fmt::format("{}-own-{}", way, what), own);
  PrintLoad(fmt::format("{}-shared-{}", way, what), shared);
  PrintRatio(fmt::format("store/{}-shared-{}-to-own", way, what),
             shared.per_second / own.per_second, goal);
}

void Measure(std::string_view way, TwoPods& pods, bool quick, double get_goal, double put_goal) {
  const int rounds = quick ? 1 : 5;
  const std::chrono::milliseconds length(quick ? 20 : 500);
  const auto own = pods.Own();
  const auto shared = pods.Shared();
  Must(own->PutObject("get.ics", {Event("get")}, {}));
  const auto in_turn = [&](Load (*load)(store::HomeChild&, std::chrono::milliseconds)) {
    return RunLoadsInTurn(
        rounds, [&] { return load(*own, length); }, [&] { return load(*shared, length); });
  };
  Compare(way, "get", in_turn(GetLoad), get_goal);
  Compare(way, "put", in_turn(PutLoad), put_goal);
}

}  // namespace

void RunShareBench(bool quick) {
  {
    conduit::InProcessNetwork network;
    TwoPods pods(&network);
    Measure("in-process", pods, quick, 0.3, 0.8);
  }
  TwoPods pods(nullptr);
  Measure("http", pods, quick, 0.1, 0.5);
}

}  // namespace podkit::bench
