// What travels for a batch, byte for byte, and what a pod makes of what it gets.
#include <string>
#include <utility>
#include <vector>

#include "batch/batch_runner.h"
#include "batch/frames.h"
#include "batch/references.h"
#include "fmt/format.h"
#include "lists.h"
#include "payload_body.h"
#include "podkit/conduit/batch.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

using internal::BatchFrame;
using podkit::testing::ValueOf;
using Words = std::vector<std::string>;

// Each body in a frame of JSON; an empty one is a call that is left out.
std::string FramesOf(const Words& bodies) {
  std::string bytes;
  for (const std::string& body : bodies) {
    internal::AppendBatchFrame(
        {.kind = body.empty() ? BatchFrame::Kind::kLeftOut : BatchFrame::Kind::kJson, .body = body},
        &bytes);
  }
  return bytes;
}

// Pod B as a peer sees it that speaks the protocol itself.
class Peer {
 public:
  explicit Peer(const ConduitOptions& options = {.meet_hosts = false}) : bed_(options) {
    lists.Serve(bed_.b);
  }

  // The bodies of the answers, or that of the whole.
  Words Send(const std::string& frames) {
    const std::string reply = SendBytes(frames);
    const auto parts = internal::SplitPayload(reply);
    if (!parts.ok() || reply[0] == '{') return {reply};
    CHECK(parts->json == R"({"result":"ok"})");
    Words bodies;
    const auto split = ValueOf(internal::SplitBatchFrames(parts->payload, 1000));
    for (const BatchFrame& frame : split) bodies.emplace_back(frame.body);
    return bodies;
  }
  Words Send(const Words& bodies) { return Send(FramesOf(bodies)); }

  std::string SendBytes(const std::string& frames) {
    const std::string head =
        R"({"action":"batch","timeout_ms":10000,"arguments":[],"keywords":{}})";
    ReceivedCall call{.caller = bed_.b.pods().Find("A"),
                      .request = {.content_type = "application/vnd.podkit.call",
                                  .authorization = {},
                                  .body = internal::JoinPayload(head, frames)},
                      .reply = [this](WireReply reply) {
                        reply_ = std::move(reply);
                        replied_.set_value();
                      }};
    replied_ = {};
    bed_.b.Answer(std::move(call));
    replied_.get_future().get();
    return reply_.body;
  }

  Lists lists;
  Conduit& b() { return bed_.b; }

 private:
  InProcessBed bed_;
  std::promise<void> replied_;
  WireReply reply_;
};

bool HasClass(const std::string& reply, std::string_view error_class) {
  return reply.find(fmt::format(R"("class":"{}")", error_class)) != std::string::npos;
}

std::string Create(const std::string& name) {
  return R"({"action":"create-list","arguments":[],"keywords":{"name":")" + name + R"("}})";
}

std::string Use(const std::string& use) {
  return R"({"action":"read-item","arguments":["?",null],"keywords":{},"use":)" + use + "}";
}

}  // namespace

TEST_CASE("The bytes of a batch are those that docs/conduit-batches.md shows",
          "[conduit][batch][golden]") {
  InProcessBed bed;
  Lists lists;
  lists.Serve(bed.b);
  std::string request_body;
  std::string reply_body;
  bed.network.SetTap([&](std::string_view, const WireRequest& request, const WireReply& reply) {
    CHECK(request.content_type == "application/vnd.podkit.call");
    CHECK(reply.content_type == "application/vnd.podkit.call");
    request_body = request.body;
    reply_body = reply.body;
  });
  Batch batch;
  const auto made = batch.Add<CreateList>({.name = "party"});
  batch.AddTarget<AddItem>({}, {.text = "brie"}, {.actor = "bob", .key = "k2"})
      .Set(&AddItem::Target::list, made[&CreateList::Response::id]);
  batch.Add<CreateList>({.name = "\xff"});  // Cannot be sent.
  batch.Add<CreateList>({.name = "brie"}, {.payload = std::make_shared<std::string>("\x01\x02")});
  static_cast<void>(bed.a.Call("B", batch, {.actor = "ann"}));

  using std::string_literals::operator""s;
  const std::string head = R"({"action":"batch","timeout_ms":10000,"arguments":[],"keywords":{}})";
  const std::string create =
      R"({"action":"create-list","actor":"ann","timeout_ms":10000,"arguments":[],)"
      R"("keywords":{"name":"party"}})";
  const std::string add =
      R"({"action":"add-item","actor":"bob","timeout_ms":10000,"key":"k2","list":"",)"
      R"("shelf":null,"arguments":[],"keywords":{"text":"brie","count":1},)"
      R"("use":{"/list":{"call":0,"path":"/id"}}})";
  const std::string brie =
      R"({"action":"create-list","actor":"ann","timeout_ms":10000,"arguments":[],)"
      R"("keywords":{"name":"brie"}})";
  CHECK(request_body == "\0\0\0\x42"s + head + "\x01\0\0\0\x64"s + create + "\x01\0\0\0\xb4"s +
                            add + "\0\0\0\0\0"s + "\x02\0\0\0\x69"s + "\0\0\0\x63"s + brie +
                            "\x01\x02");

  const std::string created =
      R"({"result":"ok","value":{"id":"id-of-party","a/b~parts":[{"id":"first"},)"
      R"({"id":"second"}],"sizes":{"x/y":12}}})";
  const std::string added = R"({"result":"ok","value":"brie*1@id-of-party/-"})";
  const std::string refused =
      R"({"result":"exception","class":"NoSuchCheese","details":"no cheese 'brie': ask for )"
      R"(another","code":"not_found","fields":{"name":"brie","stock":7}})";
  CHECK(reply_body ==
        "\0\0\0\x0f"s + R"({"result":"ok"})" + FramesOf({created, added, "", refused}));
}

