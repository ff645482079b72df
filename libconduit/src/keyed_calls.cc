#include "keyed_calls.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "fmt/format.h"
#include "outcome.h"
#include "podkit/conduit/error.h"
#include "sha256.h"

namespace podkit::conduit::internal {
namespace {

// Members of the envelope that a repeat may have otherwise.
constexpr std::array kOfTheRequest = {
    std::string_view("timeout_ms"), std::string_view("call"),  std::string_view("key"),
    std::string_view("answers"),    std::string_view("trace"), std::string_view("store_token")};

// So that no two lists of texts are the same bytes.
void AddText(Sha256& hash, std::string_view text) {
  hash.Update(fmt::format("{}:", text.size()));
  hash.Update(text);
}

absl::Status Forgotten(const KeyedCall& call) {
  return MakeError(AnswersForgotten{},
                   fmt::format("the answers that this call of '{}' counts on are not kept here: "
                               "another host has them, or a restart has forgotten them",
                               call.command));
}

}  // namespace

std::string DigestOf(const JsonValue& request, std::string_view payload) {
  std::map<std::string_view, JsonValue> members;
  for (size_t i = 0; i < request.size(); ++i) {
    const auto [name, value] = request.MemberAt(i);
    const bool varies =
        std::find(kOfTheRequest.begin(), kOfTheRequest.end(), name) != kOfTheRequest.end();
    if (!varies) members.emplace(name, value);
  }
  Sha256 hash;
  for (const auto& [name, value] : members) {
    AddText(hash, name);
    AddText(hash, value.ToText());
  }
  AddText(hash, payload);
  return hash.Hex();
}

bool HoldsForRepeats(const absl::Status& error) {
  return !IsConduitError(ErrorClass(error)) && error.code() != absl::StatusCode::kUnavailable &&
         error.code() != absl::StatusCode::kResourceExhausted;
}

RunCall KeyedCalls::Run(AnswerStore& answers, const KeyedCall& call, std::string_view wanted,
                        absl::FunctionRef<RunCall()> run,
                        absl::FunctionRef<absl::Status(const absl::Status&)> explain,
                        absl::FunctionRef<void(const absl::Status&)> unkept) {
  if (!wanted.empty() && wanted != answers.Id()) {
    Count(&KeyStats::forgotten);
    return {.reply = ExceptionReply(Forgotten(call))};
  }
  auto kept = answers.Begin(call);
  if (!kept.ok()) {
    CountError(kept.status());
    return {.reply = ExceptionReply(explain(kept.status()))};
  }
  if (std::optional<WireReply>& answer = *kept; answer) {
    Count(&KeyStats::repeats);
    WireReply reply = *std::move(answer);
    const bool ok = reply.status == 200;
    return {.reply = std::move(reply), .ok = ok};
  }
  Count(&KeyStats::executed);
  RunCall done = run();
  const absl::Status status = answers.End(call, done.keep ? &done.reply : nullptr);
  if (!status.ok()) unkept(status);
  return done;
}

void KeyedCalls::CountError(const absl::Status& error) {
  const std::string error_class = ErrorClass(error);
  if (error_class == StillRunning::kClass) {
    Count(&KeyStats::still_running);
  } else if (error_class == KeyReused::kClass || error_class == Overloaded::kClass) {
    Count(&KeyStats::refused);
  }
}

}  // namespace podkit::conduit::internal
