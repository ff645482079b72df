// What a stranger, or a writer with a good key, can put into the control part, and what a gateway
// can answer. What is taken must be valid, and the same when written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control_gate.h"

namespace {

namespace replica = podkit::replica;

void Require(bool good) {
  if (!good) std::abort();
}

struct World {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  replica::SigningKey key = *replica::SigningKey::FromSeed("01234567890123456789012345678901");
  replica::ControlGate gate{
      "g1",
      {},
      absl::Minutes(5),
      now,
      *replica::Writers::Create({{.id = "ann",
                                  .keys = {key.public_key()},
                                  .grants = {{.volume = "v", .put = true, .erase = true}}}})};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Never destroyed: libFuzzer leaves with exit.
  static auto* const world = new World;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Require(!world->gate.Admit(text, world->now).ok());
  static_cast<void>(world->gate.AdmitRead("GET", "/", "v", text, world->now));
  static_cast<void>(world->gate.Admit(
      world->key.SignText(replica::SignedFor::kRequest, "ann", text), world->now));
  if (const auto message = replica::ParseControl(text); message.ok()) {
    for (const auto& chunk : message->chunks) Require(replica::ValidateChunkName(chunk.name).ok());
    const std::string once = replica::EncodeControl(*message);
    const auto again = replica::ParseControl(once);
    Require(again.ok() && replica::EncodeControl(*again) == once);
  }
  if (const auto reply = replica::ParseReply(text); reply.ok()) {
    Require(replica::ParseReply(replica::EncodeReply(*reply)).ok() || reply->text.size() > 1000);
  }
  if (const auto path = replica::ParseChunkPath(text); path.ok()) {
    const auto again = replica::ParseChunkPath(replica::ChunkPath(path->name, path->fs_path));
    Require(again.ok() && again->name == path->name && again->fs_path == path->fs_path);
  }
  return 0;
}
