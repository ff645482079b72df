// replicad as a program, with the client of libreplica: how it starts or says why not, puts and
// gets, who may do what, and podctl's verbs for it.
#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/servers/gateway_process.h"
#include "tests/support/free_port.h"

namespace podkit::testing {
namespace {

using replica::ChunkOutcome;
using replica::ClientError;
using replica::ErrorOf;

ProcessResult RunReplicad(const TempDir& folder, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), PODKIT_REPLICAD);
  return RunProcess(std::move(arguments), {.folder = folder.path().string()});
}

struct BadStart {
  std::vector<std::string> arguments;
  int exit_code;
  std::string text;
};

TEST_CASE("replicad refuses what makes no sense and says what", "[e2e][replicad]") {
  const TempDir folder;
  const auto write = [&](const std::string& name, std::string_view text) {
    std::ofstream(folder.File(name)) << text;
  };
  write("unknown.json", R"({"gateways": "g1"})");
  write("writers.json", R"({"writers": [{"id": "ann", "keys": ["12"], "grants": []}]})");
  write("right.json", R"({"writers": [{"id": "ann", "keys": [], "grants": [
      {"volume": "v", "may": ["fly"]}]}]})");
  write("nodriver.json", R"({"storage": {"driver": "tape"}})");
  write("nofolder.json", R"({"storage": {"driver": "disk"}})");
  write("workers.json", R"({"storage": {"driver": "disk"}, "max_workers": 0})");
  write("self.json",
        fmt::format(R"({{"peers": [{{"id": "g1", "url": "http://h", "public_key": "{}"}}]}})",
                    std::string(64, '1')));
  write("quotas.json", R"({"writers": [], "quotas": [{"volume": "v", "bytes": 1},
      {"volume": "v", "bytes": 2}]})");
  write("peers.json", R"({"peers": [{"id": "g2", "url": "http://h", "public_key": "12"}]})");
  write("open.key", std::string(64, 'a'));
  REQUIRE(chmod(folder.File("open.key").c_str(), 0644) == 0);
  const std::vector<BadStart> all = {
      {{"--bogus"}, 2, "--bogus"},
      {{"--gateway", "a b"}, 2, "'a b'"},
      {{"--listen", "localhost:1"}, 2, "'localhost:1' is not an IP address and a port"},
      {{"--threads", "0"}, 2, "--threads: 0"},
      {{"--memory-bytes", "1048576"}, 2, "--memory-bytes"},
      {{"--tls-key-file", "k"}, 2, "give both or none"},
      {{"--config", "unknown.json"}, 2, "there is no member 'gateways'"},
      {{"--writers-file", "nope.json"}, 1, "nope.json"},
      {{"--writers-file", "writers.json"}, 1, "writer 'ann': a public key is 64"},
      {{"--writers-file", "right.json"}, 1, "'fly' is not read, put, delete or rename"},
      {{"--driver-file", "nodriver.json"}, 1, "there is no driver 'tape'"},
      {{"--driver-file", "nofolder.json"}, 1, "needs \"folder\""},
      {{"--driver-file", "workers.json"}, 1, "max_workers"},
      {{"--writers-file", "quotas.json"}, 1, "two quotas for volume 'v'"},
      {{"--peers-file", "self.json"}, 1, "peer 'g1': it is this gateway itself"},
      {{"--peers-file", "peers.json"}, 1, "peer 'g2': a public key is 64"},
      {{"--scrub-interval-hours", "0"}, 2, "--scrub-interval-hours"},
      {{"--key-file", "nope.key"}, 1, "podctl chunk keygen"},
      {{"--key-file", "open.key"}, 1, "chmod 600"},
      {{"--listen", "203.0.113.1:1"}, 1, "--listen"},
  };
  for (const BadStart& bad : all) {
    CAPTURE(bad.arguments);
    const ProcessResult result = RunReplicad(folder, bad.arguments);
    CHECK(result.exit_code == bad.exit_code);
    CHECK_THAT(result.err, Catch::Contains("replicad: ") && Catch::Contains(bad.text));
    CHECK(result.out.empty());
  }
}

