// When somebody's time is taken, over many collections at once.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "podkit/conduit/message.h"
#include "podkit/store/calendar_data.h"

namespace podkit::store {

inline constexpr absl::Duration kLongestFreeBusyRange = absl::Hours(24 * 400);
// In one answer, and before they are merged.
inline constexpr size_t kMostBusyPeriods = 100'000;

struct FreeBusyQuery {
  absl::Time start;  // [start, end), at most kLongestFreeBusyRange.
  absl::Time end;
  // By name. Absent: all of the home that are not transparent.
  std::optional<std::vector<std::string>> collections;
  std::string time_zone;    // For all-day and floating times; empty: UTC.
  std::string exclude_uid;  // An iCalendar UID whose time does not count; empty: none.

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("start", &FreeBusyQuery::start),
                           conduit::Required("end", &FreeBusyQuery::end),
                           conduit::Optional("collections", &FreeBusyQuery::collections),
                           conduit::Optional("time_zone", &FreeBusyQuery::time_zone),
                           conduit::Optional("exclude_uid", &FreeBusyQuery::exclude_uid));
  }
};

// [start, end)
struct BusyPeriod {
  absl::Time start;
  absl::Time end;
  BusyKind kind = BusyKind::kBusy;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("start", &BusyPeriod::start),
                           conduit::Required("end", &BusyPeriod::end),
                           conduit::Required("kind", &BusyPeriod::kind));
  }
};

struct FreeBusy {
  std::vector<BusyPeriod> periods;  // By start, disjoint; where several overlap, the strongest.
  // Collections whose time is not, or not wholly, known: their pod cannot be asked now, or the
  // acting user may not be. Do not call that time free.
  std::vector<std::string> unknown;

  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("periods", &FreeBusy::periods),
                           conduit::Optional("unknown", &FreeBusy::unknown));
  }
};

}  // namespace podkit::store

template <>
struct podkit::conduit::EnumNames<podkit::store::BusyKind> {
  static constexpr std::array kNames = {
      std::pair{podkit::store::BusyKind::kTentative, "tentative"},
      std::pair{podkit::store::BusyKind::kBusy, "busy"},
      std::pair{podkit::store::BusyKind::kUnavailable, "unavailable"}};
};
