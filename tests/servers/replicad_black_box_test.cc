// A gateway as its peers see it, on the wire and under fault: hostile requests, the cache, drivers
// that break, new driver code under load, and the death of the process in the middle of writes.

#include <atomic>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "podkit/replica/gateway.h"
#include "tests/servers/gateway_process.h"

namespace podkit::testing {
namespace {

using replica::ChunkOutcome;
using replica::ClientError;
using replica::ControlMessage;
using replica::Operation;

constexpr std::string_view kBoundary = "bb";

// Requests that a well-behaved client would not make.
class Wire {
 public:
  explicit Wire(const GatewayProcess& gateway) : gateway_(gateway) {}

  static ControlMessage Message(std::string_view bytes, uint64_t id = 1) {
    static std::atomic<int> nonce = 0;
    return {.operation = Operation::kPut,
            .gateway = "g1",
            .volume = "v",
            .sent = absl::FromUnixMillis(absl::ToUnixMillis(absl::Now())),
            .nonce = std::to_string(nonce++),
            .chunks = {{.name = ChunkOf(id),
                        .hash = replica::HashOf(bytes),
                        .has_hash = true,
                        .size = bytes.size()}}};
  }
  std::string Sign(std::string_view control) const {
    return gateway_.ann.SignText(replica::SignedFor::kRequest, "ann", control);
  }
  static std::string Part(std::string_view name, std::string_view bytes) {
    return fmt::format("--{}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n",
                       kBoundary, name, bytes);
  }
  static std::string End() { return fmt::format("--{}--\r\n", kBoundary); }
  std::string Body(const ControlMessage& message, std::string_view bytes) const {
    return Part("control-plane", Sign(replica::EncodeControl(message))) +
           Part("data-plane", bytes) + End();
  }
  static std::string Head(size_t size) {
    return fmt::format(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary={}\r\n"
        "Content-Length: {}\r\n\r\n",
        kBoundary, size);
  }
  int Post(std::string_view body) const {
    RawHttpClient client(gateway_.port());
    client.Send(Head(body.size()));
    client.Send(body);
    return client.Receive().status;
  }