TEST_CASE("Frames that are none are refused as a whole, and nothing is executed",
          "[conduit][batch][hostile]") {
  using std::string_literals::operator""s;
  const std::string good = FramesOf({Create("c1")});
  Peer peer;
  const auto refused = [&](const std::string& frames, std::string_view why) {
    const Words reply = peer.Send(frames);
    REQUIRE(reply.size() == 1);
    CHECK(HasClass(reply[0], "InvalidArguments"));
    CHECK_THAT(reply[0], Catch::Contains(std::string(why)));
  };
  refused(good + "\x01\0\0"s, "call 1 of the batch ends within its head");
  refused(good + "\x03\0\0\0\0"s, "call 1 of the batch is of kind 3, which does not exist");
  refused(good + "\x01\0\0\0\x02{"s,
          "call 1 of the batch has 2 bytes, more than the 1 that follow");
  refused(good + "\0\0\0\0\x01{"s, "call 1 of the batch is left out and has a body");
  std::string many;
  for (int i = 0; i < 1001; ++i) many += good;
  refused(many, "more than the 1000 calls that are taken at a time");
  CHECK(peer.lists.Done().empty());
  CHECK(peer.SendBytes("") == R"({"result":"ok"})");
}

TEST_CASE("A call of a batch that cannot be read spoils itself only", "[conduit][batch][hostile]") {
  Peer peer;
  const Words replies =
      peer.Send(Words{"{", "7", R"({"keywords":{}})", R"({"action":"batch","keywords":{}})", "",
                      R"({"action":"create-list","actor":7})",
                      R"({"action":"create-list","keywords":{}})", Create("c1")});
  REQUIRE(replies.size() == 8);
  CHECK(HasClass(replies[0], "BadJson"));
  CHECK(HasClass(replies[1], "BadJson"));
  CHECK(HasClass(replies[2], "MissingAction"));
  CHECK_THAT(replies[3], Catch::Contains("a batch within a batch"));
  CHECK(replies[4].empty());
  CHECK(HasClass(replies[5], "InvalidArguments"));
  CHECK(HasClass(replies[6], "InvalidArguments"));
  CHECK_THAT(replies[7], Catch::StartsWith(R"({"result":"ok")"));
  CHECK(peer.lists.Done() == Words{"create c1"});
}

