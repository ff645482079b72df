#include "podkit/replica/driver_processes.h"

#include <thread>

#include "tests/replica/driver_bed.h"

namespace podkit::replica {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

absl::Status StartStatus(const DriverProcessesOptions& options) {
  return DriverProcesses::Start(options).status();
}

}  // namespace

TEST_CASE("A driver's methods run in processes", "[replica][driver]") {
  DriverBed bed;
  const auto driver = bed.Start();
  CHECK(driver->Has(DriverMethod::kRead));
  CHECK_FALSE(driver->Has(DriverMethod::kRename));
  CHECK_FALSE(driver->Has(DriverMethod::kSerialize));
  const DriverCalls calls{*driver};
  std::string bytes;
  CHECK(testing::ValueOf(calls.Read(1, &bytes)) == -ENOENT);
  CHECK(testing::ValueOf(calls.Write(1, "abc")) == 0);
  CHECK(testing::ValueOf(calls.Write(2, "")) == 0);
  CHECK(testing::ValueOf(calls.Read(1, &bytes)) == 0);
  CHECK(bytes == "abc");
  const std::string large(5 << 20, 'x');
  CHECK(testing::ValueOf(calls.Write(3, large)) == 0);
  CHECK(testing::ValueOf(calls.Read(3, &bytes)) == 0);
  CHECK(bytes == large);
  CHECK(testing::ValueOf(calls.Delete(1)) == 0);
  CHECK(testing::ValueOf(calls.Read(1, &bytes)) == -ENOENT);
  CHECK(bed.Calls().find("write f.1 8+3 /p\n") != std::string::npos);
  CHECK(driver
            ->Call(DriverMethod::kRename, DriverCalls::Request(1), {}, -1,
                   absl::Now() + absl::Seconds(1))
            .status()
            .code() == absl::StatusCode::kUnimplemented);
}

TEST_CASE("What a driver does wrong costs one call", "[replica][driver][fault]") {
  DriverBed bed;
  const auto driver = bed.Start();
  DriverCalls calls{*driver};
  std::string bytes;
  REQUIRE(testing::ValueOf(calls.Write(1, "abc")) == 0);
  const auto good = [&] { return testing::ValueOf(calls.Read(1, &bytes)) == 0 && bytes == "abc"; };
  SECTION("it crashes") {
    bed.Fault("read", "crash ok crash crash crash");
    CHECK(calls.Read(1, &bytes).status().code() == absl::StatusCode::kInternal);
    CHECK(good());
    for (int i = 0; i < 3; ++i) CHECK_FALSE(calls.Read(1, &bytes).ok());
    CHECK(good());
    CHECK(driver->counters(DriverMethod::kRead).crashed == 4);
  }
  SECTION("it hangs") {
    bed.Fault("read", "hang");
    calls.patience = absl::Milliseconds(300);
    const absl::Time start = absl::Now();
    CHECK(calls.Read(1, &bytes).status().code() == absl::StatusCode::kDeadlineExceeded);
    CHECK(absl::Now() - start < absl::Seconds(5));
    calls.patience = absl::Seconds(20);
    CHECK(good());
    CHECK(driver->counters(DriverMethod::kRead).hung == 1);
  }
  SECTION("it answers rubbish") {
    bed.Fault("read", "garbage ok two");
    CHECK(calls.Read(1, &bytes).status().code() == absl::StatusCode::kInternal);
    CHECK(good());
    CHECK(calls.Read(1, &bytes).status().code() == absl::StatusCode::kInternal);
    CHECK(good());
    CHECK(driver->counters(DriverMethod::kRead).garbage == 2);
  }
  SECTION("it prints") {
    bed.Fault("read", "print");
    CHECK(good());
    CHECK(good());
    CHECK(driver->counters(DriverMethod::kRead).garbage == 0);
    while (bed.Log().find("a stray line") == std::string::npos) std::this_thread::yield();
  }
  SECTION("it fails, or returns what is no errno") {
    bed.Fault("read", "errno13 positive");
    CHECK(testing::ValueOf(calls.Read(1, &bytes)) == -13);
    CHECK(testing::ValueOf(calls.Read(1, &bytes)) == -EIO);
    CHECK(driver->counters(DriverMethod::kRead).started == 1);
  }
}

