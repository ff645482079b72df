// Changes of a text that leave all of its other bytes as they are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podkit::store::calendar {

class TextEdits {
 public:
  // Puts `replacement` in the place of the bytes [begin, end). Several at one place follow each
  // other in the order in which they were made; others must not overlap.
  void Replace(size_t begin, size_t end, std::string replacement) {
    edits_.push_back({begin, end, std::move(replacement)});
  }
  void Insert(size_t offset, std::string text) { Replace(offset, offset, std::move(text)); }

  bool empty() const { return edits_.empty(); }

  std::string Apply(std::string_view text) && {
    std::stable_sort(edits_.begin(), edits_.end(),
                     [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
    std::string result;
    size_t done = 0;
    for (const Edit& edit : edits_) {
      result += text.substr(done, edit.begin - done);
      result += edit.text;
      done = edit.end;
    }
    result += text.substr(done);
    return result;
  }

 private:
  struct Edit {
    size_t begin = 0;
    size_t end = 0;
    std::string text;
  };
  std::vector<Edit> edits_;
};

}  // namespace podkit::store::calendar
