// What one pod keeps: a file for each user who lives there, and a small database of the homes
// beside them.
//
// Thread-safe. Homes, children and objects that come from a Store must not outlive it.
// Answers other pods: Open registers the remote actions on the conduit, which must not receive
// requests before Open returns and must outlive the Store, after which it is not asked for its
// Keys().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "podkit/conduit/answers.h"
#include "podkit/conduit/conduit.h"
#include "podkit/store/chunk_store.h"
#include "podkit/store/home.h"
#include "podkit/store/operation_stats.h"
#include "podkit/store/user_directory.h"

namespace podkit::store {

// A collection whose members changed. Its sync token says more.
struct CollectionChange {
  std::string owner_uid;
  std::string collection_id;
};

struct StoreOptions {
  std::string folder;           // Created if missing. One process at a time may have it open.
  size_t max_open_files = 256;  // User stores kept open while idle; about 5 descriptors each, and
                                // never more than half of what the process may have.
  int64_t max_object_bytes = int64_t{10} << 20;
  // Attachments of users who live here: the bytes of one, how many an object has, and the bytes of
  // all of one owner, parts of files that are on their way included.
  int64_t max_attachment_bytes = int64_t{100} << 20;
  int64_t max_attachments_per_object = 100;
  int64_t attachment_quota = int64_t{1} << 30;
  // What the URIs of attachments in calendar texts begin with, the same on every pod: the owner,
  // the managed id and the file's name follow, each after a '/'.
  std::string attachment_uri = "podkit:/attachments";
  // Where the bytes of attachments are; null: files beside the users' own.
  std::shared_ptr<ChunkStore> chunks;
  // Chunks that nothing uses stay so long, at least two hours: see CollectOrphans.
  absl::Duration orphan_grace = absl::Hours(24);
  absl::Duration call_timeout = absl::Seconds(10);  // Of a call to another pod.
  // Answers of writes of other pods, kept in the stores that they change so that a write whose
  // answer is lost is not done again. For each calling pod in each user store. The window must be
  // more than twice the other pods' call_timeout.
  conduit::AnswerLimits answers = {};
  // Deliver messages from threads of the store, one for each pod. Without it the owner calls
  // DeliverMessages.
  bool deliver_in_background = true;
  // With deliver_in_background: visits all homes once in this time, a few after the others, to
  // compare their shares as ReconcileShares does and to remove what CollectOrphans does. Zero: only
  // when asked to.
  absl::Duration care_period = absl::Hours(24);
  // Called after a change of a collection that lives here or shows in a home here, by whomever; may
  // be empty. A hint: several changes may come as one, and one from another pod may be lost. Called
  // from any thread; must not wait.
  std::function<void(const CollectionChange&)> on_change;
  std::function<absl::Time()> now = [] { return absl::Now(); };
  std::function<void(conduit::LogLevel, std::string_view)>
      log;  // May be empty. Called from any thread.
};

// A URI of at most 1024 bytes to which segments can be added, each after a '/'.
bool IsValidAttachmentUri(std::string_view uri);

// A message to another home that is not delivered yet. Without an id: all those of a home whose
// file cannot be read, which `last_error` explains.
struct PendingMessage {
  std::string id;
  std::string from_uid;
  std::string to_uid;
  std::string pod;  // Where it goes; empty: the directory does not know its receiver.
  std::string kind;
  int64_t attempts = 0;
  absl::Time created;
  absl::Time next_attempt;
  std::string last_error;
};

// What CheckHome found.
struct HomeCheck {
  std::vector<std::string> problems;  // What is wrong, each in a sentence; none if it is sound.
  int64_t attachments = 0;
  int64_t attachment_bytes = 0;  // As the quota counts them.
  int64_t orphans = 0;           // Chunks that nothing uses, old enough to be collected or not.
  int64_t orphan_bytes = 0;

  static constexpr auto Fields() {
    return std::make_tuple(Required("problems", &HomeCheck::problems),
                           Optional("attachments", &HomeCheck::attachments),
                           Optional("attachment_bytes", &HomeCheck::attachment_bytes),
                           Optional("orphans", &HomeCheck::orphans),
                           Optional("orphan_bytes", &HomeCheck::orphan_bytes));
  }
};

// What CollectOrphans removed.
struct CollectedOrphans {
  int64_t chunks = 0;
  int64_t bytes = 0;

  static constexpr auto Fields() {
    return std::make_tuple(Required("chunks", &CollectedOrphans::chunks),
                           Required("bytes", &CollectedOrphans::bytes));
  }
};

// What was done about shares whose two sides differed: see docs/sharing.md.
struct HealedShares {
  int64_t invited_again = 0;  // The viewer had other terms.
  int64_t asked_anew = 0;     // The viewer had lost it, or his answer.
  int64_t replied_again = 0;  // The owner had another answer than the viewer gave.
  int64_t removed = 0;        // The viewer had what the owner does not share.
  int64_t withdrawn = 0;      // Of a collection that is not there.

  HealedShares& operator+=(const HealedShares& other);
  static constexpr auto Fields() {
    return std::make_tuple(Required("invited_again", &HealedShares::invited_again),
                           Required("asked_anew", &HealedShares::asked_anew),
                           Required("replied_again", &HealedShares::replied_again),
                           Required("removed", &HealedShares::removed),
                           Required("withdrawn", &HealedShares::withdrawn));
  }
};

// What ReconcileShares found.
struct ReconciledShares {
  int64_t homes = 0;
  int64_t shares = 0;                 // Of these homes, as owners and as viewers.
  int64_t in_flight = 0;              // Left alone: a message about them waits.
  int64_t unknown = 0;                // Left alone: the other side could not be asked.
  int64_t calls = 0;                  // To other pods.
  HealedShares healed;                // In these homes; the others heal their own side.
  std::vector<std::string> problems;  // Homes and pods that could not be asked; the first 20.
  std::string next;                   // Go on after this home; empty: this was the last.

