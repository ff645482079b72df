// What tests of drivers share: worker processes around a driver that misbehaves when it is told to,
// and files in memory for chunks.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/time/clock.h"
#include "common/unique_fd.h"
#include "podkit/replica/driver_processes.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace podkit::replica {

inline UniqueFd MemoryFile(std::string_view bytes = "") {
  UniqueFd file(memfd_create("chunk", MFD_CLOEXEC));
  // Not REQUIRE: threads call this, and Catch2 knows one thread only.
  if (write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) abort();
  return file;
}

inline std::string BytesOf(const UniqueFd& file) {
  std::string bytes(static_cast<size_t>(lseek(file.get(), 0, SEEK_END)), '\0');
  if (pread(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    abort();
  }
  return bytes;
}

inline std::string TextOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The folder of faulty_driver.cc and what goes with it.
struct DriverBed {
  testing::TempDir dir;
  std::mutex mutex;
  std::string log;  // Guarded by the mutex.

  DriverProcessesOptions Options(const std::string& path = PODKIT_FAULTY_DRIVER) {
    return {.worker_program = PODKIT_RG_DRIVER,
            .storage = {.path = path,
                        .config = R"({"folder":")" + dir.path().string() + R"("})",
                        .writable_paths = {dir.path().string()}},
            .log = [this](std::string_view line) {
              const std::lock_guard lock(mutex);
              log.append(line).append("\n");
            }};
  }
  std::unique_ptr<DriverProcesses> Start(const std::string& path = PODKIT_FAULTY_DRIVER) {
    return testing::ValueOf(DriverProcesses::Start(Options(path)));
  }
  // What the next calls of `method` do, see faulty_driver.cc.
  void Fault(const std::string& method, std::string_view words) const {
    std::ofstream(dir.File("fault." + method)) << words;
  }
  std::string Calls() const { return TextOf(dir.File("calls")); }
  std::string Log() {
    const std::lock_guard lock(mutex);
    return log;
  }
};

// One call each, with a chunk called by `id`.
struct DriverCalls {
  ChunkDriver& driver;
  absl::Duration patience = absl::Seconds(20);

  static DriverRequest Request(uint64_t id) {
    return {.name = {.volume = "v", .file = "f", .id = id}, .path = "/p", .offset = 8, .length = 3};
  }
  absl::StatusOr<int> Write(uint64_t id, std::string_view bytes) const {
    const UniqueFd file = MemoryFile("padding" + std::string(bytes));
    return driver.Call(DriverMethod::kWrite, Request(id), {file.get(), 7, bytes.size()}, -1,
                       absl::Now() + patience);
  }
  absl::StatusOr<int> Read(uint64_t id, std::string* bytes) const {
    const UniqueFd file = MemoryFile();
    const auto result =
        driver.Call(DriverMethod::kRead, Request(id), {}, file.get(), absl::Now() + patience);
    *bytes = BytesOf(file);
    return result;
  }
  absl::StatusOr<int> Delete(uint64_t id) const {
    return driver.Call(DriverMethod::kDelete, Request(id), {}, -1, absl::Now() + patience);
  }
};

}  // namespace podkit::replica
