// Uploads and downloads on every transport, cut short, repeated, out of order and hostile.
#include "podkit/conduit/streams.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <stop_token>

#include "payload_body.h"
#include "stream_bed.h"
#include "streams/ordered_pieces.h"

namespace podkit::conduit {
namespace {

using internal::OrderedPieces;
using internal::StreamPiece;
using podkit::testing::ValueOf;

}  // namespace

TEST_CASE("The hash of parts is the hash of the whole", "[conduit][streams]") {
  CHECK(HashOf("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("Pieces come in any order and are given in theirs", "[conduit][streams]") {
  OrderedPieces pieces(10, 20);
  using Added = OrderedPieces::Added;
  CHECK(pieces.Add(15, "fghij") == Added::kTaken);
  CHECK(pieces.Take().empty());
  CHECK(pieces.Add(15, "fghij") == Added::kRepeated);
  CHECK(pieces.Add(12, "cdef") == Added::kOverlaps);
  CHECK(pieces.Add(16, "g") == Added::kOverlaps);
  CHECK(pieces.Add(31, "x") == Added::kTooFar);
  CHECK(pieces.Add(29, "xy") == Added::kTooFar);
  CHECK(pieces.Add(UINT64_MAX, "xy") == Added::kTooFar);
  CHECK(pieces.Add(10, "abcde") == Added::kTaken);
  CHECK(pieces.next() == 20);
  // Nothing was taken yet: there is no room for everything that is not too far.
  CHECK(pieces.Add(29, "xy") == Added::kNoRoom);
  CHECK(pieces.Take() == "abcde");
  CHECK(pieces.Add(29, "xy") == Added::kTaken);
  CHECK(pieces.Take() == "fghij");
  CHECK(pieces.Take().empty());
  CHECK(pieces.Add(10, "abcde") == Added::kRepeated);
  CHECK(pieces.Add(18, "ijk") == Added::kOverlaps);
  // One that is larger than all the room, in its turn.
  CHECK(pieces.Add(20, "123456789") == Added::kTaken);
  OrderedPieces small(0, 3);
  CHECK(small.Add(1, "12345") == Added::kTooFar);
  CHECK(small.Add(0, "12345") == Added::kTaken);
  CHECK(small.Add(5, "67890") == Added::kNoRoom);
  CHECK(small.Take() == "12345");
  CHECK(small.Add(5, "67890") == Added::kTaken);
}

TEMPLATE_TEST_CASE("Payloads of every size go up and come down the same", "[conduit][streams]",
                   InProcessBed, HttpBed, MuxBed) {
  StreamBed<TestType> bed;
  int puts = 0;
  for (const size_t size :
       {size_t{0}, size_t{1}, kPiece - 1, kPiece, kPiece + 1, 4 * kPiece, 37 * kPiece + 13}) {
    Text source(TextOf(size));
    const StreamEnd expected{size, HashOf(source.text)};
    const auto put = bed.DoPut(source);
    REQUIRE(put.status() == absl::OkStatus());
    CHECK(*put == expected);
    CHECK((bed.shelf.text == source.text));
    CHECK(bed.shelf.finished == ++puts);
    Text sink;
    const auto got = bed.DoGet(sink);
    REQUIRE(got.status() == absl::OkStatus());
    CHECK(*got == expected);
    CHECK((sink.text == source.text));
  }
  CHECK(bed.shelf.aborted == 0);
  CHECK(bed.streams_b.open_streams() == 0);
}

TEST_CASE("A large upload never has more than its window in flight", "[conduit][streams]") {
  StreamBed<InProcessBed> bed;
  std::atomic<size_t> largest = 0;
  bed.network.SetTap([&](std::string_view, const WireRequest& request, const WireReply& reply) {
    largest = std::max({largest.load(), request.body.size(), reply.body.size()});
  });
  Text source(TextOf(size_t{8} << 20));
  uint64_t told = 0;
  CHECK(bed.DoPut(source, {.progress = [&](uint64_t bytes) { told = bytes; }}).ok());
  CHECK((bed.shelf.text == source.text));
  CHECK(told == source.text.size());
  CHECK(source.largest == StreamOptions().piece_bytes);
  CHECK(largest < StreamOptions().piece_bytes + 1000);
}

TEMPLATE_TEST_CASE("A stream goes on where the other end is", "[conduit][streams]", InProcessBed,
                   HttpBed, MuxBed) {
  StreamBed<TestType> bed;
  Text source(TextOf(20 * kPiece + 5));
  bed.shelf.keep = true;
  bed.shelf.text = source.text.substr(0, 7777);
  CHECK(bed.DoPut(source)->sha256 == HashOf(source.text));
  CHECK((bed.shelf.text == source.text));
  Text sink(source.text.substr(0, 3333), 3333);
  CHECK(bed.DoGet(sink)->sha256 == HashOf(source.text));
  CHECK((sink.text == source.text));
  // What was kept is of another payload.
  bed.shelf.text = std::string(500, 'z');
  CHECK(GetError<StreamMismatch>(bed.DoPut(source).status()));
  CHECK(bed.shelf.aborted == 1);
  Text other(std::string(500, 'z'), 500);
  bed.shelf.text = source.text;
  CHECK(GetError<StreamMismatch>(bed.DoGet(other).status()));
}

TEST_CASE("A responder that lost the stream is given the rest of it", "[conduit][streams]") {
  StreamBed<InProcessBed> bed;
  bed.shelf.keep = true;
  Text source(TextOf(20 * kPiece + 5));
  StreamOptions options = Small();
  options.progress = [&](uint64_t bytes) {
    if (bytes != 9 * kPiece) return;
    bed.clock.Advance(absl::Minutes(2));
    bed.streams_b.DropIdle();
  };
  CHECK(bed.DoPut(source, options).status() == absl::OkStatus());
  CHECK((bed.shelf.text == source.text));
  CHECK(bed.shelf.opened == 2);
  CHECK(bed.shelf.aborted == 1);
}

TEST_CASE("A piece whose answer is lost is sent again", "[conduit][streams]") {
  StreamBed<InProcessBed> bed;
  Text source(TextOf(5 * kPiece + 5));
  int lost = 0;
  bed.network.SetTap([&](std::string_view, const WireRequest&, const WireReply&) {
    // Every second answer, the last one among them.
    bed.SetTrouble(lost++ % 2 == 0 ? Trouble::kLoseReply : Trouble::kNone);
  });
  StreamOptions options = Small();
  options.max_repeats = 20;
  CHECK(bed.DoPut(source, options).status() == absl::OkStatus());
  CHECK(lost > 10);
  CHECK((bed.shelf.text == source.text));
  CHECK(bed.shelf.opened == 1);
  CHECK(bed.shelf.finished == 1);
  Text sink;
  CHECK(bed.DoGet(sink, options).status() == absl::OkStatus());
  CHECK((sink.text == source.text));
}

TEMPLATE_TEST_CASE("A sink that fails ends the upload with its error", "[conduit][streams]",
                   InProcessBed, HttpBed, MuxBed) {
  StreamBed<TestType> bed;
  bed.shelf.full_at = 3 * kPiece + 1;
  Text source(TextOf(20 * kPiece));
  CHECK(GetError<ShelfFull>(bed.DoPut(source).status()));
  CHECK(bed.shelf.aborted == 1);
  CHECK(bed.shelf.finished == 0);
}

TEST_CASE("A caller that wants no more drops the stream at once", "[conduit][streams]") {
  StreamBed<InProcessBed> bed;
  std::stop_source stop;
  Text source(TextOf(20 * kPiece));
  StreamOptions options = Small();
  options.call.stop = stop.get_token();
  options.progress = [&](uint64_t) { stop.request_stop(); };
  CHECK(OutcomeOf(bed.DoPut(source, options).status()) == Outcome::kCancelled);
  CHECK(bed.shelf.aborted == 1);
  CHECK(bed.streams_b.open_streams() == 0);
}

namespace {

// The answer of both may be nothing.
struct PutMaybe {
  static constexpr CommandInfo kInfo = {.name = "put-maybe"};
  static constexpr StreamKind kStream = StreamKind::kUpload;
  using Arguments = Nothing;
  using Response = std::optional<std::string>;
  using Errors = ErrorList<>;
};
struct GetMaybe : PutMaybe {
  static constexpr CommandInfo kInfo = {.name = "get-maybe"};
  static constexpr StreamKind kStream = StreamKind::kDownload;
};
struct PutQuietly : PutMaybe {
  static constexpr CommandInfo kInfo = {.name = "put-quietly"};
  using Response = Nothing;
};

template <typename Response>
struct Bin final : UploadSink<Response> {
  absl::Status Write(uint64_t, std::string_view) override { return absl::OkStatus(); }
  absl::StatusOr<Response> Finish(const StreamEnd&) override { return Response(); }
  void Abort() override {}
};
struct Empty final : DownloadSource<std::optional<std::string>> {
  absl::StatusOr<std::string> Read(uint64_t, size_t) override { return std::string(); }
  absl::StatusOr<std::optional<std::string>> Finish(const StreamEnd&) override {
    return std::nullopt;
  }
};

}  // namespace

TEST_CASE("A stream may end with an answer that is null, or with none", "[conduit][streams]") {
  InProcessBed bed;
  Streams streams_a(&bed.a);
  Streams streams_b(&bed.b);
  using Answer = std::optional<std::string>;
  streams_b.HandleUpload<PutMaybe>(
      [](const CallContext&,
         const Nothing&) -> absl::StatusOr<std::unique_ptr<UploadSink<Answer>>> {
        return std::make_unique<Bin<Answer>>();
      });
  streams_b.HandleUpload<PutQuietly>(
      [](const CallContext&,
         const Nothing&) -> absl::StatusOr<std::unique_ptr<UploadSink<Nothing>>> {
        return std::make_unique<Bin<Nothing>>();
      });
  streams_b.HandleDownload<GetMaybe>(
      [](const CallContext&,
         const Nothing&) -> absl::StatusOr<std::unique_ptr<DownloadSource<Answer>>> {
        return std::make_unique<Empty>();
      });
  Text source(TextOf(3 * kPiece));
  const auto put = streams_a.Upload<PutMaybe>("B", {}, {}, source, Small());
  REQUIRE(put.status() == absl::OkStatus());
  CHECK_FALSE(put->has_value());
  CHECK(streams_a.Upload<PutQuietly>("B", {}, {}, source, Small()).status() == absl::OkStatus());
  Text sink;
  const auto got = streams_a.Download<GetMaybe>("B", {}, {}, sink, Small());
  REQUIRE(got.status() == absl::OkStatus());
  CHECK_FALSE(got->has_value());
}

// docs/conduit-streams.md.
TEST_CASE("A piece looks on the wire as it is documented", "[conduit][streams]") {
  StreamBed<InProcessBed> bed;
  WireRequest request;
  WireReply reply;
  bed.network.SetTap([&](std::string_view, const WireRequest& sent, const WireReply& answered) {
    request = sent;
    reply = answered;
  });
  const std::string end = R"({"length":5,"sha256":")" + HashOf("hello") + R"("})";
  CHECK(bed.Raw({.id = "1", .end = StreamEnd{5, HashOf("hello")}}, true, "hello").ok());
  CHECK(request.content_type == "application/vnd.podkit.call");
  const std::string json =
      R"({"action":"put","timeout_ms":10000,"arguments":[],"keywords":{"stream":{"id":"1",)"
      R"("offset":0,"max":0,"drop":false,"end":)" +
      end + R"(},"open":{"target":{},"arguments":{"name":"x"}}}})";
  CHECK(request.body == internal::JoinPayload(json, "hello"));
  CHECK(reply.content_type == "application/json");
  CHECK(reply.body ==
        R"({"result":"ok","value":{"next":5,"end":null,"result":{"value":)" + end + "}}}");
}

TEST_CASE("Pieces of a hostile caller are refused", "[conduit][streams][hostile]") {
  StreamBed<InProcessBed> bed({.max_per_pod = 3, .max_ahead_bytes = 100, .max_length = 1000});
  CHECK(GetError<StreamGone>(bed.Raw({.id = "1"}, false, "abc").status()));
  CHECK(GetError<InvalidArguments>(bed.Raw({.id = ""}, true, "abc").status()));
  CHECK(GetError<InvalidArguments>(bed.Raw({.id = std::string(65, 'i')}, true, "").status()));
  CHECK(ValueOf(bed.Raw({.id = "1"}, true, "abc")).next == 3);
  CHECK(ValueOf(bed.Raw({.id = "1"}, true, "abc")).next == 3);
  CHECK(GetError<StreamAt>(bed.Raw({.id = "1", .offset = 2}, false, "xyz").status())->offset == 3);
  CHECK(GetError<StreamAt>(bed.Raw({.id = "1", .offset = 103}, false, "x").status()));
  CHECK(GetError<StreamTooLong>(bed.Raw({.id = "1", .offset = 1000}, false, "x").status()));
  CHECK(GetError<StreamTooLong>(bed.Raw({.id = "1", .offset = UINT64_MAX}, false, "x").status()));
  // An end that leaves a gap, then one that lies.
  const StreamEnd lie{4, HashOf("abcd")};
  CHECK(ValueOf(bed.Raw({.id = "1", .offset = 5, .end = lie}, false, "f")).next == 3);
  const absl::Status lied = bed.Raw({.id = "1", .offset = 3, .end = lie}, false, "de").status();
  CHECK(GetError<StreamMismatch>(lied)->length == 6);
  CHECK(bed.shelf.aborted == 1);
  // It stays so.
  CHECK(GetError<StreamMismatch>(bed.Raw({.id = "1", .offset = 6}, false, "x").status()));
  CHECK(bed.streams_b.open_streams() == 0);
  for (const char* id : {"2", "3", "4"}) CHECK(bed.Raw({.id = id}, true, "").ok());
  CHECK(GetError<Overloaded>(bed.Raw({.id = "5"}, true, "").status()));
  bed.clock.Advance(absl::Minutes(2));
  CHECK(bed.Raw({.id = "5"}, true, "").ok());
  CHECK(bed.streams_b.open_streams() == 1);
  CHECK(bed.shelf.aborted == 4);
}

}  // namespace podkit::conduit
