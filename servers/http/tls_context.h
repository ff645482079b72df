// The certificate and the settings that the TLS connections of a server share.
//
// Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/channel.h"

namespace podkit::servers {

class TlsContext {
 public:
  // PEM files. The error names the file and what is wrong with it.
  static absl::StatusOr<std::unique_ptr<TlsContext>> Load(const std::string& certificate_file,
                                                          const std::string& key_file);
  ~TlsContext();

  // Null if memory is short. The channel may outlive the context; its thread must have SIGPIPE
  // blocked.
  std::unique_ptr<Channel> NewChannel(int socket) const;

 private:
  struct Native;

  explicit TlsContext(std::unique_ptr<Native> native);

  const std::unique_ptr<Native> native_;
};

}  // namespace podkit::servers
