#include "servers/http/http_options.h"

#include <fmt/format.h>

#include <random>

namespace podkit::servers {

std::string RandomReference() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

}  // namespace podkit::servers
