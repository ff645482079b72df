#include "multipart_parser.h"

#include <random>

#include "tests/support/catch.h"

namespace podkit::replica {
namespace {

constexpr std::string_view kType = "multipart/form-data; boundary=XyZ";

// What was told, one line for each part: its name, '=' and its data, ';' at its end.
struct Recorder final : MultipartParser::Handler {
  std::string told;
  absl::Status on_data;
  absl::Status OnPart(std::string_view name) override {
    told += std::string(name) + "=";
    return absl::OkStatus();
  }
  absl::Status OnData(std::string_view bytes) override {
    told += bytes;
    return on_data;
  }
  absl::Status OnPartEnd() override {
    told += ";";
    return absl::OkStatus();
  }
};

std::string Part(std::string_view name, std::string_view data) {
  return "--XyZ\r\nContent-Disposition: form-data; name=\"" + std::string(name) +
         "\"\r\nContent-Type: application/octet-stream\r\n\r\n" + std::string(data) + "\r\n";
}

absl::Status ParseAll(std::string_view body, std::string* told = nullptr,
                      std::string_view type = kType) {
  auto parser = testing::ValueOf(MultipartParser::ForContentType(type));
  Recorder recorder;
  const absl::Status status = parser.Feed(body, &recorder);
  if (told != nullptr) *told = recorder.told;
  return status.ok() ? parser.Finish() : status;
}

}  // namespace

TEST_CASE("A multipart body is split wherever it is cut", "[replica][multipart]") {
  const std::string data = "a\r\n--Xy\r\r\n--XYZ\r\n-\r\n";
  const std::string body =
      Part("control-plane", "{}") + Part("data-plane", data) + Part("empty", "") + "--XyZ--\r\n";
  const std::string expected = "control-plane={};data-plane=" + data + ";empty=;";
  std::string told;
  CHECK(ParseAll(body, &told) == absl::OkStatus());
  CHECK(told == expected);
  for (size_t cut = 0; cut <= body.size(); ++cut) {
    for (const size_t step : {size_t{1}, size_t{7}, body.size()}) {
      auto parser = testing::ValueOf(MultipartParser::ForContentType(kType));
      Recorder recorder;
      REQUIRE(parser.Feed(std::string_view(body).substr(0, cut), &recorder) == absl::OkStatus());
      for (size_t at = cut; at < body.size(); at += step) {
        REQUIRE(parser.Feed(std::string_view(body).substr(at, step), &recorder) ==
                absl::OkStatus());
      }
      REQUIRE(parser.Finish() == absl::OkStatus());
      REQUIRE(recorder.told == expected);
    }
  }
}

TEST_CASE("Random data full of near boundaries arrives whole", "[replica][multipart]") {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::string data;
    while (data.size() < 300) data += std::string_view("\r\n--XyY").substr(0, 1 + random() % 7);
    const std::string body = Part("d", data) + "--XyZ--";
    auto parser = testing::ValueOf(MultipartParser::ForContentType(kType));
    Recorder recorder;
    for (size_t at = 0; at < body.size();) {
      const size_t size = 1 + random() % 40;
      REQUIRE(parser.Feed(std::string_view(body).substr(at, size), &recorder) == absl::OkStatus());
      at += size;
    }
    REQUIRE(parser.Finish() == absl::OkStatus());
    REQUIRE(recorder.told == "d=" + data + ";");
  }
}

TEST_CASE("A malformed multipart body is refused", "[replica][multipart]") {
  const std::string good = Part("a", "x");
  for (const std::string& body :
       {std::string(), good, good + "--XyZ", good + "--XyZ--x", "x" + good + "--XyZ--",
        good + "--XyZx--", std::string("--XyZ\r\n\r\nx\r\n--XyZ--"),
        std::string("--XyZ\r\nContent-Type: text/plain\r\n\r\nx\r\n--XyZ--"),
        std::string("--XyZ\r\nContent-Disposition: file; name=\"a\"\r\n\r\nx\r\n--XyZ--"),
        std::string("--XyZ\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--XyZ--"),
        std::string("--XyZ\r\nno colon\r\n\r\nx\r\n--XyZ--"),
        "--XyZ\r\nX: " + std::string(5000, 'x') + "\r\n\r\nx\r\n--XyZ--"}) {
    CAPTURE(body);
    CHECK(ParseAll(body).code() == absl::StatusCode::kInvalidArgument);
  }
  for (const std::string_view type :
       {"", "text/plain; boundary=a", "multipart/form-data", "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"a", "multipart/form-data; boundary=a\xC3"}) {
    CAPTURE(type);
    CHECK(MultipartParser::ForContentType(type).status().code() ==
          absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("Boundaries and names may be quoted or not", "[replica][multipart]") {
  std::string told;
  CHECK(
      ParseAll("--a b\r\ncontent-disposition:form-data;filename=\"x\"; Name=n\r\n\r\n1\r\n--a b--",
               &told, "Multipart/Form-Data; charset=x; Boundary=\"a b\"") == absl::OkStatus());
  CHECK(told == "n=1;");
}

TEST_CASE("The handler's error ends the parsing", "[replica][multipart]") {
  auto parser = testing::ValueOf(MultipartParser::ForContentType(kType));
  Recorder recorder;
  recorder.on_data = absl::ResourceExhaustedError("enough");
  CHECK(parser.Feed(Part("a", "x") + "--XyZ--", &recorder).code() ==
        absl::StatusCode::kResourceExhausted);
}

}  // namespace podkit::replica
