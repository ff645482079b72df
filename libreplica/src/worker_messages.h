// What the frames between a gateway and a worker say, as JSON.
//
// Thread-compatible: plain values. Each Parse returns kInvalidArgument naming what is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/replica/chunk_driver.h"

namespace podkit::replica {

constexpr int kWorkerProtocol = 1;

std::optional<DriverMethod> MethodNamed(std::string_view name);
// Whether a chunk goes in to, or comes out of, the driver.
bool TakesChunk(DriverMethod method);
bool GivesChunk(DriverMethod method);

// What a worker may do and use. See WorkerLimits of driver_processes.h for the meaning.
struct Confinement {
  std::vector<std::string> readable_paths;
  std::vector<std::string> writable_paths;
  bool network = true;
  uint64_t memory_bytes = 0;
  uint64_t file_bytes = 0;
  uint32_t user = 0;
  uint32_t group = 0;
};

// Comes with one descriptor: a file with the JSON {"config": {...}, "secrets": {...}}.
struct HelloMessage {
  DriverMethod method = DriverMethod::kRead;
  std::string driver;  // The path of the shared object or Python file.
  Confinement confinement;
};

struct ReadyMessage {
  bool implemented = false;  // False: the driver has no such method, and the worker ends.
  std::string name;          // The driver's.
  std::string error;         // Not empty: the worker cannot work.
};

// Comes with a descriptor of the chunk if the method takes one, then one for the chunk that it
// gives.
struct CallMessage {
  DriverRequest request;
  uint64_t offset = 0;  // Where in its file the chunk lies that is taken.
  uint64_t size = 0;
};

struct AnswerMessage {
  int error = 0;  // 0 or a negative errno.
};

std::string Encode(const HelloMessage& message);
std::string Encode(const ReadyMessage& message);
std::string Encode(const CallMessage& message);
std::string Encode(const AnswerMessage& message);
absl::StatusOr<HelloMessage> ParseHello(std::string_view json);
absl::StatusOr<ReadyMessage> ParseReady(std::string_view json);
absl::StatusOr<CallMessage> ParseCall(std::string_view json);
absl::StatusOr<AnswerMessage> ParseAnswer(std::string_view json);

// The text of the file that comes with a hello, and its two objects as JSON.
struct DriverSettings {
  std::string config;
  std::string secrets;
};
std::string Encode(const DriverSettings& settings);
absl::StatusOr<DriverSettings> ParseSettings(std::string_view json);

}  // namespace podkit::replica
