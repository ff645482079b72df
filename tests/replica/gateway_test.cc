#include "podkit/replica/gateway.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <thread>

#include "tests/replica/gateway_bed.h"
#include "tests/support/fake_clock.h"

namespace podkit::replica {

TEST_CASE("What was put is served, from the driver and then from the cache", "[replica][gateway]") {
  GatewayBed bed;
  const std::string large(3 << 20, 'x');
  CHECK(bed.Get(1).status == 404);
  for (const auto& [id, bytes] : std::vector<std::pair<uint64_t, std::string>>{
           {1, "abc"}, {2, ""}, {3, large}, {4, std::string("\r\n--b\r\0\n", 8)}}) {
    CAPTURE(id);
    const GatewayReply put = bed.Put(id, bytes);
    CHECK(put.status == 200);
    CHECK(bed.Outcomes(put) == "stored");
    const int reads = bed.Reads();
    const GatewayReply miss = bed.Get(id);
    CHECK(miss.status == 200);
    CHECK(bed.BytesOf(miss) == bytes);
    const GatewayReply hit = bed.Get(id);
    CHECK(bed.BytesOf(hit) == bytes);
    CHECK(bed.Reads() == reads + 1);
    CHECK(bed.Header(hit, "ETag") == "\"" + HashOf(bytes).Hex() + "\"");
    CHECK(bed.Header(hit, "Cache-Control") == "public, max-age=31536000, immutable");
  }
  bed.Open();  // A restart.
  const int reads = bed.Reads();
  CHECK(bed.BytesOf(bed.Get(3)) == large);
  CHECK(bed.Reads() == reads);
}

TEST_CASE("A driver is told what a chunk is", "[replica][gateway]") {
  GatewayBed bed;
  bed.Put(1, "abc");
  CHECK(bed.storage.Calls() == "write f.1 8+3 /p\n");
}

TEST_CASE("Many chunks in one request have their own results", "[replica][gateway]") {
  GatewayBed bed;
  bed.Put(1, "abc");
  ControlMessage message = bed.Message(Operation::kPut);
  GatewayBed::Add(&message, 1, "abc");
  GatewayBed::Add(&message, 2, "");
  GatewayBed::Add(&message, 3, "defg");
  CHECK(bed.Outcomes(bed.Post(message, "abcdefg")) == "present stored stored");
  bed.storage.Fault("write", "errno28 ok");
  message = bed.Message(Operation::kPut);
  GatewayBed::Add(&message, 4, "h");
  GatewayBed::Add(&message, 5, "i");
  const GatewayReply reply = bed.Post(message, "hi");
  CHECK(reply.status == 200);  // The driver's own failure.
  CHECK(bed.Outcomes(reply) == "failed stored");
  CHECK(bed.ReplyOf(reply).error == -28);
  CHECK(bed.Get(4).status == 404);
  CHECK(bed.BytesOf(bed.Get(5)) == "i");
}

TEST_CASE("A chunk never changes", "[replica][gateway]") {
  GatewayBed bed;
  bed.Put(1, "abc");
  const GatewayReply other = bed.Put(1, "abd");
  CHECK(other.status == 409);
  CHECK(bed.Outcomes(other) == "conflict");
  CHECK(bed.BytesOf(bed.Get(1)) == "abc");
  ControlMessage message = bed.Message(Operation::kPut);
  message.only_if_absent = true;
  GatewayBed::Add(&message, 1, "abc");
  CHECK(bed.Post(message, "abc").status == 412);
  message = bed.Message(Operation::kDelete);
  GatewayBed::Add(&message, 1, "abd");
  CHECK(bed.Post(message).status == 409);
}

TEST_CASE("A deleted chunk is gone, from the cache too", "[replica][gateway]") {
  GatewayBed bed;
  bed.Put(1, "abc");
  bed.Get(1);
  const GatewayReply gone = bed.Delete(1);
  CHECK(gone.status == 200);
  CHECK(gone.body.empty());
  CHECK(bed.Get(1).status == 404);
  CHECK(bed.Delete(1).status == 200);
  CHECK(bed.Outcomes(bed.Delete(1, kReplyType)) == "deleted");
  bed.Put(1, "abd");  // The name is free again.
  CHECK(bed.BytesOf(bed.Get(1)) == "abd");
  bed.storage.Fault("delete", "errno5");
  const GatewayReply failed = bed.Delete(1);
  CHECK(failed.status == 200);
  CHECK(bed.ReplyOf(failed).error == -5);
  CHECK(bed.BytesOf(bed.Get(1)) == "abd");
}

TEST_CASE("A gateway says what it lacks", "[replica][gateway]") {
  GatewayBed bed;
  bed.Put(1, "abc");
  ControlMessage message = bed.Message(Operation::kLacking);
  GatewayBed::Add(&message, 1, "abc");
  GatewayBed::Add(&message, 2, "d");
  GatewayBed::Add(&message, 1, "x");
  message.chunks.push_back({.name = bed.Name(1)});
  CHECK(bed.Outcomes(bed.Post(message)) == "present absent conflict present");
}

TEST_CASE("A rename reaches only drivers that care", "[replica][gateway]") {
  const auto rename = [](GatewayBed& bed) {
    ControlMessage message = bed.Message(Operation::kRename);
    message.new_path = "/q";
    return bed.Post(message);
  };
  GatewayBed plain;
  CHECK(rename(plain).status == 200);
  CHECK(plain.storage.Calls().empty());
  GatewayBed caring(PODKIT_FAULTY_STAGE_DRIVER);
  const GatewayReply renamed = rename(caring);
  CHECK(renamed.status == 200);
  CHECK(renamed.body.empty());
  CHECK(caring.storage.Calls().find("rename .0 0+0 /p>/q\n") != std::string::npos);
  caring.storage.Fault("rename", "errno1");
  const GatewayReply failed = rename(caring);
  CHECK(failed.status == 200);
  CHECK(caring.ReplyOf(failed).error == -1);
}

TEST_CASE("A bad request is refused before anything is done", "[replica][gateway]") {
  GatewayBed bed;
  ControlMessage message = bed.Message(Operation::kPut);
  GatewayBed::Add(&message, 1, "abc");
  const auto status = [&](std::string_view control, std::optional<std::string_view> data) {
    return bed.PostBody(GatewayBed::Body(control, data)).status;
  };
  const auto fresh = [&] {
    message.nonce = std::to_string(bed.next_nonce++);
    return bed.Sign(message);
  };
  CHECK(status("x", "abc") == 401);
  std::string forged = fresh();
  forged.back() = ' ';
  CHECK(status(forged, "abc") == 401);
  CHECK(status(fresh(), "abd") == 400);   // Another hash.
  CHECK(status(fresh(), "ab") == 400);    // Too short,
  CHECK(status(fresh(), "abcd") == 400);  // too long,
  CHECK(status(fresh(), {}) == 400);      // missing.
  const std::string body = GatewayBed::Body(fresh(), "abc");
  CHECK(bed.PostBody(body.substr(0, body.size() - 8)).status == 400);  // Cut off.
  CHECK(bed.PostBody("--bb\r\nContent-Disposition: form-data; name=\"data-plane\"\r\n\r\nabc\r\n"
                     "--bb--")
            .status == 400);
  message.volume = "w";
  message.chunks[0].name.volume = "w";
  CHECK(status(fresh(), "abc") == 403);
  message.volume = "v";
  message.chunks[0].size = bed.options.limits.max_chunk_bytes + 1;
  CHECK(status(fresh(), "abc") == 413);
  CHECK(status(std::string(bed.options.max_control_bytes + 1, 'x'), "abc") == 413);
  CHECK(bed.gateway->Begin({"POST", "/", {{"Content-Type", "text/plain"}}})->Finish().status ==
        400);
  CHECK(bed.gateway->Begin({"PUT", "/", {}})->Finish().status == 405);
  CHECK(bed.gateway->Begin({"GET", "/DATA/v/../f", {}})->Finish().status == 400);
  CHECK(bed.storage.Calls().empty());
  CHECK(bed.Get(1).status == 404);
  // The same bytes a second time.
  message = bed.Message(Operation::kPut);
  GatewayBed::Add(&message, 1, "abc");
  const std::string signed_once = bed.Sign(message);
  CHECK(status(signed_once, "abc") == 200);
  CHECK(status(signed_once, "abc") == 401);
}

TEST_CASE("A refused body is not read to its end", "[replica][gateway]") {
  GatewayBed bed;
  const auto exchange =
      bed.gateway->Begin({"POST", "/", {{"Content-Type", "multipart/form-data; boundary=bb"}}});
  std::string body = GatewayBed::Body("nobody", "");
  CHECK_FALSE(exchange->Receive(body.substr(0, body.find("data-plane"))));
  CHECK(exchange->Finish().status == 401);
}

TEST_CASE("GET knows ranges, conditions and HEAD", "[replica][gateway]") {
  GatewayBed bed;
  bed.Put(1, "0123456789");
  const auto range = [&](std::string text) { return bed.Get(1, {{"Range", std::move(text)}}); };
  for (int round = 0; round < 2; ++round) {  // From the driver, then from the cache.
    const GatewayReply part = range("bytes=2-4");
    CHECK(part.status == 206);
    CHECK(bed.BytesOf(part) == "234");
    CHECK(bed.Header(part, "Content-Range") == "bytes 2-4/10");
    CHECK(bed.BytesOf(range("bytes=7-")) == "789");
    CHECK(bed.BytesOf(range("bytes=-3")) == "789");
    CHECK(bed.BytesOf(range("bytes=0-99")) == "0123456789");
    CHECK(range("bytes=10-").status == 416);
    CHECK(bed.Header(range("bytes=10-"), "Content-Range") == "bytes */10");
    CHECK(range("bytes=1-2,4-5").status == 200);
    CHECK(range("bytes=4-2").status == 200);
  }
  const std::string etag = "\"" + HashOf("0123456789").Hex() + "\"";
  CHECK(bed.Get(1, {{"If-None-Match", etag}}).status == 304);
  CHECK(bed.Get(1, {{"If-None-Match", "\"x\""}}).status == 200);
  CHECK(bed.Get(2, {{"If-None-Match", etag}}).status == 404);
  CHECK(bed.Get(2, {{"If-Modified-Since", "Sat, 01 Jul 2017 00:00:00 GMT"}}).status == 404);
  CHECK(bed.Get(1, {{"Range", "bytes=0-0"}, {"If-Range", "\"x\""}}).status == 200);
  const GatewayReply head = bed.Get(1, {}, "HEAD");
  CHECK(head.status == 200);
  CHECK(bed.Header(head, "Content-Length") == "10");
  CHECK(bed.BytesOf(head).empty());
  CHECK(bed.Get(2, {}, "HEAD").status == 404);
}

TEST_CASE("A private volume is read by writers that may", "[replica][gateway]") {
  GatewayBed bed;
  ControlMessage message = bed.Message(Operation::kPut);
  message.volume = "secret";
  GatewayBed::Add(&message, 1, "abc");
  CHECK(bed.Post(message, "abc").status == 200);
  const std::string path = ChunkPath(GatewayBed::Name(1, "secret"));
  CHECK(bed.gateway->Begin({"GET", path, {}})->Finish().status == 401);
  const std::string header = AuthorizeRead(bed.writer_key, "ann", "GET", path, absl::Now());
  const GatewayReply reply =
      bed.gateway->Begin({"GET", path, {{"Authorization", header}}})->Finish();
  CHECK(reply.status == 200);
  CHECK(bed.Header(reply, "Cache-Control") == "private, max-age=31536000, immutable");
}

TEST_CASE("A failing worker fails its request, in time, and no other",
          "[replica][gateway][fault]") {
  GatewayBed bed;
  // The next worker starts in it, busy as the machine may be.
  bed.options.driver_timeout = absl::Seconds(2);
  bed.Open();
  bed.Put(1, "abc");
  const std::vector<std::pair<std::string, int>> faults = {{"crash", 500}, {"garbage", 500},
                                                           {"two", 500},   {"errno5", 500},
                                                           {"hang", 504},  {"short", 500}};
  for (const auto& [fault, status] : faults) {
    CAPTURE(fault);
    bed.storage.Fault("read", fault);
    CHECK(bed.Get(1).status == status);
  }
  CHECK(bed.gateway->counters().corrupt == 1);  // "short"
  CHECK(bed.BytesOf(bed.Get(1)) == "abc");
  for (const auto& [fault, status] : faults) {
    if (fault == "short" || fault == "errno5") continue;
    CAPTURE(fault);
    bed.storage.Fault("write", fault);
    const GatewayReply reply = bed.Put(2, "defg");
    CHECK(reply.status == status);
    CHECK(bed.Outcomes(reply) == "not-tried");
    CHECK(bed.Get(2).status == 404);
  }
  CHECK(bed.Outcomes(bed.Put(2, "defg")) == "stored");
  CHECK(bed.BytesOf(bed.Get(2)) == "defg");
}

TEST_CASE("A chunk that the storage lost or damaged is never served", "[replica][gateway][fault]") {
  GatewayBed bed;
  bed.Put(1, "abc");
  bed.Put(2, "def");
  std::ofstream(bed.storage.dir.File("v.f.0.b1.0")) << "abd";
  CHECK(bed.Get(1).status == 500);
  std::filesystem::remove(bed.storage.dir.File("v.f.0.b2.0"));
  CHECK(bed.Get(2).status == 404);
  CHECK(bed.gateway->counters().corrupt == 1);
  CHECK(bed.gateway->counters().lost == 1);
  // HEAD tells what the last read found, also after a restart.
  bed.Open();
  CHECK(bed.Get(1, {}, "HEAD").status == 500);
  CHECK(bed.Get(2, {}, "HEAD").status == 404);
}

TEST_CASE("What the storage lost or damaged is taken anew", "[replica][gateway][fault]") {
  GatewayBed bed;
  bed.Put(1, "abc");
  bed.Put(2, "def");
  std::ofstream(bed.storage.dir.File("v.f.0.b1.0")) << "abd";
  std::filesystem::remove(bed.storage.dir.File("v.f.0.b2.0"));
  bed.Get(1);
  bed.Get(2);
  bed.Open();  // It is remembered.
  CHECK(testing::ValueOf(bed.gateway->DamagedChunks()) == 2);
  ControlMessage lacking = bed.Message(Operation::kLacking);
  GatewayBed::Add(&lacking, 1, "abc");
  GatewayBed::Add(&lacking, 2, "def");
  GatewayBed::Add(&lacking, 2, "other");
  CHECK(bed.Outcomes(bed.Post(lacking)) == "absent absent conflict");
  CHECK(bed.Outcomes(bed.Put(1, "abd")) == "conflict");
  ControlMessage anew = bed.Message(Operation::kPut);
  anew.only_if_absent = true;
  GatewayBed::Add(&anew, 1, "abc");
  CHECK(bed.Outcomes(bed.Post(anew, "abc")) == "stored");
  CHECK(bed.Outcomes(bed.Put(2, "def")) == "stored");
  CHECK(bed.Outcomes(bed.Put(2, "def")) == "present");
  CHECK(bed.BytesOf(bed.Get(1)) == "abc");
  CHECK(bed.BytesOf(bed.Get(2)) == "def");
  CHECK(bed.gateway->counters().mended == 2);
  CHECK(testing::ValueOf(bed.gateway->DamagedChunks()) == 0);
}

TEST_CASE("A driver is not asked again at once for what it does not have", "[replica][gateway]") {
  testing::FakeClock clock(absl::Now());
  GatewayBed bed;
  bed.options.now = clock.function();
  bed.Open();
  bed.Put(1, "abc");
  std::filesystem::remove(bed.storage.dir.File("v.f.0.b1.0"));
  for (int i = 0; i < 3; ++i) CHECK(bed.Get(1).status == 404);
  CHECK(bed.Reads() == 1);
  CHECK(bed.gateway->counters().cache_absent == 2);
  CHECK(bed.gateway->counters().lost == 1);
  clock.Advance(absl::Seconds(5));
  CHECK(bed.Get(1).status == 404);
  CHECK(bed.Reads() == 2);
  CHECK(bed.Outcomes(bed.Put(1, "abc")) == "stored");  // It is there at once.
  CHECK(bed.BytesOf(bed.Get(1)) == "abc");
}

TEST_CASE("A chunk that reads whole again is not taken anew", "[replica][gateway][fault]") {
  GatewayBed bed;
  bed.Put(1, "abc");
  bed.storage.Fault("read", "short");
  CHECK(bed.Get(1).status == 500);
  CHECK(testing::ValueOf(bed.gateway->DamagedChunks()) == 1);
  CHECK(bed.BytesOf(bed.Get(1)) == "abc");
  CHECK(testing::ValueOf(bed.gateway->DamagedChunks()) == 0);
  CHECK(bed.Outcomes(bed.Put(1, "abc")) == "present");
}

TEST_CASE("A catalog of the first form is brought to the newest", "[replica][gateway]") {
  GatewayBed bed;
  bed.Put(1, "abc");
  bed.gateway.reset();
  const std::string path = bed.folder.File("catalog.db");
  {
    SQLite::Database catalog(path, SQLite::OPEN_READWRITE);
    catalog.exec(
        "DROP TABLE scrub; DROP INDEX damaged_chunks; ALTER TABLE chunks DROP COLUMN damage;"
        "PRAGMA user_version = 0");
  }
  bed.Open();
  CHECK(bed.BytesOf(bed.Get(1)) == "abc");
  CHECK(testing::ValueOf(bed.gateway->DamagedChunks()) == 0);
  bed.gateway.reset();
  SQLite::Database(path, SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 1000");
  const auto opened = Gateway::Open(bed.options, bed.driver, bed.WritersOf());
  CHECK(absl::IsFailedPrecondition(opened.status()));
}

TEST_CASE("A damaged cache file is fetched again", "[replica][gateway][fault]") {
  GatewayBed bed;
  const std::string bytes(200'000, 'x');
  bed.Put(1, bytes);
  bed.Get(1);
  std::string path;
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(bed.folder.path() / "cache")) {
    if (file.is_regular_file()) path = file.path();
  }
  for (const size_t at : {size_t{0}, size_t{150'000}, size_t{200'010}}) {
    const int reads = bed.Reads();
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at)).put('y').flush();
    CHECK(bed.BytesOf(bed.Get(1)) == bytes);
    CHECK(bed.Reads() == reads + 1);
  }
  std::filesystem::resize_file(path, 10);
  CHECK(bed.BytesOf(bed.Get(1)) == bytes);
}

