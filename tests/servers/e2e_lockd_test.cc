// lockd as a program: how it starts or says why not, killed and paused under load.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "common/mutex.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/http_transport.h"
#include "podkit/conduit/mux_transport.h"
#include "podkit/lock/remote_directory.h"
#include "podkit/lock/session.h"
#include "servers/podctl/pod_client.h"
#include "servers/podctl/settings.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/process_under_test.h"
#include "tests/support/raw_http_client.h"
#include "tests/support/temp_dir.h"

namespace podkit::testing {
namespace {

const std::string kKey = "the key that pods A and locks share";

// A pods file, a key, and lockd on one port, as often as it is started.
class LockdBed {
 public:
  LockdBed() {
    Write("key", kKey);
    Write("pods.json", fmt::format(R"({{"pods": [{{"id": "locks", "hosts": ["{}"]}},
        {{"id": "A", "hosts": ["http://127.0.0.1:1"], "key_files": ["key"],
          "acts_for_any_user": true}}]}})",
                                   url()));
  }

  void Write(const std::string& name, std::string_view text) {
    std::ofstream(folder_.File(name), std::ios::binary) << text;
    REQUIRE(chmod(folder_.File(name).c_str(), 0600) == 0);
  }
  void Start() {
    lockd_ = std::make_unique<ProcessUnderTest>(std::vector<std::string>{
        PODKIT_LOCKD, "--pods-file", folder_.File("pods.json"), "--data", folder_.File("data"),
        "--listen", fmt::format("127.0.0.1:{}", port_)});
    lockd_->WaitForErr("listening on");
  }
  void Kill() { lockd_->Kill(); }
  ProcessUnderTest& lockd() { return *lockd_; }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  uint16_t port() const { return port_; }
  const TempDir& folder() const { return folder_; }

  std::shared_ptr<conduit::Pods> PodsOfA() const {
    return ValueOf(conduit::Pods::Create(
        {{.id = "A"}, {.id = "locks", .hosts = {url()}, .keys = {kKey}}}, "A"));
  }

 private:
  TempDir folder_;
  const uint16_t port_ = FreePort();
  std::unique_ptr<ProcessUnderTest> lockd_;
};

