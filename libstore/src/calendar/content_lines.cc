#include "calendar/content_lines.h"

#include <fmt/format.h>

#include <algorithm>

#include "calendar/display_text.h"
#include "common/byte_order_mark.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace podkit::store::calendar {
namespace {

bool IsNameCharacter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

// "NAME:..." or "NAME;...:...".
bool IsProperty(std::string_view text) {
  const auto name_end = std::find_if_not(text.begin(), text.end(), IsNameCharacter);
  if (name_end == text.begin() || name_end == text.end()) return false;
  if (*name_end == ':') return true;
  return *name_end == ';' && std::find(name_end, text.end(), ':') != text.end();
}

bool IsBeginOrEnd(std::string_view text) {
  const std::string_view name = text.substr(0, text.find_first_of(":;"));
  return EqualsIgnoreCase(name, "BEGIN") || EqualsIgnoreCase(name, "END");
}

absl::Status RefuseLoose(int line, std::string_view text) {
  return MakeCalendarDataError(
      line, fmt::format("'{}' is neither a property (NAME:value) nor, as it does not begin with a "
                        "space, the rest of the line before",
                        Excerpt(text)));
}

}  // namespace

class LineScanner {
 public:
  LineScanner(std::string_view text, LooseLines loose_lines, const CalendarLimits& limits)
      : text_(text),
        loose_lines_(loose_lines),
        limits_(limits),
        line_end_(text.find('\n') == std::string_view::npos ? '\r' : '\n') {}

  absl::StatusOr<ContentLines> Scan() {
    if (const size_t nul = text_.find('\0'); nul != std::string_view::npos) {
      const auto line = 1 + std::count(text_.begin(), text_.begin() + nul, line_end_);
      return MakeCalendarDataError(static_cast<int>(line),
                                   "a NUL byte; iCalendar text is UTF-8, not UTF-16 or binary");
    }
    size_t offset = text_.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    for (int line = 1; offset < text_.size(); ++line) {
      const size_t next = NextLine(offset);
      const std::string_view content = Content(offset, next);
      if (is_open_ && (content.starts_with(' ') || content.starts_with('\t'))) {
        Unfold(content.substr(1), next);
      } else {
        PODKIT_RETURN_IF_ERROR(Close());
        open_ = ContentLine{line, offset, next, content};
        is_open_ = true;
        owned_ = nullptr;
      }
      if (open_.text.size() > limits_.max_line_bytes) return TooLong(open_.line);
      offset = next;
    }
    PODKIT_RETURN_IF_ERROR(Close());
    return std::move(result_);
  }

 private:
  size_t NextLine(size_t offset) const {
    const size_t end = text_.find(line_end_, offset);
    return end == std::string_view::npos ? text_.size() : end + 1;
  }

  std::string_view Content(size_t begin, size_t end) const {
    if (end > begin && text_[end - 1] == line_end_) --end;
    while (end > begin && text_[end - 1] == '\r') --end;
    return text_.substr(begin, end - begin);
  }

  void Unfold(std::string_view continuation, size_t end) {
    if (owned_ == nullptr) {
      owned_ = &result_.unfolded_.emplace_back(open_.text);
    }
    owned_->append(continuation);
    open_.text = *owned_;
    open_.end = end;
  }

  // Ends the line that is being unfolded.
  absl::Status Close() {
    if (!is_open_) return absl::OkStatus();
    is_open_ = false;
    const ContentLine line = open_;
    if (TrimSpace(line.text).empty()) {
      blank_.push_back(line);
      return absl::OkStatus();
    }
    if (IsProperty(line.text)) {
      result_.lines_.push_back(line);
      last_owned_ = owned_;
      blank_.clear();
      return absl::OkStatus();
    }
    return Join(line);
  }

  absl::Status Join(const ContentLine& loose) {
    if (loose_lines_ == LooseLines::kRefuse || result_.lines_.empty() ||
        IsBeginOrEnd(result_.lines_.back().text)) {
      return RefuseLoose(loose.line, loose.text);
    }
    ContentLine& target = result_.lines_.back();
    if (last_owned_ == nullptr) last_owned_ = &result_.unfolded_.emplace_back(target.text);
    last_owned_->append(loose.text);
    target.text = *last_owned_;
    target.end = loose.end;
    result_.joined_.push_back({target.line, loose.line, loose.text});
    if (target.text.size() > limits_.max_line_bytes) return TooLong(target.line);
    // Blank lines between the two must become folds as well.
    for (const ContentLine& blank : blank_) {
      result_.insertions_.push_back({blank.begin, blank.line, " ", ""});
    }
    blank_.clear();
    result_.insertions_.push_back(
        {loose.begin, loose.line, " ",
         fmt::format("line {}: '{}' is read as the rest of the line before", loose.line,
                     Excerpt(loose.text))});
    return absl::OkStatus();
  }

  absl::Status TooLong(int line) const {
    return MakeCalendarDataError(
        line, fmt::format("longer than {} bytes, which is the limit", limits_.max_line_bytes));
  }

  const std::string_view text_;
  const LooseLines loose_lines_;
  const CalendarLimits& limits_;
  const char line_end_;
  ContentLines result_;
  ContentLine open_;  // The line that is being unfolded, if is_open_.
  bool is_open_ = false;
  std::vector<ContentLine> blank_;     // Since the last line of result_.
  std::string* owned_ = nullptr;       // The text of open_, if it is not the raw text.
  std::string* last_owned_ = nullptr;  // The same of the last line of result_.
};

absl::StatusOr<ContentLines> ContentLines::Scan(std::string_view text, LooseLines loose_lines,
                                                const CalendarLimits& limits) {
  return LineScanner(text, loose_lines, limits).Scan();
}

absl::Status ContentLines::Blame(int line, const absl::Status& refusal) const {
  const auto joined = std::find_if(joined_.begin(), joined_.end(),
                                   [&](const JoinedLine& one) { return one.to == line; });
  return joined == joined_.end() ? refusal : RefuseLoose(joined->line, joined->text);
}

bool MayHaveWord(std::string_view text, std::string_view word) {
  size_t matched = 0;
  for (const char c : text) {
    if (c == '\r' || c == '\n' || c == ' ' || c == '\t') continue;
    const char lower = AsciiLower(c);
    matched = lower == word[matched] ? matched + 1 : (lower == word.front() ? 1 : 0);
    if (matched == word.size()) return true;
  }
  return false;
}

std::string_view LineEndOf(std::string_view raw) {
  const size_t content = raw.find_last_not_of("\r\n");
  const std::string_view end = raw.substr(content == std::string_view::npos ? 0 : content + 1);
  return end.empty() ? "\r\n" : end;
}

}  // namespace podkit::store::calendar