TEST_CASE("A stage is between the wire and the storage, and never skipped",
          "[replica][gateway][fault]") {
  GatewayBed bed(PODKIT_FAULTY_STAGE_DRIVER);
  bed.Put(1, "abc");
  CHECK(TextOf(bed.storage.dir.File("v.f.0.b1.0")) == "\x9E\x9D\x9C");
  bed.storage.Fault("serialize", "crash crash crash crash");
  for (int i = 0; i < 4; ++i) CHECK(bed.Get(1).status == 500);
  CHECK(bed.BytesOf(bed.Get(1)) == "abc");
  bed.storage.Fault("deserialize", "crash");
  CHECK(bed.Put(2, "d").status == 500);
  CHECK(TextOf(bed.storage.dir.File("v.f.0.b2.0")).empty());
  bed.storage.Fault("deserialize", "errno74");
  CHECK(bed.ReplyOf(bed.Put(2, "d")).error == -74);
}

TEST_CASE("New driver code takes over under load without a failed request", "[replica][gateway]") {
  GatewayBed bed(PODKIT_DISK_DRIVER);
  bed.options.cache_bytes = 0;
  bed.Open();
  for (uint64_t id = 0; id < 10; ++id)
    REQUIRE(bed.Put(id, "abc" + std::to_string(id)).status == 200);
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; !stop; ++i) {
        const GatewayReply reply = bed.Get(i % 10);
        std::string bytes(reply.file.size, '\0');
        const bool read = pread(reply.file.fd, bytes.data(), bytes.size(), 0) ==
                          static_cast<ssize_t>(bytes.size());
        if (reply.status != 200 || !read || bytes != "abc" + std::to_string(i % 10)) ++wrong;
      }
    });
  }
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(
        DriverProcesses::Start(bed.storage.Options("/no/such.so")).ok());  // Changes nothing.
    bed.driver = bed.storage.Start(PODKIT_DISK_DRIVER);
    bed.gateway->SetDriver(bed.driver);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("The disk driver keeps chunks, and takes the same one twice", "[replica][disk]") {
  GatewayBed bed(PODKIT_DISK_DRIVER);
  CHECK(bed.Outcomes(bed.Put(1, "abc")) == "stored");
  // As after a crash before the catalog knew of the chunk: the file is there already.
  const DriverCalls calls{*bed.driver};
  CHECK(testing::ValueOf(calls.Write(2, "old")) == 0);
  CHECK(bed.Outcomes(bed.Put(2, "new")) == "stored");
  CHECK(bed.BytesOf(bed.Get(2)) == "new");
  CHECK(bed.Delete(2).status == 200);
  std::string bytes;
  CHECK(testing::ValueOf(calls.Read(2, &bytes)) == -ENOENT);
  CHECK(testing::ValueOf(calls.Delete(2)) == 0);
  int files = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(bed.storage.dir.path())) {
    files += file.is_regular_file() ? 1 : 0;
  }
  CHECK(files == 1);
}

