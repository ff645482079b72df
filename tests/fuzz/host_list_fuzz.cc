// What a directory of hosts, or somebody in its place, can answer.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "discovery/host_list.h"

namespace podkit::conduit {
namespace {

void Require(bool good) {
  if (!good) std::abort();
}

// What is taken comes back from a saved file as it was, and gives no pod a key.
void TakeList(const std::string& text) {
  const auto list = internal::ParseHostList(text);
  if (!list.ok()) return;
  const auto saved = internal::ParseHostList(internal::WriteHostList(*list, "fuzz"));
  Require(saved.ok() && *saved == *list);
  static const auto pods =
      *Pods::Create({{.id = "A"},
                     {.id = "B", .keys = {std::string(32, 'k')}},
                     {.id = "C", .hosts = {"https://c:1"}, .keys = {std::string(32, 'l')}}},
                    "A");
  static_cast<void>(pods->SetHosts(*list, "fuzz"));
  Require(pods->All().size() == 3);
  Require(pods->Find("B")->keys.size() == 1);
  for (const std::string& host : pods->Find("C")->hosts) Require(host.starts_with("https://"));
}

}  // namespace
}  // namespace podkit::conduit

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  podkit::conduit::TakeList(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
