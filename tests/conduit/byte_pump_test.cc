#include "podkit/conduit/testing/byte_pump.h"

#include <string>

#include "tests/support/catch.h"

namespace podkit::conduit {
namespace {

using testing::BytePump;
using testing::ManualScheduler;

// Says what it is told to, and keeps what it hears.
class Parrot final : public StreamUser {
 public:
  void Receive(std::string_view bytes) override {
    heard += bytes;
    ++pieces;
  }
  std::string TakeOutput() override { return std::exchange(to_say, {}); }
  void Closed(const absl::Status& why) override {
    closed = why;
    ++times_closed;
  }

  std::string to_say;
  std::string heard;
  int pieces = 0;
  absl::Status closed;
  int times_closed = 0;
};

struct Bed {
  explicit Bed(testing::BytePumpOptions options = {}) : pump(&scheduler, 7, std::move(options)) {
    pump.Attach(BytePump::kA, a);
    pump.Attach(BytePump::kB, b);
  }
  void Say(std::string text) {
    a->to_say += text;
    stream_of_a->Wake();
    pump.Pump();
  }

  ManualScheduler scheduler;
  BytePump pump;
  std::shared_ptr<Parrot> a = std::make_shared<Parrot>();
  std::shared_ptr<Parrot> b = std::make_shared<Parrot>();
  std::shared_ptr<ByteStream> stream_of_a = pump.stream(BytePump::kA);
};

TEST_CASE("BytePump carries bytes both ways, in pieces", "[byte_pump]") {
  Bed bed({.channel_binding_of_a = "x", .max_piece = 3});
  bed.b->to_say = "hello";
  bed.Say("0123456789");
  CHECK(bed.b->heard == "0123456789");
  CHECK(bed.b->pieces >= 4);
  CHECK(bed.a->heard == "hello");
  CHECK(bed.pump.sent(BytePump::kA) == 10);
  CHECK(bed.stream_of_a->ChannelBinding() == "x");
  CHECK(bed.pump.stream(BytePump::kB)->ChannelBinding().empty());
  CHECK_FALSE(bed.pump.Pump());
}

TEST_CASE("BytePump damages what it is told to", "[byte_pump]") {
  using Fault = BytePump::Fault;
  const auto heard = [](Fault fault, uint64_t first, uint64_t length) {
    Bed bed;
    bed.Say("ab");
    bed.pump.Inject(BytePump::kA, fault, first, length);
    for (const char* text : {"cd", "ef", "gh"}) bed.Say(text);
    CHECK(bed.a->heard.empty());
    return bed.b->heard;
  };
  CHECK(heard(Fault::kDrop, 3, 2) == "abcfgh");
  CHECK(heard(Fault::kDuplicate, 3, 2) == "abcdedefgh");
  CHECK(heard(Fault::kReorder, 3, 2) == "abcfgdeh");
  CHECK(heard(Fault::kReorder, 7, 1) == "abcdefg");
  const std::string corrupt = heard(Fault::kCorrupt, 3, 2);
  CHECK(corrupt.size() == 8);
  CHECK(corrupt[3] != 'd');
  CHECK(corrupt[4] != 'e');
  CHECK(corrupt.substr(0, 3) + corrupt.substr(5) == "abcfgh");
}

TEST_CASE("BytePump cuts both ends, behind the bytes before the cut", "[byte_pump]") {
  Bed bed;
  bed.pump.Inject(BytePump::kA, BytePump::Fault::kCut, 3);
  bed.Say("ab");
  CHECK_FALSE(bed.pump.closed());
  bed.Say("cdef");
  CHECK(bed.b->heard == "abc");
  CHECK(bed.pump.closed());
  CHECK(bed.a->closed.code() == absl::StatusCode::kUnavailable);
  CHECK(bed.b->closed.code() == absl::StatusCode::kUnavailable);
  bed.pump.Cut();
  CHECK(bed.a->times_closed == 1);
}

TEST_CASE("BytePump closes after the last bytes, in good order", "[byte_pump]") {
  Bed bed;
  bed.a->to_say = "last words";
  bed.stream_of_a->Close();
  bed.pump.Pump();
  CHECK(bed.b->heard == "last words");
  CHECK(bed.a->times_closed == 1);
  CHECK(bed.b->times_closed == 1);
  CHECK(bed.b->closed == absl::OkStatus());
}

TEST_CASE("BytePump stalls, and takes no more than its capacity", "[byte_pump]") {
  Bed bed({.capacity = 4});
  bed.pump.Stall(BytePump::kA, true);
  for (const char* text : {"abc", "def", "ghi"}) bed.Say(text);
  CHECK(bed.b->heard.empty());
  CHECK(bed.pump.in_flight(BytePump::kA) == 6);
  CHECK(bed.a->to_say == "ghi");
  bed.pump.Stall(BytePump::kA, false);
  bed.pump.Pump();
  CHECK(bed.b->heard == "abcdefghi");
}

TEST_CASE("BytePump delays by the scheduler's clock and keeps the order", "[byte_pump]") {
  Bed bed;
  bed.pump.Delay(BytePump::kA, absl::Seconds(5));
  bed.Say("late ");
  bed.pump.Delay(BytePump::kA, absl::ZeroDuration());
  bed.Say("then");
  bed.scheduler.Advance(absl::Seconds(4));
  CHECK_FALSE(bed.pump.Pump());
  bed.scheduler.Advance(absl::Seconds(1));
  CHECK(bed.pump.Pump());
  CHECK(bed.b->heard == "late then");
}

}  // namespace
}  // namespace podkit::conduit
