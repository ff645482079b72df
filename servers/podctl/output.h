// Standard output of podctl, and whether what was printed arrived there.
//
// Owner-thread.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace podkit::podctl {

class Output {
 public:
  // What cannot be written is lost; Flush tells.
  void Print(std::string_view text);

  // Lets nothing wait in a buffer. The first error of the process's standard output, also of others
  // who wrote there: "cannot write the output: No space left on device".
  absl::Status Flush();

 private:
  int error_ = 0;  // As errno.
};

}  // namespace podkit::podctl
