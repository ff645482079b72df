// Sessions and write locks: the careful clock, early warning, saving, and answers that get lost.
#include "podkit/lock/session.h"

#include <map>

#include "directory_bed.h"
#include "link.h"
#include "session_clock.h"

namespace podkit::lock {
namespace {

using Kind = SessionEvent::Kind;

class Chunks : public ChunkSink {
 public:
  absl::Status Put(std::string_view name, std::string_view bytes) override {
    chunks.emplace(name, bytes);
    return absl::OkStatus();
  }
  std::map<std::string, std::string> chunks;
};

// A directory behind a network that the test cuts, and hosts that step by hand.
class SessionBed : public Network {
 public:
  enum class Fault { kNone, kCut, kLate, kLoseAnswers };

  WriteLockDirectory* Deliver(const Message& message) override {
    if (fault == Fault::kLate) late.push_back(message);
    return fault == Fault::kCut || fault == Fault::kLate ? nullptr : &bed.directory();
  }
  bool Return() override { return fault != Fault::kLoseAnswers; }

  std::unique_ptr<Session> Open(const std::string& host, const std::string& id = "") {
    return ValueOf(Session::Open(link, Options(host, id)));
  }
  SessionOptions Options(const std::string& host, const std::string& id) {
    SessionOptions options;
    options.host = host;
    options.id = id;
    options.retry_for = absl::ZeroDuration();
    options.steady_clock = [this] { return bed.clock().Steady(); };
    options.random = [this] { return std::to_string(10'000'000 + ++random) + " random"; };
    options.on_event = [this, host](const SessionEvent& event) { events[host].push_back(event); };
    options.threads = false;
    return options;
  }
  std::vector<Kind> Kinds(const std::string& host) {
    std::vector<Kind> kinds;
    for (const SessionEvent& event : events[host]) kinds.push_back(event.kind);
    return kinds;
  }

