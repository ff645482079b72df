#include "two_pods.h"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "must.h"

namespace podkit::bench {
namespace {

// Answers with what `receive` does, over HTTP on a free port.
std::unique_ptr<servers::HttpServer> Serve(conduit::InProcessNetwork::Receiver receive) {
  servers::Router router;
  const auto handle = [receive = std::move(receive)](const servers::HttpRequest& request) {
    const auto header = [&](std::string_view name) {
      return std::string(request.headers.Find(name).value_or(""));
    };
    conduit::WireReply reply = receive({.content_type = header("Content-Type"),
                                        .authorization = header("Authorization"),
                                        .body = request.body});
    servers::HttpResponse response{
        .status = reply.status, .headers = {}, .body = std::move(reply.body)};
    response.headers.emplace_back("Content-Type", reply.content_type);
    response.headers.emplace_back("X-Podkit-Authorization", reply.authorization);
    return response;
  };
  if (!router.Add("POST", conduit::kConduitPath, handle).ok()) std::abort();
  return Must(servers::HttpServer::Start({}, std::move(router)));
}

}  // namespace

std::string SmallEvent(std::string_view uid, std::string_view start, std::string_view end) {
  return fmt::format(
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Podkit//Bench//EN\r\nBEGIN:VEVENT\r\nUID:{}\r\n"
      "DTSTAMP:20260101T000000Z\r\nDTSTART:{}\r\nDTEND:{}\r\n"
      "SUMMARY:The weekly meeting\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
      uid, start, end);
}

TwoPods::TwoPods(conduit::InProcessNetwork* network) {
  directory_ = Must(store::FileUserDirectory::Create({{"ann", "Ann", "A"}, {"bob", "Bob", "B"}}));
  for (int i = 0; i < 2; ++i) {
    if (network == nullptr) servers_[i] = Serve(ReceiverOf(i));
  }
  for (int i = 0; i < 2; ++i) Open(i, network);
  const auto share = Must(Must(stores_[0]->HomeFor("ann", "ann"))
                              ->Invite("calendar", "bob", store::Access::kReadWrite, ""));
  stores_[0]->DeliverMessages();
  Must(Must(stores_[1]->HomeFor("bob", "bob"))->Accept(share.share_uid, "anns"));
  stores_[1]->DeliverMessages();
}

std::unique_ptr<store::HomeChild> TwoPods::Own() {
  return Must(Must(stores_[0]->HomeFor("ann", "ann"))->ChildWith({.name = "calendar"}));
}

std::unique_ptr<store::HomeChild> TwoPods::Shared() {
  return Must(Must(stores_[1]->HomeFor("bob", "bob"))->ChildWith({.name = "anns"}));
}

// Answers for a conduit that is made later.
TwoPods::Receiver TwoPods::ReceiverOf(int i) {
  return [this, i](const conduit::WireRequest& request) {
    ++calls_;
    return conduits_[i]->Receive(request);
  };
}

void TwoPods::Open(int i, conduit::InProcessNetwork* network) {
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
  if (network != nullptr) network->Connect(ids[i], ReceiverOf(i));
}

}  // namespace podkit::bench
