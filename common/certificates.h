// Files of certificates to trust.
#pragma once

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <memory>
#include <string>

#include "absl/status/status.h"

namespace podkit {

// kInvalidArgument unless TLS can use the file: it is PEM text with one certificate at least, all
// of them whole. Why it cannot be read is not told.
inline absl::Status CheckCertificates(const std::string& path) {
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(),
                                                                      X509_STORE_free);
  const bool holds = store != nullptr && X509_STORE_load_file(store.get(), path.c_str()) == 1;
  ERR_clear_error();
  if (holds) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("'{}' holds no certificate in PEM form", path));
}

}  // namespace podkit
