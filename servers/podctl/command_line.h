// podctl's command line: the options that every verb takes, and the verbs.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "servers/podctl/output.h"
#include "servers/podctl/session.h"

namespace podkit::podctl {

// What a person may ask for; a collection takes others too, from clients that know them.
inline const std::vector<std::string> kComponentTypes = {"VEVENT", "VTODO", "VJOURNAL"};

struct VerbInfo {
  std::string name;
  std::string family = {};  // "chunk" for "podctl chunk put"; declared with AddFamily.
  std::string group;
  std::string description;  // One line.
  std::string details;      // For the verb's own help; may be empty.
  std::string examples;     // One a line.
};

class CommandLine {
 public:
  CommandLine();

  using Run = std::function<absl::Status(Session&)>;

  // Adds a word that verbs follow.
  void AddFamily(const VerbInfo& info);
  // Adds a verb; options and positional arguments are added to what is returned.
  CLI::App* Add(const VerbInfo& info, Run run);

  // Parses the arguments and runs the verb; returns what the process ends with. Prints help and
  // errors.
  int Main(const std::vector<std::string>& arguments);

  // The manual: help of everything, as docs/podctl.md has it.
  std::string Manual() const;

 private:
  absl::Status ParseAndRun(const std::vector<std::string>& arguments);

  Globals globals_;
  Output output_;
  CLI::App app_;
  std::vector<const CLI::App*> families_;
  std::vector<std::pair<CLI::App*, Run>> verbs_;
};

// Each adds the verbs of one file.
void AddPodVerbs(CommandLine* line);
void AddCareVerbs(CommandLine* line);
void AddReplayVerb(CommandLine* line);
void AddCollectionVerbs(CommandLine* line);
void AddImportVerbs(CommandLine* line);
void AddObjectVerbs(CommandLine* line);
void AddAttachmentVerbs(CommandLine* line);
void AddSharingVerbs(CommandLine* line);
void AddDelegateVerbs(CommandLine* line);
void AddLockVerbs(CommandLine* line);
void AddChunkVerbs(CommandLine* line);
void AddDemoVerb(CommandLine* line);

// All of them, in the order of the manual.
void AddAllVerbs(CommandLine* line);

}  // namespace podkit::podctl
