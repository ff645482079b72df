// Streams with somebody in their way: slow, gone, tired of it; and what they hold in memory
// meanwhile.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <stop_token>
#include <thread>
#include <vector>

#include "stream_bed.h"

namespace podkit::conduit {
namespace {

using podkit::testing::ValueOf;

// In process, but the responder has threads of its own.
struct ThreadedBed : InProcessBed {
  ThreadedBed() : InProcessBed({.meet_hosts = false}, 8) {}
  ~ThreadedBed() {
    for (const char* pod : {"A", "B"}) network.Connect(pod, {});
  }
};

// As many bytes as wanted, made as they are read.
struct Flow : StreamSource {
  explicit Flow(uint64_t the_length) : length(the_length) {}
  absl::StatusOr<std::string> Read(uint64_t offset, size_t max) override {
    if (offset >= length) return std::string();
    std::string bytes(static_cast<size_t>(std::min<uint64_t>(max, length - offset)),
                      static_cast<char>(offset >> 20));
    read = std::max(read.load(), offset + bytes.size());
    return bytes;
  }
  const uint64_t length;
  std::atomic<uint64_t> read = 0;
};

// Keeps nothing. `before` may take its time.
struct Drain : StreamSink {
  absl::Status Write(uint64_t offset, std::string_view bytes) override {
    if (before) before(offset);
    written = offset + bytes.size();
    return absl::OkStatus();
  }
  std::function<void(uint64_t)> before = {};
  std::atomic<uint64_t> written = 0;
};

struct WithFlow {
  Drain drain;
  Flow flow;
};

// Pod B takes any flow and gives one of `length`.
template <typename Bed>
struct FlowBed : WithFlow, Bed {
  struct Sink final : UploadSink<StreamEnd> {
    explicit Sink(Drain* the_drain) : drain(the_drain) {}
    absl::Status Write(uint64_t offset, std::string_view bytes) override {
      return drain->Write(offset, bytes);
    }
    absl::StatusOr<StreamEnd> Finish(const StreamEnd& end) override { return end; }
    void Abort() override {}
    Drain* const drain;
  };
  struct Source final : DownloadSource<StreamEnd> {
    explicit Source(Flow* the_flow) : flow(the_flow) {}
    absl::StatusOr<std::string> Read(uint64_t offset, size_t max) override {
      return flow->Read(offset, max);
    }
    absl::StatusOr<StreamEnd> Finish(const StreamEnd& end) override { return end; }
    Flow* const flow;
  };

  explicit FlowBed(uint64_t length, const StreamLimits& limits = {})
      : WithFlow{{}, Flow(length)}, streams_a(&this->a), streams_b(&this->b, limits) {
    streams_b.template HandleUpload<Put>(
        [this](const CallContext&,
               const Named&) -> absl::StatusOr<std::unique_ptr<UploadSink<StreamEnd>>> {
          return std::make_unique<Sink>(&drain);
        });
    streams_b.template HandleDownload<Get>(
        [this](const CallContext&,
               const Named&) -> absl::StatusOr<std::unique_ptr<DownloadSource<StreamEnd>>> {
          return std::make_unique<Source>(&flow);
        });
  }
  absl::StatusOr<StreamEnd> DoPut(StreamSource& source, const StreamOptions& options) {
    return streams_a.template Upload<Put>("B", {}, {"x"}, source, options);
  }
  absl::StatusOr<StreamEnd> DoGet(StreamSink& sink, const StreamOptions& options) {
    return streams_a.template Download<Get>("B", {}, {"x"}, sink, options);
  }

  Streams streams_a;
  Streams streams_b;
};

// Gives other threads every chance to do what they must not do.
template <typename Bed>
void LetOthersRun(Bed& bed) {
  for (int i = 0; i < 20; ++i) REQUIRE(bed.a.template Call<Ping>("B").ok());
}

// What malloc has given out, at most, while this is there.
class PeakMemory {
 public:
  void Look() { peak_ = std::max(peak_, Used()); }
  // Beyond what it was in the beginning. 0 where a sanitizer has a malloc of its own.
  size_t growth() const { return peak_ - start_; }

