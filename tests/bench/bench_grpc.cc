// The same small call through gRPC C++ and through the conduit's transports, in one run on the same
// cores: one thread at each end, both in this process, over loopback, 1 to 256 calls in flight.
//
// gRPC is used as its own benchmarks use it: completion queues, a kept channel, no TLS. The conduit
// encodes and decodes its calls as ever; its links are sealed (AES-256-GCM) and its HTTP is signed.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "echo.grpc.pb.h"
#include "fmt/format.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/http_transport.h"
#include "podkit/conduit/mux_transport.h"
#include "servers/http/http_server.h"
#include "tests/bench/load.h"

namespace podkit::bench {
namespace {

using conduit::CallContext;
using conduit::Conduit;
using conduit::HttpTransport;
using conduit::MuxTransport;
using conduit::Pod;
using conduit::Pods;
using servers::HttpRequest;
using servers::HttpResponse;
using servers::HttpServer;
using Clock = std::chrono::steady_clock;

// Both ends of one way to call.
class Way {
 public:
  virtual ~Way() = default;
  // Calls `done` with whether the answer was `text`, from the one thread that takes answers.
  virtual void Start(const std::string& text, std::function<void(bool)> done) = 0;
};

class GrpcWay final : public Way {
 public:
  GrpcWay() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) std::abort();
    for (int i = 0; i < 512; ++i) Served::Await(&service_, server_queue_.get());
    server_thread_ = std::thread([this] { Drive<Served>(*server_queue_); });
    stub_ = Echo::NewStub(
        grpc::CreateChannel(fmt::format("127.0.0.1:{}", port), grpc::InsecureChannelCredentials()));
    client_thread_ = std::thread([this] { Drive<Sent>(client_queue_); });
  }
  ~GrpcWay() override {
    client_queue_.Shutdown();
    client_thread_.join();
    server_->Shutdown(std::chrono::system_clock::now());
    server_queue_->Shutdown();
    server_thread_.join();
  }

  void Start(const std::string& text, std::function<void(bool)> done) override {
    auto* const call = new Sent;
    call->done = std::move(done);
    call->request.set_text(text);
    call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    call->reader = stub_->AsyncSay(&call->context, call->request, &client_queue_);
    call->reader->Finish(&call->response, &call->status, call);
  }

 private:
  struct Sent {
    void Step(bool ok) {
      done(ok && status.ok() && response.text().size() == request.text().size());
      delete this;
    }
    grpc::ClientContext context;
    Text request;
    Text response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Text>> reader;
    std::function<void(bool)> done;
  };

  // One call at the server: awaited, then answered, then replaced.
  struct Served {
    static void Await(Echo::AsyncService* service, grpc::ServerCompletionQueue* queue) {
      auto* const call = new Served(service, queue);
      service->RequestSay(&call->context, &call->request, &call->writer, queue, queue, call);
    }
    Served(Echo::AsyncService* the_service, grpc::ServerCompletionQueue* the_queue)
        : service(the_service), queue(the_queue) {}
    void Step(bool ok) {
      if (!ok || answered) {
        delete this;
        return;
      }
      Await(service, queue);
      answered = true;
      response.set_text(request.text());
      writer.Finish(response, grpc::Status::OK, this);
    }
    Echo::AsyncService* const service;
    grpc::ServerCompletionQueue* const queue;
    grpc::ServerContext context;
    Text request;
    Text response;
    grpc::ServerAsyncResponseWriter<Text> writer{&context};
    bool answered = false;
  };

  template <typename Call>
  static void Drive(grpc::CompletionQueue& queue) {
    void* call = nullptr;
    for (bool ok = false; queue.Next(&call, &ok);) static_cast<Call*>(call)->Step(ok);
  }

  Echo::AsyncService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> server_queue_;
  std::unique_ptr<grpc::Server> server_;
  std::thread server_thread_;
  std::unique_ptr<Echo::Stub> stub_;
  grpc::CompletionQueue client_queue_;
  std::thread client_thread_;
};

struct Say {
  static constexpr conduit::CommandInfo kInfo = {.name = "say", .effect = conduit::Effect::kRead};
  struct Arguments {
    std::string text;
    static constexpr auto Fields() {
      return std::make_tuple(conduit::Required("text", &Arguments::text));
    }
  };
  using Response = Arguments;
  using Errors = conduit::ErrorList<>;
};