TEST_CASE("replicad --check-config changes nothing", "[e2e][replicad]") {
  const TempDir folder;
  const ProcessResult result = RunReplicad(folder, {"--check-config"});
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.out, Catch::Contains("gateway g1 on http://127.0.0.1:8401"));
  CHECK(!std::filesystem::exists(folder.File("podkit-chunks")));
  CHECK_THAT(RunReplicad(folder, {"--help"}).out, Catch::Contains("--writers-file"));
}

TEST_CASE("Chunks are put, read, compared and deleted, each of it again and again",
          "[e2e][replicad]") {
  GatewayProcess gateway;
  const auto client = gateway.Client();
  CHECK(PutOne(client.get(), 1, "bytes") == "stored");
  CHECK(PutOne(client.get(), 1, "bytes") == "present");
  CHECK(PutOne(client.get(), 1, "other") == "Conflict");
  CHECK(PutOne(client.get(), 1, "bytes", "v", {.only_if_absent = true}) == "AlreadyThere");
  CHECK(PutOne(client.get(), 2, "") == "stored");
  CHECK(GetOne(client.get(), 1, "bytes") == "bytes");
  CHECK(GetOne(client.get(), 1, "other") == "WrongBytes");
  CHECK(GetOne(client.get(), 2, "").empty());
  CHECK(GetOne(client.get(), 3, "") == "NoSuchChunk");
  const auto info = ValueOf(client->Look(ChunkOf(1), Soon()));
  CHECK(info.hash == replica::HashOf("bytes"));
  CHECK(info.size == 5);
  CHECK(client->Look(ChunkOf(9), Soon()).status().code() == absl::StatusCode::kNotFound);
  const auto lacking = client->Lacking({{.name = ChunkOf(1), .hash = {}},
                                        {.name = ChunkOf(1), .hash = replica::HashOf("other")},
                                        {.name = ChunkOf(3), .hash = {}}},
                                       Soon());
  REQUIRE(lacking.status == absl::OkStatus());
  CHECK(lacking.results[0].outcome == ChunkOutcome::kPresent);
  CHECK(lacking.results[1].outcome == ChunkOutcome::kConflict);
  CHECK(lacking.results[2].outcome == ChunkOutcome::kAbsent);
  CHECK(client->Rename("v", "/a", "/b", {}, Soon()) == absl::OkStatus());
  CHECK(DeleteOne(client.get(), 1) == "deleted");
  CHECK(DeleteOne(client.get(), 1) == "deleted");
  CHECK(GetOne(client.get(), 1, "bytes") == "NoSuchChunk");
  gateway.Restart();
  CHECK(GetOne(gateway.Client().get(), 2, "").empty());
}

TEST_CASE("Many chunks and large ones go in as few requests as fit", "[e2e][replicad]") {
  GatewayProcess gateway({"--memory-bytes", "67108864", "--max-chunk-bytes", "33554432"});
  auto options = gateway.ClientOptions();
  options.max_request_chunks = 100;
  options.max_request_bytes = 8 << 20;
  const auto client = GatewayProcess::ClientWith(options);
  std::vector<std::string> bytes;
  for (int i = 0; i < 250; ++i) bytes.push_back(fmt::format("chunk {}", i));
  bytes[7] = std::string(20 << 20, '7');
  std::vector<replica::ChunkToPut> chunks;
  for (size_t i = 0; i < bytes.size(); ++i) chunks.push_back({ChunkOf(i), bytes[i]});
  const auto batch = client->Put(chunks, {}, Soon());
  REQUIRE(batch.status == absl::OkStatus());
  CHECK(std::all_of(batch.results.begin(), batch.results.end(),
                    [](const auto& result) { return result.outcome == ChunkOutcome::kStored; }));
  for (const size_t i : {size_t{0}, size_t{7}, size_t{8}, size_t{249}}) {
    CHECK((GetOne(client.get(), i, bytes[i]) == bytes[i]));
  }
  CHECK(PutOne(client.get(), 300, std::string((32 << 20) + 1, 'x')) == "TooLarge");
}

