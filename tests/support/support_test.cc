#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/free_port.h"
#include "tests/support/process_under_test.h"
#include "tests/support/temp_dir.h"

namespace podkit::testing {

TEST_CASE("A failed comparison prints the status with its code and message", "[support]") {
  CHECK(Catch::Detail::stringify(absl::NotFoundError("home 'x': gone")) ==
        "NOT_FOUND: home 'x': gone");
  CHECK(Catch::Detail::stringify(absl::StatusCode::kAborted) == "ABORTED");
}

TEST_CASE("FakeClock moves only when told", "[support]") {
  FakeClock clock(absl::FromUnixSeconds(100));
  const auto now = clock.function();
  CHECK(now() == absl::FromUnixSeconds(100));
  clock.Advance(absl::Seconds(5));
  CHECK(now() == absl::FromUnixSeconds(105));
  clock.Set(absl::FromUnixSeconds(7));
  CHECK(now() == absl::FromUnixSeconds(7));
}

TEST_CASE("A program under test ends with the thread that started it", "[support]") {
  std::unique_ptr<ProcessUnderTest> program;
  std::thread([&] {
    program = std::make_unique<ProcessUnderTest>(
        std::vector<std::string>{"/bin/sh", "-c", "echo up; exec sleep 600"});
    program->WaitForOut("up");
  }).join();
  CHECK(program->Wait() == -SIGKILL);
}

TEST_CASE("TempDir removes itself with its contents", "[support]") {
  std::filesystem::path path;
  {
    const TempDir dir;
    path = dir.path();
    std::filesystem::create_directory(path / "folder");
    std::ofstream(dir.File("folder/file")) << "text";
    CHECK(std::filesystem::exists(path / "folder" / "file"));
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("FreePort gives a port that can be bound", "[support]") {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(FreePort());
  CHECK(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  close(fd);
}

}  // namespace podkit::testing
