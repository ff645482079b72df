#include "mux/tls_client.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

bool IsAddress(const std::string& host) {
  in6_addr bytes{};
  return inet_pton(AF_INET, host.c_str(), &bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &bytes) == 1;
}

// Changes when the file does.
std::string VersionOf(const std::string& file) {
  struct stat info {};
  if (file.empty() || stat(file.c_str(), &info) != 0) return "";
  return fmt::format("{} {} {}.{}", info.st_ino, info.st_size, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
}

}  // namespace

absl::StatusOr<SSL_CTX*> TlsClient::ContextFor(const std::string& ca_file) {
  const std::string version = VersionOf(ca_file);
  Trust& trust = contexts_[ca_file];
  if (trust.context != nullptr && trust.version == version) return trust.context.get();
  ERR_clear_error();
  TlsContextPtr context = NewTlsContext(TLS_client_method());
  if (context == nullptr) {
    return absl::ResourceExhaustedError(fmt::format("TLS cannot be set up: {}", TakeTlsError()));
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const int loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                     : SSL_CTX_load_verify_file(context.get(), ca_file.c_str());
  if (loaded != 1) {
    return absl::FailedPreconditionError(fmt::format("ca_file '{}': {}", ca_file, TakeTlsError()));
  }
  trust = {version, std::move(context)};
  return trust.context.get();
}

absl::StatusOr<std::unique_ptr<TlsChannel>> TlsClient::NewChannel(int socket,
                                                                  const std::string& host,
                                                                  const std::string& ca_file) {
  PODKIT_ASSIGN_OR_RETURN(SSL_CTX* const context, ContextFor(ca_file));
  ERR_clear_error();
  TlsPtr tls(SSL_new(context));
  bool good = tls != nullptr && SSL_set_fd(tls.get(), socket) == 1;
  if (good && IsAddress(host)) {
    good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls.get()), host.c_str()) == 1;
  } else if (good) {
    SSL_set_hostflags(tls.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    good = SSL_set1_host(tls.get(), host.c_str()) == 1 &&
           SSL_set_tlsext_host_name(tls.get(), host.c_str()) == 1;
  }
  if (!good) {
    return absl::ResourceExhaustedError(fmt::format("TLS cannot be set up: {}", TakeTlsError()));
  }
  SSL_set_connect_state(tls.get());
  return std::make_unique<TlsChannel>(socket, std::move(tls));
}

}  // namespace podkit::conduit::internal