TEST_CASE("GET knows ranges, conditions and caches", "[e2e][replicad]") {
  GatewayProcess gateway;
  const std::string bytes(100'000, 'b');
  REQUIRE(PutOne(gateway.Client().get(), 1, bytes) == "stored");
  const std::string path = replica::ChunkPath(ChunkOf(1));
  const std::string etag = fmt::format("\"{}\"", replica::HashOf(bytes).Hex());
  const auto whole = gateway.Http("GET", "/" + path);
  CHECK(whole.status == 200);
  CHECK((whole.body == bytes));
  CHECK(whole.headers.at("etag") == etag);
  CHECK(whole.headers.at("cache-control") == "public, max-age=31536000, immutable");
  const auto head = gateway.Http("HEAD", path);
  CHECK(head.status == 200);
  CHECK(head.headers.at("content-length") == "100000");
  const auto part = gateway.Http("GET", path, "Range: bytes=99990-\r\n");
  CHECK(part.status == 206);
  CHECK(part.body == "bbbbbbbbbb");
  CHECK(part.headers.at("content-range") == "bytes 99990-99999/100000");
  CHECK(gateway.Http("GET", path, "Range: bytes=0-49999\r\n").body.size() == 50'000);
  CHECK(gateway.Http("GET", path, "Range: bytes=100000-\r\n").status == 416);
  CHECK(gateway.Http("GET", path, "If-None-Match: " + etag + "\r\n").status == 304);
  CHECK(gateway.Http("GET", path, "If-None-Match: \"other\"\r\n").status == 200);
  CHECK(gateway.Http("HEAD", replica::ChunkPath(ChunkOf(2))).status == 404);
  CHECK(gateway.Http("GET", "/DATA/v/../x").status == 400);
  CHECK(gateway.Http("GET", "/nothing").status == 400);
  CHECK(gateway.Http("DELETE", path).status == 405);
}

TEST_CASE("A gateway says that it is well, what it is, and counts", "[e2e][replicad]") {
  GatewayProcess gateway;
  const auto client = gateway.Client();
  REQUIRE(PutOne(client.get(), 1, "a") == "stored");
  REQUIRE(GetOne(client.get(), 1, "a") == "a");
  REQUIRE(GetOne(client.get(), 1, "a") == "a");
  CHECK(gateway.Http("GET", "/healthz").status == 200);
  CHECK(gateway.Http("GET", "/readyz").body == R"({"problems":[]})");
  const std::string status = gateway.Http("GET", "/status").body;
  CHECK_THAT(status, Catch::Contains(gateway.gateway_key().Hex()) &&
                         Catch::Contains(R"("stored":1)") && Catch::Contains(R"("cache_hits":1)"));
  CHECK_THAT(gateway.Http("GET", "/metrics").body,
             Catch::Contains("podkit_gateway_chunks_stored_total 1\n") &&
                 Catch::Contains("podkit_driver_calls_total{method=\"write\"} 1\n"));
  CHECK(ValueOf(client->Status(Soon())) == status);
}

TEST_CASE("Only who signs, and may, writes, and the client says what is wrong", "[e2e][replicad]") {
  GatewayProcess gateway;
  const auto with = [&](auto change) {
    auto options = gateway.ClientOptions();
    change(options);
    return GatewayProcess::ClientWith(options);
  };
  const auto stranger = with([](auto& o) { o.key = replica::SigningKey::Generate(); });
  CHECK(PutOne(stranger.get(), 1, "a") == "NotAdmitted");
  CHECK(PutOne(with([](auto& o) { o.writer = "eve"; }).get(), 1, "a") == "NotAdmitted");
  CHECK(PutOne(with([](auto& o) { o.gateway = "g2"; }).get(), 1, "a") == "NotAdmitted");
  const auto late = with([](auto& o) { o.now = [] { return absl::Now() - absl::Minutes(6); }; });
  CHECK(PutOne(late.get(), 1, "a") == "NotAdmitted");
  CHECK(PutOne(gateway.Client().get(), 1, "a", "w") == "NotAllowed");
  const auto bob = with([&](auto& o) {
    o.writer = "bob";
    o.key = gateway.bob;
  });
  CHECK(PutOne(bob.get(), 1, "a", "secret") == "NotAllowed");
  CHECK(PutOne(gateway.Client().get(), 1, "a", "secret") == "stored");
  CHECK(GetOne(bob.get(), 1, "a", "secret") == "NotAdmitted");
  const auto signing = with([&](auto& o) {
    o.writer = "bob";
    o.key = gateway.bob;
    o.sign_reads = true;
  });
  CHECK(GetOne(signing.get(), 1, "a", "secret") == "a");
  const auto fooled =
      with([](auto& o) { o.gateway_key = replica::SigningKey::Generate().public_key(); });
  CHECK(PutOne(fooled.get(), 1, "a") == "NotTrusted");
  const auto lost = with([](auto& o) { o.url = "http://127.0.0.1:1"; });
  CHECK(PutOne(lost.get(), 1, "a") == "Unreachable");
}

TEST_CASE("New writers count from the next request on, and a bad file changes nothing",
          "[e2e][replicad]") {
  GatewayProcess gateway;
  auto options = gateway.ClientOptions();
  gateway.ann = replica::SigningKey::Generate();
  gateway.WriteWriters();
  gateway.Reload("reloaded: the writers");
  CHECK(PutOne(GatewayProcess::ClientWith(options).get(), 1, "a") == "NotAdmitted");
  CHECK(PutOne(gateway.Client().get(), 1, "a") == "stored");
  std::ofstream(gateway.File("writers.json")) << "{";
  gateway.Reload("not reloaded, the writers stay as they were");
  CHECK(PutOne(gateway.Client().get(), 2, "a") == "stored");
}

TEST_CASE("podctl puts, gets and deletes chunks", "[e2e][replicad][podctl]") {
  GatewayProcess gateway;
  const TempDir folder;
  const auto podctl = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {PODKIT_PODCTL, "--config", folder.File("podctl.json")});
    return RunProcess(std::move(arguments), {.folder = folder.path().string()});
  };
  const auto key = podctl({"chunk", "keygen", "ann.key"});
  REQUIRE(key.exit_code == 0);
  REQUIRE(key.out.size() == 65);
  CHECK(podctl({"chunk", "keygen", "ann.key"}).out == key.out);
  std::ofstream(gateway.File("writers.json")) << fmt::format(
      R"({{"writers": [{{"id": "ann", "keys": ["{}"],
          "grants": [{{"volume": "v", "may": ["put", "delete", "rename"]}}]}}]}})",
      key.out.substr(0, 64));
  gateway.Reload("reloaded: the writers");
  std::ofstream(folder.File("podctl.json")) << fmt::format(
      R"({{"gateways": [{{"id": "g1", "url": "{}", "public_key": "{}", "writer": "ann",
          "key_file": "ann.key"}}]}})",
      gateway.url(), gateway.gateway_key().Hex());
  std::ofstream(folder.File("one")) << "one\n";
  std::ofstream(folder.File("two")) << "two\n";
  const auto put = podctl({"chunk", "put", "v/1F.0/0.0", "one", "two"});
  CHECK(put.exit_code == 0);
  CHECK_THAT(put.out, Catch::Contains("v/1F.0/0.0  stored") &&
                          Catch::Contains("v/1F.0/1.0  stored") &&
                          Catch::Contains(replica::HashOf("two\n").Hex()));
  CHECK(podctl({"chunk", "get", "v/1F.0/1.0"}).out == "two\n");
  const std::string wrong = replica::HashOf("x").Hex();
  CHECK(podctl({"chunk", "get", "v/1F.0/1.0", "--hash", wrong}).exit_code == 1);
  CHECK_THAT(podctl({"--json", "chunk", "look", "v/1F.0/0.0"}).out, Catch::Contains(R"("size":4)"));
  CHECK_THAT(
      podctl({"chunk", "lack", "v/1F.0/0.0", "v/1F.0/5.0", "v/1F.0/1.0=" + wrong}).out,
      Catch::Contains("present") && Catch::Contains("absent") && Catch::Contains("conflict"));
  CHECK_THAT(podctl({"chunk", "status"}).out, Catch::Contains("stored"));
  CHECK(podctl({"chunk", "rename", "v", "/a", "/b"}).exit_code == 0);
  const auto conflict = podctl({"chunk", "put", "v/1F.0/0.0", "two"});
  CHECK(conflict.exit_code == 1);
  CHECK_THAT(conflict.err, Catch::Contains("other bytes are there"));
  CHECK_THAT(podctl({"chunk", "delete", "v/1F.0/0.0", "v/1F.0/1.0"}).out,
             Catch::Contains("deleted"));
  CHECK(podctl({"chunk", "get", "v/1F.0/1.0"}).exit_code == 1);
  CHECK(podctl({"chunk", "put", "v/1F.0", "one"}).exit_code == 2);
  CHECK(podctl({"chunk"}).exit_code == 2);
  gateway.Stop();
  CHECK(podctl({"chunk", "status"}).exit_code == 3);
}

