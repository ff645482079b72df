// What a call of a batch takes from the answers to earlier ones: the member "use" of its request.
// docs/conduit-batches.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/message.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit::internal {

inline constexpr std::string_view kUseMember = "use";
inline constexpr size_t kMaxReferences = 64;  // Of one call.

// Where a value comes from: JSON pointers (RFC 6901) lead to it.
struct Reference {
  int64_t call = 0;  // Counted from 0, in the batch.
  std::string path;  // In the value of its answer; "": the value itself.
  static constexpr auto Fields() {
    return std::make_tuple(Required("call", &Reference::call), Optional("path", &Reference::path));
  }
};

// By where the value goes, in the request.
using References = std::map<std::string, Reference>;

// The names that a pointer leads along; nothing if it is not one.
std::optional<std::vector<std::string>> PointerTokens(std::string_view pointer);

// The answers of the calls that a batch has had so far. Thread-compatible.
class EarlierAnswers {
 public:
  explicit EarlierAnswers(const JsonLimits& limits) : limits_(limits) {}

  // The next call. The body must live as long as this.
  void AddOk(std::string_view action, const WireReply& reply);
  // `error_class` is empty for a call that was left out.
  void AddFailed(std::string_view action, std::string_view error_class);

  size_t size() const { return answers_.size(); }

  // The value as JSON. EarlierCallFailed, or BadReference.
  absl::StatusOr<std::string> Find(const std::string& at, const Reference& reference);

 private:
  struct Answer {
    std::string action;
    bool failed = false;
    std::string error_class;
    std::string_view body;  // Of the reply, while it is not parsed.
    bool has_payload = false;
    std::optional<JsonDocument> document;
  };
  static bool Parse(Answer& answer, const JsonLimits& limits);

  const JsonLimits limits_;
  std::vector<Answer> answers_;
};

// The request with the values in their places and without "use". `room` is how large the requests
// that are made so may still become together, and is reduced. Errors: InvalidArguments,
// EarlierCallFailed, BadReference.
absl::StatusOr<JsonDocument> Resolve(const JsonValue& request, EarlierAnswers& earlier,
                                     const JsonLimits& limits, size_t* room);

}  // namespace podkit::conduit::internal
