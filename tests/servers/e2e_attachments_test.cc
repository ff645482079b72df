// Files attached to an event that two real pods share, with a pod killed meanwhile.
#include <fmt/format.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "podkit/store/attachment.h"
#include "podkit/store/store.h"
#include "servers/common/admin_messages.h"
#include "tests/servers/two_pods.h"
#include "tests/support/catch.h"

namespace podkit::testing {
namespace {

using podctl::ApiRequest;
using store::AttachmentInfo;
using store::AttachmentResult;
using store::kAttachmentPartBytes;

// Bytes that no text has; `seed` makes different ones.
std::string Noise(size_t size, uint32_t seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

// anna's event on pod A, shared with emma on pod B.
class Bed {
 public:
  explicit Bed(std::vector<std::string> flags) : pods(std::move(flags)) {
    Anna({"create", "plan"});
    Anna({"put", "plan", "lunch.ics", pods.NewFile("lunch.ics", Event("lunch"))});
    const auto share = ValueOf(conduit::FromJson<store::ShareInfo>(
        Anna({"invite", "plan", "emma", "--access", "read-write"})));
    Eventually("emma accepts", [&] {
      return pods.Podctl({"--as", "emma", "--pod", "B", "accept", share.share_uid, "--name",
                          "annas-plan"})
                 .exit_code == 0;
    });
  }

  std::string Anna(std::vector<std::string> arguments) const {
    return As("anna", "A", std::move(arguments));
  }
  std::string Emma(std::vector<std::string> arguments) const {
    return As("emma", "B", std::move(arguments));
  }
  // What check says of anna's home.
  store::HomeCheck Check() const {
    return ValueOf(conduit::FromJson<store::HomeCheck>(Anna({"check", "anna"})));
  }

  TwoPods pods;

 private:
  std::string As(const std::string& user, const std::string& pod,
                 std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--as", user, "--pod", pod});
    return pods.PodctlJson(std::move(arguments));
  }
};

std::string ReadFileAt(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("A file is attached to a shared event from either pod, and read from both",
          "[e2e][attachments]") {
  const bool over_links = GENERATE(false, true);
  CAPTURE(over_links);
  const Bed bed(over_links ? std::vector<std::string>{"--transport", "links"}
                           : std::vector<std::string>{});
  const std::string bytes = Noise(2 * kAttachmentPartBytes + 4711, 1);
  const auto attached = ValueOf(conduit::FromJson<AttachmentResult>(
      bed.Emma({"attach", "annas-plan", "lunch.ics", bed.pods.NewFile("menu.pdf", bytes), "--type",
                "application/pdf"})));
  const std::string id = attached.attachment.managed_id;
  CHECK(attached.attachment.size == static_cast<int64_t>(bytes.size()));
  CHECK(attached.attachment.file_name == "menu.pdf");
  CHECK(attached.attachment.created_by == "emma");
  // anna has it, in her event and in bytes.
  const auto list = ValueOf(servers::FromJsonMember<std::vector<AttachmentInfo>>(
      "attachments", bed.Anna({"attachments", "plan", "lunch.ics"})));
  REQUIRE(list.size() == 1);
  CHECK(list[0].managed_id == id);
  CHECK_THAT(bed.Anna({"get", "plan", "lunch.ics"}), Catch::Contains("MANAGED-ID=" + id));
  const std::string copy = bed.pods.File("copy.pdf");
  bed.Anna({"get-attachment", "plan", "lunch.ics", id, "--output", copy});
  CHECK(ReadFileAt(copy) == bytes);
  const auto printed = bed.pods.Podctl(
      {"--as", "emma", "--pod", "B", "get-attachment", "annas-plan", "lunch.ics", id});
  CHECK(printed.exit_code == 0);
  CHECK(printed.out == bytes);

  // anna replaces it; emma takes it off.
  const auto replaced = ValueOf(conduit::FromJson<AttachmentResult>(bed.Anna(
      {"attach", "plan", "lunch.ics", bed.pods.NewFile("new.txt", "soup"), "--replace", id})));
  const std::string new_id = replaced.attachment.managed_id;
  CHECK(bed.pods
            .Podctl(
                {"--as", "emma", "--pod", "B", "get-attachment", "annas-plan", "lunch.ics", new_id})
            .out == "soup");
  const auto gone = bed.pods.Podctl(
      {"--as", "emma", "--pod", "B", "get-attachment", "annas-plan", "lunch.ics", id});
  CHECK(gone.exit_code == 1);
  CHECK_THAT(gone.err, Catch::Contains("has no attachment"));
  bed.Emma({"detach", "annas-plan", "lunch.ics", new_id});
  CHECK_THAT(bed.Anna({"attachments", "plan", "lunch.ics"}),
             Catch::Contains(R"("attachments":[])"));
  const auto check = bed.Check();
  CHECK(check.problems.empty());
  CHECK(check.attachments == 0);
  CHECK(check.orphans == 4);
  CHECK(bed.Anna({"collect-orphans", "anna"}) == "{\"chunks\":0,\"bytes\":0}\n");
}

TEST_CASE("podd keeps the limits of attachments that it is told", "[e2e][attachments]") {
  const Bed bed({"--attachment-uri", "https://cal.example/files", "--max-attachments", "1",
                 "--max-attachment-bytes", "1000"});
  const auto attach = [&](const std::string& file) {
    return bed.pods.Podctl(
        {"--as", "emma", "--pod", "B", "attach", "annas-plan", "lunch.ics", file});
  };
  const auto large = attach(bed.pods.NewFile("large.txt", std::string(1001, 'x')));
  CHECK(large.exit_code == 1);
  CHECK_THAT(large.err, Catch::Contains("1000 bytes"));
  const std::string small = bed.pods.NewFile("small.txt", "soup");
  CHECK(attach(small).exit_code == 0);
  CHECK_THAT(bed.Anna({"attachments", "plan", "lunch.ics"}),
             Catch::Contains("https://cal.example/files/anna/"));
  const auto second = attach(small);
  CHECK(second.exit_code == 1);
  CHECK_THAT(second.err, Catch::Contains("1 attachments, which is the limit"));
  CHECK(bed.Check().attachments == 1);
}

// Attaches a file of two parts through pod B until that fails; adds the managed id of each that was
// acknowledged, with what makes its bytes. On a thread of its own, so without assertions.
void AttachUntilItFails(podctl::PodClient& api, std::vector<std::pair<std::string, uint32_t>>* done,
                        uint32_t* seed, std::atomic<int>* requests) {
  const std::vector<std::string> object = {"homes",      "emma",    "collections",
                                           "annas-plan", "objects", "lunch.ics"};
  const auto below = [&](const std::string& name) {
    std::vector<std::string> path = object;
    path.push_back(name);
    return path;
  };
  for (;;) {
    const uint32_t mine = ++*seed;
    const std::string bytes = Noise(kAttachmentPartBytes + 100, mine);
    store::AttachmentWrite write;
    write.attachment.file_name = fmt::format("{}.bin", mine);
    for (const auto& part :
         {bytes.substr(0, kAttachmentPartBytes), bytes.substr(kAttachmentPartBytes)}) {
      const auto reply = api.Call({.method = "POST",
                                   .path = below("attachment-parts"),
                                   .query = {{"actor", "emma"}},
                                   .body = part});
      if (!reply.ok()) return;
      ++*requests;
      write.parts.push_back(conduit::FromJson<store::UploadedPart>(*reply).value());
    }
    const auto reply = api.Call({.method = "POST",
                                 .path = below("attachments"),
                                 .query = {{"actor", "emma"}},
                                 .body = conduit::ToJson(write)});
    if (!reply.ok()) return;
    ++*requests;
    const auto result = conduit::FromJson<AttachmentResult>(*reply).value();
    done->emplace_back(result.attachment.managed_id, mine);
  }
}

TEST_CASE("Whenever the owner's pod is killed, no attachment is lost, torn or without its bytes",
          "[e2e][attachments][crash]") {
  Bed bed({});
  std::vector<std::pair<std::string, uint32_t>> done;
  uint32_t seed = 0;
  constexpr int kRounds = 6;
  for (int round = 0; round < kRounds; ++round) {
    const size_t before = done.size();
    std::atomic<int> requests = 0;
    const auto api = bed.pods.Api("B");
    std::thread attacher([&] { AttachUntilItFails(*api, &done, &seed, &requests); });
    // At another moment of its work in each round.
    Eventually("some parts are there", [&] { return requests > round; });
    bed.pods.Kill("A");
    attacher.join();
    bed.pods.Start("A");
    Eventually("pod B reaches pod A again", [&] {
      return bed.pods.Podctl({"--pod", "B", "ping", "A"}).exit_code == 0;
    });
    const auto check = bed.Check();
    CHECK(check.problems.empty());
    CHECK(check.attachments >= static_cast<int64_t>(done.size()));
    INFO("round " << round << ": " << done.size() - before << " more attached");
  }
  for (const auto& [id, made_of] : done) {
    const auto read = bed.pods.Podctl(
        {"--as", "emma", "--pod", "B", "get-attachment", "annas-plan", "lunch.ics", id});
    CHECK(read.out == Noise(kAttachmentPartBytes + 100, made_of));
  }
}

}  // namespace
}  // namespace podkit::testing
