// A channel through TLS.
//
// Owner-thread, with SIGPIPE blocked: OpenSSL writes to the socket itself.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/channel.h"

namespace podkit {

struct FreeTls {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* tls) const { SSL_free(tls); }
};
using TlsContextPtr = std::unique_ptr<SSL_CTX, FreeTls>;
using TlsPtr = std::unique_ptr<SSL, FreeTls>;

// What went wrong last in OpenSSL on this thread; forgets it.
inline std::string TakeTlsError() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown error";
}

// A context for both sides as we use them: TLS 1.2 or later, buffers given back while idle. Null if
// memory is short.
inline TlsContextPtr NewTlsContext(const SSL_METHOD* method) {
  TlsContextPtr context(SSL_CTX_new(method));
  if (context == nullptr) return context;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context.get(), 1);
  return context;
}

class TlsChannel final : public Channel {
 public:
  // `tls` has the socket, and is set to accept or to connect.
  TlsChannel(int socket, TlsPtr tls) : Channel(socket), tls_(std::move(tls)) {}

  Outcome Handshake() override {
    ERR_clear_error();
    const int result = SSL_do_handshake(tls_.get());
    return result == 1 ? Outcome::kDone : Failure(result).outcome;
  }

  Moved Read(std::span<char> buffer) override {
    ERR_clear_error();
    size_t bytes = 0;
    const int result = SSL_read_ex(tls_.get(), buffer.data(), buffer.size(), &bytes);
    return result == 1 ? Moved{Outcome::kDone, bytes} : Failure(result);
  }

  Moved Write(std::string_view text) override {
    ERR_clear_error();
    size_t bytes = 0;
    const int result = SSL_write_ex(tls_.get(), text.data(), text.size(), &bytes);
    return result == 1 ? Moved{Outcome::kDone, bytes} : Failure(result);
  }

  Moved WriteFile(int file, uint64_t offset, uint64_t size) override {
    std::array<char, SSL3_RT_MAX_PLAIN_LENGTH> record;
    const size_t wanted = std::min<uint64_t>(record.size(), size);
    size_t filled = 0;
    while (filled < wanted) {
      const ssize_t n =
          pread(file, record.data() + filled, wanted - filled, static_cast<off_t>(offset + filled));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return {Outcome::kFailed, 0, n < 0 ? errno : 0};
      filled += static_cast<size_t>(n);
    }
    return Write({record.data(), wanted});
  }

  bool MayHoldInput() const override { return SSL_has_pending(tls_.get()) == 1; }

  void CloseWrite() override {
    ERR_clear_error();
    if (!broken_ && SSL_is_init_finished(tls_.get()) == 1) SSL_shutdown(tls_.get());
    Channel::CloseWrite();
  }

  std::string Binding() const override {
    constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
    // Without its extension, TLS 1.2 lets a relay make two sessions that export the same.
    if (SSL_version(tls_.get()) < TLS1_3_VERSION && SSL_get_extms_support(tls_.get()) != 1) {
      return {};
    }
    std::string bytes(32, '\0');
    const int good = SSL_export_keying_material(
        tls_.get(), reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), kLabel.data(),
        kLabel.size(), reinterpret_cast<const unsigned char*>(""), 0, 1);
    return good == 1 ? bytes : std::string();
  }

  // After a handshake that failed: whether it was the peer's certificate that is no good.
  bool certificate_refused() const { return SSL_get_verify_result(tls_.get()) != X509_V_OK; }
  // Why it failed: what is wrong with that certificate, or the last error.
  std::string TakeHandshakeError() const {
    if (!certificate_refused()) return TakeTlsError();
    ERR_clear_error();
    return X509_verify_cert_error_string(SSL_get_verify_result(tls_.get()));
  }

 private:
  Moved Failure(int result) {
    const int error = errno;
    switch (SSL_get_error(tls_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return {Outcome::kWantRead};
      case SSL_ERROR_WANT_WRITE:
        return {Outcome::kWantWrite};
      case SSL_ERROR_ZERO_RETURN:
        return {Outcome::kEnd};
      case SSL_ERROR_SYSCALL:
        broken_ = true;
        return {Outcome::kFailed, 0, error};
      default:
        broken_ = true;
        return {Outcome::kFailed};
    }
  }

  const TlsPtr tls_;
  bool broken_ = false;
};

}  // namespace podkit