TEST_CASE("A reference that leads nowhere fails its call, which is not executed",
          "[conduit][batch][hostile]") {
  const Words bad = {
      R"({"/arguments/0":{"call":1,"path":""}})",                 // Itself.
      R"({"/arguments/0":{"call":-1,"path":""}})",                // None.
      R"({"/arguments/0":{"call":0,"path":"/no"}})",              // No such member.
      R"({"/arguments/0":{"call":0,"path":"/id/x"}})",            // Within a text.
      R"({"/arguments/0":{"call":0,"path":"id"}})",               // Not a pointer.
      R"({"/arguments/0":{"call":0,"path":"/id~2"}})",            // Likewise.
      R"({"/arguments/0":{"call":0,"path":"/a~1b~0parts/2"}})",   // Beyond the end.
      R"({"/arguments/0":{"call":0,"path":"/a~1b~0parts/01"}})",  // Not an index.
      R"({"/arguments/2":{"call":0,"path":"/id"}})",              // No such argument.
      R"({"/arguments":{"call":0,"path":"/a~1b~0parts"}})",       // All of them.
      R"({"/keywords":{"call":0,"path":"/sizes"}})",
      R"({"/keywords/a/b":{"call":0,"path":"/id"}})",
      R"({"/actor":{"call":0,"path":"/id"}})",
      R"({"/key":{"call":0,"path":"/id"}})",
      R"({"/action":{"call":0,"path":"/id"}})",
      R"({"/store_token/token":{"call":0,"path":"/id"}})",
      R"({"":{"call":0,"path":""}})",
      R"({"/x":{"call":0,"path":""},"/x/y":{"call":0,"path":"/id"}})",
  };
  for (const std::string& use : bad) {
    INFO(use);
    Peer peer;
    const Words replies = peer.Send(Words{Create("c1"), Use(use)});
    REQUIRE(replies.size() == 2);
    CHECK(HasClass(replies[1], "BadReference"));
    CHECK(peer.lists.Done() == Words{"create c1"});
  }
  for (const std::string use :
       {"7", "[]", R"({"/arguments/0":{"path":""}})", R"({"/arguments/0":{"call":"0"}})"}) {
    Peer peer;
    CHECK(HasClass(peer.Send(Words{Create("c1"), Use(use)}).at(1), "InvalidArguments"));
  }
  Peer peer;
  const Words good =
      peer.Send(Words{Create("c1"), Use(R"({"/arguments/1":{"call":0,"path":"/sizes/x~1y"},)"
                                        R"("/unknown":{"call":0}})")});
  CHECK(HasClass(good.at(1), "InvalidArguments"));  // A number is no text, as alone.
  CHECK(peer.lists.Done() == Words{"create c1"});
}

TEST_CASE("References are for calls in batches only, and not too many of them",
          "[conduit][batch][hostile]") {
  InProcessBed bed;
  Lists lists;
  lists.Serve(bed.b);
  ReceivedCall call{.caller = bed.b.pods().Find("A"),
                    .request = {.content_type = "application/json",
                                .authorization = {},
                                .body = Use(R"({"/arguments/0":{"call":0}})")},
                    .reply = [](const WireReply& reply) {
                      CHECK_THAT(reply.body, Catch::Contains("only a call in a batch"));
                    }};
  bed.b.Answer(std::move(call));
  Peer peer;
  std::string use;
  for (int i = 0; i < 65; ++i) {
    use += fmt::format(R"({}"/x{}":{{"call":0,"path":""}})", i == 0 ? "{" : ",", i);
  }
  CHECK_THAT(peer.Send(Words{Create("c1"), Use(use + "}")}).at(1),
             Catch::Contains("more than 64 references"));
}

