// From the local clock to UTC and back, in the time zones that an object names.
//
// A TZID means, in this order: the VTIMEZONE of the object, the zone of that name in the system's
// database (a path such as /freeassociation.sourceforge.net/Europe/Berlin by its last parts), or,
// if there is none, floating time. A local time that a change of the clock skips or repeats is read
// with the offset that was valid before the change (RFC 5545 section 3.3.5).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "calendar/budget.h"
#include "calendar/component.h"
#include "calendar/recurrence_rule.h"
#include "calendar/values.h"

namespace podkit::store::calendar {

// Seconds since 1970-01-01T00:00:00Z.
using Utc = int64_t;

// A STANDARD or DAYLIGHT part of a VTIMEZONE.
struct Observance {
  Civil onset = 0;  // On the clock with offset_from; so are `dates`.
  int offset_from = 0;
  int offset_to = 0;
  std::vector<RecurrenceRule> rules;
  std::vector<Civil> dates;
};

struct TimeZoneDefinition {
  std::string name;
  std::vector<Observance> observances;
};

absl::StatusOr<TimeZoneDefinition> TimeZoneDefinitionOf(const Component& vtimezone);

// The TZID of a VTIMEZONE as parameters spell it; empty if it has none.
std::string TimeZoneName(const Component& vtimezone);

class Zone {
 public:
  virtual ~Zone() = default;
  Utc ToUtc(Civil civil);
  Civil ToCivil(Utc utc);

 private:
  virtual int64_t OffsetAtCivil(Civil civil) = 0;
  virtual int64_t OffsetAtUtc(Utc utc) = 0;
};

// The zones for one question about one object. Not thread-safe; arguments must outlive it.
class Zones {
 public:
  Zones(const std::vector<TimeZoneDefinition>& definitions, const absl::TimeZone& floating,
        Budget* budget);

  // Lives as long as this object.
  Zone& Of(const DateTime& time);
  bool IsFloating(const DateTime& time) { return &Of(time) == floating_.get(); }
  Utc ToUtc(const DateTime& time) { return Of(time).ToUtc(time.civil); }

 private:
  Zone& Named(const std::string& name);

  const std::vector<TimeZoneDefinition>& definitions_;
  Budget* const budget_;
  const std::unique_ptr<Zone> utc_;
  const std::unique_ptr<Zone> floating_;
  std::vector<std::unique_ptr<Zone>> owned_;
  absl::flat_hash_map<std::string, Zone*> named_;
};

}  // namespace podkit::store::calendar
