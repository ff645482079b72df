// Feeds arbitrary bytes to everything that reads calendar text, and checks what must always hold.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "calendar/attach_text.h"
#include "podkit/store/calendar_data.h"

namespace podkit::store {
namespace {

void Require(bool condition, std::string_view what, std::string_view text) {
  if (condition) return;
  std::cerr << what << "\n" << text << "\n";
  std::abort();
}

void CheckError(const absl::Status& status, std::string_view text) {
  if (status.ok()) return;
  const auto error = GetCalendarDataError(status);
  Require(error && error->line >= 0 && !error->reason.empty(), status.ToString(), text);
}

// Nothing overlaps a range that does not touch the bounds.
void CheckBounds(const CalendarObject& object, std::string_view text) {
  const TimeRange& bounds = object.info().bounds;
  const auto expansion = object.Expand({}, 5);
  Require(expansion.instances.size() <= 5, "too many instances", text);
  for (const auto& instance : expansion.instances) {
    const TimeRange range{instance.start, instance.start + absl::Hours(1)};
    if (!object.Expand(range, 1).complete || !object.OverlapsRange(range)) continue;
    Require(range.start < bounds.end && range.end > bounds.start, "outside of the bounds", text);
  }
  object.OverlapsRange({bounds.start, bounds.start + absl::Hours(24)},
                       FindTimeZone("Pacific/Auckland").value_or(absl::UTCTimeZone()));
}

void CheckObject(std::string_view text, CalendarSource source) {
  const auto object = CalendarObject::Parse(text, source);
  CheckError(object.status(), text);
  if (object.ok()) CheckBounds(*object, text);
}

// What is attached can be taken off again, whatever the text is, and is heard of no more.
void CheckAttaches(std::string_view text) {
  const auto object = CalendarObject::Parse(text);
  if (!object.ok()) return;
  const calendar::ManagedAttach attach = {.managed_id = "3e2f9f6c-8f5e-4a53-9d0a-5d2f3c1b7a90",
                                          .content_type = "text/plain",
                                          .file_name = "a \"b\";,:^n",
                                          .size = 7,
                                          .uri = "podkit:/attachments/x"};
  const auto added = calendar::AddAttach(text, attach, {});
  Require(added.ok() && *added != text, added.status().ToString(), text);
  Require(ValidateCalendarObject(*added).ok(), "not an object any more", text);
  Require(calendar::RemoveAttach(*added, attach.managed_id, {}).value_or("") == text,
          "other bytes changed", text);
  const auto corrected =
      calendar::CorrectAttaches(*added, [](const std::string&) { return std::nullopt; });
  Require(corrected.ok() && calendar::FindManagedAttaches(*corrected)->empty(),
          "a managed attachment is left", text);
  for (const auto& instance : object->Expand({}, 3).instances) {
    const std::string start =
        absl::FormatTime("%E4Y%m%dT%H%M%SZ", instance.start, absl::UTCTimeZone());
    const auto apart = calendar::AddAttach(text, attach, {start});
    if (!apart.ok()) continue;
    Require(ValidateCalendarObject(*apart).ok(), "an instance makes it no object", text);
    Require(calendar::FindManagedAttaches(*apart)->size() == 1, "not at one instance", text);
  }
}

// What an import makes is an object, and importing it again changes nothing.
void CheckImport(std::string_view text) {
  const auto calendar = SplitCalendar(text);
  CheckError(calendar.status(), text);
  if (!calendar.ok()) return;
  std::set<std::string> uids;
  for (const ImportedObject& object : calendar->objects) {
    Require(uids.insert(object.info.uid).second, "a UID twice", text);
    const auto info = ValidateCalendarObject(object.text, CalendarSource::kImport);
    Require(info.ok() && info->uid == object.info.uid, info.status().ToString(), object.text);
    Require(info->component == object.info.component && info->summary == object.info.summary,
            "understood differently", object.text);
    const auto again = SplitCalendar(object.text);
    Require(again.ok() && again->objects.size() == 1 && again->objects[0].text == object.text,
            "imported differently", object.text);
    CheckObject(object.text, CalendarSource::kImport);
  }
}

}  // namespace
}  // namespace podkit::store

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  podkit::store::CheckObject(text, podkit::store::CalendarSource::kClient);
  podkit::store::CheckImport(text);
  podkit::store::CheckAttaches(text);
  return 0;
}
