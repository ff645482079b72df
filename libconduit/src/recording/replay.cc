#include <algorithm>
#include <fstream>
#include <future>
#include <limits>
#include <utility>

#include "fmt/format.h"
#include "podkit/conduit/recorder.h"
#include "recording/difference.h"
#include "recording/exchange.h"
#include "utf8.h"

namespace podkit::conduit {
namespace {

using internal::RecordedBody;
using internal::RecordedExchange;

constexpr size_t kMostShown = 200;

std::string Shown(const std::string& text) { return internal::ForLog(text, kMostShown); }

class Replaying {
 public:
  Replaying(Conduit& conduit, const ReplayOptions& options)
      : conduit_(conduit),
        options_(options),
        rules_{.max_body_bytes = std::numeric_limits<size_t>::max(), .secrets = options.secrets} {}

  void Again(int64_t line, const RecordedExchange& exchange) {
    auto request = internal::RequestOf(exchange.request);
    auto caller = conduit_.pods().Find(exchange.caller);
    const bool comparable = exchange.reply.json || exchange.reply.bytes == 0;
    if (!request || caller == nullptr || !comparable) {
      ++replayed_.skipped;
      return;
    }
    line_ = line;
    command_ = internal::CommandOf(exchange.request);
    found_ = false;
    const WireReply reply = Send(std::move(caller), *std::move(request));
    if (reply.status != exchange.status) {
      Differs("status", std::to_string(exchange.status), std::to_string(reply.status));
    }
    Compare(exchange.reply, internal::RecordReply(reply, rules_, exchange.request.batch), "");
    ++(found_ ? replayed_.different : replayed_.same);
  }

  void Skip() { ++replayed_.skipped; }

  Replayed Take() { return std::move(replayed_); }

 private:
  WireReply Send(std::shared_ptr<const Pod> caller, WireRequest request) {
    std::promise<WireReply> promise;
    conduit_.Answer({.caller = std::move(caller),
                     .request = std::move(request),
                     .reply = [&](WireReply reply) { promise.set_value(std::move(reply)); }});
    return promise.get_future().get();
  }

  void Compare(const RecordedBody& before, const RecordedBody& after, const std::string& place) {
    if (before.json && after.json) {
      CompareJson(before.json->text, after.json->text, place);
    } else if (before.json.has_value() != after.json.has_value()) {
      // A part of it that was too large to record, or a call that was left out.
      if (before.json || before.bytes == 0) Differs(place + "answer", "other", "other");
    }
    if (before.payload != after.payload) {
      Differs(place + "payload", SizeOf(before.payload), SizeOf(after.payload));
    }
    if (before.calls.size() != after.calls.size()) {
      Differs(place + "calls", std::to_string(before.calls.size()),
              std::to_string(after.calls.size()));
    }
    for (size_t i = 0; i < std::min(before.calls.size(), after.calls.size()); ++i) {
      Compare(before.calls[i], after.calls[i], fmt::format("{}call {} ", place, i));
    }
  }

  void CompareJson(const std::string& before, const std::string& after, const std::string& place) {
    constexpr JsonLimits kLimits = {.max_depth = 512};
    const auto expected = JsonDocument::Parse(before, kLimits);
    const auto got = JsonDocument::Parse(after, kLimits);
    if (!expected.ok() || !got.ok()) return Differs(place + "$", Shown(before), Shown(after));
    internal::FindDifferences(
        expected->root(), got->root(), place + "$",
        [&](std::string_view name) {
          const auto& ignored = options_.ignored;
          return rules_.IsSecret(name) ||
                 std::find(ignored.begin(), ignored.end(), name) != ignored.end();
        },
        [&](const std::string& at, const std::string& old, const std::string& now) {
          Differs(at, Shown(old), Shown(now));
        });
  }

  static std::string SizeOf(const std::optional<Bytes>& payload) {
    return payload ? fmt::format("{} bytes", payload->data.size()) : "none";
  }

  void Differs(const std::string& place, std::string recorded, std::string replayed) {
    found_ = true;
    if (replayed_.differences.size() >= options_.max_differences) return;
    replayed_.differences.push_back({.line = line_,
                                     .command = command_,
                                     .place = place,
                                     .recorded = std::move(recorded),
                                     .replayed = std::move(replayed)});
  }

  Conduit& conduit_;
  const ReplayOptions& options_;
  const internal::RecordingRules rules_;
  Replayed replayed_;
  int64_t line_ = 0;
  std::string command_;
  bool found_ = false;
};

bool IsHead(const std::string& line) {
  const auto document = JsonDocument::Parse(line);
  const auto version = document.ok() ? document->root().Member("podkit_recording") : std::nullopt;
  return version && version->AsInteger() == 1;
}

}  // namespace

absl::StatusOr<Replayed> Replay(const std::string& path, Conduit& conduit,
                                const ReplayOptions& options) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(fmt::format("cannot read the recording '{}'", path));
  std::string line;
  if (!std::getline(file, line) || !IsHead(line)) {
    return absl::InvalidArgumentError(fmt::format(
        "'{}' is no recording: it does not begin with {{\"podkit_recording\":1}}", path));
  }
  Replaying replaying(conduit, options);
  for (int64_t number = 2; std::getline(file, line); ++number) {
    auto exchange = FromJson<RecordedExchange>(line, {.max_depth = 512});
    if (exchange.ok()) {
      replaying.Again(number, *exchange);
    } else {
      replaying.Skip();  // What a crash left of a line.
    }
  }
  return replaying.Take();
}

}  // namespace podkit::conduit
