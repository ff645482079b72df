#include "podkit/conduit/stream_pump.h"

#include <array>
#include <deque>
#include <optional>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/stream_users.h"

namespace podkit::conduit {
namespace {

using podkit::testing::EchoUser;
using podkit::testing::RecordingUser;

// A pump whose socket is a script. The thread that makes it is its loop.
class ScriptedPump final : public StreamPump {
 public:
  using StreamPump::Moved;
  using StreamPump::Outcome;

  explicit ScriptedPump(bool write_on_wake) : StreamPump(write_on_wake) {}

  std::string ChannelBinding() const override { return {}; }
  std::string peer() const override { return "peer:1"; }

  std::deque<std::string> input;           // One read each.
  std::optional<Moved> after_input;        // What reads say then; else kWantRead.
  size_t space = 1 << 30;                  // In the socket.
  std::optional<Moved> write_result;       // In place of writing.
  std::function<void()> in_write = [] {};  // While a write runs.
  std::string sent;
  int writes = 0;
  std::atomic<int> kicks = 0;
  std::optional<bool> ended;  // And whether to linger.

 private:
  Moved Read(std::span<char> buffer) override {
    if (input.empty()) return after_input.value_or(Moved{Outcome::kWantRead});
    const std::string bytes = std::move(input.front());
    input.pop_front();
    std::copy(bytes.begin(), bytes.end(), buffer.begin());
    return {Outcome::kDone, bytes.size()};
  }
  Moved Write(std::string_view bytes) override {
    ++writes;
    in_write();
    if (write_result) return *write_result;
    const size_t n = std::min(bytes.size(), space);
    if (n == 0) return {Outcome::kWantWrite};
    space -= n;
    sent += bytes.substr(0, n);
    return {Outcome::kDone, n};
  }
  void Kick() override { ++kicks; }
  bool OnLoopThread() const override { return std::this_thread::get_id() == loop_; }
  void Ended(bool linger) override { ended = linger; }

  const std::thread::id loop_ = std::this_thread::get_id();
};

using Wait = StreamPump::Wait;
using Outcome = ScriptedPump::Outcome;

template <typename User = RecordingUser>
struct Bed {
  explicit Bed(bool write_on_wake = true)
      : pump(std::make_shared<ScriptedPump>(write_on_wake)), user(std::make_shared<User>(pump)) {}
  ~Bed() {
    CHECK_FALSE(user->misused());
    pump->Cut(absl::OkStatus());  // They hold each other.
  }

  Wait Start(std::string_view early = "") { return pump->Start(user, early); }
  Wait Turn(bool readable = true) { return pump->Turn(readable, buffer); }
  void OnThread(const std::function<void()>& work) { std::thread(work).join(); }