TEST_CASE("Calls beyond the queue are refused at once", "[replica][driver]") {
  DriverBed bed;
  auto options = bed.Options();
  options.limits.max_workers = 1;
  options.limits.max_waiting = 0;
  const auto driver = testing::ValueOf(DriverProcesses::Start(options));
  bed.Fault("read", "hang");
  std::thread hanging([&] {
    std::string bytes;
    const DriverCalls calls{*driver, absl::Seconds(2)};
    static_cast<void>(calls.Read(1, &bytes));
  });
  while (bed.Calls().empty()) std::this_thread::yield();
  std::string bytes;
  const absl::Time start = absl::Now();
  const DriverCalls calls{*driver};
  CHECK(calls.Read(1, &bytes).status().code() == absl::StatusCode::kUnavailable);
  CHECK(absl::Now() - start < absl::Seconds(1));
  hanging.join();
  CHECK(driver->counters(DriverMethod::kRead).refused == 1);
}

TEST_CASE("Many calls at once get their own answers", "[replica][driver]") {
  DriverBed bed;
  const auto driver = bed.Start();
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (uint64_t thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      const DriverCalls calls{*driver};
      for (uint64_t i = 0; i < 50; ++i) {
        const std::string text = std::to_string(thread * 1000 + i);
        std::string bytes;
        const auto written = calls.Write(thread * 1000 + i, text);
        const auto read = calls.Read(thread * 1000 + i, &bytes);
        if (!written.ok() || *written != 0 || !read.ok() || bytes != text) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(driver->counters(DriverMethod::kWrite).started > 1);
}

TEST_CASE("A driver that cannot work is refused with the reason", "[replica][driver]") {
  DriverBed bed;
  auto options = bed.Options();
  options.storage.path = "/no/such/driver.so";
  CHECK(StartStatus(options).code() == kInvalid);
  options.storage.path = PODKIT_RG_DRIVER;  // No driver.
  CHECK(StartStatus(options).code() == kInvalid);
  options = bed.Options();
  options.storage.secrets = R"({"password":"wrong"})";
  const absl::Status wrong = StartStatus(options);
  CHECK(wrong.code() == kInvalid);
  CHECK(wrong.ToString().find("the password is wrong") != std::string::npos);
  options = bed.Options();
  options.storage.config = "[]";
  CHECK(StartStatus(options).code() == kInvalid);
  options = bed.Options();
  options.storage.config = R"({"start":"crash"})";
  CHECK(StartStatus(options).code() == kInvalid);
  options.storage.config = R"({"start":"hang"})";
  options.limits.start_timeout = absl::Milliseconds(300);
  CHECK(StartStatus(options).code() == absl::StatusCode::kDeadlineExceeded);
  options = bed.Options();
  options.worker_program = "/no/such/program";
  CHECK(StartStatus(options).code() == kInvalid);
}

TEST_CASE("A driver gets no more than it is allowed", "[replica][driver]") {
  DriverBed bed;
  auto options = bed.Options();
  SECTION("files") {
    testing::TempDir other;
    options.storage.config = R"({"folder":")" + other.path().string() + R"("})";
    const auto driver = testing::ValueOf(DriverProcesses::Start(options));
    // The faulty driver ends when it cannot write its notes.
    CHECK_FALSE(DriverCalls{*driver}.Write(1, "abc").ok());
    CHECK(TextOf(other.File("v.f.0.b1.0")).empty());
  }
  SECTION("the size of files") {
    options.limits.file_bytes = 1 << 20;
    const auto driver = testing::ValueOf(DriverProcesses::Start(options));
    CHECK(testing::ValueOf(DriverCalls{*driver}.Write(1, std::string(2 << 20, 'x'))) != 0);
    CHECK(testing::ValueOf(DriverCalls{*driver}.Write(1, std::string(1000, 'x'))) == 0);
  }
}

TEST_CASE("A Python driver with the seed's functions works", "[replica][driver][python]") {
  DriverBed bed;
  const std::string path = bed.dir.File("driver.py");
  std::ofstream(path) << R"(
import errno, os

def name(request, config):
    return "%s/%s.%X.%d.%d" % (config["folder"], request.volume_id, request.file_id, request.block_id,
                               request.block_version)

def read_chunk(request, chunk_fd, driver_config, driver_secrets):
    print("a stray line")
    try:
        chunk_fd.write(open(name(request, driver_config), "rb").read())
    except FileNotFoundError:
        return -errno.ENOENT
    return 0

def write_chunk(request, chunk, driver_config, driver_secrets):
    if bytes(chunk) == b"raise":
        raise RuntimeError("as asked")
    with open(name(request, driver_config), "wb") as file:
        file.write(chunk)
    return 0

def delete_chunk(request, driver_config, driver_secrets):
    os.unlink(name(request, driver_config))
    return 0

def rename_file(request, old_path, new_path, driver_config, driver_secrets):
    return 0 if (old_path, new_path) == ("/p", "/q") else -errno.EINVAL

def serialize(request, chunk):
    return b"<" + chunk

def deserialize(request, chunk):
    return chunk[1:] if chunk[:1] == b"<" else -errno.EBADMSG
)";
  const auto driver = bed.Start(path);
  const auto request = [](uint64_t id) {
    DriverRequest one = DriverCalls::Request(id);
    one.name.volume = "7";
    one.name.file = "1F";
    return one;
  };
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  const auto call = [&](DriverMethod method, uint64_t id, std::string_view chunk,
                        std::string* out) {
    const UniqueFd in = MemoryFile("0" + std::string(chunk));
    const UniqueFd result = MemoryFile();
    DriverRequest one = request(id);
    one.new_path = "/q";
    const auto error =
        driver->Call(method, one, {in.get(), 1, chunk.size()}, result.get(), deadline);
    *out = BytesOf(result);
    return error;
  };
  std::string bytes;
  CHECK(testing::ValueOf(call(DriverMethod::kWrite, 1, "abc", &bytes)) == 0);
  CHECK(TextOf(bed.dir.File("7.1F.1.0")) == "abc");
  CHECK(testing::ValueOf(call(DriverMethod::kRead, 1, "", &bytes)) == 0);
  CHECK(bytes == "abc");
  CHECK(testing::ValueOf(call(DriverMethod::kRead, 2, "", &bytes)) == -ENOENT);
  CHECK(testing::ValueOf(call(DriverMethod::kRename, 1, "", &bytes)) == 0);
  CHECK(testing::ValueOf(call(DriverMethod::kSerialize, 1, "abc", &bytes)) == 0);
  CHECK(bytes == "<abc");
  CHECK(testing::ValueOf(call(DriverMethod::kDeserialize, 1, "<abc", &bytes)) == 0);
  CHECK(bytes == "abc");
  CHECK(testing::ValueOf(call(DriverMethod::kDeserialize, 1, "abc", &bytes)) == -EBADMSG);
  // An exception ends the worker; the next call finds another one.
  CHECK(call(DriverMethod::kWrite, 1, "raise", &bytes).status().code() ==
        absl::StatusCode::kInternal);
  CHECK(testing::ValueOf(call(DriverMethod::kWrite, 1, "d", &bytes)) == 0);
  CHECK(testing::ValueOf(call(DriverMethod::kDelete, 1, "", &bytes)) == 0);

  std::ofstream(path) << "def read_chunk(:";
  CHECK(StartStatus(bed.Options(path)).code() == kInvalid);
  std::ofstream(path) << "def read_chunk(): pass";
  CHECK(StartStatus(bed.Options(path)).code() == kInvalid);  // It cannot write.
}

}  // namespace podkit::replica
