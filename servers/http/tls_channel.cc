#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <utility>

#include "common/status_macros.h"
#include "servers/http/channel.h"

namespace podkit::servers {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

std::string LastTlsError() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown error";
}

// The thread that calls must have SIGPIPE blocked: the library writes to the socket itself.
class TlsChannel final : public Channel {
 public:
  TlsChannel(int socket, std::unique_ptr<SSL, FreeSsl> ssl)
      : Channel(socket), ssl_(std::move(ssl)) {}

  Outcome Handshake() override {
    ERR_clear_error();
    const int result = SSL_accept(ssl_.get());
    return result == 1 ? Outcome::kDone : Failure(result);
  }

  Moved Read(std::span<char> buffer) override {
    ERR_clear_error();
    size_t bytes = 0;
    const int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &bytes);
    return result == 1 ? Moved{Outcome::kDone, bytes} : Moved{Failure(result)};
  }

  Moved Write(std::string_view text) override {
    ERR_clear_error();
    size_t bytes = 0;
    const int result = SSL_write_ex(ssl_.get(), text.data(), text.size(), &bytes);
    return result == 1 ? Moved{Outcome::kDone, bytes} : Moved{Failure(result)};
  }

  bool MayHoldInput() const override { return SSL_has_pending(ssl_.get()) == 1; }

  void CloseWrite() override {
    ERR_clear_error();
    if (!broken_ && SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
    Channel::CloseWrite();
  }

 private:
  Outcome Failure(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return Outcome::kWantRead;
      case SSL_ERROR_WANT_WRITE:
        return Outcome::kWantWrite;
      default:
        broken_ = true;
        return Outcome::kClosed;
    }
  }

  const std::unique_ptr<SSL, FreeSsl> ssl_;
  bool broken_ = false;
};

}  // namespace

struct TlsContext::Native {
  std::unique_ptr<SSL_CTX, FreeContext> context;
};

TlsContext::TlsContext(std::unique_ptr<Native> native) : native_(std::move(native)) {}
TlsContext::~TlsContext() = default;

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Load(const std::string& certificate_file,
                                                             const std::string& key_file) {
  ERR_clear_error();
  auto native = std::make_unique<Native>();
  native->context.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = native->context.get();
  if (context == nullptr) {
    return absl::InternalError(fmt::format("TLS cannot be set up: {}", LastTlsError()));
  }
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  // A key with a passphrase is an error, not a question to the terminal.
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return -1; });
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    return absl::InvalidArgumentError(
        fmt::format("certificate file '{}': {}", certificate_file, LastTlsError()));
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return absl::InvalidArgumentError(fmt::format("key file '{}': {}", key_file, LastTlsError()));
  }
  return std::unique_ptr<TlsContext>(new TlsContext(std::move(native)));
}

std::unique_ptr<Channel> TlsContext::NewChannel(int socket) const {
  std::unique_ptr<SSL, FreeSsl> ssl(SSL_new(native_->context.get()));
  if (ssl == nullptr || SSL_set_fd(ssl.get(), socket) != 1) return nullptr;
  return std::make_unique<TlsChannel>(socket, std::move(ssl));
}

}  // namespace podkit::servers