std::shared_ptr<lock::RemoteDirectory> Ask(conduit::Conduit& conduit) {
  return std::make_shared<lock::RemoteDirectory>(
      &conduit, lock::RemoteDirectoryOptions{.pod = "locks", .timeout = absl::Seconds(10)});
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST_CASE("lockd refuses what makes no sense in one line", "[e2e][lockd]") {
  const TempDir folder;
  const auto [flags, code, text] =
      GENERATE(values<std::tuple<std::vector<std::string>, int, std::string>>({
          {{"--bogus"}, 2, "--bogus"},
          {{"--listen", "localhost:1"}, 2, "not an IP address and a port"},
          {{"--max-waiting", "0"}, 2, "--max-waiting: 0"},
          {{"--tls-key-file", "k.pem"}, 2, "give both or none"},
          {{"--config", "nope.json"}, 2, "nope.json"},
          {{"--pods-file", "nope.json"}, 1, "nope.json"},
          {{"--token-file", "nope"}, 1, "there is no token file 'nope'"},
          {{"--listen", "127.0.0.1:0", "--data", "/proc/none"}, 1, "/proc/none"},
      }));
  std::vector<std::string> arguments = {PODKIT_LOCKD};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  const ProcessResult result = RunProcess(arguments, {.folder = folder.path().string()});
  CAPTURE(flags, result.err);
  CHECK(result.exit_code == code);
  CHECK_THAT(result.err, Catch::StartsWith("lockd: ") && Catch::Contains(text));
  CHECK(std::ranges::count(result.err, '\n') == 1);
}

TEST_CASE("lockd answers its pods over HTTP and links, and nobody else", "[e2e][lockd]") {
  LockdBed bed;
  bed.Start();
  const bool over_links = GENERATE(false, true);
  conduit::HttpTransport http;
  const auto links = ValueOf(conduit::MuxTransport::Create(bed.PodsOfA()));
  conduit::Transport* const transport =
      over_links ? static_cast<conduit::Transport*>(links.get()) : &http;
  {
    conduit::Conduit conduit(bed.PodsOfA(), transport);
    lock::SessionOptions options;
    options.host = "A/one";
    const auto session = ValueOf(lock::Session::Open(Ask(conduit), options));
    const auto held = ValueOf(session->Acquire("ann", {.create = true}));
    CHECK(ValueOf(Ask(conduit)->Find("ann")).host == "A/one");
    // As another pod it opens nothing.
    options.host = "B";
    CHECK(lock::GetLockError(lock::Session::Open(Ask(conduit), options).status()).error ==
          lock::LockError::kInvalidRequest);
    CHECK(held->Release() == absl::OkStatus());
    CHECK(session->Close() == absl::OkStatus());
    const auto stranger = ValueOf(conduit::Pods::Create(
        {{.id = "A"}, {.id = "locks", .hosts = {bed.url()}, .keys = {std::string(32, 'x')}}}, "A"));
    conduit::HttpTransport wrong_key_transport;
    conduit::Conduit wrong_key(stranger, &wrong_key_transport);
    CHECK(lock::GetLockError(Ask(wrong_key)->Find("ann").status()).error ==
          lock::LockError::kDirectoryUnavailable);
  }
  links->Stop();
  bed.lockd().Signal(SIGTERM);
  CHECK(bed.lockd().Wait() == 0);
  CHECK_THAT(bed.lockd().Err(), Catch::Contains("stopped"));
}

TEST_CASE("lockd stops while callers wait, and tells them to come back", "[e2e][lockd]") {
  LockdBed bed;
  bed.Start();
  conduit::HttpTransport transport;
  conduit::Conduit conduit(bed.PodsOfA(), &transport);
  const auto directory = Ask(conduit);
  REQUIRE(directory->OpenSession({.id = "s1", .host = "A"}).status() == absl::OkStatus());
  REQUIRE(directory->OpenSession({.id = "s2", .host = "A"}).status() == absl::OkStatus());
  lock::AcquireRequest request = {
      .session = "s1", .request_id = "a", .store = "ann", .create = true};
  REQUIRE(directory->Acquire(request).status() == absl::OkStatus());
  request.session = "s2";
  request.wait = absl::Minutes(10);
  absl::Status end;
  std::thread waiting([&] { end = directory->Acquire(request).status(); });
  while (ValueOf(directory->Find("ann")).waiting == 0) std::this_thread::yield();
  bed.lockd().Signal(SIGTERM);
  CHECK(bed.lockd().Wait() == 0);
  waiting.join();
  CHECK(lock::GetLockError(end).error == lock::LockError::kDirectoryUnavailable);
}

TEST_CASE("podctl shows, asks for and breaks the locks of lockd", "[e2e][lockd][podctl]") {
  LockdBed bed;
  bed.Write("podctl.json", fmt::format(R"({{"pods": [{{"id": "locks", "url": "{}",
                "token_file": "data/operator.token"}}]}})",
                                       bed.url()));
  bed.Start();
  conduit::HttpTransport transport;
  conduit::Conduit conduit(bed.PodsOfA(), &transport);
  const auto directory = Ask(conduit);
  const lock::SessionRequest session = {.id = "s1", .host = "A/one"};
  REQUIRE(directory->OpenSession(session).status() == absl::OkStatus());
  const auto grant = ValueOf(
      directory->Acquire({.session = "s1", .request_id = "a", .store = "ann", .create = true}));
  const auto podctl = [&](std::vector<std::string> words) {
    words.insert(words.begin(),
                 {PODKIT_PODCTL, "--config", bed.folder().File("podctl.json"), "lock"});
    return RunProcess(words);
  };
  CHECK_THAT(podctl({"list"}).out, Catch::Contains("A/one"));
  CHECK_THAT(podctl({"list", "--host", "A/two"}).out, Catch::Contains("no locks"));
  CHECK_THAT(podctl({"show", "ann"}).out,
             Catch::Contains(fmt::format("store ann, token {}: A/one", grant.token)));
  CHECK_THAT(podctl({"show", "bob"}).err, Catch::Contains("'bob'"));
  CHECK(podctl({"show", "bob"}).exit_code == 1);
  CHECK(podctl({"steal", "ann"}).exit_code == 2);
  CHECK(podctl({"hand-over", "ann", "--by", "root", "--reason", "maintenance"}).exit_code == 0);
  const auto notices = ValueOf(directory->WaitForNotices("s1", {}, absl::ZeroDuration())).notices;
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].from == "root");
  CHECK(notices[0].reason == "maintenance");
  ProcessUnderTest watch(std::vector<std::string>{PODKIT_PODCTL, "--config",
                                                  bed.folder().File("podctl.json"), "lock", "watch",
                                                  "--for", "600"});
  watch.WaitForOut("watching");
  CHECK_THAT(podctl({"break", "ann", "--by", "root", "--reason", "it hangs"}).out,
             Catch::Contains("is broken"));
  watch.WaitForOut("broken");
  const ProcessResult audit = podctl({"audit"});
  CHECK_THAT(audit.out, Catch::Contains("it hangs") && Catch::Contains("root"));
  CHECK_THAT(bed.lockd().Err(), Catch::Contains("it hangs"));
}

