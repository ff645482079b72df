// The real calendars of tests/data/ics.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "tests/support/catch.h"

namespace podkit::testing {

// The files of a folder by name.
inline std::map<std::string, std::string> ReadFolder(const std::string& path) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    std::ifstream file(entry.path(), std::ios::binary);
    files[entry.path().filename()] = std::string(std::istreambuf_iterator<char>(file), {});
  }
  REQUIRE_FALSE(files.empty());
  return files;
}

// Of "valid" or "questionable".
inline std::map<std::string, std::string> ReadCorpus(const std::string& folder) {
  return ReadFolder(PODKIT_TEST_DATA "/ics/" + folder);
}

}  // namespace podkit::testing
