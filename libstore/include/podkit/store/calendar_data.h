// What the store knows of iCalendar text (RFC 5545): whether it is one calendar object as CalDAV
// wants it (RFC 4791 section 4.1), when its instances are, and how a file with many components is
// cut into such objects. Text is only read here, never written anew: what is stored and handed out
// are the client's bytes.
//
// Thread-safe: functions and const methods may be called from any thread. Nothing blocks; the first
// use of a time zone reads its file.
// Ownership: results own all they hold; arguments need to live only for the call.
// Errors: kInvalidArgument, which carries a CalendarDataError: the text is at fault, and its author
// has to change that line. There is no other error. Cost is linear in the size of the text, and
// bounded for recurrences, whatever the text says.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace podkit::store {

// Why a calendar text is refused. `line` counts from 1; 0 if no line is at fault.
struct CalendarDataError {
  int line = 0;
  std::string reason;
};

// "line 12: BEGIN:VEVENT is never closed", carrying both fields.
absl::Status MakeCalendarDataError(int line, std::string_view reason);

// What MakeCalendarDataError put into `status`, if it is from there.
std::optional<CalendarDataError> GetCalendarDataError(const absl::Status& status);

struct CalendarLimits {
  size_t max_object_bytes = 10 << 20;
  size_t max_file_bytes = 64 << 20;  // Of a file to import.
  size_t max_line_bytes = 10 << 20;  // After unfolding; an attachment may stand in one line.
  size_t max_components = 100'000;   // In one text, nested ones included.
  size_t max_properties = 50'000;    // In one component.
  size_t max_depth = 8;              // VCALENDAR, VEVENT and VALARM are three.
};

// Half open: start <= t < end.
struct TimeRange {
  absl::Time start = absl::InfinitePast();
  absl::Time end = absl::InfiniteFuture();
};

struct CalendarObjectInfo {
  std::string uid;        // As written, without surrounding space. UTF-8.
  std::string component;  // "VEVENT", "VTODO", ...; upper case.
  std::string summary;    // Of the series, for listings: one line of UTF-8, at most 1 KiB.
  // Every range that the object overlaps, in whatever time zone floating times are read, overlaps
  // this one too. An infinite end: it recurs for ever, or for too long to say.
  TimeRange bounds;
  // Parts of `bounds`, by start, that together have the same property: one for each instance or for
  // instances that are near to each other, and one for all that are too many to say.
  std::vector<TimeRange> spans;
  bool has_recurrence = false;
};

// How an instance takes time, the weakest first.
enum class BusyKind { kTentative, kBusy, kUnavailable };

enum class CalendarSource {
  kClient,  // What somebody stores now.
  kImport,  // What SplitCalendar gave: a VEVENT may lack DTSTART, as some in real files do.
};

// One calendar object, understood: one UID, one component type, at most one component without
// RECURRENCE-ID, no two with the same, no METHOD.
class CalendarObject {
 public:
  static absl::StatusOr<CalendarObject> Parse(std::string_view text,
                                              CalendarSource source = CalendarSource::kClient,
                                              const CalendarLimits& limits = {});
  CalendarObject(CalendarObject&&) noexcept;
  CalendarObject& operator=(CalendarObject&&) noexcept;
  ~CalendarObject();

  const CalendarObjectInfo& info() const;

  // Whether an instance overlaps `range` by the table of RFC 4791 section 9.9; all-day and floating
  // times are read in `floating_zone`. Also true if that cannot be found out within a bounded
  // number of steps: then the recurrence is a hostile or an absurd one.
  bool OverlapsRange(const TimeRange& range,
                     const absl::TimeZone& floating_zone = absl::UTCTimeZone()) const;

  struct Instance {
    absl::Time start;
    absl::Time end;                           // Equals start if the component has no length.
    std::optional<absl::Time> recurrence_id;  // Of an overridden instance: when it was to start.
    bool all_day = false;
  };
  struct Expansion {
    std::vector<Instance> instances;  // By start.
    bool complete = true;             // False: there may be more, the limit was reached.
  };
  // The instances that have a start and overlap `range`, at most `max_instances` of them.
  Expansion Expand(const TimeRange& range, size_t max_instances,
                   const absl::TimeZone& floating_zone = absl::UTCTimeZone()) const;

  struct BusyTime {
    absl::Time start;
    absl::Time end;
    BusyKind kind = BusyKind::kBusy;
  };
  struct BusyTimes {
    std::vector<BusyTime> times;  // Within the range, in no order.
    bool complete = true;         // False: there may be more, a limit was reached.
  };
  // The time that events take, and that VFREEBUSY components name: TRANSP, STATUS and FBTYPE
  // respected.
  BusyTimes BusyTimesIn(const TimeRange& range, size_t max_times,
                        const absl::TimeZone& floating_zone = absl::UTCTimeZone()) const;

 private:
  struct Series;
  explicit CalendarObject(std::unique_ptr<const Series> series);

  std::unique_ptr<const Series> series_;
};

// CalendarObject::Parse for who wants nothing but the facts.
absl::StatusOr<CalendarObjectInfo> ValidateCalendarObject(
    std::string_view text, CalendarSource source = CalendarSource::kClient,
    const CalendarLimits& limits = {});

struct ImportedObject {
  CalendarObjectInfo info;
  // A VCALENDAR around the raw bytes of the components of one UID and of the time zones that they
  // name. Repairs only insert bytes; each is told in `notes`. Valid for CalendarSource::kImport.
  std::string text;
  int line = 0;                    // Where its first component begins in the file.
  std::vector<std::string> notes;  // One line each, usually none.
};

struct ImportedCalendar {
  std::string name;       // X-WR-CALNAME, as CalendarObjectInfo::summary is; may be empty.
  std::string time_zone;  // X-WR-TIMEZONE, a name such as Europe/Berlin; may be empty.
  std::vector<ImportedObject> objects;  // In the order of the file, UIDs distinct.
};

// Cuts a file into calendar objects, all or none: see docs/calendar-import.md for what is repaired
// and what is refused. A file without components, or with time zones only, gives no object.
absl::StatusOr<ImportedCalendar> SplitCalendar(std::string_view file,
                                               const CalendarLimits& limits = {});

// The time zone of that name in the system's database, or nothing. Safe with any name.
std::optional<absl::TimeZone> FindTimeZone(std::string_view name);

}  // namespace podkit::store
