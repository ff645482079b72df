// A batch that another pod sends: the first byte chooses the limits, the rest are its frames.
// Whatever they are, the answer has a frame for each, is no larger than it may be, and can be read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "batch/batch_runner.h"
#include "batch/frames.h"
#include "payload_body.h"
#include "podkit/conduit/conduit.h"
#include "tests/conduit/lists.h"
#include "tests/conduit/sync_transport.h"

namespace podkit::conduit {
namespace {

using internal::BatchFrame;

void Require(bool good) {
  if (!good) std::abort();
}

class NoTransport final : public SyncTransport {
 public:
  absl::StatusOr<WireReply> Exchange(const WireRequest&) override {
    return absl::UnavailableError("none");
  }
};

struct Shop {
  explicit Shop(size_t max_body) : max_body_bytes(max_body) {
    lists.Serve(b);
    b.Handle<Echo>(
        [](const CallContext& context, const Echo::Arguments& arguments) -> absl::StatusOr<Bytes> {
          if (context.reply_payload != nullptr) *context.reply_payload = context.payload;
          return std::get<0>(arguments);
        });
  }

  const size_t max_body_bytes;
  NoTransport transport;
  const std::shared_ptr<Pods> pods = *Pods::Create(
      {Pod{.id = "A", .keys = {std::string(32, 'k')}}, Pod{.id = "B", .keys = {}}}, "B");
  Conduit b{pods, &transport, {.max_body_bytes = max_body_bytes, .max_batch_calls = 20}};
  Lists lists;

  void Post(std::string_view bytes) {
    std::promise<WireReply> promise;
    b.Answer({.caller = pods->Find("A"),
              .request = {.content_type = "application/vnd.podkit.call",
                          .body = internal::JoinPayload(R"({"action":"batch"})", bytes)},
              .reply = [&](WireReply reply) { promise.set_value(std::move(reply)); }});
    Check(bytes, promise.get_future().get());
  }

  void Check(std::string_view bytes, const WireReply& reply) const {
    const auto sent = internal::SplitBatchFrames(bytes, 20);
    if (reply.content_type == "application/json") {
      const auto document = JsonDocument::Parse(reply.body);
      Require(document.ok() && document->root().Member("result"));
      Require(reply.status != 200 || (sent.ok() && sent->empty()));
      return;
    }
    Require(sent.ok() && reply.body.size() <= max_body_bytes);
    const auto parts = internal::SplitPayload(reply.body);
    Require(parts.ok());
    const auto frames = internal::SplitBatchFrames(parts->payload, 20);
    Require(frames.ok() && frames->size() == sent->size());
    for (size_t i = 0; i < frames->size(); ++i) CheckFrame((*sent)[i], (*frames)[i]);
  }

  static void CheckFrame(const BatchFrame& sent, const BatchFrame& got) {
    if (sent.kind == BatchFrame::Kind::kLeftOut) return Require(got.kind == sent.kind);
    std::string_view json = got.body;
    if (got.kind == BatchFrame::Kind::kPayload) {
      const auto parts = internal::SplitPayload(got.body);
      Require(parts.ok());
      json = parts->json;
    }
    Require(got.kind != BatchFrame::Kind::kLeftOut);
    const auto document = JsonDocument::Parse(std::string(json), {.max_depth = 80});
    Require(document.ok() && document->root().Member("result"));
  }
};

}  // namespace
}  // namespace podkit::conduit

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Never destroyed: libFuzzer leaves with exit.
  static auto* const large = new podkit::conduit::Shop(size_t{1} << 20);
  static auto* const small = new podkit::conduit::Shop(4'000);
  if (size == 0) return 0;
  auto* const shop = data[0] % 2 == 0 ? large : small;
  shop->Post({reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
