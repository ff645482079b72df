// A real gateway behind a small HTTP server on loopback that can misbehave.
//
// Thread-safe.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "podkit/replica/client.h"
#include "podkit/replica/gateway.h"
#include "tests/replica/memory_driver.h"
#include "tests/support/catch.h"
#include "tests/support/loopback_server.h"
#include "tests/support/temp_dir.h"

namespace podkit::replica {

class GatewayFront {
 public:
  // Its writer ann may do everything in the volume v.
  GatewayFront(std::string id, const SigningKey& writer_key) : id_(std::move(id)) {
    auto writers = testing::ValueOf(Writers::Create(
        {{.id = "ann",
          .keys = {writer_key.public_key()},
          .grants = {{.volume = "v", .read = true, .put = true, .erase = true, .rename = true}}}}));
    gateway_ = testing::ValueOf(
        Gateway::Open({.id = id_, .folder = folder_.path(), .key = key_, .cache_bytes = 0}, driver_,
                      std::move(writers)));
    Start();
    client_options_ = {.url = server_->address(),
                       .gateway = id_,
                       .gateway_key = key_.public_key(),
                       .writer = "ann",
                       .key = writer_key};
  }
  ~GatewayFront() {
    Hold(0);
    Stop();
  }
  GatewayFront(const GatewayFront&) = delete;
  GatewayFront& operator=(const GatewayFront&) = delete;

  // Nobody listens from now on, or somebody does again.
  void Stop() { server_.reset(); }
  void Start() {
    server_ = std::make_unique<testing::LoopbackServer>(
        [this](const testing::LoopbackRequest& request) { return Handle(request); },
        testing::LoopbackOptions{.port = port_});
    port_ = server_->port();
  }
  // The next so many requests wait until this is called with 0.
  void Hold(int requests) {
    const std::lock_guard lock(mutex_);
    to_hold_ = requests;
    if (requests == 0) ++releases_;
    changed_.notify_all();
  }
  // Waits until so many requests are held.
  void AwaitHeld(int requests) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return held_ >= requests; });
  }
  // Chunks are sent with one wrong byte.
  void SetWrong(bool wrong) {
    const std::lock_guard lock(mutex_);
    wrong_ = wrong;
  }
  // After so many POSTs more, connections are closed without an answer. -1: never.
  void DieAfter(int posts) {
    const std::lock_guard lock(mutex_);
    posts_left_ = posts;
  }
  int gets() const {
    const std::lock_guard lock(mutex_);
    return gets_;
  }

  std::shared_ptr<ReplicaClient> Client(size_t max_request_chunks = 1024) const {
    ReplicaClientOptions options = client_options_;
    options.max_request_chunks = max_request_chunks;
    return testing::ValueOf(ReplicaClient::Create(std::move(options)));
  }
  MemoryDriver& driver() { return *driver_; }
  Gateway& gateway() { return *gateway_; }

 private:
  testing::LoopbackReply Handle(const testing::LoopbackRequest& request) {
    bool wrong = false;
    {
      std::unique_lock lock(mutex_);
      if (request.method == "POST" && posts_left_ == 0) {
        return {.action = testing::LoopbackReply::Action::kClose};
      }
      if (request.method == "POST" && posts_left_ > 0) --posts_left_;
      if (request.method == "GET") ++gets_;
      wrong = wrong_;
      if (to_hold_ > 0) {
        --to_hold_;
        ++held_;
        changed_.notify_all();
        changed_.wait(lock, [this, before = releases_] { return releases_ != before; });
        --held_;
      }
    }
    testing::LoopbackReply reply = Answer(request);
    if (wrong && request.method == "GET" && !reply.body.empty()) reply.body[0] ^= 1;
    return reply;
  }

  testing::LoopbackReply Answer(const testing::LoopbackRequest& request) {
    const auto exchange = gateway_->Begin(
        {request.method, request.path, {request.headers.begin(), request.headers.end()}});
    if (request.method == "POST") exchange->Receive(request.body);
    GatewayReply reply = exchange->Finish();
    testing::LoopbackReply answer = {
        .status = reply.status, .headers = std::move(reply.headers), .body = std::move(reply.body)};
    if (reply.file.owner == nullptr) return answer;
    answer.body.resize(reply.file.size);
    if (pread(reply.file.fd, answer.body.data(), answer.body.size(),
              static_cast<off_t>(reply.file.offset)) != static_cast<ssize_t>(reply.file.size)) {
      answer.action = testing::LoopbackReply::Action::kClose;
    }
    return answer;
  }

  const std::string id_;
  testing::TempDir folder_;
  const SigningKey key_ = SigningKey::Generate();
  const std::shared_ptr<MemoryDriver> driver_ = std::make_shared<MemoryDriver>();
  std::unique_ptr<Gateway> gateway_;
  ReplicaClientOptions client_options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int to_hold_ = 0;
  int held_ = 0;
  int releases_ = 0;
  bool wrong_ = false;
  int posts_left_ = -1;
  int gets_ = 0;
  uint16_t port_ = 0;
  std::unique_ptr<testing::LoopbackServer> server_;  // Its handlers use all of the above.
};

}  // namespace podkit::replica
