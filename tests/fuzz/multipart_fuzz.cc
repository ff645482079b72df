// The body of a request, cut into pieces: the first byte says how long they are. However it is cut,
// the same must come out, and at most what went in.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "multipart_parser.h"

namespace {

struct Recorder final : podkit::replica::MultipartParser::Handler {
  std::string told;
  size_t data = 0;
  absl::Status OnPart(std::string_view name) override {
    told.append("<").append(name).append(">");
    return absl::OkStatus();
  }
  absl::Status OnData(std::string_view bytes) override {
    told.append(bytes);
    data += bytes.size();
    return absl::OkStatus();
  }
  absl::Status OnPartEnd() override {
    told.append("</>");
    return absl::OkStatus();
  }
};

struct Outcome {
  bool good = false;
  Recorder recorder;
};

Outcome Run(std::string_view body, size_t piece) {
  auto parser =
      podkit::replica::MultipartParser::ForContentType("multipart/form-data; boundary=bb");
  Outcome outcome;
  outcome.good = true;
  while (outcome.good && !body.empty()) {
    const std::string_view now = body.substr(0, piece);
    body.remove_prefix(now.size());
    outcome.good = parser->Feed(now, &outcome.recorder).ok();
  }
  outcome.good = outcome.good && parser->Finish().ok();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  static_cast<void>(podkit::replica::MultipartParser::ForContentType(body));
  const Outcome whole = Run(body, body.size() + 1);
  const Outcome cut = Run(body, data[0] + size_t{1});
  if (whole.good != cut.good || whole.recorder.data > body.size()) std::abort();
  if (whole.good && whole.recorder.told != cut.recorder.told) std::abort();
  return 0;
}