TEST_CASE("The demo runs a gateway when it is asked to", "[e2e][replicad][demo]") {
  const TempDir folder;
  const auto port = [] { return fmt::format("{}", FreePort()); };
  ProcessUnderTest demo({PODKIT_PODCTL, "demo", std::string(PODKIT_EXAMPLES) + "/calendars",
                         "--folder", folder.File("demo"), "--port-a", port(), "--port-b", port(),
                         "--with-replica", "--port-gateway", port()});
  demo.WaitForOut("Ctrl-C stops everything");
  const auto podctl = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {PODKIT_PODCTL, "--config", folder.File("demo/podctl.json")});
    return RunProcess(std::move(arguments));
  };
  std::ofstream(folder.File("block")) << "a block\n";
  CHECK(podctl({"chunk", "put", "demo/1F.0/0.0", folder.File("block")}).exit_code == 0);
  CHECK(podctl({"chunk", "get", "demo/1F.0/0.0"}).out == "a block\n");
  demo.Signal(SIGINT);
  CHECK(demo.Wait() == 0);
}

TEST_CASE("podctl repairs what one gateway lacks, and shows a scrub", "[e2e][replicad][podctl]") {
  GatewayProcess first;
  GatewayProcess second({"--gateway", "g2", "--scrub-bytes-per-second", "0"});
  const TempDir folder;
  const auto podctl = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {PODKIT_PODCTL, "--config", folder.File("podctl.json")});
    return RunProcess(std::move(arguments), {.folder = folder.path().string()});
  };
  const std::string key = podctl({"chunk", "keygen", "ann.key"}).out.substr(0, 64);
  std::string gateways;
  for (GatewayProcess* one : {&first, &second}) {
    std::ofstream(one->File("writers.json")) << fmt::format(
        R"({{"writers": [{{"id": "ann", "keys": ["{}"],
            "grants": [{{"volume": "v", "may": ["put"]}}]}}]}})",
        key);
    one->Reload("reloaded: the writers");
    gateways += fmt::format(
        R"({}{{"id": "g{}", "url": "{}", "public_key": "{}", "writer": "ann", "key_file": "ann.key"}})",
        gateways.empty() ? "" : ",", one == &first ? 1 : 2, one->url(), one->gateway_key().Hex());
  }
  std::ofstream(folder.File("podctl.json")) << fmt::format(R"({{"gateways": [{}]}})", gateways);
  std::ofstream(folder.File("one")) << "one\n";
  REQUIRE(podctl({"chunk", "put", "v/1F.0/0.0", "one"}).exit_code == 0);
  CHECK(podctl({"chunk", "get", "v/1F.0/0.0", "--gateway", "g2"}).exit_code == 1);
  const auto repaired = podctl({"chunk", "repair", "v/1F.0/0.0=" + replica::HashOf("one\n").Hex()});
  CHECK(repaired.exit_code == 0);
  CHECK_THAT(repaired.out, Catch::Contains("g1") && Catch::Contains("present") &&
                               Catch::Contains("g2") && Catch::Contains("stored"));
  CHECK(podctl({"chunk", "get", "v/1F.0/0.0", "--gateway", "g2"}).out == "one\n");
  CHECK(podctl({"chunk", "repair", "v/1F.0/0.0"}).exit_code == 2);
  const std::string hash = std::string(64, '0');
  const auto two = podctl({"chunk", "repair", "v/1F.0/0.0=" + hash, "w/1F.0/0.0=" + hash});
  CHECK(two.exit_code == 2);
  CHECK_THAT(two.err, Catch::Contains("'v/1F.0/0.0' and 'w/1F.0/0.0' are of two volumes"));
  const auto scrub = podctl({"--json", "chunk", "scrub"});
  CHECK_THAT(scrub.out, Catch::StartsWith("{") && Catch::Contains("\"unchecked\":0"));
  CHECK_THAT(podctl({"chunk", "scrub", "--gateway", "g2"}).err,
             Catch::Contains("gateway 'g2': does not scrub"));
  second.Stop();
  const auto half = podctl({"chunk", "repair", "v/1F.0/0.0=" + replica::HashOf("one\n").Hex()});
  CHECK(half.exit_code != 0);
  CHECK_THAT(half.err, Catch::Contains("gateway 'g2'"));
  CHECK_THAT(podctl({"chunk", "scrub"}).out,
             Catch::Contains("passes") && Catch::Contains("unchecked"));
}

