// SHA-256 of bytes that come in parts.
//
// Thread-compatible.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace podkit::conduit::internal {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(std::string_view bytes);
  // Of everything so far, as 64 lower-case hexadecimal digits. More may follow.
  std::string Hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace podkit::conduit::internal
