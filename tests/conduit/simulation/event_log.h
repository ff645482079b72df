// What happened in a schedule, in order: as one number, by which two runs are compared, and as text
// for who wants to read it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "fmt/format.h"
#include "hosts/random.h"

namespace podkit::conduit::simulation {

class EventLog {
 public:
  explicit EventLog(bool keeps_text) : keeps_text_(keeps_text) {}

  void Add(absl::Time at, std::string_view what, std::string_view from, std::string_view to,
           int64_t number) {
    const int64_t micros = absl::ToInt64Microseconds(at - kStart);
    for (const std::string_view text : {what, from, to}) Mix(std::hash<std::string_view>()(text));
    Mix(static_cast<uint64_t>(micros));
    Mix(static_cast<uint64_t>(number));
    ++events_;
    if (!keeps_text_) return;
    lines_.push_back(fmt::format("{:>12.3f} ms  {:<12} {:<22} {:<22} {}",
                                 static_cast<double>(micros) / 1000, what, from, to, number));
  }

  uint64_t sum() const { return sum_; }
  size_t events() const { return events_; }
  const std::vector<std::string>& lines() const { return lines_; }

  static constexpr absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

 private:
  void Mix(uint64_t value) { sum_ = internal::MixBits(sum_ ^ value) + value; }

  const bool keeps_text_;
  uint64_t sum_ = 0;
  size_t events_ = 0;
  std::vector<std::string> lines_;
};

}  // namespace podkit::conduit::simulation
