#include "podkit/replica/chunk.h"

#include "tests/support/catch.h"

namespace podkit::replica {
namespace {

const ChunkName kBlock = {.volume = "7", .file = "1F", .file_version = 3, .id = 0, .version = 5};
const ChunkName kManifest = {.volume = "7",
                             .file = "1F",
                             .file_version = 3,
                             .kind = ChunkKind::kManifest,
                             .id = 1'700'000'000,
                             .version = 42};

absl::StatusCode ParseCode(std::string_view path) { return ParseChunkPath(path).status().code(); }

}  // namespace

TEST_CASE("A chunk's path is read back as it was written", "[replica][chunk]") {
  CHECK(ChunkPath(kBlock) == "/DATA/7/.1F.3/0.5");
  CHECK(ChunkPath(kBlock, "/a.b/c d") == "/DATA/7/a.b/c%20d.1F.3/0.5");
  CHECK(ChunkPath(kManifest) == "/DATA/7/.1F.3/manifest.1700000000.42");
  for (const ChunkName& name : {kBlock, kManifest}) {
    for (const std::string_view hint : {"/", "/a/b.c", "/100%/\xC3\xA4?"}) {
      const auto parsed = testing::ValueOf(ParseChunkPath(ChunkPath(name, hint)));
      CHECK(parsed.name == name);
      CHECK(parsed.fs_path == hint);
    }
  }
  CHECK(testing::ValueOf(ParseChunkPath("//DATA/7//x///y.1F.3/0.5")).fs_path == "/x/y");
}

TEST_CASE("Any other path is refused", "[replica][chunk]") {
  for (const std::string_view path : {"",
                                      "/",
                                      "/DATA",
                                      "/DATA/7/0.5",
                                      "/data/7/.1F.3/0.5",
                                      "/DATA/7/.1F.3/0",
                                      "/DATA/7/.1F.3/0.x",
                                      "/DATA/7/.1F.3/-1.5",
                                      "/DATA/7/.1F.3/00.5",
                                      "/DATA/7/.1F.3/0.5/",
                                      "/DATA/7/1F/0.5",
                                      "/DATA/7/a/../b.1F.3/0.5",
                                      "/DATA/7/%2e%2e/b.1F.3/0.5",
                                      "/DATA/7/./b.1F.3/0.5",
                                      "/DATA/7/.1F.3/0.5%00",
                                      "/DATA/7/.1F.3/0.5%4",
                                      "/DATA/v.w/.1F.3/0.5",
                                      "/DATA/7/.1F.3/9223372036854775808.5",
                                      "/DATA/7/.1F.3/manifest.1.1000000000",
                                      "/DATA/7/.1 F.3/0.5",
                                      "/DATA/7/.1F.3/0.5?x"}) {
    CAPTURE(path);
    CHECK(ParseCode(path) == absl::StatusCode::kInvalidArgument);
  }
  CHECK(ParseCode(ChunkPath(kBlock, "/" + std::string(9000, 'x'))) ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("A hash is that of the bytes and survives hexadecimal", "[replica][chunk]") {
  const ChunkHash hash = HashOf("abc");
  CHECK(hash.Hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(ChunkHash::FromHex(hash.Hex()) == hash);
  CHECK(ChunkHash::FromHex("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD") ==
        hash);
  CHECK_FALSE(ChunkHash::FromHex(hash.Hex() + "0"));
  CHECK_FALSE(ChunkHash::FromHex(std::string(64, 'g')));
}

}  // namespace podkit::replica
