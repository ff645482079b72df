#include "podkit/replica/gateway.h"

#include <memory>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "files.h"
#include "fmt/format.h"
#include "gateway_core.h"
#include "multipart_parser.h"
#include "sha256.h"

namespace podkit::replica {
namespace {

// The reply is known when the request begins.
class Decided final : public GatewayExchange {
 public:
  explicit Decided(GatewayReply reply) : reply_(std::move(reply)) {}
  bool Receive(std::string_view /*bytes*/) override { return false; }
  GatewayReply Finish() override { return std::move(reply_); }

 private:
  GatewayReply reply_;
};

// A POST: takes the control part, judges it, and only then takes the data part, whose chunks are
// hashed while they arrive.
class Post final : public GatewayExchange, private MultipartParser::Handler {
 public:
  Post(GatewayCore* core, MultipartParser parser, bool wants_reply)
      : core_(*core), parser_(std::move(parser)), wants_reply_(wants_reply) {}

  bool Receive(std::string_view bytes) override {
    if (failed_.ok()) failed_ = parser_.Feed(bytes, this);
    return failed_.ok();
  }

  GatewayReply Finish() override {
    if (failed_.ok()) failed_ = parser_.Finish();
    if (failed_.ok()) failed_ = CheckWhole();
    if (failed_.ok() && data_ != nullptr) failed_ = data_->Seal();
    if (!failed_.ok()) return core_.Refusal(failed_);
    return Perform(&core_, *control_, data_.get(), wants_reply_);
  }

 private:
  enum class Part { kNone, kControl, kData };

  absl::Status OnPart(std::string_view name) override {
    if (part_ == Part::kNone && name == "control-plane") {
      part_ = Part::kControl;
      return absl::OkStatus();
    }
    if (part_ == Part::kControl && name == "data-plane") {
      part_ = Part::kData;
      return BeginData();
    }
    return absl::InvalidArgumentError(
        "the parts of a request are one 'control-plane' and then at most one 'data-plane'");
  }

  absl::Status OnData(std::string_view bytes) override {
    if (part_ == Part::kData) return TakeData(bytes);
    if (control_part_.size() + bytes.size() > core_.options.max_control_bytes) {
      return absl::ResourceExhaustedError("the control part is too large");
    }
    control_part_.append(bytes);
    return absl::OkStatus();
  }

  absl::Status OnPartEnd() override {
    if (part_ == Part::kData) return absl::OkStatus();
    auto admitted = core_.gate.Admit(control_part_, core_.options.now());
    control_part_.clear();
    if (!admitted.ok()) return admitted.status();
    control_ = std::make_unique<AdmittedControl>(*std::move(admitted));
    for (const ControlChunk& chunk : control_->message.chunks) expected_ += chunk.size;
    return absl::OkStatus();
  }

  absl::Status BeginData() {
    PODKIT_ASSIGN_OR_RETURN(data_, MemoryFile::Create(core_.memory, expected_));
    return FinishFullChunks();
  }

  absl::Status TakeData(std::string_view bytes) {
    if (bytes.size() > expected_ - received_) {
      return absl::InvalidArgumentError("the data part is longer than the chunks of the request");
    }
    PODKIT_RETURN_IF_ERROR(data_->Append(bytes));
    received_ += bytes.size();
    while (!bytes.empty()) {
      const uint64_t left = control_->message.chunks[chunk_].size - in_chunk_;
      const std::string_view piece = bytes.substr(0, left);
      hash_.Update(piece);
      in_chunk_ += piece.size();
      bytes.remove_prefix(piece.size());
      PODKIT_RETURN_IF_ERROR(FinishFullChunks());
    }
    return absl::OkStatus();
  }

  // Checks the hash of each chunk that has arrived; an empty one has at once.
  absl::Status FinishFullChunks() {
    const auto& chunks = control_->message.chunks;
    while (chunk_ < chunks.size() && in_chunk_ == chunks[chunk_].size) {
      if (hash_.Finish() != chunks[chunk_].hash) {
        return absl::InvalidArgumentError(
            fmt::format("chunk {} of the request has not the hash that it names", chunk_));
      }
      ++chunk_;
      in_chunk_ = 0;
    }
    return absl::OkStatus();
  }

  absl::Status CheckWhole() const {
    if (control_ == nullptr)
      return absl::InvalidArgumentError("the request has no 'control-plane'");
    const Operation operation = control_->message.operation;
    const bool with_data = operation == Operation::kPut ||
                           (operation == Operation::kRename && !control_->message.chunks.empty());
    if (with_data != (data_ != nullptr)) {
      return absl::InvalidArgumentError(with_data ? "the request has no 'data-plane'"
                                                  : "the request must not have a 'data-plane'");
    }
    if (with_data && chunk_ != control_->message.chunks.size()) {
      return absl::InvalidArgumentError("the data part is shorter than the chunks of the request");
    }
    return absl::OkStatus();
  }

