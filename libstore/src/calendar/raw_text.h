// A text and what repairs insert into it: gives slices of the text with the insertions in place.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "calendar/content_lines.h"

namespace podkit::store::calendar {

class RawText {
 public:
  explicit RawText(std::string_view text) : text_(text) {}

  std::string_view text() const { return text_; }

  // As it stands in the text.
  std::string_view Slice(size_t begin, size_t end) const {
    return text_.substr(begin, end - begin);
  }
  std::string_view Slice(const ContentLine& line) const { return Slice(line.begin, line.end); }

  // Several at one place follow each other in the order in which they were inserted.
  void Insert(Insertion insertion) {
    const size_t offset = insertion.offset;
    insertions_.emplace(offset, std::move(insertion));
  }

  // With what was inserted at offsets of [begin, end), and the notes about that.
  std::string Repaired(size_t begin, size_t end, std::vector<std::string>* notes) const {
    std::string result;
    for (auto it = insertions_.lower_bound(begin); it != insertions_.end() && it->first < end;
         ++it) {
      result += Slice(begin, it->first);
      result += it->second.text;
      begin = it->first;
      if (!it->second.note.empty()) notes->push_back(it->second.note);
    }
    return result += Slice(begin, end);
  }

 private:
  const std::string_view text_;
  std::multimap<size_t, Insertion> insertions_;
};

}  // namespace podkit::store::calendar
