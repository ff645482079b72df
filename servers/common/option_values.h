// What every program here asks of the values on its command line.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podkit::servers {

// "--name=" as "--name" and an empty value. CLI11 would take the next argument for the value.
inline std::vector<std::string> WithEmptyValues(const std::vector<std::string>& arguments) {
  std::vector<std::string> apart;
  for (const std::string& argument : arguments) {
    if (argument.starts_with("--") && argument.find('=') == argument.size() - 1) {
      apart.push_back(argument.substr(0, argument.size() - 1));
      apart.emplace_back();
    } else {
      apart.push_back(argument);
    }
  }
  return apart;
}

// Refuses an empty value of the option with these words: it is the variable that a script did not
// set, and must not do what leaving the option out does. "--name: <words>".
inline void RefuseEmptyValue(CLI::Option* option, std::string_view words) {
  option->check(CLI::Validator(
      [words = std::string(words)](std::string& value) { return value.empty() ? words : ""; }, ""));
}

}  // namespace podkit::servers