std::shared_ptr<Pods> PodsOf(std::string own_id, std::vector<std::string> hosts_of_b = {}) {
  const std::string key(32, 'k');
  return *Pods::Create({Pod{.id = "A", .keys = {key}},
                        Pod{.id = "B", .hosts = std::move(hosts_of_b), .keys = {key}}},
                       std::move(own_id));
}

void Serve(Conduit& b) {
  b.Handle<Say>(
      [](const CallContext&, const Say::Arguments& arguments) -> absl::StatusOr<Say::Response> {
        return arguments;
      },
      {.quick = true});
}

void StartSay(Conduit& a, const std::string& text, std::function<void(bool)> done) {
  a.Start<Say>("B", {}, {.text = text}, {},
               [size = text.size(), done = std::move(done)](const auto& answer) {
                 done(answer.ok() && answer->text.size() == size);
               });
}

std::string AddressOf(const HttpServer& server) {
  return fmt::format("http://127.0.0.1:{}", server.port());
}

std::unique_ptr<HttpServer> StartServer(servers::Router router, const absl::Status& added) {
  auto server = HttpServer::Start({}, std::move(router));
  if (!added.ok() || !server.ok()) std::abort();
  return *std::move(server);
}

class LinkWay final : public Way {
 public:
  LinkWay() {
    Serve(b_);
    transport_b_->Serve([this](conduit::ReceivedCall call) { b_.Answer(std::move(call)); });
  }
  ~LinkWay() override {
    server_.reset();
    transport_a_->Stop();
    transport_b_->Stop();
  }
  void Start(const std::string& text, std::function<void(bool)> done) override {
    StartSay(a_, text, std::move(done));
  }

 private:
  std::unique_ptr<HttpServer> Mount() {
    servers::Router router;
    const auto added = router.AddUpgrade(
        conduit::kMuxPath, conduit::kMuxProtocol,
        [this](const HttpRequest&) { return HttpResponse::SwitchTo(transport_b_->Acceptor()); });
    return StartServer(std::move(router), added);
  }

  const std::unique_ptr<MuxTransport> transport_b_ = *MuxTransport::Create(PodsOf("B"));
  std::unique_ptr<HttpServer> server_ = Mount();
  const std::shared_ptr<Pods> pods_a_ = PodsOf("A", {AddressOf(*server_)});
  const std::unique_ptr<MuxTransport> transport_a_ = *MuxTransport::Create(pods_a_);
  Conduit b_{PodsOf("B"), transport_b_.get()};
  Conduit a_{pods_a_, transport_a_.get()};
};

class HttpWay final : public Way {
 public:
  HttpWay() { Serve(b_); }
  ~HttpWay() override { server_.reset(); }
  void Start(const std::string& text, std::function<void(bool)> done) override {
    StartSay(a_, text, std::move(done));
  }

 private:
  std::unique_ptr<HttpServer> Mount() {
    servers::Router router;
    const auto added = router.Add(
        "POST", conduit::kConduitPath,
        [this](const HttpRequest& request) {
          conduit::WireReply reply = b_.Receive(
              {.content_type = std::string(request.headers.Find("content-type").value_or("")),
               .authorization = std::string(request.headers.Find("authorization").value_or("")),
               .body = request.body});
          HttpResponse response{.status = reply.status, .headers = {}, .body = reply.body};
          response.headers.emplace_back("Content-Type", std::move(reply.content_type));
          response.headers.emplace_back("X-Podkit-Authorization", std::move(reply.authorization));
          return response;
        },
        {.thread = servers::HandlerThread::kInline});
    return StartServer(std::move(router), added);
  }

  HttpTransport transport_b_;
  Conduit b_{PodsOf("B"), &transport_b_};
  std::unique_ptr<HttpServer> server_ = Mount();
  HttpTransport transport_a_{{.max_connections = 256}};
  Conduit a_{PodsOf("A", {AddressOf(*server_)}), &transport_a_};
};

