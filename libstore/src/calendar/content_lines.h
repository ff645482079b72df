// Cuts iCalendar text into its content lines and remembers where each stands in the text.
//
// Takes the line ends that real files have: CRLF, LF, LF after several CR, and CR alone if the text
// has no LF at all. A byte order mark and blank lines are skipped.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "podkit/store/calendar_data.h"

namespace podkit::store::calendar {

struct ContentLine {
  int line = 0;      // Where it begins, counted from 1.
  size_t begin = 0;  // Its raw bytes in the text, folds and line ends included.
  size_t end = 0;
  std::string_view text;  // Unfolded, without line end.
};

// What a repair adds to the raw bytes.
struct Insertion {
  size_t offset = 0;
  int line = 0;
  std::string text;
  std::string note;
};

// A line that was joined to the one before.
struct JoinedLine {
  int to = 0;  // Where the property begins that it lengthens.
  int line = 0;
  std::string_view text;
};

// A line that is no property: a continuation that lost its fold.
enum class LooseLines { kRefuse, kJoin };

class ContentLines {
 public:
  // `text` must outlive the result. Joined lines are listed in insertions(): the space that makes
  // each of them a fold.
  static absl::StatusOr<ContentLines> Scan(std::string_view text, LooseLines loose_lines,
                                           const CalendarLimits& limits);

  const std::vector<ContentLine>& lines() const { return lines_; }
  const std::vector<Insertion>& insertions() const { return insertions_; }
  // Of a refusal of what begins in `line`: the loose line that was joined to it first is to blame,
  // if there is one.
  absl::Status Blame(int line, const absl::Status& refusal) const;

 private:
  friend class LineScanner;

  std::vector<ContentLine> lines_;
  std::vector<Insertion> insertions_;
  std::vector<JoinedLine> joined_;
  std::deque<std::string> unfolded_;  // What lines_ refer to where the text alone does not do.
};

// False only if `word` is nowhere in the text, however it is folded and whatever its case. Cheap.
// `word` is in lower case and has its first letter once.
bool MayHaveWord(std::string_view text, std::string_view word);

// The line end that `raw` has; "\r\n" if it has none.
std::string_view LineEndOf(std::string_view raw);

}  // namespace podkit::store::calendar
