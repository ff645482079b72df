// A host that holds locks, for tests of lockd: takes the store again and again, writes to a storage
// that compares tokens, saves, releases.
//
// usage: lock_holder <url of lockd> <key> <host> <term in ms> <storage file>
//
// It prints what was acknowledged, a line for each:
//   holding <n>  wrote <value>  stale  head <manifest> after <parent>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "podkit/conduit/conduit.h"
#include "podkit/conduit/http_transport.h"
#include "podkit/lock/remote_directory.h"
#include "podkit/lock/session.h"

namespace podkit::lock {
namespace {

volatile std::sig_atomic_t stop_asked = 0;

void Say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

// One line for each write, "<token> <value>". A file lock stands for the storage's transaction.
class Storage {
 public:
  explicit Storage(std::string path) : path_(std::move(path)) {}

  // False if a greater token was seen.
  bool Append(Token token, const std::string& value) const {
    const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) std::abort();
    Token newest = 0;
    std::ifstream lines(path_);
    for (std::string word, rest; lines >> word >> rest;)
      newest = std::max<Token>(newest, std::stoll(word));
    const bool good = token >= newest;
    const std::string line = fmt::format("{} {}\n", token, value);
    if (good && write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      std::abort();
    }
    close(fd);
    return good;
  }

 private:
  const std::string path_;
};

class NoChunks : public ChunkSink {
 public:
  absl::Status Put(std::string_view, std::string_view) override { return absl::OkStatus(); }
};

// Writes under the lock until it is lost, or a few times.
void Hold(WriteLock& lock, const Storage& storage, const std::string& name, int* values) {
  NoChunks chunks;
  for (int i = 0; i < 6 && stop_asked == 0; ++i) {
    if (!lock.Check().ok()) return;
    const std::string value = fmt::format("{}-{}", name, ++*values);
    if (!storage.Append(lock.token(), value)) return Say("stale");
    Say("wrote " + value);
    lock.Changed(*values);
    std::string parent;
    const auto head = lock.Write(
        [&](const Head& from, ChunkSink&) -> absl::StatusOr<SavedState> {
          parent = from.manifest.empty() ? "nothing" : from.manifest;
          return SavedState{.manifest = "of-" + value, .position = *values};
        },
        chunks);
    if (head.ok()) Say(fmt::format("head {} after {}", head->manifest, parent));
  }
  if (!lock.Release().ok()) lock.Abandon("it does not matter").IgnoreError();
}

int Run(const std::vector<std::string>& arguments) {
  const auto pods = conduit::Pods::Create(
      {{.id = "A"}, {.id = "locks", .hosts = {arguments[0]}, .keys = {arguments[1]}}}, "A");
  if (!pods.ok()) return 1;
  conduit::HttpTransport transport;
  conduit::Conduit conduit(*pods, &transport);
  const Storage storage(arguments[4]);
  int values = 0;
  int holdings = 0;
  while (stop_asked == 0) {
    SessionOptions options;
    options.host = arguments[2];
    options.term = absl::Milliseconds(std::stoll(arguments[3]));
    auto session = Session::Open(
        std::make_shared<RemoteDirectory>(
            &conduit, RemoteDirectoryOptions{.pod = "locks", .timeout = absl::Seconds(1)}),
        options);
    while (session.ok() && stop_asked == 0 && (*session)->state() != Session::State::kLost) {
      auto lock = (*session)->Acquire("store", {.wait = absl::Seconds(2), .create = true});
      if (!lock.ok()) continue;
      Say(fmt::format("holding {}", ++holdings));
      Hold(**lock, storage, arguments[2], &values);
    }
    if (session.ok()) (*session)->Close().IgnoreError();
  }
  return 0;
}

}  // namespace
}  // namespace podkit::lock

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  std::signal(SIGTERM, [](int) { podkit::lock::stop_asked = 1; });
  return podkit::lock::Run(std::vector<std::string>(argv + 1, argv + argc));
}
