// What a replica gateway costs over what it stands on: the process boundary, the pipeline of a put,
// and the verification of a cached get.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/durable.h"
#include "common/unique_fd.h"
#include "podkit/replica/driver_processes.h"
#include "podkit/replica/gateway.h"
#include "tests/bench/load.h"
#include "tests/support/temp_dir.h"

namespace podkit::bench {
namespace {

using std::chrono::milliseconds;

template <typename T>
T Need(absl::StatusOr<T> result) {
  if (!result.ok()) {
    fmt::print(stderr, "{}\n", result.status().ToString());
    std::abort();
  }
  return *std::move(result);
}

void Require(bool good) {
  if (!good) std::abort();
}

struct Bed {
  testing::TempDir dir;
  replica::SigningKey key = replica::SigningKey::Generate();
  std::shared_ptr<replica::ChunkDriver> driver = StartDriver();
  std::unique_ptr<replica::Gateway> gateway = Need(replica::Gateway::Open(
      {.id = "g1", .folder = dir.File("gateway")}, driver,
      Need(replica::Writers::Create(
          {{.id = "ann", .keys = {key.public_key()}, .grants = {{.volume = "v", .put = true}}}}))));
  std::atomic<uint64_t> next = 0;

  std::shared_ptr<replica::ChunkDriver> StartDriver() const {
    const std::string folder = dir.File("chunks");
    Require(mkdir(folder.c_str(), 0700) == 0);
    return Need(
        replica::DriverProcesses::Start({.worker_program = PODKIT_RG_DRIVER,
                                         .storage = {.path = PODKIT_DISK_DRIVER,
                                                     .config = R"({"folder":")" + folder + R"("})",
                                                     .writable_paths = {folder}}}));
  }

  std::string BodyOf(uint64_t id, std::string_view bytes) {
    const replica::ControlMessage message = {
        .operation = replica::Operation::kPut,
        .gateway = "g1",
        .volume = "v",
        .sent = absl::Now(),
        .nonce = fmt::format("{}", id),
        .chunks = {{.name = {.volume = "v", .file = "f", .id = id},
                    .hash = replica::HashOf(bytes),
                    .has_hash = true,
                    .size = bytes.size(),
                    .length = bytes.size()}}};
    constexpr std::string_view kPart =
        "--bb\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n";
    return fmt::format(
               fmt::runtime(kPart), "control-plane",
               key.SignText(replica::SignedFor::kRequest, "ann", replica::EncodeControl(message))) +
           fmt::format(fmt::runtime(kPart), "data-plane", bytes) + "--bb--\r\n";
  }

