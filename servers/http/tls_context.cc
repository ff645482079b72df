#include "servers/http/tls_context.h"

#include <fmt/format.h>

#include <utility>

#include "common/tls_channel.h"

namespace podkit::servers {

struct TlsContext::Native {
  TlsContextPtr context;
};

TlsContext::TlsContext(std::unique_ptr<Native> native) : native_(std::move(native)) {}
TlsContext::~TlsContext() = default;

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Load(const std::string& certificate_file,
                                                             const std::string& key_file) {
  ERR_clear_error();
  auto native = std::make_unique<Native>();
  native->context = NewTlsContext(TLS_server_method());
  SSL_CTX* const context = native->context.get();
  if (context == nullptr) {
    return absl::InternalError(fmt::format("TLS cannot be set up: {}", TakeTlsError()));
  }
  // A key with a passphrase is an error, not a question to the terminal.
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return -1; });
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    return absl::InvalidArgumentError(
        fmt::format("certificate file '{}': {}; it must be PEM, the certificate and its chain",
                    certificate_file, TakeTlsError()));
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return absl::InvalidArgumentError(fmt::format(
        "key file '{}': {}; it must be PEM, the key of the certificate in '{}', without "
        "a passphrase",
        key_file, TakeTlsError(), certificate_file));
  }
  return std::unique_ptr<TlsContext>(new TlsContext(std::move(native)));
}

std::unique_ptr<Channel> TlsContext::NewChannel(int socket) const {
  TlsPtr tls(SSL_new(native_->context.get()));
  if (tls == nullptr || SSL_set_fd(tls.get(), socket) != 1) return nullptr;
  SSL_set_accept_state(tls.get());
  return std::make_unique<TlsChannel>(socket, std::move(tls));
}

}  // namespace podkit::servers
