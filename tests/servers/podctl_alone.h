// podctl run by itself, and what a refusal of it looks like.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/process_under_test.h"
#include "tests/support/temp_dir.h"

namespace podkit::testing {

// One line on standard error, after "podctl: ".
inline void CheckRefusal(const ProcessResult& result, int exit_code, const std::string& text) {
  CHECK(result.exit_code == exit_code);
  CHECK_THAT(result.err, Catch::StartsWith("podctl: ") && Catch::Contains(text));
  CHECK(std::ranges::count(result.err, '\n') == 1);
  CHECK(result.out.empty());
}

// In a folder where nothing tells it of a pod.
inline ProcessResult RunAlone(std::vector<std::string> arguments, const TempDir& folder) {
  arguments.insert(arguments.begin(), PODKIT_PODCTL);
  const std::string home = folder.path().string();
  return RunProcess(std::move(arguments),
                    {.folder = home, .environment = {"HOME=" + home, "PODCTL_CONFIG="}});
}

}  // namespace podkit::testing
