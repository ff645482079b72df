// podctl: the operator's hand.

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "servers/podctl/command_line.h"

int main(int argc, char** argv) {
  namespace podctl = podkit::podctl;
  try {
    podctl::CommandLine line;
    podctl::AddAllVerbs(&line);
    return line.Main(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "podctl: %s\n", error.what());
    return 1;
  }
}