TEST_CASE("A gateway finds its damaged chunks and mends them from a peer", "[e2e][replicad]") {
  GatewayProcess peer({"--gateway", "g2"});
  auto peer_options = peer.ClientOptions();
  peer_options.gateway = "g2";
  GatewayProcess gateway;
  REQUIRE(PutOne(GatewayProcess::ClientWith(peer_options).get(), 1, "bytes") == "stored");
  REQUIRE(PutOne(gateway.Client().get(), 1, "bytes") == "stored");
  REQUIRE(gateway.Stop() == 0);
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(gateway.File("data/chunks"))) {
    if (file.is_regular_file()) std::ofstream(file.path()) << "bytez";
  }
  std::ofstream(gateway.File("peers.json"))
      << fmt::format(R"({{"peers": [{{"id": "g2", "url": "{}", "public_key": "{}"}}]}})",
                     peer.url(), peer.gateway_key().Hex());
  // As if it had run for long.
  SQLite::Database(gateway.File("data/catalog.db"), SQLite::OPEN_READWRITE)
      .exec("UPDATE scrub SET began = 1");
  gateway.AddFlags({"--peers-file", gateway.File("peers.json")});
  gateway.Start();
  gateway.process().WaitForErr("1 were lost or damaged, 1 of them mended");
  CHECK(GetOne(gateway.Client().get(), 1, "bytes") == "bytes");
  CHECK_THAT(gateway.Http("GET", "/status").body,
             Catch::Contains(R"("damaged":0,"scrub":{"running":false)") &&
                 Catch::Contains(R"("passes":1,"chunks":1,"bytes":5,"damaged":1,"mended":1)"));
  CHECK_THAT(gateway.Http("GET", "/metrics").body,
             Catch::Contains("podkit_gateway_scrub_mended 1\n") &&
                 Catch::Contains("podkit_gateway_chunks_damaged 0\n"));
}

}  // namespace
}  // namespace podkit::testing
