#include "servers/podctl/output.h"

#include <cerrno>
#include <cstdio>

namespace podkit::podctl {

void Output::Print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written && error_ == 0) error_ = errno;
}

absl::Status Output::Flush() {
  if (std::fflush(stdout) != 0 && error_ == 0) error_ = errno;
  if (std::ferror(stdout) != 0 && error_ == 0) error_ = EIO;
  return error_ == 0 ? absl::OkStatus() : absl::ErrnoToStatus(error_, "cannot write the output");
}

}  // namespace podkit::podctl
