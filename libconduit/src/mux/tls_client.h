// The dialling side of TLS: verifies the peer's certificate and its name.
//
// Owner-thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/tls_channel.h"

namespace podkit::conduit::internal {

class TlsClient {
 public:
  // A channel on `socket` that will only shake hands with `host` (a name, or an address without
  // brackets), whose certificate must come from `ca_file`, or from the system's authorities if that
  // is empty. kFailedPrecondition names the file that cannot be used. A file is read again when it
  // has changed.
  absl::StatusOr<std::unique_ptr<TlsChannel>> NewChannel(int socket, const std::string& host,
                                                         const std::string& ca_file);

 private:
  struct Trust {
    std::string version;  // Of the file.
    TlsContextPtr context;
  };

  absl::StatusOr<SSL_CTX*> ContextFor(const std::string& ca_file);

  std::map<std::string, Trust> contexts_;
};

}  // namespace podkit::conduit::internal