  std::array<char, 10> buffer;
  std::shared_ptr<ScriptedPump> pump;
  std::shared_ptr<User> user;
};

bool Says(const absl::Status& status, std::string_view text) {
  return status.ToString().find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("StreamPump does not lose what is woken or closed before the start", "[pump]") {
  Bed bed;
  bed.user->Send("hello");
  CHECK(bed.pump->sent.empty());
  CHECK(bed.Start("early") == Wait::kRead);
  CHECK(bed.pump->sent == "hello");
  CHECK(bed.user->AwaitBytes(5) == "early");

  Bed closed;
  closed.user->Put("bye");
  closed.user->Close();
  CHECK(closed.Start() == Wait::kEnded);
  CHECK(closed.pump->sent == "bye");
  CHECK(closed.pump->ended == true);

  const auto nobodys = std::make_shared<ScriptedPump>(true);
  CHECK(nobodys->Start(nullptr, "early") == Wait::kEnded);
  CHECK(nobodys->ended == false);
}

TEST_CASE("StreamPump writes once for all that one read caused", "[pump]") {
  Bed<EchoUser> bed;
  bed.Start();
  bed.pump->input = {"123456789"};
  CHECK(bed.Turn() == Wait::kRead);
  CHECK(bed.pump->sent == "123456789");
  CHECK(bed.pump->writes == 1);
  bed.pump->input = {"0123456789", "0123456789", "x"};  // Full buffers: there may be more.
  CHECK(bed.Turn() == Wait::kRead);
  CHECK(bed.pump->sent.size() == 9 + 21);
  CHECK(bed.pump->writes == 2);
  CHECK(bed.pump->kicks == 0);
}

TEST_CASE("StreamPump gives other streams their turn", "[pump]") {
  Bed bed;
  bed.Start();
  for (int i = 0; i < 6; ++i) bed.pump->input.emplace_back("0123456789");
  CHECK(bed.Turn() == Wait::kNothing);
  CHECK(bed.Turn(false) == Wait::kRead);
  CHECK(bed.user->AwaitBytes(60).size() == 60);
  bed.user->Put(std::string(1'500'000, 'x'));
  bed.OnThread([&] { bed.user->stream()->Wake(); });
  CHECK(bed.pump->sent.size() == 512 << 10);  // The rest is the loop's.
  CHECK(bed.pump->kicks == 1);
  CHECK(bed.Turn(false) == Wait::kNothing);
  CHECK(bed.Turn(false) == Wait::kRead);
  CHECK(bed.pump->sent.size() == 1'500'000);
}

TEST_CASE("StreamPump writes on the thread that wakes it, if it may", "[pump]") {
  Bed direct;
  direct.Start();
  direct.OnThread([&] { direct.user->Send("now"); });
  CHECK(direct.pump->sent == "now");
  CHECK(direct.pump->kicks == 0);

  Bed loop(false);
  loop.Start();
  loop.OnThread([&] {
    loop.user->Send("one ");
    loop.user->Send("two");
  });
  CHECK(loop.pump->sent.empty());
  CHECK(loop.pump->kicks == 1);  // For both.
  CHECK(loop.Turn(false) == Wait::kRead);
  CHECK(loop.pump->sent == "one two");
  CHECK(loop.pump->writes == 1);
}

TEST_CASE("StreamPump leaves to the loop what the socket does not take", "[pump]") {
  Bed bed;
  bed.Start();
  bed.pump->space = 3;
  bed.OnThread([&] { bed.user->Send("hello"); });
  CHECK(bed.pump->kicks == 1);
  CHECK(bed.Turn(false) == Wait::kReadOrWrite);
  bed.OnThread([&] { bed.user->Send(" and more"); });  // Not now.
  CHECK(bed.pump->sent == "hel");
  bed.pump->space = 1000;
  CHECK(bed.Turn(false) == Wait::kRead);
  CHECK(bed.pump->sent == "hello and more");
  bed.OnThread([&] { bed.user->Send("!"); });
  CHECK(bed.pump->sent == "hello and more!");
}

TEST_CASE("StreamPump sees a wake that comes while it writes", "[pump]") {
  Bed bed;
  bed.Start();
  bool first = true;
  bed.pump->in_write = [&] {
    if (std::exchange(first, false)) bed.OnThread([&] { bed.user->Send(" second"); });
  };
  bed.OnThread([&] { bed.user->Send("first"); });
  CHECK(bed.pump->sent == "first second");
  CHECK(bed.pump->writes == 2);
}

TEST_CASE("StreamPump reads and writes in the directions that TLS asks for", "[pump]") {
  Bed bed;
  bed.Start();
  bed.pump->after_input = ScriptedPump::Moved{Outcome::kWantWrite};
  CHECK(bed.Turn() == Wait::kReadOrWrite);
  bed.pump->after_input.reset();
  bed.pump->input = {"x"};
  CHECK(bed.Turn(false) == Wait::kRead);  // Reads although only writable.
  CHECK(bed.user->AwaitBytes(1) == "x");
  bed.pump->write_result = ScriptedPump::Moved{Outcome::kWantRead};
  bed.OnThread([&] { bed.user->Send("y"); });
  CHECK(bed.Turn(false) == Wait::kRead);
  bed.pump->write_result.reset();
  CHECK(bed.Turn() == Wait::kRead);
  CHECK(bed.pump->sent == "y");
}

TEST_CASE("StreamPump sends everything before it closes", "[pump]") {
  Bed bed(GENERATE(false, true));
  bed.Start();
  bed.pump->space = 3;
  bed.user->Put("hello");
  bed.OnThread([&] {
    bed.user->Close();
    bed.user->Close();
  });
  CHECK(bed.pump->closing());
  CHECK(bed.Turn(false) == Wait::kReadOrWrite);
  bed.pump->input = {"late"};
  CHECK(bed.Turn() == Wait::kReadOrWrite);
  CHECK(bed.user->AwaitBytes(4) == "late");
  CHECK(bed.user->stream() != nullptr);
  bed.pump->space = 1000;
  CHECK(bed.Turn(false) == Wait::kEnded);
  CHECK(bed.pump->sent == "hello");
  CHECK(bed.pump->ended == true);
  CHECK(bed.user->AwaitClosed() == absl::OkStatus());
}

TEST_CASE("StreamPump says how the other side ended", "[pump]") {
  Bed orderly;
  orderly.Start();
  orderly.pump->after_input = ScriptedPump::Moved{Outcome::kEnd};
  CHECK(orderly.Turn() == Wait::kEnded);
  CHECK(orderly.user->AwaitClosed() == absl::OkStatus());
  CHECK(orderly.pump->ended == false);

  Bed reset;
  reset.Start();
  reset.pump->after_input = ScriptedPump::Moved{Outcome::kFailed, 0, ECONNRESET};
  CHECK(reset.Turn() == Wait::kEnded);
  const absl::Status why = reset.user->AwaitClosed();
  CHECK(why.code() == absl::StatusCode::kUnavailable);
  CHECK(Says(why, "the connection to peer:1 broke: Connection reset by peer"));

  Bed broken;
  broken.Start();
  broken.pump->write_result = ScriptedPump::Moved{Outcome::kFailed, 0, EPIPE};
  broken.OnThread([&] { broken.user->Send("x"); });
  CHECK(broken.pump->kicks == 1);
  CHECK(broken.Turn(false) == Wait::kEnded);
  CHECK(Says(broken.user->AwaitClosed(), "Broken pipe"));
  CHECK(broken.pump->writes == 1);
}

TEST_CASE("StreamPump waits for a thread that writes before it ends", "[pump]") {
  Bed bed;
  bed.Start();
  const auto stream = bed.user->stream();
  std::atomic<bool> writing = false;
  std::atomic<bool> go = false;
  bed.pump->in_write = [&] {
    writing = true;
    while (!go) std::this_thread::yield();
  };
  std::thread writer([&] { bed.user->Send("hello"); });
  while (!writing) std::this_thread::yield();
  const Wait cut = bed.pump->Cut(absl::CancelledError("enough"));
  const bool open_while_writing = bed.user->stream() != nullptr;
  go = true;
  writer.join();
  CHECK(cut == Wait::kKick);
  CHECK(open_while_writing);
  CHECK(bed.pump->kicks == 1);
  CHECK(bed.Turn(false) == Wait::kEnded);
  CHECK(bed.user->AwaitClosed().code() == absl::StatusCode::kCancelled);
  bed.OnThread([&] { stream->Wake(); });  // After the end it does nothing.
  stream->Close();
  CHECK(bed.pump->writes == 1);
  CHECK(bed.pump->kicks == 1);
}

}  // namespace podkit::conduit