 private:
  const GatewayProcess& gateway_;
};

TEST_CASE("Malformed and untrue requests are refused, each with its status", "[e2e][blackbox]") {
  GatewayProcess gateway({"--max-chunk-bytes", "1048576", "--memory-bytes", "4194304"});
  const Wire wire(gateway);
  const std::string control = wire.Sign(replica::EncodeControl(Wire::Message("bytes")));
  CHECK(wire.Post("") == 400);
  CHECK(wire.Post("--bb") == 400);
  CHECK(wire.Post(Wire::Part("control-plane", "unsigned") + Wire::End()) == 401);
  CHECK(wire.Post(Wire::Part("control-plane", wire.Sign("{}")) + Wire::End()) == 400);
  CHECK(wire.Post(Wire::Part("data-plane", "bytes") + Wire::End()) == 400);
  CHECK(wire.Post(Wire::Part("control-plane", control) + Wire::End()) == 400);
  CHECK(wire.Post(wire.Body(Wire::Message("bytes"), "other")) == 400);
  CHECK(wire.Post(wire.Body(Wire::Message("bytes"), "bytes and more")) == 400);
  CHECK(wire.Post(wire.Body(Wire::Message("bytes"), "byte")) == 400);
  CHECK(wire.Post(wire.Body(Wire::Message("bytes"), "bytes") + "behind") == 400);
  ControlMessage large = Wire::Message("bytes");
  large.chunks[0].size = (1 << 20) + 1;
  CHECK(wire.Post(wire.Body(large, "bytes")) == 413);
  ControlMessage slices = Wire::Message("bytes");
  slices.chunks[0].size = uint64_t{1} << 63;
  CHECK(wire.Post(wire.Body(slices, "bytes")) >= 400);
  ControlMessage beyond = Wire::Message("bytes");
  beyond.chunks[0].offset = (uint64_t{1} << 63) - 1;
  beyond.chunks[0].length = 2;
  CHECK(wire.Post(wire.Body(beyond, "bytes")) == 400);
  std::string unknown = replica::EncodeControl(Wire::Message("bytes"));
  unknown.replace(unknown.find("\"put\""), 5, "\"fly\"");
  CHECK(wire.Post(Wire::Part("control-plane", wire.Sign(unknown)) + Wire::End()) == 400);
  CHECK(GetOne(gateway.Client().get(), 1, "bytes") == "NoSuchChunk");
  RawHttpClient client(gateway.port());
  client.Send(Wire::Head(64 << 20));
  CHECK(client.Receive().status == 413);
}

TEST_CASE("The same request is taken once, also after a restart", "[e2e][blackbox]") {
  GatewayProcess gateway;
  const Wire wire(gateway);
  const std::string body = wire.Body(Wire::Message("bytes"), "bytes");
  CHECK(wire.Post(body) == 200);
  CHECK(wire.Post(body) == 401);
  gateway.Restart();
  CHECK(Wire(gateway).Post(body) == 401);
}

TEST_CASE("Who is not admitted is told so before any data is taken", "[e2e][blackbox]") {
  GatewayProcess gateway;
  const std::string control = Wire::Part("control-plane", "unsigned");
  RawHttpClient client(gateway.port());
  client.Send(Wire::Head(100 << 20) + control + "--bb\r\n");  // And none of the 100 MiB.
  const auto reply = client.Receive();
  CHECK(reply.status == 401);
  CHECK(reply.headers.at("connection") == "close");
}

TEST_CASE("No change of a single byte makes another request", "[e2e][blackbox]") {
  GatewayProcess gateway;
  const Wire wire(gateway);
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::minstd_rand random(seed);
  for (int round = 0; round < 200; ++round) {
    const std::string body = wire.Body(Wire::Message("bytes"), "bytes");
    std::string changed = body.substr(0, body.size() - 2);  // White space may end it.
    char& byte = changed[random() % changed.size()];
    const char before = byte;
    byte = static_cast<char>(byte ^ static_cast<char>(1 + random() % 255));
    const int status = wire.Post(changed);
    CAPTURE(round, before, byte, changed);
    if (status == 200) {  // A header's name in another case means the same.
      CHECK(GetOne(gateway.Client().get(), 1, "bytes") == "bytes");
      CHECK(DeleteOne(gateway.Client().get(), 1) == "deleted");
    } else {
      CHECK((status == 400 || status == 401 || status == 413));
    }
  }
  CHECK(gateway.Http("GET", "/healthz").status == 200);
}

TEST_CASE("The cache spares the driver, forgets what is deleted, and outlives a restart",
          "[e2e][blackbox]") {
  const auto gateway = GatewayProcess::WithFaultyDriver(PODKIT_FAULTY_DRIVER);
  auto client = gateway->Client();
  const std::string bytes(50'000, 'c');
  REQUIRE(PutOne(client.get(), 1, bytes) == "stored");
  for (int i = 0; i < 5; ++i) CHECK((GetOne(client.get(), 1, bytes) == bytes));
  CHECK(gateway->Calls("read") == 1);
  gateway->Restart();
  client = gateway->Client();
  CHECK((GetOne(client.get(), 1, bytes) == bytes));
  CHECK(gateway->Calls("read") == 1);
  // A damaged file of the cache is noticed, and the chunk fetched again.
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(gateway->File("data/cache"))) {
    if (!entry.is_regular_file() || entry.file_size() < bytes.size()) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(10);
    file.put('X');
  }
  CHECK((GetOne(client.get(), 1, bytes) == bytes));
  CHECK(gateway->Calls("read") == 2);
  CHECK(DeleteOne(client.get(), 1) == "deleted");
  CHECK(GetOne(client.get(), 1, bytes) == "NoSuchChunk");
  CHECK(gateway->Calls("read") == 2);
}

TEST_CASE("A chunk that is damaged behind the gateway is never served", "[e2e][blackbox]") {
  const auto gateway = GatewayProcess::WithFaultyDriver(PODKIT_FAULTY_DRIVER);
  const auto client = gateway->Client();
  REQUIRE(PutOne(client.get(), 1, "right") == "stored");
  std::ofstream(gateway->File("kept/v.f.0.b1.0")) << "wrong";
  CHECK(GetOne(client.get(), 1, "right") == "Failed");
  std::ofstream(gateway->File("kept/v.f.0.b1.0")) << "right";
  CHECK(GetOne(client.get(), 1, "right") == "right");
  CHECK_THAT(gateway->Http("GET", "/metrics").body,
             Catch::Contains("podkit_gateway_chunks_corrupt_total 1\n"));
}

TEST_CASE("A driver that breaks costs one request, within its deadline", "[e2e][blackbox]") {
  const auto gateway =
      GatewayProcess::WithFaultyDriver(PODKIT_FAULTY_DRIVER, {"--driver-timeout-seconds", "2"});
  const auto client = gateway->Client();
  uint64_t id = 1;
  for (const auto& [fault, error] :
       std::map<std::string, std::string>{{"crash", "Failed"},
                                          {"garbage", "Failed"},
                                          {"two", "Failed"},
                                          {"hang", "Failed"},
                                          {"positive", "DriverRefused"},
                                          {"print", "stored"},
                                          {"errno28", "DriverRefused"},
                                          {"errno5", "DriverRefused"}}) {
    CAPTURE(fault);
    gateway->Fault("write", fault);
    const absl::Time begin = absl::Now();
    CHECK(PutOne(client.get(), ++id, "bytes") == error);
    CHECK(absl::Now() - begin < absl::Seconds(20));
    CHECK(PutOne(client.get(), id, "bytes") == (error == "stored" ? "present" : "stored"));
    CHECK(GetOne(client.get(), id, "bytes") == "bytes");
  }
  for (const std::string fault : {"crash", "hang", "garbage", "short", "errno5"}) {
    CAPTURE(fault);
    REQUIRE(PutOne(client.get(), ++id, "bytes") == "stored");
    gateway->Fault("read", fault);
    CHECK(GetOne(client.get(), id, "bytes") == "Failed");
    CHECK(GetOne(client.get(), id, "bytes") == "bytes");
  }
}

TEST_CASE("A disk that is full is the driver's answer: 200 with the error in the reply",
          "[e2e][blackbox]") {
  const auto gateway = GatewayProcess::WithFaultyDriver(PODKIT_FAULTY_DRIVER);
  gateway->Fault("write", "ok errno28 ok");
  const auto batch =
      gateway->Client()->Put({{ChunkOf(1), "a"}, {ChunkOf(2), "b"}, {ChunkOf(3), "c"}}, {}, Soon());
  CHECK(batch.status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(replica::ErrorOf(batch.status) == ClientError::kDriverRefused);
  REQUIRE(batch.results.size() == 3);
  CHECK(batch.results[0].outcome == ChunkOutcome::kStored);
  CHECK(batch.results[1].outcome == ChunkOutcome::kFailed);
  CHECK(batch.results[1].error == -28);
  CHECK(batch.results[2].outcome == ChunkOutcome::kStored);
  gateway->Fault("write", "errno28");
  CHECK(Wire(*gateway).Post(Wire(*gateway).Body(Wire::Message("d", 4), "d")) == 200);
}

TEST_CASE("A stage that breaks fails the request and never lets a chunk through as it is",
          "[e2e][blackbox]") {
  const auto gateway = GatewayProcess::WithFaultyDriver(PODKIT_FAULTY_STAGE_DRIVER);
  const auto client = gateway->Client();
  gateway->Fault("deserialize", "crash");
  CHECK(PutOne(client.get(), 1, "clear") == "Failed");
  CHECK(!std::filesystem::exists(gateway->File("kept/v.f.0.b1.0")));
  CHECK(PutOne(client.get(), 1, "clear") == "stored");
  std::string kept;
  std::ifstream(gateway->File("kept/v.f.0.b1.0")) >> kept;
  CHECK(kept != "clear");
  gateway->Fault("serialize", "crash");
  CHECK(GetOne(client.get(), 1, "clear") == "Failed");
  CHECK(GetOne(client.get(), 1, "clear") == "clear");
}

// The processes that `pid` started and that live.
std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  std::ifstream file(fmt::format("/proc/{0}/task/{0}/children", pid));
  for (pid_t child = 0; file >> child;) children.push_back(child);
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
    std::ifstream more(task.path() / "children");
    for (pid_t child = 0; more >> child;) children.push_back(child);
  }
  return children;
}

TEST_CASE("Workers that are killed under load cost single requests, and none is wrong",
          "[e2e][blackbox]") {
  GatewayProcess gateway({"--cache-bytes", "0"});
  std::atomic<bool> stop = false;
  std::atomic<int> good = 0;
  std::atomic<int> failed = 0;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      const auto client = replica::ReplicaClient::Create(gateway.ClientOptions());
      for (uint64_t i = 0; !stop; ++i) {
        const uint64_t id = t * 1'000'000 + i;
        const std::string bytes = fmt::format("chunk {}", id);
        std::string outcome = PutOne(client->get(), id, bytes);
        if (outcome == "stored" || outcome == "present") {
          outcome = GetOne(client->get(), id, bytes);
        }
        // Busy: until a worker has started again.
        if (outcome == "Busy") continue;
        ++(outcome == bytes ? good : outcome == "Failed" ? failed : wrong);
      }
    });
  }
  int killed = 0;
  for (int round = 0; round < 10; ++round) {
    const int before = good;
    while (good < before + 20) std::this_thread::yield();
    const auto workers = ChildrenOf(gateway.process().pid());
    CHECK(!workers.empty());
    for (const pid_t worker : workers) kill(worker, SIGKILL);
    killed += static_cast<int>(workers.size());
  }
  const int before = good;
  while (good < before + 20) std::this_thread::yield();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(failed <= killed);
}

