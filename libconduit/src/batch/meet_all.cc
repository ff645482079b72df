#include "batch/meet_all.h"

#include <utility>

#include "podkit/conduit/error.h"

namespace podkit::conduit::internal {
namespace {

class Meeting : public std::enable_shared_from_this<Meeting> {
 public:
  explicit Meeting(MeetAll meeting) : meeting_(std::move(meeting)) {}

  // Goes on up to the next question.
  void Go() {
    while (refusals_.size() < meeting_.asked.size()) {
      const auto& [command, request] = meeting_.asked[refusals_.size()];
      if (command == nullptr) {
        refusals_.emplace_back();
        continue;
      }
      auto known = meeting_.greeter->Look(meeting_.peer, *command, request, meeting_.now());
      if (!known) return Ask(command, request);
      refusals_.push_back(*std::move(known));
    }
    meeting_.done(std::move(refusals_));
  }

 private:
  void Ask(const std::shared_ptr<const PeerSchemas::Own>& command, const std::string& request) {
    meeting_.greeter->Before({.peer = meeting_.peer,
                              .command = command,
                              .request = request,
                              .deadline = meeting_.deadline,
                              .stop = meeting_.stop,
                              .ready = [self = shared_from_this()](absl::Status why) {
                                self->Answered(std::move(why));
                              }});
  }

  void Answered(absl::Status why) {
    if (!why.ok() && OutcomeOf(why) != Outcome::kNotImplemented) return meeting_.done(why);
    refusals_.push_back(std::move(why));
    Go();
  }

  MeetAll meeting_;
  std::vector<absl::Status> refusals_;
};

}  // namespace

void MeetAll::Start(MeetAll meeting) { std::make_shared<Meeting>(std::move(meeting))->Go(); }

}  // namespace podkit::conduit::internal
