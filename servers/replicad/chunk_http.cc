#include "servers/replicad/chunk_http.h"

#include <unistd.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "common/status_macros.h"

namespace podkit::servers {
namespace {

// A chunk up to this size goes out in one write with the head.
constexpr uint64_t kSmallFile = 16 << 10;

replica::GatewayRequest ToGateway(const HttpRequest& request) {
  replica::GatewayRequest asked{.method = request.method, .target = request.target, .headers = {}};
  asked.headers.reserve(request.headers.size());
  for (size_t i = 0; i < request.headers.size(); ++i) {
    asked.headers.emplace_back(request.headers[i].name, request.headers[i].value);
  }
  return asked;
}

std::string ReadAll(const replica::FileBody& file) {
  std::string bytes(file.size, '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t n = pread(file.fd, bytes.data() + filled, bytes.size() - filled,
                            static_cast<off_t>(file.offset + filled));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw std::runtime_error("a chunk cannot be read");  // The server makes it a 500.
    filled += static_cast<size_t>(n);
  }
  return bytes;
}

HttpResponse FromGateway(replica::GatewayReply reply) {
  HttpResponse response{
      .status = reply.status, .headers = std::move(reply.headers), .body = std::move(reply.body)};
  if (reply.file.owner == nullptr) return response;
  if (reply.file.size <= kSmallFile) {
    response.body = ReadAll(reply.file);
  } else {
    response.file = {std::move(reply.file.owner), reply.file.fd, reply.file.offset,
                     reply.file.size};
  }
  return response;
}

class Upload final : public BodyReceiver {
 public:
  explicit Upload(std::unique_ptr<replica::GatewayExchange> exchange)
      : exchange_(std::move(exchange)) {}

  bool Receive(std::string_view bytes) override { return exchange_->Receive(bytes); }
  HttpResponse Finish() override { return FromGateway(exchange_->Finish()); }

 private:
  const std::unique_ptr<replica::GatewayExchange> exchange_;
};

}  // namespace

absl::Status AddGateway(replica::Gateway* gateway, size_t max_body_bytes, Router* router) {
  PODKIT_RETURN_IF_ERROR(router->AddStreamed(
      "POST", "/",
      [gateway](const HttpRequest& request) {
        return std::make_unique<Upload>(gateway->Begin(ToGateway(request)));
      },
      max_body_bytes));
  return router->Add("GET", "/{chunk...}", [gateway](const HttpRequest& request) {
    return FromGateway(gateway->Begin(ToGateway(request))->Finish());
  });
}

}  // namespace podkit::servers
