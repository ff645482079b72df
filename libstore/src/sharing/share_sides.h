// The two sides of a share, the owner's row of `bind` and the viewer's, and what each does when
// they differ. docs/sharing.md says which side wins.
//
// A side heals what it decides itself by saying it again, as a message that is written in the
// transaction that reads its row: so it takes its turn among the others, and may be said once too
// often without harm.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/conduit/command.h"
#include "podkit/store/errors.h"
#include "podkit/store/types.h"
#include "sqlite/database.h"

namespace podkit::store {

enum class Presence {
  kUnknown,  // The file could not be asked.
  kAbsent,   // No such share; or one of a collection that is not there.
  kPresent,
};

enum class Party { kOwner, kViewer };

}  // namespace podkit::store

template <>
struct podkit::conduit::EnumNames<podkit::store::Presence> {
  static constexpr std::array kNames = {std::pair{podkit::store::Presence::kUnknown, "unknown"},
                                        std::pair{podkit::store::Presence::kAbsent, "absent"},
                                        std::pair{podkit::store::Presence::kPresent, "present"}};
};
template <>
struct podkit::conduit::EnumNames<podkit::store::Party> {
  static constexpr std::array kNames = {std::pair{podkit::store::Party::kOwner, "owner"},
                                        std::pair{podkit::store::Party::kViewer, "viewer"}};
};

namespace podkit::store {

// What a side says of a share.
struct ShareFacts {
  Presence presence = Presence::kUnknown;
  Access access = Access::kBusy;
  ShareStatus status = ShareStatus::kInvited;
  int64_t generation = 0;
  bool in_flight = false;  // A message about it to the other side is not delivered yet.

  bool operator==(const ShareFacts&) const = default;
  static constexpr auto Fields() {
    return std::make_tuple(
        Required("presence", &ShareFacts::presence), Optional("access", &ShareFacts::access),
        Optional("status", &ShareFacts::status), Optional("generation", &ShareFacts::generation),
        Optional("in_flight", &ShareFacts::in_flight));
  }
};

// One side: whose it is, and what he says.
struct ShareSide {
  std::string share_uid;
  std::string owner_uid;
  std::string viewer_uid;
  Party party = Party::kOwner;
  ShareFacts facts;

  const std::string& uid() const { return party == Party::kOwner ? owner_uid : viewer_uid; }
  const std::string& other_uid() const { return party == Party::kOwner ? viewer_uid : owner_uid; }
  static constexpr auto Fields() {
    return std::make_tuple(
        Required("share_uid", &ShareSide::share_uid), Required("owner_uid", &ShareSide::owner_uid),
        Required("viewer_uid", &ShareSide::viewer_uid), Required("party", &ShareSide::party),
        Required("facts", &ShareSide::facts));
  }
};

// The other side of the same share, of which nothing is known.
ShareSide Opposite(const ShareSide& side);

inline constexpr size_t kMostSidesInACall = 200;

// Pod to pod: the sides of users who live on the calling pod. Answered with what the others say of
// the same shares, in that order; on the way both pods heal what their users decide.
struct CompareShares {
  static constexpr conduit::CommandInfo kInfo = {
      .name = "compare-shares", .since = 1, .effect = conduit::Effect::kIdempotent};
  struct Arguments {
    std::vector<ShareSide> sides;
    static constexpr auto Fields() { return std::make_tuple(Required("sides", &Arguments::sides)); }
  };
  using Response = std::vector<ShareFacts>;
  using Errors = StoreErrors;
};

enum class Remedy {
  kNone,
  kInviteAgain,  // Owner: says the terms again.
  kAskAnew,      // Owner: asks the viewer anew.
  kWithdraw,     // Owner: takes it back, for the collection is gone.
  kReplyAgain,   // Viewer: says his answer again.
  kRemove,       // Viewer: gives up what the owner does not share.
};

// What the side `mine` of `party` does about `theirs`. `mine_first`: it was read before theirs;
// only then is something that they lack, and nothing explains, lost.
Remedy RemedyFor(Party party, const ShareFacts& mine, const ShareFacts& theirs, bool mine_first);

// The next sides of this home in the order of their shares, after `share_uid`, at most `most`.
// Inside of UserStore::Read or Write, as what follows.
absl::StatusOr<std::vector<ShareSide>> LoadSides(Database& database, const std::string& home_uid,
                                                 const std::string& share_uid, int64_t most);
// What the home of side.uid() says of it now.
absl::StatusOr<ShareFacts> LoadFacts(Database& database, const ShareSide& side);

struct Healing {
  ShareSide mine;
  ShareFacts theirs;
  Remedy remedy = Remedy::kNone;
};
// Does it, unless the row has changed meanwhile: then false. Inside of UserStore::Write, within
// Postman::Post.
absl::StatusOr<bool> Heal(Database& database, const Healing& healing, absl::Time now);

}  // namespace podkit::store
