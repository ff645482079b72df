// A replicad process on a free port with a folder of its own, and clients for it.
//
// Writer ann may do everything in the volumes v and secret, of which the second is private; bob may
// read secret. Owner-thread, but clients may be used from several threads.
#pragma once

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "podkit/replica/client.h"
#include "tests/support/catch.h"
#include "tests/support/process_under_test.h"
#include "tests/support/raw_http_client.h"
#include "tests/support/temp_dir.h"

namespace podkit::testing {

class GatewayProcess {
 public:
  // Starts it with these flags on top.
  explicit GatewayProcess(std::vector<std::string> flags = {}) : flags_(std::move(flags)) {
    WriteWriters();
    Start();
  }
  // With a driver that misbehaves when it is told to, see tests/replica/faulty_driver.cc.
  static std::unique_ptr<GatewayProcess> WithFaultyDriver(std::string_view driver,
                                                          std::vector<std::string> flags = {}) {
    std::unique_ptr<GatewayProcess> gateway(new GatewayProcess);
    REQUIRE(mkdir(gateway->File("kept").c_str(), 0700) == 0);
    gateway->WriteDriver(driver);
    flags.insert(flags.end(),
                 {"--driver-file", gateway->File("driver.json"), "--driver-check-seconds", "3600"});
    gateway->flags_ = std::move(flags);
    gateway->Restart();
    return gateway;
  }

  void Start() {
    std::vector<std::string> command = {
        PODKIT_REPLICAD, "--listen",       "127.0.0.1:0",       "--data",
        File("data"),    "--writers-file", File("writers.json")};
    command.insert(command.end(), flags_.begin(), flags_.end());
    process_ = std::make_unique<ProcessUnderTest>(std::move(command));
    process_->WaitForErr(" listening on ");
    const std::string log = process_->Err();
    port_ = static_cast<uint16_t>(std::stoi(After(log, "listening on http://127.0.0.1:")));
    gateway_key_ = ValueOf(replica::PublicKey::FromHex(After(log, "public key ").substr(0, 64)));
  }
  // For the next start.
  void AddFlags(const std::vector<std::string>& flags) {
    flags_.insert(flags_.end(), flags.begin(), flags.end());
  }
  int Stop() {
    process_->Signal(SIGTERM);
    return process_->Wait();
  }
  void Restart() {
    REQUIRE(Stop() == 0);
    Start();
  }
  void Kill() { process_->Kill(); }
  // SIGHUP, and waits for what the log says then.
  void Reload(std::string_view log) {
    process_->Signal(SIGHUP);
    process_->WaitForErr(log);
  }
  ProcessUnderTest& process() { return *process_; }

  uint16_t port() const { return port_; }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  std::string File(std::string_view name) const { return folder_.File(name); }
  const replica::PublicKey& gateway_key() const { return gateway_key_; }

  // `quotas`: what is in the brackets of that member.
  void WriteWriters(std::string_view quotas = "") const {
    std::ofstream(File("writers.json")) << fmt::format(
        R"({{"writers": [
  {{"id": "ann", "keys": ["{}"], "grants": [
    {{"volume": "v", "may": ["put", "delete", "rename"]}},
    {{"volume": "secret", "may": ["put", "delete", "read"]}}]}},
  {{"id": "bob", "keys": ["{}"], "grants": [{{"volume": "secret", "may": ["read"]}}]}}],
 "private_volumes": ["secret"], "quotas": [{}]}})",
        ann.public_key().Hex(), bob.public_key().Hex(), quotas);
  }
  void WriteDriver(std::string_view driver, std::string_view name = "x") const {
    std::ofstream(File("driver.json")) << fmt::format(
        R"({{"storage": {{"driver": "{0}", "config": {{"folder": "{1}", "name": "{2}"}},
 "writable": ["{1}"]}}}})",
        driver, File("kept"), name);
  }
  // What the next calls of `method` of a faulty driver do.
  void Fault(const std::string& method, std::string_view words) const {
    std::ofstream(File("kept/fault." + method)) << words;
  }
  // How often a faulty driver was asked so for a chunk of a test.
  int Calls(std::string_view method) const {
    std::ifstream file(File("kept/calls"));
    int calls = 0;
    for (std::string line; std::getline(file, line);) {
      calls += line.starts_with(fmt::format("{} f.", method)) ? 1 : 0;
    }
    return calls;
  }

  replica::ReplicaClientOptions ClientOptions() const {
    return {
        .url = url(), .gateway = "g1", .gateway_key = gateway_key_, .writer = "ann", .key = ann};
  }
  std::unique_ptr<replica::ReplicaClient> Client() const { return ClientWith(ClientOptions()); }
  static std::unique_ptr<replica::ReplicaClient> ClientWith(replica::ReplicaClientOptions options) {
    return ValueOf(replica::ReplicaClient::Create(std::move(options)));
  }

  // Plain HTTP.
  RawHttpReply Http(std::string_view method, std::string_view target,
                    std::string_view headers = "") const {
    RawHttpClient client(port_);
    client.Send(fmt::format("{} {} HTTP/1.1\r\nHost: h\r\n{}\r\n", method, target, headers));
    return client.Receive(method == "HEAD");
  }

  replica::SigningKey ann = replica::SigningKey::Generate();
  replica::SigningKey bob = replica::SigningKey::Generate();

 private:
  static std::string After(const std::string& text, std::string_view what) {
    const size_t at = text.rfind(what);
    REQUIRE(at != std::string::npos);
    return text.substr(at + what.size());
  }

  std::vector<std::string> flags_;
  TempDir folder_;
  std::unique_ptr<ProcessUnderTest> process_;
  uint16_t port_ = 0;
  replica::PublicKey gateway_key_;
};

inline replica::ChunkName ChunkOf(uint64_t id, std::string volume = "v") {
  return {.volume = std::move(volume), .file = "f", .id = id};
}

inline absl::Time Soon() { return absl::Now() + absl::Seconds(30); }

// The outcome of putting one chunk: "stored", or the name of the error.
inline std::string PutOne(replica::ReplicaClient* client, uint64_t id, std::string_view bytes,
                          const std::string& volume = "v",
                          const replica::PutOptions& options = {}) {
  const auto batch = client->Put(
      {{.name = ChunkOf(id, volume), .bytes = bytes, .length = bytes.size()}}, options, Soon());
  if (!batch.status.ok()) {
    const auto error = replica::ErrorOf(batch.status);
    return error ? std::string(replica::NameOf(*error)) : batch.status.ToString();
  }
  return std::string(replica::NameOf(batch.results[0].outcome));
}

// The bytes, or the name of the error.
inline std::string GetOne(replica::ReplicaClient* client, uint64_t id, std::string_view bytes,
                          const std::string& volume = "v") {
  const auto got = client->Get(ChunkOf(id, volume), replica::HashOf(bytes), Soon());
  if (got.ok()) return *got;
  const auto error = replica::ErrorOf(got.status());
  return error ? std::string(replica::NameOf(*error)) : got.status().ToString();
}

inline std::string DeleteOne(replica::ReplicaClient* client, uint64_t id) {
  const auto batch = client->Delete({{.name = ChunkOf(id), .hash = {}}}, Soon());
  if (!batch.status.ok()) {
    const auto error = replica::ErrorOf(batch.status);
    return error ? std::string(replica::NameOf(*error)) : batch.status.ToString();
  }
  return std::string(replica::NameOf(batch.results[0].outcome));
}

}  // namespace podkit::testing
