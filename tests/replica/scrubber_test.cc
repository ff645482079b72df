#include "podkit/replica/scrubber.h"

#include <map>
#include <mutex>
#include <thread>

#include "tests/replica/gateway_bed.h"
#include "tests/replica/memory_driver.h"
#include "tests/support/fake_clock.h"

namespace podkit::replica {
namespace {

// A gateway whose driver is in this process, a scrubber, and a clock that both go by.
struct ScrubBed {
  testing::FakeClock clock;
  testing::TempDir folder;
  std::shared_ptr<MemoryDriver> driver = std::make_shared<MemoryDriver>();
  GatewayOptions gateway_options = {.id = "g1", .folder = folder.path(), .cache_bytes = 0};
  ScrubOptions options = {.bytes_per_second = 4096, .now = clock.function()};
  std::map<ChunkName, std::string> elsewhere;
  std::mutex mutex;
  std::string log;  // Guarded by the mutex.
  SigningKey writer_key = SigningKey::Generate();
  std::unique_ptr<Gateway> gateway;
  std::unique_ptr<Scrubber> scrubber;
  int nonce = 0;

  ScrubBed() {
    gateway_options.now = clock.function();
    gateway_options.log = [this](std::string_view line) {
      const std::lock_guard lock(mutex);
      log.append(line).append("\n");
    };
    options.fetch = [this](const ChunkName& name, const ChunkHash&) -> absl::StatusOr<std::string> {
      const auto found = elsewhere.find(name);
      if (found == elsewhere.end()) return absl::NotFoundError("not there either");
      return found->second;
    };
    Open();
  }
  ~ScrubBed() { scrubber.reset(); }

  // A restart.
  void Open() {
    scrubber.reset();
    gateway.reset();
    auto writers = testing::ValueOf(
        Writers::Create({{.id = "ann",
                          .keys = {writer_key.public_key()},
                          .grants = {{.volume = "v", .put = true, .erase = true}}}}));
    gateway = testing::ValueOf(Gateway::Open(gateway_options, driver, std::move(writers)));
    scrubber = testing::ValueOf(Scrubber::Create(gateway.get(), options));
  }

