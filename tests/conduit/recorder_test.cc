// Recordings: what gets into them, what does not, and that they replay.
#include "podkit/conduit/recorder.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "lists.h"
#include "payload_body.h"
#include "podkit/conduit/batch.h"
#include "tests/support/temp_dir.h"
#include "two_pods.h"

namespace podkit::conduit {
namespace {

using podkit::testing::TempDir;
using podkit::testing::ValueOf;

struct LogIn {
  static constexpr CommandInfo kInfo = {.name = "log-in", .effect = Effect::kRead};
  struct Arguments {
    std::string name;
    std::string password;
    static constexpr auto Fields() {
      return std::make_tuple(Required("name", &Arguments::name),
                             Required("Password", &Arguments::password));
    }
  };
  struct Response {
    std::string secret;
    static constexpr auto Fields() {
      return std::make_tuple(Required("secret", &Response::secret));
    }
  };
  using Errors = ErrorList<>;
};

struct Reveal : LogIn {
  static constexpr CommandInfo kInfo = {.name = "reveal", .effect = Effect::kRead};
  using Arguments = Nothing;
};

void ServeLogIn(Conduit& conduit, const std::string& secret) {
  conduit.Handle<LogIn>(
      [secret](const CallContext&, const LogIn::Arguments&) -> absl::StatusOr<LogIn::Response> {
        return LogIn::Response{secret};
      });
}

// Pods A and B, and what B is asked is recorded.
class RecordedBed {
 public:
  explicit RecordedBed(RecorderOptions options = {}) : path((dir_.path() / "calls.rec").string()) {
    options.now = bed.clock.function();
    recorder = ValueOf(Recorder::Open(path, std::move(options)));
    lists.Serve(bed.b);
    ServeLogIn(bed.b, "s3cret-answer");
    bed.network.Connect(
        "B", [this](const WireRequest& request) { return recorder->Receive(bed.b, request); });
  }
  ~RecordedBed() { bed.network.Connect("B", {}); }