// Keeps `depth` calls in flight for a while.
class Flight {
 public:
  Flight(Way* way, int depth, size_t bytes, std::chrono::milliseconds duration)
      : way_(way), text_(bytes, 't'), end_(Clock::now() + duration), left_(depth), over_(1) {
    taken_.reserve(1 << 20);
    for (int i = 0; i < depth; ++i) Call();
  }

  Load Wait() {
    over_.wait();
    const std::chrono::duration<double> took = Clock::now() - start_;
    std::sort(taken_.begin(), taken_.end());
    return {.per_second = static_cast<double>(taken_.size()) / took.count(),
            .p50_us = taken_[taken_.size() / 2],
            .p99_us = taken_[taken_.size() * 99 / 100],
            .cpu_us = (CpuTime() - cpu_).count() * 1e6 / static_cast<double>(taken_.size())};
  }

 private:
  void Call() {
    const auto start = Clock::now();
    way_->Start(text_, [this, start](bool good) {
      if (!good) {
        fmt::print(stderr, "a call failed\n");
        std::abort();
      }
      const auto now = Clock::now();
      // One thread takes all answers.
      taken_.push_back(std::chrono::duration<double, std::micro>(now - start).count());
      if (now < end_) return Call();
      if (left_.fetch_sub(1) == 1) over_.count_down();
    });
  }

  Way* const way_;
  const std::string text_;
  const Clock::time_point start_ = Clock::now();
  const std::chrono::duration<double> cpu_ = CpuTime();
  const Clock::time_point end_;
  std::vector<double> taken_;
  std::atomic<int> left_;
  std::latch over_;
};

void Print(std::string_view way, size_t bytes, int depth, const Load& load) {
  const auto name = [&](std::string_view what) {
    return fmt::format("grpc/{}_{}_{}_bytes_{}", way, what, bytes, depth);
  };
  PrintFigure(name("calls"), load.per_second, "calls/s");
  PrintFigure(name("p50"), load.p50_us, "us");
  PrintFigure(name("p99"), load.p99_us, "us");
  PrintFigure(name("cpu"), load.cpu_us, "us");
}

// In turn, so that what else the machine does meets all alike; of each the median round.
void Compare(Way& grpc, Way& link, Way& http, size_t bytes, int depth, int rounds,
             std::chrono::milliseconds round) {
  std::vector<Load> loads[3];
  for (int i = 0; i < rounds; ++i) {
    Way* const ways[] = {&grpc, &link, &http};
    for (int way = 0; way < 3; ++way) {
      loads[way].push_back(Flight(ways[way], depth, bytes, round).Wait());
    }
  }
  for (auto& of_way : loads) {
    std::sort(of_way.begin(), of_way.end(),
              [](const Load& a, const Load& b) { return a.per_second < b.per_second; });
  }
  const auto median = [&](int way) { return loads[way][loads[way].size() / 2]; };
  Print("grpc", bytes, depth, median(0));
  Print("link", bytes, depth, median(1));
  Print("http", bytes, depth, median(2));
  PrintRatio(fmt::format("grpc/link_calls_to_grpc_{}_bytes_{}", bytes, depth),
             median(1).per_second / median(0).per_second, depth >= 64 ? 2 : 1);
  PrintRatio(fmt::format("grpc/http_calls_to_grpc_{}_bytes_{}", bytes, depth),
             median(2).per_second / median(0).per_second, 1);
  if (depth == 1) {
    PrintRatio(fmt::format("grpc/grpc_p50_to_link_{}_bytes", bytes),
               median(0).p50_us / median(1).p50_us, 1);
  }
}

void Bench(bool quick) {
  GrpcWay grpc;
  LinkWay link;
  HttpWay http;
  const int rounds = quick ? 1 : 3;
  const std::chrono::milliseconds round(quick ? 20 : 1000);
  for (Way* const way : std::initializer_list<Way*>{&grpc, &link, &http}) {
    Flight(way, 256, 128, round).Wait();  // Opens connections and fills caches.
  }
  for (const size_t bytes : {128, 4096}) {
    for (const int depth : {1, 16, 64, 256}) {
      Compare(grpc, link, http, bytes, depth, rounds, round);
    }
  }
}

}  // namespace
}  // namespace podkit::bench

int main(int argc, char** argv) {
  podkit::bench::Bench(argc > 1 && std::string_view(argv[1]) == "--quick");
}
