// The stage that compresses and encrypts, between a gateway and the disk driver.
#include "tests/replica/gateway_bed.h"

namespace podkit::replica {
namespace {

const std::string kOne(64, '1');
const std::string kTwo(64, '2');

struct Sealed {
  DriverBed bed;

  std::unique_ptr<DriverProcesses> Start(const std::string& secrets) {
    auto options = bed.Options(PODKIT_DISK_DRIVER);
    options.stage = {.path = PODKIT_SEAL_DRIVER, .secrets = secrets};
    return testing::ValueOf(DriverProcesses::Start(options));
  }
  // Calls one of the two and returns what comes out, or "errno<n>".
  static std::string Call(ChunkDriver& driver, DriverMethod method, std::string_view bytes,
                          uint64_t id = 1) {
    const UniqueFd in = MemoryFile(bytes);
    const UniqueFd out = MemoryFile();
    const int error =
        testing::ValueOf(driver.Call(method, DriverCalls::Request(id), {in.get(), 0, bytes.size()},
                                     out.get(), absl::Now() + absl::Seconds(20)));
    return error == 0 ? BytesOf(out) : "errno" + std::to_string(-error);
  }
};

constexpr auto kSeal = DriverMethod::kDeserialize;
constexpr auto kOpen = DriverMethod::kSerialize;

}  // namespace

TEST_CASE("Sealed chunks come back as they were, and only under their name", "[replica][seal]") {
  Sealed sealed;
  const auto driver = sealed.Start(R"({"key":")" + kOne + R"("})");
  CHECK(driver->Has(DriverMethod::kRead));
  for (const std::string& bytes : {std::string(), std::string("abc"), std::string(1 << 20, 'x')}) {
    const std::string stored = Sealed::Call(*driver, kSeal, bytes);
    CHECK(stored.size() < bytes.size() + 100);
    CHECK(Sealed::Call(*driver, kOpen, stored) == bytes);
    CHECK(Sealed::Call(*driver, kOpen, stored, 2) == "errno74");
    CHECK(Sealed::Call(*driver, kSeal, bytes) != stored);  // Another nonce.
  }
  const std::string text = "a text that the storage must not see";
  std::string stored = Sealed::Call(*driver, kSeal, text);
  CHECK(stored.find("text") == std::string::npos);
  CHECK(Sealed::Call(*driver, kSeal, std::string(1 << 20, 'x')).size() < 10'000);
  for (size_t i = 0; i < stored.size(); ++i) {
    stored[i] = static_cast<char>(stored[i] ^ 1);
    CAPTURE(i);
    CHECK(Sealed::Call(*driver, kOpen, stored) == "errno74");
    stored[i] = static_cast<char>(stored[i] ^ 1);
  }
  CHECK(Sealed::Call(*driver, kOpen, stored.substr(0, 40)) == "errno74");
}

TEST_CASE("The key of sealed chunks can be changed", "[replica][seal]") {
  Sealed sealed;
  const auto old_only = sealed.Start(R"({"key":")" + kOne + R"("})");
  const auto both = sealed.Start(R"({"key":")" + kTwo + R"(","old_key":")" + kOne + R"("})");
  const auto new_only = sealed.Start(R"({"key":")" + kTwo + R"("})");
  const std::string old_chunk = Sealed::Call(*old_only, kSeal, "abc");
  const std::string new_chunk = Sealed::Call(*both, kSeal, "abc");
  CHECK(Sealed::Call(*both, kOpen, old_chunk) == "abc");
  CHECK(Sealed::Call(*new_only, kOpen, new_chunk) == "abc");
  CHECK(Sealed::Call(*new_only, kOpen, old_chunk) == "errno74");
  auto options = sealed.bed.Options(PODKIT_DISK_DRIVER);
  options.stage = {.path = PODKIT_SEAL_DRIVER, .secrets = R"({"key":"short"})"};
  CHECK(DriverProcesses::Start(options).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("A gateway with a seal serves the bytes that it took", "[replica][seal]") {
  Sealed sealed;
  GatewayBed bed(PODKIT_DISK_DRIVER);
  bed.driver = sealed.Start(R"({"key":")" + kOne + R"("})");
  bed.options.cache_bytes = 0;
  bed.Open();
  const std::string bytes(300'000, 'y');
  CHECK(bed.Put(1, bytes).status == 200);
  CHECK(GatewayBed::BytesOf(bed.Get(1)) == bytes);
}

}  // namespace podkit::replica
