// Signs a request to store a chunk, as it would travel to a gateway, and reads it back.
#include <iostream>
#include <string>

#include "absl/time/clock.h"
#include "podkit/replica/control.h"
#include "podkit/replica/keys.h"

namespace replica = podkit::replica;

int main() {
  const std::string bytes = "a block of Ann's file";
  const replica::ControlMessage put = {
      .operation = replica::Operation::kPut,
      .gateway = "g1",
      .volume = "photos",
      .sent = absl::Now(),
      .nonce = "1",
      .chunks = {{.name = {.volume = "photos", .file = "1F", .file_version = 1, .id = 0},
                  .hash = replica::HashOf(bytes),
                  .has_hash = true,
                  .size = bytes.size(),
                  .length = bytes.size()}}};
  const replica::SigningKey key = replica::SigningKey::Generate();
  const std::string control_part =
      key.SignText(replica::SignedFor::kRequest, "ann", replica::EncodeControl(put));

  const auto received = replica::SignedText::Split(control_part);
  if (!received || !replica::Verify(key.public_key(), replica::SignedFor::kRequest, received->bytes,
                                    received->signature)) {
    std::cerr << "the signature is bad\n";
    return 1;
  }
  const auto message = replica::ParseControl(received->bytes);
  if (!message.ok()) {
    std::cerr << message.status() << "\n";
    return 1;
  }
  std::cout << received->signer << " puts " << replica::ChunkPath(message->chunks[0].name) << "\n";
}