TEST_CASE("A few bytes of references do not make a large batch of a small one",
          "[conduit][batch][hostile]") {
  Peer peer({.max_body_bytes = 20'000, .meet_hosts = false});
  const std::string text(3'000, 'x');
  Words bodies = {R"({"action":"read-item","arguments":[")" + text + R"("],"keywords":{}})"};
  for (int i = 0; i < 8; ++i) {
    bodies.emplace_back(R"({"action":"create-list","arguments":[],"keywords":{"name":"brie"},)"
                        R"("use":{"/keywords/more":{"call":0,"path":""}}})");
  }
  const Words replies = peer.Send(bodies);
  REQUIRE(replies.size() == 9);
  CHECK(HasClass(replies[6], "NoSuchCheese"));
  CHECK(HasClass(replies[7], "BadReference"));
  CHECK_THAT(replies[7], Catch::Contains("the batch would become too large"));
  CHECK(HasClass(replies[8], "BadReference"));
}

TEST_CASE("A value that makes a request too deep fails the call", "[conduit][batch][hostile]") {
  Peer peer({.max_json_depth = 5, .meet_hosts = false});
  const std::string deep = R"({"action":"create-list","arguments":[],"keywords":{"name":"c1"},)"
                           R"("x":[[[]]],"use":{"/x/0/0":{"call":0,"path":""}}})";
  const Words replies = peer.Send(Words{Create("c1"), deep});
  REQUIRE(replies.size() == 2);
  CHECK_THAT(replies[0], Catch::StartsWith(R"({"result":"ok")"));
  CHECK(HasClass(replies[1], "BadReference"));
}

TEST_CASE("An answer that is too large for what is left spoils itself only",
          "[conduit][batch][limits]") {
  // Room for the first answer, and for nothing but errors after it.
  const size_t calls = 4;
  const size_t least =
      19 + calls * (internal::kBatchFrameHeadBytes + internal::BatchRunner::kReservedBytes);
  const std::string text(2'000, 'x');
  InProcessBed bed({.max_body_bytes = least + 2'100, .meet_hosts = false});
  Lists lists;
  lists.Serve(bed.b);
  Batch batch;
  const auto first = batch.Add<ReadItem>({text, {}});
  const auto second = batch.Add<ReadItem>({"?", text.substr(0, 1'000)}).Set<0>(first.value());
  const auto uses = batch.Add<ReadItem>({"?", {}}).Set<0>(second.value());
  const auto last = batch.Add<ReadItem>({"small", {}});
  CHECK_FALSE(bed.a.Call("B", batch).ok());
  CHECK(ValueOf(first.result()) == text);
  const absl::Status spoiled = second.result().status();
  CHECK(GetError<BodyTooLarge>(spoiled)->limit > 0);
  CHECK(OutcomeOf(spoiled) == Outcome::kUnknown);
  CHECK_THAT(std::string(spoiled.message()),
             Catch::StartsWith("'read-item' was executed, but the 3026 bytes of its answer do not "
                               "fit into the "));
  CHECK(GetError<EarlierCallFailed>(uses.result().status())->error == "BodyTooLarge");
  CHECK(ValueOf(last.result()) == "small");
  CHECK(lists.Done().size() == 3);
}

TEST_CASE("The errors of the conduit fit into what is reserved for each call",
          "[conduit][batch][limits]") {
  const size_t calls = 6;
  const size_t least =
      19 + calls * (internal::kBatchFrameHeadBytes + internal::BatchRunner::kReservedBytes);
  Peer peer({.max_body_bytes = least, .meet_hosts = false});
  const std::string odd(63, '\x01');
  const auto action = [](const std::string& name) {
    std::string escaped;
    for (size_t i = 0; i < name.size(); ++i) escaped += "\\u0001";
    return escaped;
  };
  const Words bodies = {
      R"({"action":")" + action(odd) + R"("})",
      R"({"action":"read-item","use":{"/arguments/)" + action(odd) + R"(":{"call":0,"path":"/)" +
          action(odd) + R"("}}})",
      R"({"action":"read-item","use":{"/arguments/0":{"call":5,"path":"/)" + action(odd) +
          R"("}}})",
      R"({"action":"read-item","arguments":[)" + std::string(200, '[') + "}",
      Create("lead"),
      R"({"action":"read-item","arguments":[")" + std::string(600, 'y') + R"("]})"};
  const Words replies = peer.Send(bodies);
  REQUIRE(replies.size() == calls);
  // What one does not need is there for the next ones.
  CHECK(replies[0].size() <= internal::BatchRunner::kReservedBytes);
  CHECK(HasClass(replies[0], "UnknownAction"));
  CHECK(HasClass(replies[1], "EarlierCallFailed"));
  CHECK(HasClass(replies[2], "BadReference"));
  CHECK(HasClass(replies[4], "InternalError"));
  // One more call and not even the errors would fit.
  Words more = bodies;
  more.push_back(Create("c1"));
  CHECK_THAT(peer.Send(more).at(0), Catch::Contains("the answers to 7 calls may not fit into"));
}

TEST_CASE("A batch takes one place of its pod, and its calls those of their commands",
          "[conduit][batch][limits]") {
  InProcessBed bed({.max_calls_per_pod = 1, .meet_hosts = false});
  Lists lists;
  lists.Serve(bed.b);
  Batch batch;
  for (int i = 0; i < 3; ++i) batch.Add<CreateList>({.name = "c"});
  CHECK(bed.a.Call("B", batch) == absl::OkStatus());
  CHECK(lists.Done().size() == 3);
}

TEST_CASE("An action that is cut within a character is still answered", "[conduit][batch][call]") {
  Peer peer;
  const std::string action = std::string(63, 'x') + "\xc3\xa9";
  const Words replies = peer.Send(Words{R"({"action":")" + action + R"("})", Create("c1")});
  REQUIRE(replies.size() == 2);
  CHECK(HasClass(replies[0], "UnknownAction"));
  CHECK(IsUtf8(replies[0]));
}

}  // namespace podkit::conduit
