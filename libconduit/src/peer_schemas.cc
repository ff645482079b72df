#include "peer_schemas.h"

#include <algorithm>

#include "envelope.h"
#include "fmt/format.h"
#include "outcome.h"
#include "podkit/conduit/error.h"

namespace podkit::conduit::internal {
namespace {

// As if the other pod had answered that it does not know the command.
PeerSchemas::Decision Refuse(const CommandSchema& own, const std::string& version,
                             std::string_view details) {
  return {.step = PeerSchemas::Step::kRefuse,
          .refusal = conduit::MakeError(UnknownAction{own.name, version}, details)};
}

PeerSchemas::Decision RefuseUnknown(PeerSchemas::PeerName peer, const CommandSchema& own,
                                    const std::string& version) {
  return Refuse(own, version,
                fmt::format("pod '{}' (version {}) does not know '{}', which exists since version "
                            "{}: update that pod",
                            peer.pod, version, own.name, own.since));
}

PeerSchemas::Decision RefuseChanged(PeerSchemas::PeerName peer, const CommandSchema& own,
                                    const std::string& version, std::string_view what) {
  return Refuse(own, version,
                fmt::format("pod '{}' (version {}) has another '{}': {}: run the same version on "
                            "both pods",
                            peer.pod, version, own.name, what));
}

}  // namespace

PeerSchemas::Decision PeerSchemas::Decide(PeerName peer, const Own& own, std::string_view request,
                                          absl::Time now) {
  MutexLock lock(&mutex_);
  const auto found = known_.find(peer);
  if (found == known_.end()) return {.step = Step::kHello};
  Knowledge& knowledge = found->second;
  const absl::Duration age = now - knowledge.met;
  // A clock that was set back makes no knowledge last longer.
  if (age >= kGoodFor || age < absl::ZeroDuration()) return {.step = Step::kHello};
  if (knowledge.silent) return {};
  const auto served = knowledge.served.find(own.schema.name);
  Decision decision;
  if (served != knowledge.served.end()) {
    decision = DecideServed(peer, knowledge, served->second, own, request);
  } else if (knowledge.complete) {
    decision = RefuseUnknown(peer, own.schema, knowledge.version);
  }
  if (decision.step == Step::kRefuse && age >= kRefusedFor) return {.step = Step::kHello};
  return decision;
}

PeerSchemas::Decision PeerSchemas::DecideServed(PeerName peer, const Knowledge& knowledge,
                                                Served& served, const Own& own,
                                                std::string_view request) {
  if (served.fingerprint == own.fingerprint) return {};
  if (!served.described) return {.step = Step::kDescribe};
  if (!served.readable) return {};
  if (served.compared != own.fingerprint) {
    served.breaks = FindBreaks(own.schema, served.schema);
    served.compared = own.fingerprint;
  }
  const auto certain = std::find_if(served.breaks.begin(), served.breaks.end(),
                                    [](const SchemaBreak& one) { return one.always; });
  if (certain != served.breaks.end()) {
    return RefuseChanged(peer, own.schema, knowledge.version, BreakText(*certain));
  }
  const bool may_not_fit = std::any_of(served.breaks.begin(), served.breaks.end(),
                                       [](const SchemaBreak& one) { return one.in_call; });
  if (!may_not_fit) return {};
  // Of the values it depends; these are at hand.
  const auto values = JsonDocument::Parse(std::string(request));
  const absl::Status status =
      values.ok() ? CheckRequest(served.schema, values->root()) : values.status();
  if (status.ok()) return {};
  return RefuseChanged(peer, own.schema, knowledge.version,
                       fmt::format("this call: {}", std::string(status.message())));
}

void PeerSchemas::Met(const Peer& peer, const Hello::Response& answer, absl::Time now) {
  MutexLock lock(&mutex_);
  Knowledge& knowledge = known_[peer];
  Knowledge before = std::move(knowledge);
  knowledge = {.met = now, .version = answer.version};
  for (const ServedCommand& command : answer.commands) {
    if (knowledge.served.size() >= kMostCommands) {
      knowledge.complete = false;
      return;
    }
    Served served{.fingerprint = command.fingerprint};
    // What was learned of a schema stays true as long as it is the same schema.
    const auto old = before.served.find(command.name);
    if (old != before.served.end() && old->second.fingerprint == command.fingerprint) {
      served = std::move(old->second);
    }
    // One that no request can name is as good as none.
    if (command.answers.size() <= kMaxAnswersBytes) {
      served.answers = {command.answers, command.answers_for};
    }
    knowledge.served[command.name] = std::move(served);
  }
}

void PeerSchemas::Silent(const Peer& peer, absl::Time now) {
  MutexLock lock(&mutex_);
  known_[peer] = {.met = now, .silent = true};
}

void PeerSchemas::Described(const Peer& peer, const std::string& command,
                            const DescribeCommands::Response& answer) {
  MutexLock lock(&mutex_);
  const auto found = known_.find(peer);
  if (found == known_.end()) return;
  const auto served = found->second.served.find(command);
  if (served == found->second.served.end()) return;
  served->second.described = true;
  const auto text = answer.schemas.find(command);
  if (text == answer.schemas.end()) return;
  auto schema = FromJson<CommandSchema>(text->second.text);
  served->second.readable = schema.ok();
  if (!schema.ok()) return;
  served->second.schema = *std::move(schema);
  served->second.compared.clear();
}

void PeerSchemas::Forget(const Peer& peer) {
  MutexLock lock(&mutex_);
  known_.erase(peer);
}

std::optional<PeerSchemas::Answers> PeerSchemas::AnswersOf(PeerName peer,
                                                           std::string_view command) {
  MutexLock lock(&mutex_);
  const auto found = known_.find(peer);
  if (found == known_.end()) return std::nullopt;
  const auto served = found->second.served.find(command);
  if (served == found->second.served.end() || served->second.answers.id.empty()) {
    return std::nullopt;
  }
  return served->second.answers;
}

}  // namespace podkit::conduit::internal
