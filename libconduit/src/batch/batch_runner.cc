#include "batch/batch_runner.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "batch/batch_command.h"
#include "batch/frames.h"
#include "batch/references.h"
#include "common/status_macros.h"
#include "envelope.h"
#include "fmt/format.h"
#include "outcome.h"
#include "payload_body.h"
#include "podkit/conduit/error.h"
#include "utf8.h"

namespace podkit::conduit::internal {
namespace {

constexpr std::string_view kHead = R"({"result":"ok"})";
constexpr size_t kMostDetails = 100;

absl::Status Refused(std::string_view why) { return conduit::MakeError(InvalidArguments{}, why); }

std::string ActionOf(const JsonValue& request) {
  const auto action = request.Member("action");
  if (!action) return {};
  return RepairUtf8(std::string(action->AsString().value_or(std::string_view()).substr(0, 64)));
}

// An error of a call that was not executed, cut where it has no room.
WireReply ErrorWithin(size_t room, const absl::Status& error) {
  WireReply reply = ExceptionReply(error);
  if (reply.body.size() <= room) return reply;
  return ExceptionReply(internal::MakeError(error.code(), ErrorClass(error), "{}",
                                            ForLog(std::string(error.message()), kMostDetails)));
}

// One batch on its way through its calls.
class Run {
 public:
  Run(Responders& responders, const ConduitOptions& options, const CallContext& context,
      size_t calls)
      : responders_(responders),
        context_(context),
        limits_{options.max_body_bytes, options.max_json_depth},
        earlier_(limits_),
        room_to_resolve_(options.max_body_bytes),
        room_(options.max_body_bytes - kPayloadHeadBytes - kHead.size()),
        pending_(calls) {
    replies_.reserve(calls);
  }

  void Add(const BatchFrame& frame) {
    --pending_;
    room_ -= kBatchFrameHeadBytes;
    if (frame.kind == BatchFrame::Kind::kLeftOut) {
      earlier_.AddFailed("", "");
      replies_.emplace_back();
      return;
    }
    const size_t room = room_ - pending_ * (kBatchFrameHeadBytes + BatchRunner::kReservedBytes);
    action_.clear();
    auto done = Answer(frame, room);
    if (!done.ok()) done = RunCall{.reply = ErrorWithin(room, done.status())};
    room_ -= done->reply.body.size();
    replies_.push_back(std::move(done->reply));
    if (done->ok) {
      earlier_.AddOk(action_, replies_.back());
    } else {
      earlier_.AddFailed(action_, ClassOf(replies_.back()));
    }
  }

  void Finish(std::string* bytes) const {
    for (const WireReply& reply : replies_) {
      const bool left_out = reply.content_type.empty();
      AppendBatchFrame(
          {.kind = left_out ? BatchFrame::Kind::kLeftOut : BatchFrame::KindOf(reply.content_type),
           .body = reply.body},
          bytes);
    }
  }

 private:
  // The error says why it was not executed.
  absl::StatusOr<RunCall> Answer(const BatchFrame& frame, size_t room) {
    WireRequest request{.content_type = std::string(frame.content_type()),
                        .authorization = {},
                        .body = std::string(frame.body)};
    std::string_view payload;
    PODKIT_ASSIGN_OR_RETURN(JsonDocument document, ParseRequest(request, limits_, &payload));
    action_ = ActionOf(document.root());
    if (action_ == BatchCommand::kInfo.name) return Refused("a batch within a batch");
    if (document.root().Member(kUseMember)) {
      PODKIT_ASSIGN_OR_RETURN(document,
                              Resolve(document.root(), earlier_, limits_, &room_to_resolve_));
    }
    PODKIT_ASSIGN_OR_RETURN(const auto opened,
                            responders_.OpenInner(context_, std::move(document), payload));
    return responders_.Run(*opened, room);
  }

  std::string ClassOf(const WireReply& reply) const {
    const auto document = JsonDocument::Parse(reply.body, limits_);
    if (!document.ok()) return std::string(InternalError::kClass);
    const auto error = document->root().Member("class");
    return std::string(error ? error->AsString().value_or("") : "");
  }

  Responders& responders_;
  const CallContext& context_;
  const JsonLimits limits_;
  EarlierAnswers earlier_;
  size_t room_to_resolve_;
  size_t room_;     // For the calls that have no answer yet.
  size_t pending_;  // How many these are.
  std::string action_;
  std::vector<WireReply> replies_;  // Stay where they are: `earlier_` reads them.
};

}  // namespace

absl::Status BatchRunner::Answer(const CallContext& context) const {
  const auto frames = SplitBatchFrames(context.payload, options_.max_batch_calls);
  if (!frames.ok()) return Refused(std::string(frames.status().message()));
  const size_t least =
      kPayloadHeadBytes + kHead.size() + frames->size() * (kBatchFrameHeadBytes + kReservedBytes);
  if (least > options_.max_body_bytes) {
    return Refused(
        fmt::format("the answers to {} calls may not fit into {} bytes: make more "
                    "batches, of fewer calls",
                    frames->size(), options_.max_body_bytes));
  }
  Run run(responders_, options_, context, frames->size());
  for (const BatchFrame& frame : *frames) run.Add(frame);
  run.Finish(context.reply_payload);
  return absl::OkStatus();
}

}  // namespace podkit::conduit::internal