  static constexpr auto Fields() {
    return std::make_tuple(
        Required("homes", &ReconciledShares::homes), Required("shares", &ReconciledShares::shares),
        Required("in_flight", &ReconciledShares::in_flight),
        Required("unknown", &ReconciledShares::unknown),
        Required("calls", &ReconciledShares::calls), Required("healed", &ReconciledShares::healed),
        Required("problems", &ReconciledShares::problems),
        Required("next", &ReconciledShares::next));
  }
};

// How far PurgeHome has come.
struct PurgedHome {
  bool gone = false;     // Nothing of it is left here.
  int64_t messages = 0;  // That wait for their delivery before it goes.

  static constexpr auto Fields() {
    return std::make_tuple(Required("gone", &PurgedHome::gone),
                           Required("messages", &PurgedHome::messages));
  }
};

// How far DisableHome has come.
struct DisabledHome {
  bool closed = false;  // Its files are not open, and not used: they may be copied or replaced.

  static constexpr auto Fields() {
    return std::make_tuple(Required("closed", &DisabledHome::closed));
  }
};

struct StoreStats {
  int64_t homes_being_purged = 0;
  int64_t homes_disabled = 0;
  int64_t open_files = 0;
  int64_t reads = 0;   // Transactions since the start.
  int64_t writes = 0;  // Committed write operations since the start.
  int64_t commits =
      0;  // Commits that carried them: writes wait for each other and commit together.
  int64_t messages_delivered = 0;
  int64_t messages_failed = 0;  // Attempts that will be repeated.
  int64_t shares_compared = 0;  // With their other side, as ReconcileShares does.
  HealedShares shares_healed;   // Here, whoever asked.
  CollectedOrphans orphans_collected;
  std::vector<OperationStats> operations;  // On the homes of this pod: all that there are.
  AttachmentStats attachments;             // Of these homes.
};

class Store {
 public:
  // `conduit` may be null: then every other pod is unavailable.
  static absl::StatusOr<std::unique_ptr<Store>> Open(StoreOptions options,
                                                     std::shared_ptr<const UserDirectory> directory,
                                                     conduit::Conduit* conduit, std::string pod_id);
  ~Store();

  const std::string& pod_id() const;
  const UserDirectory& directory() const;

  // The home of `uid`, wherever it lives, seen by `actor`: a user, or the operator if empty. The
  // home of a user who lives here is made when it is first asked for. NoSuchUser if the directory
  // does not know `uid`.
  absl::StatusOr<std::unique_ptr<Home>> HomeFor(const std::string& uid, const std::string& actor);

  // Brings this pod's homes in line with the groups of the directory: call it after the directory
  // changed. Rights of delegates come and go with membership at once, those of viewers go at
  // once; this tells those who left, and tells or invites those who joined. Open does it too.
  absl::Status FollowGroups();

  // Whether the file of a user who lives here, and the bytes of his attachments, hold what they
  // must. Reads all of it, beside whoever uses it. NoSuchHome; StoreDamaged if it cannot even be
  // read.
  absl::StatusOr<HomeCheck> CheckHome(const std::string& uid);

  // Removes the chunks of a user who lives here that nothing has used for
  // StoreOptions::orphan_grace: of attachments that were removed, and of files that were not
  // attached in the end. Runs beside whoever attaches files. NoSuchHome.
  absl::StatusOr<CollectedOrphans> CollectOrphans(const std::string& uid);

  // Compares the shares of the next `homes` homes of this pod, by uid after `after`, with what the
  // other side has, and heals differences; all of them with one call to each pod for so many
  // shares. What a message that waits explains is no difference. Whatever the number of shares, it
  // holds few of them at a time. Doing it again changes nothing. A share that only one side has is
  // found from the pod of that side.
  absl::StatusOr<ReconciledShares> ReconcileShares(const std::string& after = "",
                                                   int64_t homes = 1000);

  // Removes the home of a user who lives here, for ever: export first what is to be kept. From now
  // on it is NoSuchHome, and everybody who shares with him or acts for him is told. The file and
  // the attachments go when that is delivered and nobody holds the home, at once or later, also
  // after a restart; ask again to see how far it is. While the directory has him, a new home is
  // made when it is next asked for; take him out of it when the purge is over, for before his
  // messages would not be taken. NoSuchHome, also when it is over; NoSuchUser and HomeElsewhere by
  // the directory.
  absl::StatusOr<PurgedHome> PurgeHome(const std::string& uid);

  // Closes the home of a user who lives here until EnableHome, also over restarts, so that an
  // operator can copy, mend or replace its files while the pod runs. It is HomeDisabled for
  // everybody, whatever he holds open; others go on. Messages to it wait where they come from, and
  // its own wait here. NoSuchHome.
  absl::StatusOr<DisabledHome> DisableHome(const std::string& uid);
  // Its files are what it is from now on. OK if it was not disabled. StoreBusy: somebody held it
  // open when it was disabled and has not let go; try again.
  absl::Status EnableHome(const std::string& uid);

  // Homes that exist on this pod, by uid.
  absl::StatusOr<std::vector<HomeInfo>> ListHomes();

  // Tells other pods what changed, tries once to deliver every message that is due, and returns
  // when the next one will be; InfiniteFuture if none waits.
  absl::Time DeliverMessages();
  absl::StatusOr<std::vector<PendingMessage>> PendingMessages();

  StoreStats Stats() const;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace podkit::store