  GatewayCore& core_;
  MultipartParser parser_;
  const bool wants_reply_;
  absl::Status failed_;
  Part part_ = Part::kNone;
  std::string control_part_;
  std::unique_ptr<AdmittedControl> control_;  // Null until it is admitted.
  uint64_t expected_ = 0;                     // Bytes of the data part.
  uint64_t received_ = 0;
  std::unique_ptr<MemoryFile> data_;
  size_t chunk_ = 0;  // The one that arrives, and how much of it has.
  uint64_t in_chunk_ = 0;
  Sha256 hash_;
};

}  // namespace

int HttpStatus(const absl::Status& why) {
  switch (why.code()) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kResourceExhausted:
      return 413;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

GatewayReply GatewayCore::Refusal(const absl::Status& why) const {
  GatewayReply reply = {.status = HttpStatus(why),
                        .headers = {{"Content-Type", "text/plain"}, {"Cache-Control", "no-store"}},
                        .body = fmt::format("{}\n", std::string(why.message()))};
  if (reply.status == 503) {
    reply.headers.emplace_back(
        "Retry-After",
        fmt::format("{}", absl::ToInt64Seconds(absl::Ceil(options.retry_after, absl::Seconds(1)))));
  }
  if (reply.status >= 500) options.log(why.ToString());
  return reply;
}

std::string_view HeaderOf(const GatewayRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (EqualsIgnoreCase(key, name)) return value;
  }
  return {};
}

class Gateway::Impl {
 public:
  Impl(GatewayOptions options, std::shared_ptr<ChunkDriver> driver,
       std::shared_ptr<const Writers> writers)
      : core(std::move(options), std::move(driver), std::move(writers)) {}

  absl::Status Open() {
    const GatewayOptions& options = core.options;
    if (!ValidateChunkName({.volume = options.id, .file = "f"}).ok()) {
      return absl::InvalidArgumentError("a gateway's id is 1 to 64 letters, digits, '-' and '_'");
    }
    PODKIT_RETURN_IF_ERROR(MakeFolder(options.folder));
    PODKIT_ASSIGN_OR_RETURN(core.catalog, Catalog::Open(options.folder + "/catalog.db"));
    PODKIT_RETURN_IF_ERROR(SyncFolder(options.folder));
    if (options.cache_bytes > 0) {
      PODKIT_ASSIGN_OR_RETURN(core.cache,
                              Cache::Open(options.folder + "/cache", options.cache_bytes));
    }
    return absl::OkStatus();
  }

  std::unique_ptr<GatewayExchange> Begin(const GatewayRequest& request) {
    if (request.method == "GET" || request.method == "HEAD") {
      return std::make_unique<Decided>(ServeChunk(&core, request));
    }
    if (request.method != "POST") {
      return std::make_unique<Decided>(
          GatewayReply{.status = 405, .headers = {{"Allow", "GET, HEAD, POST"}}});
    }
    auto parser = MultipartParser::ForContentType(HeaderOf(request, "content-type"));
    if (!parser.ok()) return std::make_unique<Decided>(core.Refusal(parser.status()));
    const bool wants_reply = HeaderOf(request, "accept").find(kReplyType) != std::string_view::npos;
    return std::make_unique<Post>(&core, *std::move(parser), wants_reply);
  }

  GatewayCore core;
};

Gateway::Gateway(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gateway::~Gateway() = default;

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Open(GatewayOptions options,
                                                       std::shared_ptr<ChunkDriver> driver,
                                                       std::shared_ptr<const Writers> writers) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(driver), std::move(writers));
  PODKIT_RETURN_IF_ERROR(impl->Open());
  return std::unique_ptr<Gateway>(new Gateway(std::move(impl)));
}

std::unique_ptr<GatewayExchange> Gateway::Begin(const GatewayRequest& request) {
  return impl_->Begin(request);
}

void Gateway::SetDriver(std::shared_ptr<ChunkDriver> driver) {
  impl_->core.set_driver(std::move(driver));
}

void Gateway::SetWriters(std::shared_ptr<const Writers> writers) {
  impl_->core.gate.SetWriters(std::move(writers));
}

GatewayCounters Gateway::counters() const {
  const GatewayCore& core = impl_->core;
  return {.stored = core.stored,
          .deleted = core.deleted,
          .cache_hits = core.cache_hits,
          .cache_misses = core.cache_misses,
          .cache_absent = core.cache_absent,
          .corrupt = core.corrupt,
          .lost = core.lost,
          .mended = core.mended};
}

std::map<std::string, uint64_t> Gateway::VolumeBytes() const { return impl_->core.use.used(); }

GatewayCore& CoreOf(Gateway* gateway) { return gateway->impl_->core; }

absl::StatusOr<uint64_t> Gateway::DamagedChunks() const { return impl_->core.catalog->Damaged(); }

}  // namespace podkit::replica
