#include "podkit/conduit/http_transport.h"

#include <utility>

#include "http_loop.h"

namespace podkit::conduit {

HttpTransport::HttpTransport(HttpTransportOptions options)
    : loop_(std::make_unique<internal::HttpLoop>(std::move(options))) {}
HttpTransport::~HttpTransport() = default;

void HttpTransport::Send(Sending sending) { loop_->Send(std::move(sending)); }

}  // namespace podkit::conduit
