// SHA-256 of bytes that come in pieces.
//
// Thread-compatible.
#pragma once

#include <memory>
#include <string_view>

#include "podkit/replica/chunk.h"

namespace podkit::replica {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(std::string_view bytes);
  // The hash of all bytes since the last Finish; begins anew.
  ChunkHash Finish();

 private:
  struct Context;
  void Begin();

  std::unique_ptr<Context> context_;
};

}  // namespace podkit::replica
