// Two pods in one process, with a calendar of ann's, on A, that bob, on B, may write.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "podkit/conduit/conduit.h"
#include "podkit/conduit/http_transport.h"
#include "podkit/conduit/in_process.h"
#include "podkit/store/store.h"
#include "servers/http/http_server.h"
#include "tests/support/temp_dir.h"

namespace podkit::bench {

// An event of an hour; `start` and `end` as iCalendar writes them, in UTC.
std::string SmallEvent(std::string_view uid, std::string_view start = "20260302T100000Z",
                       std::string_view end = "20260302T110000Z");

class TwoPods {
 public:
  // `network` null: over HTTP.
  explicit TwoPods(conduit::InProcessNetwork* network);

  // ann's calendar, as she and as bob have it.
  std::unique_ptr<store::HomeChild> Own();
  std::unique_ptr<store::HomeChild> Shared();
  // That the pods made of each other, since the start.
  int64_t calls() const { return calls_; }

 private:
  using Receiver = conduit::InProcessNetwork::Receiver;

  Receiver ReceiverOf(int i);
  void Open(int i, conduit::InProcessNetwork* network);

  testing::TempDir folder_;
  conduit::HttpTransport http_;
  std::shared_ptr<store::FileUserDirectory> directory_;
  std::atomic<int64_t> calls_ = 0;
  std::unique_ptr<conduit::Conduit> conduits_[2];
  std::unique_ptr<store::Store> stores_[2];
  std::unique_ptr<servers::HttpServer> servers_[2];  // Stop before what they answer from.
};

}  // namespace podkit::bench
