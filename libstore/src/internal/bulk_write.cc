#include "internal/bulk_write.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "common/status_macros.h"
#include "internal/object_changes.h"
#include "podkit/store/errors.h"

namespace podkit::store {
namespace {

constexpr size_t kMostWrites = 10'000;

// Errors that are about one object, found before anything of it is written. Every other one is
// about the file, but StoreFull, which names the object if that is too long.
constexpr std::array kRefusals = {NoSuchObject::kClass,        ObjectExists::kClass,
                                  UidConflict::kClass,         UidChanged::kClass,
                                  InvalidCalendarData::kClass, UnsupportedComponent::kClass,
                                  PreconditionFailed::kClass,  TooManyAttachments::kClass};

bool IsRefusal(const absl::Status& status) {
  const auto full = GetError<StoreFull>(status);
  if (full && !full->object.empty()) return true;
  const std::string error = conduit::ErrorClass(status);
  return std::find(kRefusals.begin(), kRefusals.end(), error) != kRefusals.end();
}

WriteResult Refused(const absl::Status& status) {
  return {.error = conduit::ErrorClass(status),
          .fields = conduit::ErrorFieldsJson(status),
          .details = std::string(status.message())};
}

absl::StatusOr<std::optional<ObjectContent>> PlanWrite(const ObjectWrite& write,
                                                       int64_t max_object_bytes) {
  PODKIT_RETURN_IF_ERROR(CheckObjectName(write.name));
  if (!write.text) return std::nullopt;
  PODKIT_ASSIGN_OR_RETURN(auto content,
                          UnderstandObject(write.name, write.text->data, max_object_bytes));
  return content;
}

absl::StatusOr<WriteResult> DoWrite(ObjectView& view, const ObjectWrite& write,
                                    const std::optional<ObjectContent>& content,
                                    const PutOptions& options) {
  if (content) {
    PODKIT_ASSIGN_OR_RETURN(auto put, view.Put(write.name, *content, write.condition, options));
    return WriteResult{.put = std::move(put)};
  }
  PODKIT_ASSIGN_OR_RETURN(const ObjectInfo object, view.Find({.name = write.name}));
  PODKIT_RETURN_IF_ERROR(RemoveObject(view.table(), object, write.condition, options.now));
  return WriteResult{};
}

}  // namespace

absl::StatusOr<WritePlan> PlanWrites(const std::vector<ObjectWrite>& writes,
                                     int64_t max_object_bytes) {
  if (writes.size() > kMostWrites) {
    return MakeError(TooManyResults{.limit = int64_t{kMostWrites}},
                     fmt::format("more than {} writes at once", kMostWrites));
  }
  WritePlan plan;
  plan.reserve(writes.size());
  for (const ObjectWrite& write : writes) plan.push_back(PlanWrite(write, max_object_bytes));
  return plan;
}

absl::StatusOr<std::vector<WriteResult>> DoWrites(ObjectView& view,
                                                  const std::vector<ObjectWrite>& writes,
                                                  const WritePlan& plan,
                                                  const PutOptions& options) {
  std::vector<WriteResult> results;
  results.reserve(writes.size());
  for (size_t i = 0; i < writes.size(); ++i) {
    if (!plan[i].ok()) {
      results.push_back(Refused(plan[i].status()));
      continue;
    }
    auto result = DoWrite(view, writes[i], *plan[i], options);
    if (!result.ok() && !IsRefusal(result.status())) return result.status();
    results.push_back(result.ok() ? *std::move(result) : Refused(result.status()));
  }
  return results;
}

}  // namespace podkit::store