  bool Put(std::string_view body) const {
    const auto exchange =
        gateway->Begin({"POST", "/", {{"Content-Type", "multipart/form-data; boundary=bb"}}});
    for (; !body.empty(); body.remove_prefix(std::min<size_t>(body.size(), 256 << 10))) {
      if (!exchange->Receive(body.substr(0, 256 << 10))) return false;
    }
    return exchange->Finish().status == 200;
  }
};

// The least that an acknowledged chunk costs: its hash, its bytes and its name on the disk.
bool HashAndWrite(const std::string& folder, uint64_t id, std::string_view bytes) {
  replica::HashOf(bytes);
  const std::string path = fmt::format("{}/{}", folder, id);
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  return WriteAll(file.get(), bytes) == 0 && fsync(file.get()) == 0 && SyncFolder(folder) == 0;
}

// A call to a worker that does next to nothing: delete what is not there.
void MeasureBoundary(Bed* bed, milliseconds duration) {
  const Load load = RunLoad(1, duration, [&](int) {
    const auto answer =
        bed->driver->Call(replica::DriverMethod::kDelete, {.name = {.volume = "v", .file = "none"}},
                          {}, -1, absl::Now() + absl::Seconds(10));
    return answer.ok() && *answer == 0;
  });
  PrintFigure("replica/worker_call_us", load.p50_us, "us");
  PrintFigure("replica/worker_calls", load.per_second, "calls/s");
}

void MeasurePut(Bed* bed, size_t size, int threads, milliseconds duration, std::string_view name,
                double goal) {
  const std::string bytes(size, 'x');
  const std::string folder = bed->dir.File(fmt::format("raw{}", size));
  Require(mkdir(folder.c_str(), 0700) == 0);
  // Signing and hashing for the sender are not the gateway's work: bodies are made before.
  const auto [put, raw] = RunLoadsInTurn(
      duration > milliseconds(500) ? 3 : 1,
      [&] {
        std::vector<std::string> bodies;
        const size_t enough = size > (1 << 20) ? 200 : 4000;
        bodies.reserve(enough);
        const uint64_t first = bed->next.fetch_add(enough);
        for (uint64_t i = 0; i < enough; ++i) bodies.push_back(bed->BodyOf(first + i, bytes));
        std::atomic<size_t> at = 0;
        return RunLoad(threads, duration, [&](int) { return bed->Put(bodies.at(at++)); });
      },
      [&] {
        return RunLoad(threads, duration,
                       [&](int) { return HashAndWrite(folder, bed->next++, bytes); });
      });
  PrintFigure(fmt::format("replica/{}_per_second", name), put.per_second, "chunks/s");
  PrintRatio(fmt::format("replica/{}_vs_hash_and_write", name), put.per_second / raw.per_second,
             goal);
}

void MeasureCachedGet(Bed* bed, size_t size, milliseconds duration, std::string_view name,
                      double goal) {
  const std::string bytes(size, 'y');
  const uint64_t id = bed->next++;
  Require(bed->Put(bed->BodyOf(id, bytes)));
  const replica::GatewayRequest request = {
      "GET", replica::ChunkPath({.volume = "v", .file = "f", .id = id}), {}};
  const auto drain = [buffer = std::string(256 << 10, '\0')](int fd, uint64_t left) mutable {
    for (off_t at = 0; left > 0;) {
      const ssize_t n = pread(fd, buffer.data(), std::min<uint64_t>(buffer.size(), left), at);
      if (n <= 0) return false;
      at += n;
      left -= static_cast<uint64_t>(n);
    }
    return true;
  };
  const std::string raw_path = bed->dir.File(fmt::format("get{}", size));
  const int raw_fd = open(raw_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  Require(WriteAll(raw_fd, bytes) == 0);
  close(raw_fd);
  const auto [get, raw] = RunLoadsInTurn(
      duration > milliseconds(500) ? 3 : 1,
      [&] {
        return RunLoad(1, duration, [&, read = drain](int) mutable {
          const auto reply = bed->gateway->Begin(request)->Finish();
          return reply.status == 200 && read(reply.file.fd, reply.file.size);
        });
      },
      [&] {
        return RunLoad(1, duration, [&, read = drain](int) mutable {
          const int fd = open(raw_path.c_str(), O_RDONLY | O_CLOEXEC);
          const bool good = read(fd, size);
          close(fd);
          return good;
        });
      });
  PrintFigure(fmt::format("replica/{}_mb_per_second", name),
              get.per_second * static_cast<double>(size) / 1e6, "MB/s");
  PrintFigure(fmt::format("replica/{}_us", name), get.p50_us, "us");
  PrintRatio(fmt::format("replica/{}_vs_read", name), get.per_second / raw.per_second, goal);
}

}  // namespace
}  // namespace podkit::bench

int main(int argc, char** argv) {
  using podkit::bench::Bed;
  const bool quick = argc > 1 && std::string_view(argv[1]) == "--quick";
  const std::chrono::milliseconds duration(quick ? 50 : 2000);
  Bed bed;
  podkit::bench::MeasureBoundary(&bed, duration);
  podkit::bench::MeasurePut(&bed, 4 << 20, 2, duration, "put_4mib", 0.8);
  podkit::bench::MeasurePut(&bed, 4 << 10, 8, duration, "put_4kib", 0.5);
  podkit::bench::MeasureCachedGet(&bed, 4 << 10, duration, "get_4kib", 0.2);
  podkit::bench::MeasureCachedGet(&bed, 64 << 10, duration, "get_64kib", 0.3);
  podkit::bench::MeasureCachedGet(&bed, 4 << 20, duration, "get_4mib", 0.4);
  return 0;
}