TEST_CASE("New driver code takes over under load without a failed request, bad code does not",
          "[e2e][blackbox]") {
  const auto gateway = GatewayProcess::WithFaultyDriver(PODKIT_FAULTY_DRIVER);
  std::atomic<bool> stop = false;
  std::atomic<int> good = 0;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      const auto client = replica::ReplicaClient::Create(gateway->ClientOptions());
      for (uint64_t i = 0; !stop; ++i) {
        const uint64_t id = t * 1'000'000 + i;
        const bool well = PutOne(client->get(), id, "bytes") == "stored" &&
                          GetOne(client->get(), id, "bytes") == "bytes";
        ++(well ? good : failed);
      }
    });
  }
  const auto wait = [&] {
    for (const int before = good; good < before + 20 && failed == 0;) std::this_thread::yield();
  };
  wait();
  gateway->Reload("reloaded: the driver");
  wait();
  gateway->WriteDriver("/nowhere.so");
  gateway->Reload("not reloaded, the driver stays as it was");
  wait();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK(good >= 60);
}

TEST_CASE("What was acknowledged is there after kill -9 in the middle of writes",
          "[e2e][blackbox][fault]") {
  GatewayProcess gateway;
  Mutex mutex;
  std::map<uint64_t, std::string> acknowledged;
  std::atomic<uint64_t> next = 0;
  for (int round = 0; round < 5; ++round) {
    std::atomic<bool> stop = false;
    std::atomic<int> done = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        const auto client = replica::ReplicaClient::Create(gateway.ClientOptions());
        while (!stop) {
          const uint64_t id = next++;
          const std::string bytes = fmt::format("{} {}", id, std::string(id * 97 % 30'000, 'k'));
          if (PutOne(client->get(), id, bytes) != "stored") continue;
          const MutexLock lock(&mutex);
          acknowledged[id] = bytes;
          ++done;
        }
      });
    }
    while (done < 60) std::this_thread::yield();
    gateway.Kill();
    stop = true;
    for (std::thread& thread : threads) thread.join();
    gateway.Start();
    const auto client = gateway.Client();
    int missing = 0;
    for (const auto& [id, bytes] : acknowledged) {
      missing += GetOne(client.get(), id, bytes) == bytes ? 0 : 1;
    }
    CHECK(missing == 0);
  }
  CHECK(acknowledged.size() >= 300);
}

