// The verb that asks again what a pod was asked.

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "podkit/conduit/conduit.h"
#include "podkit/conduit/in_process.h"
#include "podkit/conduit/recorder.h"
#include "podkit/store/store.h"
#include "podkit/store/user_directory.h"
#include "servers/podctl/command_line.h"
#include "servers/podctl/errors.h"

namespace podkit::podctl {
namespace {

struct ReplayFlags {
  std::string recording;
  std::string data;
  std::string pods_file;
  std::string users_file;
  std::string id = "A";
};

std::string DifferenceText(const conduit::ReplayDifference& one) {
  return fmt::format("line {}, {}: {}: was {}, is {}\n", one.line, one.command, one.place,
                     one.recorded, one.replayed);
}

std::string ReplayJson(const conduit::Replayed& replayed) {
  conduit::JsonWriter writer;
  const auto number = [&](std::string_view name, int64_t value) {
    writer.Key(name);
    writer.Integer(value);
  };
  const auto text = [&](std::string_view name, const std::string& value) {
    writer.Key(name);
    writer.String(value);
  };
  writer.BeginObject();
  number("same", replayed.same);
  number("different", replayed.different);
  number("skipped", replayed.skipped);
  writer.Key("differences");
  writer.BeginArray();
  for (const conduit::ReplayDifference& one : replayed.differences) {
    writer.BeginObject();
    number("line", one.line);
    text("command", one.command);
    text("place", one.place);
    text("recorded", one.recorded);
    text("replayed", one.replayed);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return writer.Take() + '\n';
}

absl::Status RunReplay(Session& session, const ReplayFlags& flags) {
  PODKIT_ASSIGN_OR_RETURN(auto pods, conduit::Pods::Load(flags.pods_file, flags.id));
  PODKIT_ASSIGN_OR_RETURN(const auto users, store::FileUserDirectory::Load(flags.users_file));
  // Nobody else is on it, so nothing leaves this process.
  conduit::InProcessNetwork network;
  conduit::Conduit own(std::move(pods), &network);
  PODKIT_ASSIGN_OR_RETURN(
      const auto store,
      store::Store::Open({.folder = flags.data, .care_period = absl::ZeroDuration()}, users, &own,
                         flags.id));
  PODKIT_ASSIGN_OR_RETURN(const conduit::Replayed replayed, conduit::Replay(flags.recording, own));
  if (session.json()) {
    session.Print(ReplayJson(replayed));
  } else {
    for (const conduit::ReplayDifference& one : replayed.differences) {
      session.Print(DifferenceText(one));
    }
    session.Print(fmt::format("{} same, {} different, {} skipped\n", replayed.same,
                              replayed.different, replayed.skipped));
  }
  if (replayed.different == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{} of the recorded replies are other ones now", replayed.different));
}

}  // namespace

void AddReplayVerb(CommandLine* line) {
  const auto flags = std::make_shared<ReplayFlags>();
  CLI::App* const verb = line->Add(
      {.name = "replay",
       .group = "Pods",
       .description = "Ask a copy of a pod's data what the pod was asked, and compare the replies",
       .details = "FILE is what podd --record wrote. Needs no running pod; what was asked is done\n"
                  "again, so name a copy of the data folder. Nothing is sent to other pods.",
       .examples = "podctl replay calls.rec --data copy --pods-file pods.json --users-file "
                   "users.json --id A"},
      [flags](Session& session) { return RunReplay(session, *flags); });
  verb->add_option("FILE", flags->recording, "The recording")->required();
  verb->add_option("--data", flags->data, "A copy of the data folder")
      ->type_name("FOLDER")
      ->required();
  verb->add_option("--pods-file", flags->pods_file, "As that of podd")
      ->type_name("FILE")
      ->required();
  verb->add_option("--users-file", flags->users_file, "As that of podd")
      ->type_name("FILE")
      ->required();
  verb->add_option("--id", flags->id, "Id of the pod [A]")->type_name("ID");
}

}  // namespace podkit::podctl
