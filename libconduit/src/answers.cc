#include "podkit/conduit/answers.h"

#include <utility>

#include "envelope.h"
#include "fmt/format.h"
#include "podkit/conduit/error.h"

namespace podkit::conduit {
namespace {

constexpr absl::Duration kComeBack = absl::Milliseconds(100);

}  // namespace

absl::StatusOr<WireReply> internal::MakeAnswer(std::string_view value, std::string_view payload) {
  if (!IsUtf8(value)) return absl::InternalError("a text in the answer is not UTF-8");
  return OkReply(value, payload);
}

WireReply TooLargeToKeep(const KeyedCall& call, size_t bytes, size_t limit) {
  return internal::ExceptionReply(MakeError(
      BodyTooLarge{static_cast<int64_t>(limit)},
      fmt::format("'{}' was executed, but its answer of {} bytes was too large to be kept for a "
                  "repeat: more than {} bytes",
                  call.command, bytes, limit)));
}

absl::Status KeyReusedError(const KeyedCall& call, std::string_view first_command,
                            std::string_view first_digest) {
  const KeyReused error{
      .key = call.key, .command = call.command, .first_command = std::string(first_command)};
  if (first_command != call.command) {
    return MakeError(error, fmt::format("key '{}' of pod '{}' is that of a call of '{}': give this "
                                        "call of '{}' a key of its own",
                                        call.key, call.caller, first_command, call.command));
  }
  constexpr size_t kShown = 12;
  return MakeError(
      error, fmt::format("key '{}' of pod '{}' is that of a call of '{}' with other arguments "
                         "({}, this one {}): give each call a key of its own",
                         call.key, call.caller, call.command, first_digest.substr(0, kShown),
                         std::string_view(call.digest).substr(0, kShown)));
}

absl::Status StillRunningError(const KeyedCall& call) {
  return MakeError(StillRunning{kComeBack},
                   fmt::format("the call of '{}' with key '{}' is still being executed: repeat it "
                               "in {}",
                               call.command, call.key, absl::FormatDuration(kComeBack)));
}

absl::Status NoRoomForKeyError(const KeyedCall& call, absl::Duration retry_after) {
  return MakeError(Overloaded{retry_after},
                   fmt::format("'{}' was not begun: as many answers are kept for pod '{}' as are "
                               "allowed; try again in {}",
                               call.command, call.caller, absl::FormatDuration(retry_after)));
}

}  // namespace podkit::conduit