 private:
  static size_t Used() {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  }
  const size_t start_ = Used();
  size_t peak_ = start_;
};

constexpr uint64_t kMiB = uint64_t{1} << 20;

// More than may be held at a time; less where every byte costs a hundred times as much.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kHuge = 16 * kMiB;
#else
constexpr uint64_t kHuge = 96 * kMiB;
#endif

}  // namespace

TEMPLATE_TEST_CASE("A huge payload passes through little memory, both ways",
                   "[conduit][streams][memory]", InProcessBed, ThreadedBed, HttpBed, MuxBed) {
  constexpr uint64_t kLength = kHuge + 12'345;
  FlowBed<TestType> bed(kLength);
  PeakMemory memory;
  bed.drain.before = [&](uint64_t) { memory.Look(); };
  Flow source(kLength);
  const auto put = bed.DoPut(source, {});
  REQUIRE(put.status() == absl::OkStatus());
  CHECK(put->length == kLength);
  CHECK(bed.drain.written == kLength);
  Drain sink;
  sink.before = [&](uint64_t) { memory.Look(); };
  const auto got = bed.DoGet(sink, {});
  REQUIRE(got.status() == absl::OkStatus());
  CHECK(*got == *put);
  CHECK(sink.written == kLength);
  // The window of 2 MiB and the 8 MiB that the responder may hold, some of it more than once.
  INFO(memory.growth());
  CHECK(memory.growth() < 48 * kMiB);
}

TEMPLATE_TEST_CASE("A sink that is slow holds an upload up", "[conduit][streams][memory]",
                   ThreadedBed, HttpBed, MuxBed) {
  constexpr size_t kWindow = 3;
  FlowBed<TestType> bed(0);
  Flow source(300 * kPiece + 1);
  uint64_t furthest = 0;
  bed.drain.before = [&](uint64_t offset) {
    if (offset == 5 * kPiece) LetOthersRun(bed);
    furthest = std::max(furthest, source.read - offset);
  };
  StreamOptions options = Small();
  options.window = kWindow;
  CHECK(bed.DoPut(source, options).status() == absl::OkStatus());
  CHECK(bed.drain.written == source.length);
  // Pieces are on their way, or wait to be written; and one was read and is not sent.
  CHECK(furthest <= (2 * kWindow + 1) * kPiece);
}

TEST_CASE("A caller that is faster than the sink waits for room", "[conduit][streams][memory]") {
  std::atomic<bool> blocked = true;
  std::atomic<int> answered = 0;
  Drain drain;
  std::atomic<uint64_t> writing = 0;
  drain.before = [&](uint64_t offset) {
    writing = offset;
    while (offset > 0 && blocked) std::this_thread::yield();
  };
  const auto stream = ValueOf(internal::ServeUpload(
      std::make_unique<FlowBed<InProcessBed>::Sink>(&drain), [](const StreamEnd&) { return "{}"; },
      [] {}, {.max_ahead_bytes = 50}));
  std::stop_source stop;
  std::vector<std::thread> calls;
  const auto send = [&](uint64_t offset) {
    calls.emplace_back([&, offset] {
      const std::string bytes(10, 'x');
      const absl::Status status =
          stream->Answer({.id = "1", .offset = offset}, bytes, stop.get_token()).status();
      if (status.ok() || GetError<TooLate>(status)) ++answered;
    });
  };
  const auto answered_are = [&](int count) {
    while (answered < count) std::this_thread::yield();
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    return answered == count;
  };
  send(0);
  CHECK(answered_are(1));
  send(10);
  while (writing != 10) std::this_thread::yield();
  // One is being written, and one waits to write; for four others there is room.
  for (const uint64_t offset : {20, 30, 40, 50, 60}) send(offset);
  CHECK(answered_are(5));
  for (const uint64_t offset : {70, 80, 90}) send(offset);
  CHECK(answered_are(5));
  // Those that wait for room are let go when the caller wants no more.
  stop.request_stop();
  CHECK(answered_are(8));
  CHECK(drain.written == 10);
  blocked = false;
  for (std::thread& call : calls) call.join();
  CHECK(answered == 10);
  CHECK(drain.written == 70);
}

TEMPLATE_TEST_CASE("A reader that is slow holds a download up", "[conduit][streams][memory]",
                   ThreadedBed, HttpBed, MuxBed) {
  constexpr size_t kWindow = 3;
  FlowBed<TestType> bed(300 * kPiece + 1);
  uint64_t furthest = 0;
  Drain sink;
  sink.before = [&](uint64_t offset) {
    if (offset == 5 * kPiece) LetOthersRun(bed);
    furthest = std::max(furthest, bed.flow.read - offset);
  };
  StreamOptions options = Small();
  options.window = kWindow;
  CHECK(bed.DoGet(sink, options).status() == absl::OkStatus());
  CHECK(sink.written == bed.flow.length);
  CHECK(furthest <= (kWindow + 1) * kPiece);
}

TEMPLATE_TEST_CASE("An upload of pieces that are larger than what is kept ahead goes on in order",
                   "[conduit][streams]", InProcessBed, ThreadedBed, HttpBed, MuxBed) {
  FlowBed<TestType> bed(0, {.max_ahead_bytes = kPiece / 2});
  Flow source(40 * kPiece + 1);
  StreamOptions options = Small();
  options.max_repeats = 200;
  CHECK(bed.DoPut(source, options).status() == absl::OkStatus());
  CHECK(bed.drain.written == source.length);
}

TEMPLATE_TEST_CASE("A caller that has had enough ends an upload in its middle",
                   "[conduit][streams][cancel]", InProcessBed, ThreadedBed, HttpBed, MuxBed) {
  StreamBed<TestType> bed;
  std::stop_source stop;
  std::atomic<bool> ended = false;
  bed.shelf.before = [&](uint64_t offset) {
    if (offset == 4 * kPiece) stop.request_stop();
    // The caller does not wait for what it wants no more.
    while (offset >= 4 * kPiece && !std::is_same_v<TestType, InProcessBed> && !ended) {
      std::this_thread::yield();
    }
  };
  Text source(TextOf(20 * kPiece));
  StreamOptions options = Small();
  options.call.stop = stop.get_token();
  CHECK(OutcomeOf(bed.DoPut(source, options).status()) == Outcome::kCancelled);
  ended = true;
  while (bed.streams_b.open_streams() > 0 || bed.shelf.sinks > 0) std::this_thread::yield();
  CHECK(bed.shelf.aborted == 1);
  CHECK(bed.shelf.finished == 0);
}

TEMPLATE_TEST_CASE("A caller that has had enough ends a download in its middle",
                   "[conduit][streams][cancel]", InProcessBed, ThreadedBed, HttpBed, MuxBed) {
  StreamBed<TestType> bed;
  bed.shelf.text = TextOf(20 * kPiece);
  std::stop_source stop;
  StreamOptions options = Small();
  options.call.stop = stop.get_token();
  options.progress = [&](uint64_t bytes) {
    if (bytes >= 4 * kPiece) stop.request_stop();
  };
  Text sink;
  CHECK(OutcomeOf(bed.DoGet(sink, options).status()) == Outcome::kCancelled);
  CHECK((sink.text == bed.shelf.text.substr(0, sink.text.size())));
  CHECK(sink.text.size() < bed.shelf.text.size());
  while (bed.streams_b.open_streams() > 0) std::this_thread::yield();
  CHECK(bed.shelf.given == 0);
}

TEMPLATE_TEST_CASE("A responder that fails after some pieces ends the stream with its error",
                   "[conduit][streams][cancel]", InProcessBed, ThreadedBed, HttpBed, MuxBed) {
  StreamBed<TestType> bed;
  bed.shelf.full_at = 9 * kPiece + 1;
  Text source(TextOf(20 * kPiece));
  const absl::Status put = bed.DoPut(source).status();
  CHECK(GetError<ShelfFull>(put));
  CHECK(put.message() == "the shelf is full");
  CHECK(bed.shelf.aborted == 1);
  CHECK(bed.shelf.sinks == 0);
  CHECK((bed.shelf.text == source.text.substr(0, 9 * kPiece)));
  bed.shelf.text = source.text;
  Text sink;
  const absl::Status got = bed.DoGet(sink).status();
  CHECK(GetError<ShelfFull>(got));
  CHECK(got.message() == "the rest of the shelf is gone");
  CHECK((sink.text == source.text.substr(0, sink.text.size())));
  while (bed.streams_b.open_streams() > 0) std::this_thread::yield();
}

TEMPLATE_TEST_CASE("A source that fails ends the upload, and a sink that fails the download",
                   "[conduit][streams][cancel]", InProcessBed, HttpBed, MuxBed) {
  struct Torn : Text {
    using Text::Text;
    absl::StatusOr<std::string> Read(uint64_t offset, size_t max) override {
      if (offset > 5 * kPiece) return absl::DataLossError("torn");
      return Text::Read(offset, max);
    }
    absl::Status Write(uint64_t offset, std::string_view bytes) override {
      if (offset > 5 * kPiece) return absl::DataLossError("full");
      return Text::Write(offset, bytes);
    }
  };
  StreamBed<TestType> bed;
  Torn source(TextOf(20 * kPiece));
  CHECK(bed.DoPut(source).status() == absl::DataLossError("torn"));
  while (bed.shelf.sinks > 0) std::this_thread::yield();
  CHECK(bed.shelf.aborted == 1);
  bed.shelf.text = source.text;
  Torn sink;
  CHECK(bed.DoGet(sink).status() == absl::DataLossError("full"));
  while (bed.streams_b.open_streams() > 0) std::this_thread::yield();
}

TEMPLATE_TEST_CASE("A peer that dies in the middle of an upload ends it",
                   "[conduit][streams][death]", InProcessBed, ThreadedBed, HttpBed, MuxBed) {
  StreamBed<TestType> bed;
  Text source(TextOf(20 * kPiece));
  StreamOptions options = Small();
  bool dead = false;
  options.progress = [&](uint64_t bytes) {
    if (bytes >= 5 * kPiece && !std::exchange(dead, true)) bed.SetTrouble(Trouble::kDown);
  };
  const Outcome outcome = OutcomeOf(bed.DoPut(source, options).status());
  CHECK((outcome == Outcome::kNotExecuted || outcome == Outcome::kUnknown));
  // B keeps what came for as long as the caller may come back.
  CHECK(bed.shelf.sinks == 1);
  bed.clock.Advance(absl::Minutes(2));
  bed.streams_b.DropIdle();
  CHECK(bed.shelf.sinks == 0);
  CHECK(bed.shelf.aborted == 1);
  CHECK((bed.shelf.text == source.text.substr(0, bed.shelf.text.size())));
}

TEMPLATE_TEST_CASE("A peer that dies in the middle of a download ends it",
                   "[conduit][streams][death]", InProcessBed, ThreadedBed, HttpBed, MuxBed) {
  StreamBed<TestType> bed;
  bed.shelf.text = TextOf(20 * kPiece);
  StreamOptions options = Small();
  bool dead = false;
  options.progress = [&](uint64_t bytes) {
    if (bytes >= 5 * kPiece && !std::exchange(dead, true)) bed.SetTrouble(Trouble::kDown);
  };
  Text sink;
  const Outcome outcome = OutcomeOf(bed.DoGet(sink, options).status());
  CHECK((outcome == Outcome::kNotExecuted || outcome == Outcome::kUnknown));
  CHECK((sink.text == bed.shelf.text.substr(0, sink.text.size())));
  CHECK(sink.text.size() < bed.shelf.text.size());
}

TEMPLATE_TEST_CASE("A stream ends at the deadline of the whole, in its middle",
                   "[conduit][streams][deadline]", InProcessBed, ThreadedBed, HttpBed, MuxBed) {
  StreamBed<TestType> bed;
  Text source(TextOf(20 * kPiece));
  StreamOptions options = Small();
  options.timeout = absl::Seconds(30);
  options.progress = [&](uint64_t bytes) {
    if (bytes >= 5 * kPiece) bed.clock.Advance(absl::Seconds(30));
  };
  const absl::Status put = bed.DoPut(source, options).status();
  CHECK(put.code() == absl::StatusCode::kDeadlineExceeded);
  while (bed.shelf.sinks > 0) std::this_thread::yield();
  CHECK(bed.shelf.aborted == 1);
  bed.shelf.text = source.text;
  Text sink;
  CHECK(bed.DoGet(sink, options).status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(sink.text.size() < source.text.size());
}

TEMPLATE_TEST_CASE("A peer that falls silent in the middle ends the stream after some repeats",
                   "[conduit][streams][deadline]", InProcessBed, HttpBed, MuxBed) {
  StreamBed<TestType> bed;
  Text source(TextOf(20 * kPiece));
  StreamOptions options = Small();
  options.progress = [&](uint64_t bytes) {
    if (bytes < 5 * kPiece) return;
    bed.SetTrouble(Trouble::kStall);
    options.call.timeout = absl::Milliseconds(30);  // Of the pieces from here on.
  };
  CHECK(OutcomeOf(bed.DoPut(source, options).status()) == Outcome::kTimedOut);
  CHECK(bed.shelf.finished == 0);
}

TEMPLATE_TEST_CASE("Many streams at a time do not get into each other's way",
                   "[conduit][streams][threads]", ThreadedBed, HttpBed, MuxBed) {
  FlowBed<TestType> bed(50 * kPiece + 7);
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) {
        Flow source(static_cast<uint64_t>(i) * 10 * kPiece + 3);
        const auto put = bed.DoPut(source, Small());
        Drain sink;
        const auto got = bed.DoGet(sink, Small());
        if (put.ok() && got.ok() && put->length == source.length && sink.written == got->length) {
          ++good;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 20);
  CHECK(bed.streams_b.open_streams() == 0);
}

}  // namespace podkit::conduit
