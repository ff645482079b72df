// What a driver that runs wild can send to its gateway, and a gateway to a worker. The first byte
// chooses which message is read; what is taken must be the same when written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "worker_channel.h"
#include "worker_messages.h"

namespace {

namespace replica = podkit::replica;

template <typename Message>
void Check(absl::StatusOr<Message> (*parse)(std::string_view), std::string_view text) {
  const auto message = parse(text);
  if (!message.ok()) return;
  const std::string once = replica::Encode(*message);
  const auto again = parse(once);
  if (!again.ok() || replica::Encode(*again) != once) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      if (const auto frame = replica::ParseFrame(text); frame.ok()) {
        if (replica::EncodeFrame(*frame) != text) std::abort();
      }
      break;
    case 1:
      Check(replica::ParseHello, text);
      break;
    case 2:
      Check(replica::ParseReady, text);
      break;
    case 3:
      Check(replica::ParseCall, text);
      break;
    case 4:
      Check(replica::ParseAnswer, text);
      break;
    default:
      // A number of more digits than a double has is another one when it is read again.
      if (const auto settings = replica::ParseSettings(text); settings.ok()) {
        if (!replica::ParseSettings(replica::Encode(*settings)).ok()) std::abort();
      }
  }
  return 0;
}