  std::string Text(const std::string& suffix = {}) {
    recorder->Flush();
    std::ifstream file(path + suffix);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  const TempDir dir_;

 public:
  const std::string path;
  InProcessBed bed;
  Lists lists;
  std::unique_ptr<Recorder> recorder;
};

// A pod B of its own, to replay on.
struct Fresh {
  InProcessBed bed;
  Lists lists;
  Fresh() { lists.Serve(bed.b); }
  Replayed Replay(RecordedBed& recorded, const ReplayOptions& options = {}) {
    recorded.recorder->Flush();
    return ValueOf(conduit::Replay(recorded.path, bed.b, options));
  }
};

}  // namespace

TEST_CASE("A recording has the lines that docs/conduit-recordings.md shows",
          "[conduit][recorder]") {
  RecordedBed bed;
  CHECK(bed.bed.a.Call<ReadItem>("B", {"x", {}}, {.actor = "ann"}).ok());
  const std::string text = std::regex_replace(bed.Text(), std::regex("[0-9a-f]{64}"), "?");
  CHECK(text ==
        R"({"podkit_recording":1})"
        "\n"
        R"({"at":"2023-11-14T22:13:20.000000Z","took_ms":0,"caller":"A","request":{"bytes":92,)"
        R"("sha256":"?","json":{"action":"read-item","actor":"ann","timeout_ms":10000,)"
        R"("arguments":["x",null],"keywords":{}},"payload":null,"calls":[],"batch":false,)"
        R"("redacted":false},"status":200,"reply":{"bytes":27,"sha256":"?",)"
        R"("json":{"result":"ok","value":"x"},"payload":null,"calls":[],"batch":false,)"
        R"("redacted":false}})"
        "\n");
}

TEST_CASE("A recording replays, and says where a reply is another one", "[conduit][recorder]") {
  RecordedBed recorded;
  const auto call = [&](const std::string& name) {
    static_cast<void>(recorded.bed.a.Call<CreateList>("B", {.name = name}));
  };
  call("c1");
  call("brie");  // A declared error.
  call("lead");  // An internal one: its reference is another one each time.
  static_cast<void>(recorded.bed.a.Call<Ping>("B"));
  {
    Fresh same;
    const Replayed replayed = same.Replay(recorded);
    CHECK(replayed.same == 4);
    CHECK(replayed.different + replayed.skipped == 0);
    CHECK(same.lists.Done() == std::vector<std::string>{"create c1"});
  }
  InProcessBed other;
  other.b.Handle<CreateList>(
      [](const CallContext&, const CreateList::Arguments&) -> absl::StatusOr<CreateList::Response> {
        return CreateList::Response{.id = "other", .parts = {{"first"}}, .sizes = {{"x/y", 12}}};
      });
  const Replayed replayed = ValueOf(Replay(recorded.path, other.b));
  CHECK(replayed.same == 1);
  CHECK(replayed.different == 3);
  REQUIRE(replayed.differences.size() > 3);
  const ReplayDifference& first = replayed.differences[0];
  CHECK(first.line == 2);
  CHECK(first.command == "create-list");
  CHECK(first.place == "$.value.id");
  CHECK(first.recorded == R"("id-of-c1")");
  CHECK(first.replayed == R"("other")");
  CHECK(replayed.differences[1].place == "$.value.a/b~parts[1]");
  CHECK(replayed.differences[1].replayed == "absent");
  CHECK(replayed.differences[2].place == "status");
  CHECK(replayed.differences[2].line == 3);
  CHECK(ValueOf(Replay(recorded.path, other.b, {.max_differences = 2})).differences.size() == 2);
}

TEST_CASE("Neither secrets nor what authenticates gets into a recording",
          "[conduit][recorder][security]") {
  RecordedBed recorded;
  std::string authorization;
  std::string reply_authorization;
  recorded.bed.network.SetTap(
      [&](std::string_view, const WireRequest& request, const WireReply& reply) {
        authorization = request.authorization;
        reply_authorization = reply.authorization;
      });
  CHECK(recorded.bed.a.Call<LogIn>("B", {"ann", "pa55-of-ann"}).ok());
  Batch batch;
  batch.Add<LogIn>({"bob", "pa55-of-bob"});
  CHECK(recorded.bed.a.Call("B", batch).ok());
  const std::string text = recorded.Text();
  CHECK_THAT(text, Catch::Contains(R"("name":"ann","Password":"[left out]")"));
  CHECK_THAT(text, Catch::Contains(R"("name":"bob","Password":"[left out]")"));
  for (const std::string& secret :
       {std::string("pa55"), std::string("s3cret"), kKey, std::string("signature"),
        authorization.substr(authorization.size() - 64),
        reply_authorization.substr(reply_authorization.size() - 64)}) {
    CHECK(text.find(secret) == std::string::npos);
  }
  // No digest tells which of a few words it was.
  CHECK(text.find(R"("sha256":"")") != std::string::npos);
  Fresh fresh;
  ServeLogIn(fresh.bed.b, "another");
  CHECK(fresh.Replay(recorded).skipped == 2);
}

TEST_CASE("A secret in an answer is not compared", "[conduit][recorder]") {
  const auto serve = [](Conduit& conduit, const std::string& secret) {
    conduit.Handle<Reveal>(
        [secret](const CallContext&, const Nothing&) -> absl::StatusOr<LogIn::Response> {
          return LogIn::Response{secret};
        });
  };
  RecordedBed recorded;
  serve(recorded.bed.b, "s3cret");
  CHECK(recorded.bed.a.Call<Reveal>("B").ok());
  CHECK(recorded.Text().find("s3cret") == std::string::npos);
  Fresh fresh;
  serve(fresh.bed.b, "another");
  CHECK(fresh.Replay(recorded).same == 1);
}

TEST_CASE("What was not authenticated is not recorded", "[conduit][recorder][security]") {
  RecordedBed recorded;
  const WireReply refused = recorded.recorder->Receive(
      recorded.bed.b, {.content_type = "application/json",
                       .authorization = "Podkit-HMAC-SHA256 caller=A, target=B",
                       .body = R"({"action":"ping"})"});
  CHECK(refused.status == 403);
  CHECK(recorded.Text() == "{\"podkit_recording\":1}\n");
}

TEST_CASE("A call that came over an authenticated transport is recorded", "[conduit][recorder]") {
  RecordedBed recorded;
  std::promise<WireReply> promise;
  recorded.recorder->Answer(
      recorded.bed.b, {.caller = recorded.bed.b.pods().Find("A"),
                       .request = {.content_type = "application/json",
                                   .authorization = {},
                                   .body = R"({"action":"create-list","keywords":{"name":"c1"}})"},
                       .reply = [&](WireReply reply) { promise.set_value(std::move(reply)); }});
  CHECK(promise.get_future().get().status == 200);
  Fresh fresh;
  CHECK(fresh.Replay(recorded).same == 1);
}

TEST_CASE("A batch and bytes beside the JSON replay", "[conduit][recorder][batch]") {
  const auto serve = [](Conduit& conduit) {
    conduit.Handle<Echo>(
        [](const CallContext& context, const Echo::Arguments& arguments) -> absl::StatusOr<Bytes> {
          *context.reply_payload = std::string(context.payload) + "!";
          return std::get<0>(arguments);
        });
  };
  RecordedBed recorded;
  serve(recorded.bed.b);
  const auto bytes = std::make_shared<std::string>("\0\xff", 2);
  const auto back = std::make_shared<std::string>();
  CHECK(
      recorded.bed.a.Call<Echo>("B", {Bytes{"x"}}, {.payload = bytes, .reply_payload = back}).ok());
  Batch batch;
  const auto made = batch.Add<CreateList>({.name = "c1"});
  batch.Add<ReadItem>({"\xff", {}});  // Left out.
  batch.AddTarget<AddItem>({}, {.text = "t"})
      .Set(&AddItem::Target::list, made[&CreateList::Response::id]);
  batch.Add<Echo>({Bytes{"y"}}, {.payload = bytes, .reply_payload = back});
  static_cast<void>(recorded.bed.a.Call("B", batch));
  Fresh fresh;
  serve(fresh.bed.b);
  const Replayed replayed = fresh.Replay(recorded);
  CHECK(replayed.same == 2);
  CHECK(replayed.different + replayed.skipped == 0);
  CHECK(fresh.lists.Done() == std::vector<std::string>{"create c1", "add t*1@id-of-c1/-"});
  // One answer of the batch is another one.
  InProcessBed other;
  Lists lists;
  lists.Serve(other.b);
  other.b.Handle<Echo>(
      [](const CallContext& context, const Echo::Arguments& arguments) -> absl::StatusOr<Bytes> {
        *context.reply_payload = std::string(context.payload) + "?";
        return std::get<0>(arguments);
      });
  const Replayed differs = ValueOf(Replay(recorded.path, other.b));
  CHECK(differs.different == 2);
  REQUIRE(differs.differences.size() == 2);
  CHECK(differs.differences[0].place == "payload");
  CHECK(differs.differences[1].place == "call 3 payload");
}

TEST_CASE("A large body is recorded as its size and digest, and not replayed",
          "[conduit][recorder]") {
  RecordedBed recorded({.max_body_bytes = 1'000});
  CHECK(recorded.bed.a.Call<ReadItem>("B", {std::string(2'000, 'x'), {}}).ok());
  const std::string text = recorded.Text();
  CHECK(text.find("xxx") == std::string::npos);
  CHECK_THAT(text, Catch::Contains(R"("json":null)"));
  Fresh fresh;
  CHECK(fresh.Replay(recorded).skipped == 1);
  CHECK(fresh.lists.Done().empty());
}

TEST_CASE("A recording stays within its bounds, and every file of it replays",
          "[conduit][recorder]") {
  RecordedBed recorded({.max_file_bytes = 4'000, .max_files = 3});
  for (int i = 0; i < 100; ++i) {
    CHECK(recorded.bed.a.Call<CreateList>("B", {.name = "c" + std::to_string(i)}).ok());
  }
  recorded.recorder->Flush();
  CHECK(recorded.recorder->stats().written == 100);
  int64_t replayed = 0;
  for (const std::string suffix : {"", ".1", ".2"}) {
    CHECK(std::filesystem::file_size(recorded.path + suffix) <= 4'000);
    Fresh fresh;
    const Replayed one = ValueOf(Replay(recorded.path + suffix, fresh.bed.b));
    CHECK(one.different + one.skipped == 0);
    replayed += one.same;
  }
  CHECK(replayed > 5);
  CHECK_FALSE(std::filesystem::exists(recorded.path + ".3"));
  CHECK_THAT(recorded.Text(), Catch::Contains(R"("name":"c99")"));
}

TEST_CASE("A recording goes on after a restart, also behind half a line", "[conduit][recorder]") {
  const TempDir dir;
  const std::string path = (dir.path() / "calls.rec").string();
  InProcessBed bed;
  Lists lists;
  lists.Serve(bed.b);
  for (int run = 0; run < 2; ++run) {
    const auto recorder = ValueOf(Recorder::Open(path, {}));
    bed.network.Connect(
        "B", [&](const WireRequest& request) { return recorder->Receive(bed.b, request); });
    CHECK(bed.a.Call<CreateList>("B", {.name = "c1"}).ok());
    bed.network.Connect("B", {});
    recorder->Flush();
    if (run == 0) std::ofstream(path, std::ios::app) << R"({"at":"2023-)";
  }
  Fresh fresh;
  const Replayed replayed = ValueOf(Replay(path, fresh.bed.b));
  CHECK(replayed.same == 2);
  CHECK(replayed.skipped == 1);
}

TEST_CASE("A recording is for its owner only", "[conduit][recorder][security]") {
  const TempDir dir;
  const std::string path = (dir.path() / "calls.rec").string();
  CHECK(Recorder::Open((dir.path() / "no" / "calls.rec").string(), {}).status().code() ==
        absl::StatusCode::kNotFound);
  CHECK(Recorder::Open(path, {}).ok());
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  REQUIRE(chmod(path.c_str(), 0644) == 0);
  CHECK(Recorder::Open(path, {}).status().code() == absl::StatusCode::kPermissionDenied);
  REQUIRE(chmod(path.c_str(), 0600) == 0);
  const std::string link = (dir.path() / "link").string();
  std::filesystem::create_symlink(path, link);
  CHECK(Recorder::Open(link, {}).status().code() == absl::StatusCode::kPermissionDenied);
}

TEST_CASE("What is no recording is not replayed", "[conduit][recorder]") {
  const TempDir dir;
  const std::string path = (dir.path() / "calls.rec").string();
  Fresh fresh;
  CHECK(Replay(path, fresh.bed.b).status().code() == absl::StatusCode::kNotFound);
  for (const std::string text : {"", "{}\n", "{\"podkit_recording\":2}\n", "x"}) {
    std::ofstream(path) << text;
    CHECK(Replay(path, fresh.bed.b).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("A file that cannot be written is told of once", "[conduit][recorder]") {
  LogLines log;
  // Not one line fits.
  RecordedBed recorded({.max_file_bytes = 100, .log = log.sink()});
  for (int i = 0; i < 3; ++i) CHECK(recorded.bed.a.Call<Ping>("B").ok());
  recorded.recorder->Flush();
  CHECK(recorded.recorder->stats().written == 0);
  CHECK(recorded.recorder->stats().left_out == 3);
  CHECK(log.size() == 1);
  CHECK(log.Contain("is larger than"));
}

}  // namespace podkit::conduit
