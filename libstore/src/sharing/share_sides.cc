#include "sharing/share_sides.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "sharing/binds.h"
#include "sharing/invitations.h"
#include "sharing/share_messages.h"

namespace podkit::store {
namespace {

// No owner ever asked so often: a greater one is not taken over.
constexpr int64_t kMostGenerations = int64_t{1} << 53;

Remedy OwnersRemedy(const ShareFacts& mine, const ShareFacts& theirs, bool mine_first) {
  const bool answered = mine.status != ShareStatus::kInvited;
  const Remedy ask_anew = mine_first ? Remedy::kAskAnew : Remedy::kNone;
  if (theirs.presence == Presence::kAbsent) {
    // Who has said no is not asked again because he forgot it.
    return mine.status == ShareStatus::kDeclined ? Remedy::kNone : ask_anew;
  }
  if (theirs.generation > mine.generation) {
    return theirs.generation <= kMostGenerations ? Remedy::kInviteAgain : Remedy::kNone;
  }
  // He would be asked by these terms, and the answer that the owner has is not to them.
  if (theirs.generation < mine.generation) return answered ? ask_anew : Remedy::kInviteAgain;
  if (answered && theirs.status == ShareStatus::kInvited && mine_first) return Remedy::kAskAnew;
  return theirs.access == mine.access ? Remedy::kNone : Remedy::kInviteAgain;
}

Remedy ViewersRemedy(const ShareFacts& mine, const ShareFacts& theirs, bool mine_first) {
  if (theirs.presence == Presence::kAbsent) return mine_first ? Remedy::kRemove : Remedy::kNone;
  const bool answered = mine.status != ShareStatus::kInvited;
  const bool differs = mine.generation == theirs.generation && mine.status != theirs.status;
  return answered && differs ? Remedy::kReplyAgain : Remedy::kNone;
}

absl::StatusOr<bool> IsInFlight(Database& database, const std::string& to_uid,
                                const std::string& share_uid) {
  PODKIT_ASSIGN_OR_RETURN(
      const auto found,
      database.QueryInteger("SELECT 1 FROM outbox WHERE to_uid = ? AND json_valid(body)"
                            " AND json_extract(body, '$.share_uid') = ? LIMIT 1",
                            {to_uid, share_uid}));
  return found.has_value();
}

absl::StatusOr<bool> CollectionExists(Database& database, const std::string& collection_id) {
  PODKIT_ASSIGN_OR_RETURN(
      const auto found,
      database.QueryInteger("SELECT 1 FROM collection WHERE id = ?", {collection_id}));
  return found.has_value();
}

absl::StatusOr<ShareFacts> FactsOf(Database& database, const std::optional<Bind>& bind,
                                   const ShareSide& side) {
  ShareFacts facts = {.presence = Presence::kAbsent};
  PODKIT_ASSIGN_OR_RETURN(facts.in_flight, IsInFlight(database, side.other_uid(), side.share_uid));
  if (!bind || bind->owner_uid != side.owner_uid || bind->viewer_uid != side.viewer_uid) {
    return facts;
  }
  facts.access = bind->access;
  facts.status = bind->status;
  facts.generation = bind->generation;
  bool exists = true;
  if (side.party == Party::kOwner) {
    PODKIT_ASSIGN_OR_RETURN(exists, CollectionExists(database, bind->collection_id));
  }
  if (exists) facts.presence = Presence::kPresent;
  return facts;
}

absl::Status Apply(Database& database, const Healing& healing, Bind bind, absl::Time now) {
  switch (healing.remedy) {
    case Remedy::kNone:
      return absl::OkStatus();
    case Remedy::kWithdraw:
      return SendUninvite(database, bind, now);
    case Remedy::kReplyAgain:
      return SendReply(database, bind, now);
    case Remedy::kRemove:
      return RemoveShare(database, bind, now);
    case Remedy::kInviteAgain:
    case Remedy::kAskAnew:
      break;
  }
  // The owner's file is an older one: the viewer's answers count from where he is.
  bind.generation = std::max(bind.generation, healing.theirs.generation);
  return InviteAgain(database, std::move(bind), healing.remedy == Remedy::kAskAnew, now);
}

}  // namespace

Remedy RemedyFor(Party party, const ShareFacts& mine, const ShareFacts& theirs, bool mine_first) {
  if (mine.in_flight || theirs.in_flight) return Remedy::kNone;
  const bool own = party == Party::kOwner;
  if (mine.presence != Presence::kPresent) {
    return own && mine.generation > 0 ? Remedy::kWithdraw : Remedy::kNone;
  }
  if (theirs.presence == Presence::kUnknown) return Remedy::kNone;
  return own ? OwnersRemedy(mine, theirs, mine_first) : ViewersRemedy(mine, theirs, mine_first);
}

absl::StatusOr<std::vector<ShareSide>> LoadSides(Database& database, const std::string& home_uid,
                                                 const std::string& share_uid, int64_t most) {
  PODKIT_ASSIGN_OR_RETURN(const auto binds, SharesAfter(database, share_uid, most));
  std::vector<ShareSide> sides;
  sides.reserve(binds.size());
  for (const Bind& bind : binds) {
    ShareSide& side = sides.emplace_back(ShareSide{.share_uid = bind.share_uid,
                                                   .owner_uid = bind.owner_uid,
                                                   .viewer_uid = bind.viewer_uid,
                                                   .party = Party::kViewer,
                                                   .facts = {}});
    if (bind.owner_uid == home_uid) side.party = Party::kOwner;
    PODKIT_ASSIGN_OR_RETURN(side.facts, FactsOf(database, bind, side));
  }
  return sides;
}

absl::StatusOr<ShareFacts> LoadFacts(Database& database, const ShareSide& side) {
  PODKIT_ASSIGN_OR_RETURN(const auto bind, FindBindByShare(database, side.share_uid));
  return FactsOf(database, bind, side);
}

ShareSide Opposite(const ShareSide& side) {
  ShareSide other = side;
  other.party = side.party == Party::kOwner ? Party::kViewer : Party::kOwner;
  other.facts = {};
  return other;
}

absl::StatusOr<bool> Heal(Database& database, const Healing& healing, absl::Time now) {
  PODKIT_ASSIGN_OR_RETURN(auto bind, FindBindByShare(database, healing.mine.share_uid));
  if (!bind) return false;
  PODKIT_ASSIGN_OR_RETURN(const ShareFacts facts, FactsOf(database, bind, healing.mine));
  if (facts != healing.mine.facts) return false;
  PODKIT_RETURN_IF_ERROR(Apply(database, healing, *std::move(bind), now));
  return true;
}

}  // namespace podkit::store