TEST_CASE("lockd refuses what its operator misspells", "[e2e][lockd]") {
  LockdBed bed;
  bed.Write("podctl.json", fmt::format(R"({{"pods": [{{"id": "locks", "url": "{}",
                "token_file": "data/operator.token"}}]}})",
                                       bed.url()));
  bed.Start();
  const auto settings = ValueOf(podctl::LoadSettings(bed.folder().File("podctl.json")));
  const auto api = ValueOf(podctl::PodClient::Create(ValueOf(podctl::ChoosePod(settings, ""))));
  const auto refusal = [&](const podctl::ApiRequest& request) {
    const absl::Status status = api->Call(request).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  CHECK(refusal({.path = {"locks"}, .query = {{"prefx", "a"}}}) ==
        "there is no parameter 'prefx'; this request takes actor, prefix, host, after, limit");
  CHECK(refusal({.path = {"locks", "\xFF"}}) == "the path is not UTF-8");
  CHECK(refusal({.method = "POST",
                 .path = {"locks", "ann", "break"},
                 .body = R"({"by": "root", "reson": "it hangs"})"}) ==
        "body: $.reson: is not a known member; there are by, reason");
}

// What the hosts of one test were told.
struct Told {
  Mutex mutex;
  std::map<lock::Token, std::string> grants;               // By token: store and host.
  std::map<std::string, std::string> parents;              // Of manifests that were tried.
  std::vector<std::pair<std::string, std::string>> heads;  // Store and manifest.
  std::vector<std::string> wrong;
};

class NoChunks : public lock::ChunkSink {
 public:
  absl::Status Put(std::string_view, std::string_view) override { return absl::OkStatus(); }
};

// One host that works until `stop`, whatever happens to lockd. On a thread of its own, so without
// assertions.
void Work(conduit::Conduit& conduit, int number, Told& told, std::atomic<int64_t>& steps,
          std::array<std::atomic<int>, 3>& writers, const std::atomic<bool>& stop) {
  lock::SessionOptions options;
  options.host = fmt::format("A/{}", number);
  options.retry_for = absl::Seconds(60);
  auto opened = lock::Session::Open(Ask(conduit), options);
  if (!opened.ok()) {
    MutexLock lock(&told.mutex);
    told.wrong.push_back("no session: " + opened.status().ToString());
    steps += 1'000'000;  // So that nobody waits for this host.
    return;
  }
  const auto session = *std::move(opened);
  NoChunks chunks;
  for (int i = 0; !stop; ++i) {
    const size_t which = static_cast<size_t>(number + i) % writers.size();
    const std::string store = fmt::format("store {}", which);
    auto held = session->Acquire(store, {.wait = absl::Seconds(30), .create = true});
    ++steps;
    if (!held.ok()) continue;
    if (++writers[which] != 1) {
      MutexLock lock(&told.mutex);
      told.wrong.push_back("two hosts hold " + store);
    }
    {
      MutexLock lock(&told.mutex);
      if (!told.grants.emplace((*held)->token(), store + options.host).second) {
        told.wrong.push_back(fmt::format("token {} was granted twice", (*held)->token()));
      }
    }
    const std::string manifest = fmt::format("{}-{}", number, i);
    const auto head = (*held)->Write(
        [&](const lock::Head& parent, lock::ChunkSink&) -> absl::StatusOr<lock::SavedState> {
          MutexLock lock(&told.mutex);
          told.parents[manifest] = parent.manifest;
          return lock::SavedState{.manifest = manifest, .position = i};
        },
        chunks);
    if (head.ok()) {
      MutexLock lock(&told.mutex);
      told.heads.emplace_back(store, manifest);
    }
    --writers[which];
    (*held)->Release().IgnoreError();
    ++steps;
  }
  session->Close().IgnoreError();
}

