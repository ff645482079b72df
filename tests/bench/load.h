// Runs one operation from a number of threads for a while and says how often it ran and how long it
// took.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <latch>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "fmt/format.h"

namespace podkit::bench {

struct Load {
  double per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double cpu_us = 0;  // Of the whole process for each operation; other programs do not touch it.
};

inline std::chrono::duration<double> CpuTime() {
  return std::chrono::duration<double>(static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
}

// `operation` gets the number of its thread; false ends the program, for a benchmark of failures
// means nothing.
inline Load RunLoad(int threads, std::chrono::milliseconds duration,
                    const std::function<bool(int thread)>& operation) {
  using Clock = std::chrono::steady_clock;
  std::vector<std::vector<double>> taken(static_cast<size_t>(threads));
  std::latch ready(threads + 1);
  const auto work = [&](int thread) {
    std::vector<double>& mine = taken[static_cast<size_t>(thread)];
    mine.reserve(1 << 16);
    if (!operation(thread)) std::abort();  // Opens connections and fills caches.
    ready.arrive_and_wait();
    auto now = Clock::now();
    for (const auto end = now + duration; now < end;) {
      const auto start = now;
      if (!operation(thread)) std::abort();
      now = Clock::now();
      mine.push_back(std::chrono::duration<double, std::micro>(now - start).count());
    }
  };
  std::vector<std::thread> workers;
  workers.reserve(taken.size());
  for (int i = 0; i < threads; ++i) workers.emplace_back(work, i);
  ready.arrive_and_wait();
  const auto start = Clock::now();
  const auto cpu_start = CpuTime();
  for (std::thread& worker : workers) worker.join();
  const std::chrono::duration<double, std::micro> cpu = CpuTime() - cpu_start;
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::vector<double> all;
  for (const auto& one : taken) all.insert(all.end(), one.begin(), one.end());
  std::sort(all.begin(), all.end());
  if (all.empty()) return {};
  return {.per_second = static_cast<double>(all.size()) / seconds,
          .p50_us = all[all.size() / 2],
          .p99_us = all[all.size() * 99 / 100],
          .cpu_us = cpu.count() / static_cast<double>(all.size())};
}

// Runs both loads in turn, so that what else the machine does meets both alike; the median round of
// each.
inline std::pair<Load, Load> RunLoadsInTurn(int rounds, const std::function<Load()>& first,
                                            const std::function<Load()>& second) {
  const auto median = [](std::vector<Load>& loads) {
    std::sort(loads.begin(), loads.end(),
              [](const Load& a, const Load& b) { return a.per_second < b.per_second; });
    return loads[loads.size() / 2];
  };
  std::vector<Load> of_first;
  std::vector<Load> of_second;
  for (int i = 0; i < rounds; ++i) {
    of_first.push_back(first());
    of_second.push_back(second());
  }
  return {median(of_first), median(of_second)};
}

// One line for scripts; see podkit_bench in cmake/PodkitTest.cmake.
inline void PrintFigure(std::string_view name, double value, std::string_view unit) {
  fmt::print("figure {} {:.4g} {}\n", name, value, unit);
  std::fflush(stdout);
}

inline void PrintRatio(std::string_view name, double value, double goal) {
  fmt::print("ratio {} {:.3f} goal {}\n", name, value, goal);
  std::fflush(stdout);
}

}  // namespace podkit::bench
