// What became of the calls of each command since the start, and how long they took.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace podkit::conduit {

// Upper ends, in seconds, of the classes that durations are counted in; one more class has no end.
inline constexpr std::array<double, 16> kLatencyBounds = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
    0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};

struct CallStats {
  int64_t calls = 0;   // That ended, and of these:
  int64_t failed = 0;  // with an error, a declared one too.
  double seconds = 0;  // Of all together.
  std::array<int64_t, kLatencyBounds.size() + 1> latencies = {};  // Calls in each class.
};

// What became of calls with keys that other pods made, of commands whose answers are kept.
struct KeyStats {
  int64_t executed = 0;
  int64_t repeats = 0;        // Answered with what was kept.
  int64_t still_running = 0;  // Told to come back: StillRunning.
  int64_t refused = 0;        // The key was another call's (KeyReused), or no room was left for it.
  int64_t forgotten = 0;      // What they counted on was lost: AnswersForgotten.
  int64_t held = 0;           // Keys that are held now.
};

struct CommandStats {
  std::string command;
  CallStats sent;      // To other pods.
  CallStats received;  // Answered for other pods.
};

}  // namespace podkit::conduit
