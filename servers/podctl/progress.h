// How far it is, on a terminal, for work that takes long: a bar, or how long the pod stores.
//
// Owner-thread. Draws nothing in the first half second, and at most ten times a second.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace podkit::podctl {

// "[#########                     ]  31% work.ics", at most `columns` wide.
std::string ProgressLine(int64_t done, int64_t total, std::string_view label, size_t columns);

// "storing work.ics, 12 s", at most `columns` wide: how much of it is done the pod does not say.
std::string StoringLine(std::string_view label, absl::Duration elapsed, size_t columns);

class Progress {
 public:
  // Draws on standard error if it is a terminal.
  explicit Progress(int64_t total);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Show(int64_t done, std::string_view label);
  // All is sent, and since then `elapsed` has passed.
  void ShowStoring(std::string_view label, absl::Duration elapsed);
  // Takes the line away, so that a line can be printed.
  void Clear();

 private:
  bool IsTime();
  void Draw(const std::string& line);

  const int64_t total_;
  const bool terminal_;
  bool drawn_ = false;
  absl::Time next_draw_ = absl::Now() + absl::Milliseconds(500);
};

}  // namespace podkit::podctl