TEST_CASE("Too much at once is answered 503 with a time to come back", "[replica][gateway]") {
  GatewayBed bed;
  bed.options.memory_bytes = 10;
  bed.Open();
  const GatewayReply reply = bed.Put(1, "more than ten bytes");
  CHECK(reply.status == 503);
  CHECK(bed.Header(reply, "Retry-After") == "1");
  CHECK(bed.Put(1, "ten bytes.").status == 200);
  CHECK(bed.Put(2, "ten bytes.").status == 200);  // The room is given back.
}

TEST_CASE("A volume keeps no more than its quota", "[replica][gateway][quota]") {
  GatewayBed bed;
  bed.Put(1, "12345");  // Before there was a quota.
  bed.quotas["v"] = 10;
  bed.gateway->SetWriters(bed.WritersOf());
  ControlMessage message = bed.Message(Operation::kPut);
  GatewayBed::Add(&message, 2, "123");
  GatewayBed::Add(&message, 3, "1234");
  GatewayBed::Add(&message, 4, "12");
  GatewayBed::Add(&message, 1, "12345");
  const GatewayReply reply = bed.Post(message, "12312341212345");
  CHECK(reply.status == 507);
  CHECK(bed.Outcomes(reply) == "stored over-quota stored present");
  CHECK(bed.ReplyOf(reply).text == "volume 'v' has a quota of 10 bytes and no room for 4 more");
  CHECK(bed.Get(3).status == 404);
  CHECK(bed.gateway->VolumeBytes() == std::map<std::string, uint64_t>{{"v", 10}});
  bed.Open();  // It is known after a restart.
  CHECK(bed.Put(3, "1").status == 507);
  CHECK(bed.Delete(1).status == 200);
  CHECK(bed.Put(3, "1234").status == 200);
  CHECK(bed.Put(5, "12").status == 507);
  bed.storage.Fault("write", "errno28");
  CHECK(bed.Outcomes(bed.Put(5, "1")) == "failed");  // Which takes no room.
  CHECK(bed.Outcomes(bed.Put(5, "1")) == "stored");
  bed.quotas.clear();
  bed.gateway->SetWriters(bed.WritersOf());
  CHECK(bed.Put(6, "no limit any more").status == 200);
  CHECK(bed.gateway->VolumeBytes() == std::map<std::string, uint64_t>{{"v", 27}});
}

}  // namespace podkit::replica
