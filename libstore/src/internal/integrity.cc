#include "internal/integrity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "calendar/attach_text.h"
#include "calendar/personal_text.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "internal/object_changes.h"

namespace podkit::store {
namespace {

constexpr size_t kMostOfAKind = 100;

// A question whose every row is a problem, told by its only column.
constexpr std::array kQuestions = {
    "SELECT * FROM pragma_integrity_check(100) WHERE integrity_check <> 'ok'",
    "SELECT 'a row of ' || \"table\" || ' refers to a row of ' || parent || ' that is not there'"
    " FROM pragma_foreign_key_check",
    "SELECT 'there are ' || count(*) || ' rows in home' FROM home HAVING count(*) <> 1",
    "SELECT 'collection ' || id || ' has no bind of its owner' FROM collection WHERE NOT EXISTS"
    " (SELECT 1 FROM bind WHERE share_uid = collection.id AND viewer_uid = owner_uid)",
    "SELECT 'bind ' || share_uid || ' is for a collection that is not there' FROM bind"
    " WHERE owner_uid = (SELECT uid FROM home)"
    " AND collection_id NOT IN (SELECT id FROM collection)",
    "SELECT 'collection ' || id || ' has a revision beyond that of the home' FROM collection"
    " WHERE revision > (SELECT revision FROM home)",
    "SELECT 'bind ' || share_uid || ' has a revision beyond that of the home' FROM bind"
    " WHERE max(revision, personal_revision) > (SELECT revision FROM home)",
    "SELECT 'object ' || object.id || ' has a revision beyond that of its collection' FROM object"
    " JOIN collection ON collection.id = collection_id WHERE object.revision > collection.revision",
    "SELECT 'object ' || object.id || ' is in collection ' || object.collection_id ||"
    " ' and has a span in another' FROM object_span JOIN object ON row_id = object_row"
    " WHERE object_span.collection_id <> object.collection_id",
    "SELECT 'object ' || object.id || ' has a tombstone under its name' FROM object"
    " JOIN object_tombstone USING (collection_id, name)",
    "SELECT 'bind ' || share_uid || ' has a tombstone under its name' FROM bind"
    " JOIN bind_tombstone USING (name)",
    "SELECT 'attachment ' || managed_id || ' is used by no object' FROM attachment"
    " WHERE managed_id NOT IN (SELECT managed_id FROM attachment_use)",
    "SELECT 'attachment ' || managed_id || ' has chunks of another size' FROM attachment"
    " WHERE size <> (SELECT ifnull(sum(attachment_chunk.size), 0) FROM attachment_chunk"
    " WHERE attachment_chunk.managed_id = attachment.managed_id)"};

// That the text tells of everything that the object uses.
void CheckUses(const std::string& id, const std::string& text, const std::string& used,
               std::vector<std::string>* problems) {
  const auto uses = calendar::FindManagedAttaches(text);
  for (const std::string_view managed_id : SplitText(used, ',')) {
    const bool told = uses.ok() && std::any_of(uses->begin(), uses->end(), [&](const auto& use) {
                        return use.managed_id == managed_id;
                      });
    if (told) continue;
    problems->push_back(
        fmt::format("object {} uses attachment {}, which its text does not have", id, managed_id));
  }
}

// What is told of an object against its bytes.
void CheckText(const Row& row, std::vector<std::string>* problems) {
  const std::string id = row.Text(0);
  const std::string text = row.Text(1);
  if (row.Text(2) != EtagOf(text) || row.Integer(3) != static_cast<int64_t>(text.size())) {
    problems->push_back(fmt::format("object {} is not the text that its ETag is of", id));
    return;
  }
  if (!row.IsNull(5)) CheckUses(id, text, row.Text(5), problems);
  if (row.IsNull(4)) return;
  const auto shared = calendar::PersonalText(text, {});
  if (shared.ok() && row.Text(4) == EtagOf(*shared)) return;
  problems->push_back(fmt::format("object {} is not the text that its viewers' ETag is of", id));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FindDamage(Database& database) {
  std::vector<std::string> problems;
  for (const std::string_view question : kQuestions) {
    size_t found = 0;
    PODKIT_RETURN_IF_ERROR(database.Query(question, {}, [&](const Row& row) {
      if (++found <= kMostOfAKind) problems.push_back(row.Text(0));
    }));
  }
  const size_t before = problems.size();
  PODKIT_RETURN_IF_ERROR(database.Query(
      "SELECT id, text, etag, size, shared_etag, (SELECT group_concat(managed_id)"
      " FROM attachment_use WHERE object_id = object.id) FROM object ORDER BY row_id",
      {}, [&](const Row& row) {
        if (problems.size() < before + kMostOfAKind) CheckText(row, &problems);
      }));
  return problems;
}

}  // namespace podkit::store