TEST_CASE("A quota holds to the byte after kill -9 in the middle of writes",
          "[e2e][blackbox][fault][quota]") {
  constexpr size_t kRoom = 400;  // Chunks.
  GatewayProcess gateway;
  gateway.WriteWriters(fmt::format(R"({{"volume": "v", "bytes": {}}})", kRoom * 100));
  gateway.Reload("reloaded: the writers");
  const std::string bytes(100, 'q');
  std::atomic<uint64_t> next = 0;
  std::atomic<int> done = 0;
  const auto write = [&] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        const auto client = replica::ReplicaClient::Create(gateway.ClientOptions());
        while (PutOne(client->get(), next++, bytes) == "stored") ++done;
      });
    }
    return threads;
  };
  auto threads = write();
  while (done < 100) std::this_thread::yield();
  gateway.Kill();
  for (std::thread& thread : threads) thread.join();
  gateway.Start();
  threads = write();  // Until there is no room.
  for (std::thread& thread : threads) thread.join();
  const auto client = gateway.Client();
  CHECK(PutOne(client.get(), next++, bytes) == "OverQuota");
  CHECK(PutOne(client.get(), next++, "") == "stored");
  std::vector<replica::ChunkRef> all;
  all.reserve(next);
  for (uint64_t id = 0; id < next; ++id) all.push_back({ChunkOf(id), replica::HashOf(bytes)});
  size_t kept = 0;
  for (const auto& result : client->Lacking(all, Soon()).results) {
    kept += result.outcome == ChunkOutcome::kPresent ? 1 : 0;
  }
  CHECK(kept == kRoom);
}

TEST_CASE("A gateway that is asked to stop answers what it has begun", "[e2e][blackbox]") {
  GatewayProcess gateway;
  const Wire wire(gateway);
  const std::string body = wire.Body(Wire::Message("bytes"), "bytes");
  RawHttpClient client(gateway.port());
  client.Send(Wire::Head(body.size()) + body.substr(0, 300));
  REQUIRE(gateway.Http("GET", "/healthz").status == 200);
  gateway.process().Signal(SIGTERM);
  gateway.process().WaitForErr("stopping: SIGTERM");
  client.Send(body.substr(300));
  CHECK(client.Receive().status == 200);
  CHECK(gateway.process().Wait() == 0);
  gateway.Start();
  CHECK(GetOne(gateway.Client().get(), 1, "bytes") == "bytes");
}

}  // namespace
}  // namespace podkit::testing