  static ChunkName Name(uint64_t id) { return {.volume = "v", .file = "f", .id = id}; }
  void Put(uint64_t id, std::string_view bytes) {
    ControlMessage message = {.operation = Operation::kPut,
                              .gateway = "g1",
                              .volume = "v",
                              .sent = clock.Now(),
                              .nonce = std::to_string(nonce++)};
    GatewayBed::Add(&message, id, bytes);
    const auto exchange =
        gateway->Begin({"POST", "/", {{"Content-Type", "multipart/form-data; boundary=bb"}}});
    exchange->Receive(GatewayBed::Body(
        writer_key.SignText(SignedFor::kRequest, "ann", EncodeControl(message)), bytes));
    REQUIRE(exchange->Finish().status == 200);
  }
  int Get(uint64_t id) const {
    return gateway->Begin({"GET", ChunkPath(Name(id)), {}})->Finish().status;
  }
  uint64_t Damaged() const { return testing::ValueOf(gateway->DamagedChunks()); }
  // Takes so many steps, each when it is due.
  void Steps(int steps) {
    for (int i = 0; i < steps; ++i) clock.Set(scrubber->Step());
  }
  // To the end of a pass that begins now.
  ScrubReport Pass() {
    const uint64_t before = scrubber->report().passes;
    scrubber->BeginPass();
    for (int i = 0; i < 1000 && scrubber->report().passes == before; ++i) Steps(1);
    return scrubber->report();
  }
};

}  // namespace

TEST_CASE("A scrub reads every chunk back, at its pace and in its time", "[replica][scrub]") {
  ScrubBed bed;
  for (uint64_t id = 0; id < 5; ++id) bed.Put(id, std::string(id == 3 ? 40'960 : 100, 'x'));
  const absl::Time opened = bed.clock.Now();
  CHECK(bed.scrubber->Step() == opened + bed.options.interval);
  CHECK(bed.driver->reads() == 0);
  bed.clock.Set(opened + bed.options.interval);
  const absl::Time began = bed.clock.Now();
  bed.Steps(5);
  CHECK(bed.driver->reads() == 5);
  CHECK(bed.scrubber->report().running);
  CHECK(bed.clock.Now() - began == absl::Seconds(4 + 10));  // Four small ones and the large one.
  bed.Steps(1);
  const ScrubReport report = bed.scrubber->report();
  CHECK_FALSE(report.running);
  CHECK(report.passes == 1);
  CHECK(report.chunks == 5);
  CHECK(report.bytes == 400 + 40'960);
  CHECK(report.damaged == 0);
  CHECK(bed.clock.Now() == began + bed.options.interval);  // Where the next pass begins.
}

TEST_CASE("A scrub finds what is lost or damaged, and no reader gets it", "[replica][scrub]") {
  ScrubBed bed;
  for (uint64_t id = 0; id < 4; ++id) bed.Put(id, "abc");
  bed.driver->Set(ScrubBed::Name(1), "abd");
  bed.driver->Set(ScrubBed::Name(2), std::nullopt);
  const ScrubReport report = bed.Pass();
  CHECK(report.chunks == 4);
  CHECK(report.damaged == 2);
  CHECK(report.mended == 0);
  CHECK(bed.Damaged() == 2);
  CHECK(bed.Get(0) == 200);
  CHECK(bed.Get(1) == 500);
  CHECK(bed.Get(2) == 404);
  const std::lock_guard lock(bed.mutex);
  CHECK_THAT(bed.log, Catch::Contains("chunk v.f.0.b1.0 is not mended: not there either") &&
                          Catch::Contains("4 chunks checked") &&
                          Catch::Contains("2 were lost or damaged, 0 of them mended"));
}

TEST_CASE("A scrub mends from another replica, and takes nothing on trust", "[replica][scrub]") {
  ScrubBed bed;
  for (uint64_t id = 0; id < 3; ++id) bed.Put(id, "abc");
  for (uint64_t id = 0; id < 2; ++id) bed.driver->Set(ScrubBed::Name(id), "abd");
  bed.elsewhere[ScrubBed::Name(0)] = "abc";
  bed.elsewhere[ScrubBed::Name(1)] = "other bytes";
  const ScrubReport report = bed.Pass();
  CHECK(report.damaged == 2);
  CHECK(report.mended == 1);
  CHECK(bed.driver->Kept(ScrubBed::Name(0)) == "abc");
  CHECK(bed.driver->Kept(ScrubBed::Name(1)) == "abd");
  CHECK(bed.Damaged() == 1);
  CHECK(bed.Get(0) == 200);
  bed.elsewhere[ScrubBed::Name(1)] = "abc";
  CHECK(bed.Pass().mended == 1);
  CHECK(bed.Damaged() == 0);
}

TEST_CASE("A scrub mends from the gateway's own cache", "[replica][scrub]") {
  ScrubBed bed;
  bed.gateway_options.cache_bytes = 1 << 20;
  bed.options.fetch = nullptr;
  bed.Open();
  bed.Put(1, "abc");
  CHECK(bed.Get(1) == 200);  // It is in the cache now.
  bed.driver->Set(ScrubBed::Name(1), std::nullopt);
  const ScrubReport report = bed.Pass();
  CHECK(report.damaged == 1);
  CHECK(report.mended == 1);
  CHECK(bed.driver->Kept(ScrubBed::Name(1)) == "abc");
}

TEST_CASE("A scrub goes on after a restart where it was", "[replica][scrub]") {
  ScrubBed bed;
  for (uint64_t id = 0; id < 6; ++id) bed.Put(id, "abc");
  bed.driver->Set(ScrubBed::Name(0), "abd");
  bed.scrubber->BeginPass();
  bed.Steps(3);
  bed.Open();
  CHECK(bed.scrubber->report().running);
  CHECK(bed.scrubber->report().chunks == 3);
  CHECK(bed.scrubber->report().damaged == 1);
  const int reads = bed.driver->reads();
  bed.Steps(4);
  CHECK(bed.driver->reads() == reads + 3);
  CHECK(bed.scrubber->report().passes == 1);
  CHECK(bed.scrubber->report().chunks == 6);
  const absl::Time next = bed.scrubber->Step();
  bed.Open();  // Nor does a restart begin another one.
  CHECK(absl::AbsDuration(bed.scrubber->Step() - next) < absl::Milliseconds(2));
}

TEST_CASE("Chunks that come do not disturb a scrub", "[replica][scrub]") {
  ScrubBed bed;
  for (uint64_t id = 1; id < 4; ++id) bed.Put(id, "abc");
  bed.scrubber->BeginPass();
  bed.Steps(1);
  bed.Put(9, "new");
  bed.Put(0, "before");
  bed.Steps(4);
  CHECK(bed.scrubber->report().passes == 1);
  CHECK(bed.scrubber->report().chunks == 4);
}

TEST_CASE("A driver that fails delays a scrub, and marks nothing", "[replica][scrub][fault]") {
  GatewayBed bed;
  bed.Put(1, "abc");
  bed.Put(2, "def");
  bed.storage.Fault("read", "errno5 crash garbage ok");
  testing::FakeClock clock(absl::Now());
  const auto scrubber =
      testing::ValueOf(Scrubber::Create(bed.gateway.get(), {.now = clock.function()}));
  scrubber->BeginPass();
  for (int i = 0; i < 10 && scrubber->report().passes == 0; ++i) clock.Set(scrubber->Step());
  CHECK(scrubber->report().unchecked == 1);
  CHECK(scrubber->report().chunks == 2);
  CHECK(scrubber->report().damaged == 0);
  CHECK(testing::ValueOf(bed.gateway->DamagedChunks()) == 0);
}

TEST_CASE("A scrub that runs by itself is stopped at once", "[replica][scrub]") {
  ScrubBed bed;
  bed.options.now = absl::Now;
  bed.options.bytes_per_second = uint64_t{1} << 40;
  bed.Open();
  for (uint64_t id = 0; id < 20; ++id) bed.Put(id, "abc");
  std::stop_source stop;
  std::thread running([&] { bed.scrubber->Run(stop.get_token()); });
  bed.scrubber->BeginPass();
  while (bed.scrubber->report().passes == 0) std::this_thread::yield();
  stop.request_stop();
  running.join();
  CHECK(bed.scrubber->report().chunks == 20);
}

TEST_CASE("A scrub that cannot work is refused by name", "[replica][scrub]") {
  ScrubBed bed;
  const auto refused = Scrubber::Create(bed.gateway.get(), {.bytes_per_second = 0});
  CHECK(absl::IsInvalidArgument(refused.status()));
  const auto hasty = Scrubber::Create(bed.gateway.get(), {.interval = absl::Seconds(1)});
  CHECK(absl::IsInvalidArgument(hasty.status()));
}

}  // namespace podkit::replica