  Fault fault = Fault::kNone;
  std::vector<Message> late;  // What was sent with kLate, to arrive when the test says so.
  int random = 0;
  std::map<std::string, std::vector<SessionEvent>> events;  // By host.
  SqliteBed bed;
  std::shared_ptr<Link> link = std::make_shared<Link>(*this);
  Chunks sink;
};

SaveFunction Saving(const std::string& manifest, int64_t position) {
  return [=](const Head& parent, ChunkSink& sink) -> absl::StatusOr<SavedState> {
    const absl::Status put = sink.Put("chunk of " + manifest, "made from " + parent.manifest);
    if (!put.ok()) return put;
    return SavedState{.manifest = manifest, .position = position};
  };
}

TEST_CASE("The careful clock counts from the sending, and never comes back", "[session]") {
  using State = SessionClock::State;
  const absl::Duration sent = absl::Hours(5);
  const auto after = [&](int seconds) { return sent + absl::Seconds(seconds); };
  SessionClock clock(sent, absl::Seconds(30));
  CHECK(clock.renew_at() == after(10));
  CHECK(clock.StateAt(after(20) - absl::Nanoseconds(1)) == State::kSafe);
  CHECK(clock.LeftAt(sent) == absl::Seconds(20));
  CHECK(clock.StateAt(after(20)) == State::kJeopardy);
  CHECK(clock.LeftAt(after(20)) == absl::Seconds(7));
  clock.Renewed(after(26), after(11), absl::Seconds(30));
  CHECK(clock.StateAt(after(27)) == State::kSafe);
  // An answer that a later one overtook.
  clock.Renewed(after(27), after(5), absl::Seconds(90));
  CHECK(clock.StateAt(after(31)) == State::kJeopardy);
  // An answer that comes too late, though nobody has looked at the clock meanwhile.
  clock.Renewed(after(38), after(30), absl::Seconds(30));
  CHECK(clock.StateAt(after(38)) == State::kLost);
  CHECK(clock.LeftAt(after(38)) == absl::ZeroDuration());
  CHECK(clock.StateAt(sent) == State::kLost);
}

TEST_CASE("One renewal keeps all locks of a session", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  std::vector<std::unique_ptr<WriteLock>> locks;
  for (int i = 0; i < 100; ++i) {
    locks.push_back(ValueOf(alpha->Acquire("store " + std::to_string(i), {.create = true})));
  }
  for (int i = 0; i < 100; ++i) {
    bed.bed.Pass(absl::Seconds(1));
    alpha->Step();
  }
  CHECK(bed.Kinds("alpha").empty());
  for (const auto& lock : locks) CHECK(lock->Check() == absl::OkStatus());
  CHECK(ValueOf(bed.bed.directory().Find("store 99")).token == locks[99]->token());
  CHECK(alpha->Close() == absl::OkStatus());
}

TEST_CASE("A host that is cut off stops before its store is granted to another", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  bed.fault = SessionBed::Fault::kCut;
  bed.bed.clock().Pass(absl::Seconds(20) - absl::Microseconds(1));
  alpha->Step();
  CHECK(lock->Check() == absl::OkStatus());
  bed.bed.clock().Pass(absl::Microseconds(1));
  CHECK(lock->Check().code() == absl::StatusCode::kUnavailable);
  CHECK(ErrorOf(lock->Check()).error == LockError::kInJeopardy);
  CHECK(ErrorOf(lock->Check()).remaining == absl::Seconds(7));
  alpha->Step();
  CHECK(bed.Kinds("alpha") == std::vector{Kind::kJeopardy});
  bed.bed.clock().Pass(absl::Seconds(7));
  CHECK(lock->Check().code() == absl::StatusCode::kAborted);
  CHECK(ErrorOf(lock->Check()).error == LockError::kLockLost);
  alpha->Step();
  CHECK(alpha->state() == Session::State::kLost);
  CHECK(bed.Kinds("alpha") == std::vector{Kind::kJeopardy, Kind::kSessionLost});
  // Lost for good, though the directory would still renew.
  bed.fault = SessionBed::Fault::kNone;
  alpha->Step();
  CHECK(ErrorOf(lock->Check()).error == LockError::kLockLost);
  CHECK(ErrorOf(lock->Release()).error == LockError::kLockLost);
  CHECK(ErrorOf(lock->Write(Saving("m1", 1), bed.sink)).error == LockError::kLockLost);
  CHECK(bed.sink.chunks.empty());
  CHECK(ErrorOf(alpha->Acquire("bob", {.create = true})).error == LockError::kSessionLost);
}

TEST_CASE("A host that is connected again in time is safe again", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  bed.fault = SessionBed::Fault::kCut;
  bed.bed.clock().Pass(absl::Seconds(25));
  alpha->Step();
  bed.fault = SessionBed::Fault::kNone;
  alpha->Step();
  CHECK(lock->Check() == absl::OkStatus());
  CHECK(bed.Kinds("alpha") == std::vector{Kind::kJeopardy, Kind::kSafe});
}

TEST_CASE("The time on the way counts against the host", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  bed.bed.Pass(absl::Seconds(15));
  bed.fault = SessionBed::Fault::kLoseAnswers;
  alpha->Step();  // The directory renewed, the host does not know.
  bed.bed.Pass(absl::Seconds(5));
  CHECK(ErrorOf(lock->Check()).error == LockError::kInJeopardy);
  CHECK(ValueOf(bed.bed.directory().Find("ann")).remaining == absl::Seconds(25));
}

TEST_CASE("A store is saved, and released only after that", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  CHECK(lock->saved());
  lock->Changed(7);
  CHECK_FALSE(lock->saved());
  const absl::Status early = lock->Release();
  CHECK(early.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ErrorOf(early).error == LockError::kNotSaved);
  CHECK(lock->Check() == absl::OkStatus());
  const auto failing = [](const Head&, ChunkSink&) -> absl::StatusOr<SavedState> {
    return absl::ResourceExhaustedError("no room");
  };
  CHECK(lock->Write(failing, bed.sink).status() == absl::ResourceExhaustedError("no room"));
  CHECK(ValueOf(bed.bed.directory().Find("ann")).head == Head{});
  const Head head = ValueOf(lock->Write(Saving("m1", 7), bed.sink));
  CHECK(head == Head{.manifest = "m1", .position = 7, .token = lock->token()});
  CHECK(lock->head() == head);
  CHECK(lock->saved());
  CHECK(ValueOf(lock->Write(Saving("m2", 7), bed.sink)).manifest == "m2");
  CHECK(bed.sink.chunks.at("chunk of m2") == "made from m1");
  CHECK(lock->Release() == absl::OkStatus());
  CHECK(ErrorOf(lock->Release()).error == LockError::kAlreadyReleased);
  CHECK(ErrorOf(lock->Check()).error == LockError::kAlreadyReleased);
  CHECK(ErrorOf(lock->SetWakeUp(BedClock::Start())).error == LockError::kAlreadyReleased);
  CHECK(ValueOf(bed.bed.directory().ReadAudit(0)).empty());
  // Dropped without a word: abandoned.
  lock = ValueOf(alpha->Acquire("ann"));
  CHECK(lock->grant().head.manifest == "m2");
  lock.reset();
  CHECK(ValueOf(bed.bed.directory().Find("ann")).host.empty());
  CHECK(ValueOf(bed.bed.directory().ReadAudit(0)).at(0).kind == AuditEntry::Kind::kAbandoned);
}

TEST_CASE("A store is not saved twice at a time", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  absl::Status second;
  const auto saving = [&](const Head& parent, ChunkSink& sink) {
    second = lock->Write(Saving("m2", 1), sink).status();
    return Saving("m1", 1)(parent, sink);
  };
  CHECK(ValueOf(lock->Write(saving, bed.sink)).manifest == "m1");
  CHECK(ErrorOf(second).error == LockError::kInvalidRequest);
}

TEST_CASE("Whoever is not sure to have given a store back does not write it", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  const auto beta = bed.Open("beta");
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  bed.fault = SessionBed::Fault::kLoseAnswers;
  const bool hand_over = GENERATE(false, true);
  const absl::Status unsure = hand_over ? lock->HandOver("beta").status() : lock->Release();
  CHECK(ErrorOf(unsure).error == LockError::kDirectoryUnavailable);
  bed.fault = SessionBed::Fault::kNone;
  beta->Step();
  const auto other = ValueOf(beta->Acquire("ann"));
  CHECK(other->Check() == absl::OkStatus());
  CHECK(ErrorOf(lock->Check()).error == LockError::kInJeopardy);
  CHECK(ErrorOf(lock->Write(Saving("m1", 1), bed.sink)).error == LockError::kInJeopardy);
  CHECK((hand_over ? lock->HandOver("beta").status() : lock->Release()) == absl::OkStatus());
  CHECK(ErrorOf(lock->Check()).error == LockError::kAlreadyReleased);
}

TEST_CASE("A hand-over that was refused leaves the store as it was", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  CHECK(ErrorOf(lock->HandOver("nobody")).error == LockError::kNoSuchHost);
  CHECK(lock->Check() == absl::OkStatus());
  const auto beta = bed.Open("beta");
  lock->Changed(12);
  const Token token = ValueOf(lock->HandOver("beta"));
  beta->Step();
  REQUIRE(bed.Kinds("beta") == std::vector{Kind::kGranted});
  CHECK(bed.events["beta"][0].grant.token == token);
  CHECK(ErrorOf(alpha->Claim("ann")).error == LockError::kLockLost);
  const auto claimed = ValueOf(beta->Claim("ann"));
  CHECK(claimed->token() > token);
  CHECK(claimed->grant().position == 12);
  CHECK_FALSE(claimed->saved());  // What came after the head is not in it.
}

TEST_CASE("A save whose answer was lost is not lost", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  bed.fault = GENERATE(SessionBed::Fault::kLoseAnswers, SessionBed::Fault::kCut);
  CHECK(ErrorOf(lock->Write(Saving("m1", 1), bed.sink)).error == LockError::kDirectoryUnavailable);
  CHECK(lock->head() == Head{});
  bed.fault = SessionBed::Fault::kNone;
  CHECK(ValueOf(lock->Write(Saving("m2", 2), bed.sink)).manifest == "m2");
  CHECK(bed.sink.chunks.at("chunk of m2") == "made from m1");
}

TEST_CASE("A grant whose answer was lost is given back with the next renewal", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  bed.fault = SessionBed::Fault::kLoseAnswers;
  CHECK(ErrorOf(alpha->Acquire("ann", {.create = true})).error == LockError::kDirectoryUnavailable);
  bed.fault = SessionBed::Fault::kNone;
  CHECK(ValueOf(bed.bed.directory().Find("ann")).host == "alpha");
  bed.bed.Pass(absl::Seconds(11));
  alpha->Step();
  CHECK(ValueOf(bed.bed.directory().Find("ann")).host.empty());
}

TEST_CASE("A holder learns that its lock was broken, and that others ask for it", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  const auto kept = ValueOf(alpha->Acquire("bob", {.create = true}));
  REQUIRE(bed.bed.directory().AskToHandOver("ann", "root", "please") == absl::OkStatus());
  REQUIRE(bed.bed.directory().Break("ann", "root", "stuck").status() == absl::OkStatus());
  alpha->Step();
  REQUIRE(bed.Kinds("alpha") == std::vector{Kind::kAskedToHandOver, Kind::kLockLost});
  CHECK(bed.events["alpha"][0].from == "root");
  CHECK(bed.events["alpha"][0].reason == "please");
  CHECK(bed.events["alpha"][1].grant.token == lock->token());
  CHECK(ErrorOf(lock->Check()).error == LockError::kLockLost);
  CHECK(kept->Check() == absl::OkStatus());
}

TEST_CASE("After a refusal no late copy hands the store over", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  bed.fault = SessionBed::Fault::kLate;
  CHECK(ErrorOf(lock->HandOver("beta")).error == LockError::kDirectoryUnavailable);
  CHECK(ErrorOf(lock->Check()).error == LockError::kInJeopardy);
  bed.fault = SessionBed::Fault::kNone;
  CHECK(ErrorOf(lock->HandOver("beta")).error == LockError::kNoSuchHost);
  CHECK(lock->Check() == absl::OkStatus());
  bed.bed.Restart();
  const auto beta = bed.Open("beta");
  REQUIRE(bed.late.size() == 1);
  bed.late[0](bed.bed.directory());
  CHECK(ValueOf(bed.bed.directory().Find("ann")).token == lock->token());
  CHECK(lock->Check() == absl::OkStatus());
  CHECK(lock->HandOver("beta").status() == absl::OkStatus());
}

TEST_CASE("A host that was restarted claims what its session still holds", "[session]") {
  SessionBed bed;
  Token token = 0;
  {
    const auto alpha = bed.Open("alpha", "secret");
    auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
    token = lock->token();
    bed.fault = SessionBed::Fault::kCut;  // It dies: nothing is said to the directory.
    lock.reset();
  }
  bed.fault = SessionBed::Fault::kNone;
  bed.bed.Restart();
  const auto alpha = bed.Open("alpha", "secret");
  alpha->Step();
  REQUIRE(bed.Kinds("alpha") == std::vector{Kind::kGranted});
  const auto lock = ValueOf(alpha->Claim("ann"));
  CHECK(lock->token() > token);
  CHECK(ErrorOf(alpha->Claim("ann")).error == LockError::kLockLost);
}

TEST_CASE("A grant that is listed and told of is offered once", "[session]") {
  SessionBed bed;
  const auto dead = bed.Open("alpha", "secret");
  const auto beta = bed.Open("beta");
  const Token token = ValueOf(ValueOf(beta->Acquire("ann", {.create = true}))->HandOver("alpha"));
  const auto alpha = bed.Open("alpha", "secret");  // Finds it in the list,
  const bool claim_first = GENERATE(true, false);
  std::unique_ptr<WriteLock> lock;
  if (claim_first) lock = ValueOf(alpha->Claim("ann"));
  alpha->Step();  // and its notice now.
  CHECK(bed.Kinds("alpha") == std::vector{Kind::kGranted});
  if (!claim_first) lock = ValueOf(alpha->Claim("ann"));
  CHECK(lock->token() > token);
  CHECK(ErrorOf(alpha->Claim("ann")).error == LockError::kLockLost);
}

TEST_CASE("What another host has since cannot be claimed", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  const auto beta = bed.Open("beta");
  REQUIRE(ValueOf(alpha->Acquire("ann", {.create = true}))->HandOver("beta").status() ==
          absl::OkStatus());
  beta->Step();
  REQUIRE(bed.bed.directory().Break("ann", "root", "").status() == absl::OkStatus());
  const auto lock = ValueOf(alpha->Acquire("ann"));
  CHECK(ErrorOf(beta->Claim("ann")).error == LockError::kLockLost);  // It was not told yet,
  beta->Step();
  CHECK(ErrorOf(beta->Claim("ann")).error == LockError::kLockLost);  // and now it was.
  CHECK(lock->Check() == absl::OkStatus());
}

TEST_CASE("A host that was not told that its lock was broken cannot save", "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  REQUIRE(bed.bed.directory().Break("ann", "root", "").status() == absl::OkStatus());
  const auto beta = bed.Open("beta");
  std::unique_ptr<WriteLock> theirs;
  const bool granted_anew = GENERATE(true, false);
  if (granted_anew) theirs = ValueOf(beta->Acquire("ann"));
  CHECK(lock->Check() == absl::OkStatus());
  const auto refused = lock->Write(Saving("m1", 1), bed.sink);
  CHECK(ErrorOf(refused).error == (granted_anew ? LockError::kStaleToken : LockError::kLockLost));
  CHECK(ErrorOf(lock->Check()).error == LockError::kLockLost);
  CHECK(ValueOf(bed.bed.directory().Find("ann")).head == Head{});
}

TEST_CASE("A restart of the directory takes no lock, and what it forgot to say is found",
          "[session]") {
  SessionBed bed;
  const auto alpha = bed.Open("alpha");
  const auto beta = bed.Open("beta");
  const auto kept = ValueOf(alpha->Acquire("ann", {.create = true}));
  const auto broken = ValueOf(alpha->Acquire("bob", {.create = true}));
  const auto given = ValueOf(alpha->Acquire("cid", {.create = true}));
  const bool read_before = GENERATE(false, true);
  if (read_before) {
    alpha->Step();
    beta->Step();
  }
  REQUIRE(bed.bed.directory().Break("bob", "root", "").status() == absl::OkStatus());
  const Token token = ValueOf(given->HandOver("beta"));
  bed.bed.Restart();  // Nobody had read the notices.
  alpha->Step();
  beta->Step();
  CHECK(kept->Check() == absl::OkStatus());
  CHECK(ErrorOf(broken->Check()).error == LockError::kLockLost);
  CHECK(bed.Kinds("alpha") == std::vector{Kind::kLockLost});
  REQUIRE(bed.Kinds("beta") == std::vector{Kind::kGranted});
  CHECK(ValueOf(beta->Claim("cid"))->token() > token);
}

TEST_CASE("A session closes what it holds, and one without a host is refused", "[session]") {
  SessionBed bed;
  CHECK(ErrorOf(Session::Open(bed.link, bed.Options("", ""))).error == LockError::kInvalidRequest);
  const auto alpha = bed.Open("alpha");
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  CHECK(alpha->Close() == absl::OkStatus());
  CHECK(ErrorOf(lock->Check()).error == LockError::kLockLost);
  CHECK(ValueOf(bed.bed.directory().Find("ann")).host.empty());
  bed.fault = SessionBed::Fault::kCut;
  CHECK(ErrorOf(Session::Open(bed.link, bed.Options("alpha", ""))).error ==
        LockError::kDirectoryUnavailable);
}

TEST_CASE("A session with threads renews by itself, repeats requests and can cancel a wait",
          "[session][threads]") {
  const std::shared_ptr<WriteLockDirectory> directory = ValueOf(OpenMemoryDirectory());
  Mutex mutex;
  CondVar changed;
  bool asked = false;
  SessionOptions options = {.host = "alpha", .term = absl::Seconds(1)};
  options.on_event = [&](const SessionEvent& event) {
    MutexLock lock(&mutex);
    asked = asked || event.kind == Kind::kAskedToHandOver;
    changed.SignalAll();
  };
  const auto alpha = ValueOf(Session::Open(directory, std::move(options)));
  const auto beta = ValueOf(Session::Open(directory, {.host = "beta"}));
  const auto lock = ValueOf(alpha->Acquire("ann", {.create = true}));
  absl::StatusOr<std::unique_ptr<WriteLock>> waited;
  std::thread waiting([&] {
    waited = beta->Acquire(
        "ann", {.wait = absl::Minutes(1), .ask_holder = true, .cancel_name = "the wait"});
  });
  {
    MutexLock hold(&mutex);
    while (!asked) changed.Wait(&mutex);
  }
  // Longer than a term: without a renewal the wait would end with a grant.
  const Revision revision = ValueOf(directory->List({})).revision;
  CHECK(ValueOf(directory->Watch("ann", revision, absl::Milliseconds(1500))).empty());
  CHECK(lock->Check() == absl::OkStatus());
  CHECK(beta->Cancel("ann", "the wait") == absl::OkStatus());
  waiting.join();
  CHECK(ErrorOf(waited).error == LockError::kCancelled);
  CHECK(alpha->Close() == absl::OkStatus());
  CHECK(beta->Close() == absl::OkStatus());
}

}  // namespace
}  // namespace podkit::lock
