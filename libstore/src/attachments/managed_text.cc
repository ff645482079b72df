#include "attachments/managed_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "attachments/attachment_table.h"
#include "common/status_macros.h"
#include "internal/object_changes.h"
#include "internal/rights.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

// As a segment of a path (RFC 3986).
std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@";
  std::string encoded;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

bool Contains(const std::vector<std::string>& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

// Whether the actor sees something that uses the attachment.
absl::StatusOr<bool> MaySee(Database& database, const std::string& managed_id, Actor actor) {
  PODKIT_ASSIGN_OR_RETURN(const auto collections, CollectionsUsing(database, managed_id));
  actor.share_uid.clear();  // That is of one collection.
  for (const std::string& collection : collections) {
    const auto grant = GrantOf(database, collection, actor);
    if (grant.ok() && grant->access != Access::kBusy) return true;
    if (!grant.ok() && !GetError<AccessDenied>(grant.status())) return grant.status();
  }
  return false;
}

// Finds out which managed ids of a text count.
class Finder {
 public:
  Finder(Database& database, std::vector<std::string> used, const PutOptions& options)
      : database_(database), used_(std::move(used)), options_(options) {}

  std::optional<calendar::ManagedAttach> Find(const std::string& managed_id) {
    auto found = FindIfSeen(managed_id);
    if (!found.ok()) {
      status_.Update(found.status());
      return std::nullopt;
    }
    const std::optional<AttachmentInfo>& attachment = *found;
    if (!attachment) return std::nullopt;
    if (!Contains(managed_ids_, managed_id)) managed_ids_.push_back(managed_id);
    return ToAttach(*attachment, database_.uid(), *options_.store);
  }

  // The first thing that went wrong.
  const absl::Status& status() const { return status_; }
  std::vector<std::string> TakeIds() { return std::move(managed_ids_); }

 private:
  absl::StatusOr<std::optional<AttachmentInfo>> FindIfSeen(const std::string& managed_id) {
    if (!Contains(used_, managed_id)) {
      PODKIT_ASSIGN_OR_RETURN(const bool seen, MaySee(database_, managed_id, *options_.actor));
      if (!seen) return std::nullopt;
    }
    return FindAttachment(database_, managed_id);
  }

  Database& database_;
  const std::vector<std::string> used_;  // By the object as it is.
  const PutOptions& options_;
  std::vector<std::string> managed_ids_;
  absl::Status status_;
};

}  // namespace

calendar::ManagedAttach ToAttach(const AttachmentInfo& attachment, const std::string& owner_uid,
                                 const StoreOptions& options) {
  const std::string_view name =
      attachment.file_name.empty() ? std::string_view("attachment") : attachment.file_name;
  return {.managed_id = attachment.managed_id,
          .content_type = attachment.content_type,
          .file_name = attachment.file_name,
          .size = attachment.size,
          .uri = fmt::format("{}/{}/{}/{}", options.attachment_uri, PercentEncode(owner_uid),
                             attachment.managed_id, PercentEncode(name))};
}

absl::StatusOr<ManagedText> CheckManagedText(Database& database, const std::string& object_id,
                                             const std::string& object_name, std::string_view text,
                                             const PutOptions& options) {
  ManagedText result;
  if (!calendar::MayHaveManagedAttaches(text)) return result;
  std::vector<std::string> used;
  if (!object_id.empty()) {
    PODKIT_ASSIGN_OR_RETURN(used, UsedAttachments(database, object_id));
  }
  const size_t had = used.size();
  Finder finder(database, std::move(used), options);
  auto corrected = calendar::CorrectAttaches(
      text, [&finder](const std::string& managed_id) { return finder.Find(managed_id); });
  PODKIT_RETURN_IF_ERROR(finder.status());
  if (!corrected.ok()) return RefuseCalendar(object_name, corrected.status());
  result.managed_ids = finder.TakeIds();
  const auto limit = options.store->max_attachments_per_object;
  if (result.managed_ids.size() > std::max(had, static_cast<size_t>(limit))) {
    return MakeError(TooManyAttachments{.object = object_name, .limit = limit},
                     fmt::format("object '{}' would have {} attachments and may have {}: remove "
                                 "one of them first",
                                 object_name, result.managed_ids.size(), limit));
  }
  if (*corrected != text) result.corrected = *std::move(corrected);
  return result;
}

}  // namespace podkit::store