TEST_CASE("lockd that is killed at any point loses no grant and no head, and no token comes twice",
          "[e2e][lockd][crash]") {
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  LockdBed bed;
  bed.Start();
  conduit::HttpTransport transport;
  conduit::Conduit conduit(bed.PodsOfA(), &transport);
  Told told;
  std::atomic<int64_t> steps = 0;
  std::atomic<bool> stop = false;
  std::array<std::atomic<int>, 3> writers = {};
  std::vector<std::thread> hosts;
  for (int i = 0; i < 4; ++i) {
    hosts.emplace_back([&, i] { Work(conduit, i, told, steps, writers, stop); });
  }
  for (int kill = 0; kill < 12; ++kill) {
    const int64_t until = steps + 5 + static_cast<int64_t>(random() % 40);
    while (steps < until) std::this_thread::yield();
    bed.Kill();
    bed.Start();
  }
  stop = true;
  for (std::thread& host : hosts) host.join();
  CHECK(told.wrong.empty());
  for (const std::string& wrong : told.wrong) UNSCOPED_INFO(wrong);
  CHECK(told.grants.size() > 20);
  const auto directory = Ask(conduit);
  std::set<std::string> kept;
  for (size_t i = 0; i < writers.size(); ++i) {
    const auto info = directory->Find(fmt::format("store {}", i));
    if (!info.ok()) continue;
    for (std::string at = info->head.manifest; !at.empty(); at = told.parents[at]) {
      if (!kept.insert(at).second) break;
    }
  }
  for (const auto& [store, manifest] : told.heads) {
    CAPTURE(store, manifest);
    CHECK(kept.contains(manifest));
  }
}

TEST_CASE("A holder that is stopped past its term harms nothing when it goes on",
          "[e2e][lockd][pause]") {
  LockdBed bed;
  bed.Start();
  const std::string storage = bed.folder().File("storage");
  std::vector<std::unique_ptr<ProcessUnderTest>> holders;
  for (int i = 0; i < 3; ++i) {
    holders.push_back(std::make_unique<ProcessUnderTest>(std::vector<std::string>{
        PODKIT_LOCK_HOLDER, bed.url(), kKey, fmt::format("A/{}", i), "1000", storage}));
  }
  const auto times_held = [&](size_t i) {
    const auto lines = Lines(holders[i]->Out());
    return std::ranges::count_if(lines, [](const auto& l) { return l.starts_with("holding "); });
  };
  const auto held_again = [&](size_t i, absl::Duration limit) {
    const auto before = times_held(i);
    for (const absl::Time end = absl::Now() + limit; absl::Now() < end;) {
      if (times_held(i) > before) return true;
      std::this_thread::yield();
    }
    return false;
  };
  int taken_over = 0;
  for (size_t round = 0; round < 6; ++round) {
    const size_t paused = round % holders.size();
    REQUIRE(held_again(paused, absl::Seconds(30)));
    holders[paused]->Signal(SIGSTOP);
    // The others go on: if it had the lock, its term is over. Unless it was stopped in the middle
    // of a write to the storage, for which they wait.
    const bool others = held_again((paused + 1) % holders.size(), absl::Seconds(4)) &&
                        held_again((paused + 2) % holders.size(), absl::Seconds(4));
    if (others) ++taken_over;
    holders[paused]->Signal(SIGCONT);
  }
  CHECK(taken_over > 0);
  std::set<std::string> acknowledged;
  std::map<std::string, std::string> parents;
  for (const auto& holder : holders) {
    holder->Signal(SIGTERM);
    CHECK(holder->Wait(absl::Seconds(60)) == 0);
    for (const std::string& line : Lines(holder->Out())) {
      std::istringstream words(line);
      std::string what, value, after, parent;
      words >> what >> value >> after >> parent;
      if (what == "wrote") acknowledged.insert(value);
      if (what == "head") CHECK(parents.emplace(value, parent).second);
    }
  }
  int64_t newest = 0;
  std::ifstream lines(storage);
  for (std::string token, value; lines >> token >> value;) {
    CHECK(std::stoll(token) >= newest);
    newest = std::stoll(token);
    acknowledged.erase(value);
  }
  CHECK(acknowledged.empty());  // No acknowledged write is lost.
  // Nor is a head: no two have the same parent, so they are one chain.
  std::set<std::string> once;
  for (const auto& [manifest, parent] : parents) CHECK(once.insert(parent).second);
  CHECK(parents.size() > 6);
}

}  // namespace
}  // namespace podkit::testing
