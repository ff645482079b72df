#include "podkit/replica/client.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "client_errors.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "fmt/format.h"
#include "http_caller.h"
#include "podkit/replica/gateway.h"

namespace podkit::replica {
namespace {

constexpr size_t kMaxReplyBytes = size_t{1} << 20;
constexpr size_t kMaxShownText = 200;

std::string RandomHex() {
  std::array<char, 16> bytes;
  randombytes_buf(bytes.data(), bytes.size());
  return HexEncode({bytes.data(), bytes.size()});
}

// One line of what a gateway says in clear, for people.
std::string Shown(std::string_view body) {
  std::string text(TrimSpace(body.substr(0, kMaxShownText)));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

bool IsDone(ChunkOutcome outcome, Operation operation) {
  if (operation == Operation::kLacking) return outcome != ChunkOutcome::kNotTried;
  return outcome == ChunkOutcome::kStored || outcome == ChunkOutcome::kPresent ||
         outcome == ChunkOutcome::kDeleted;
}

}  // namespace

class ReplicaClient::Impl {
 public:
  explicit Impl(ReplicaClientOptions options)
      : options_(std::move(options)),
        caller_({.ca_file = options_.ca_file, .connect_timeout = options_.connect_timeout}) {}

  // One request; `data` are the bytes of its chunks.
  BatchResult Send(const ControlMessage& message, const std::vector<std::string_view>& data,
                   const CallLimits& limits);
  // Of a path of the gateway.
  absl::StatusOr<HttpAnswer> Read(std::string_view method, const std::string& path,
                                  const CallLimits& limits);

  ControlMessage NewMessage(Operation operation, const std::string& volume) const {
    return {.operation = operation,
            .gateway = options_.gateway,
            .volume = volume,
            .sent = absl::FromUnixMillis(absl::ToUnixMillis(options_.now())),
            .nonce = RandomHex()};
  }
  const ReplicaClientOptions& options() const { return options_; }
  std::string Says(std::string_view what) const {
    return fmt::format("gateway '{}': {}", options_.gateway, what);
  }

 private:
  absl::Status FailureOf(const absl::Status& call) const;
  absl::Status RefusalOf(const HttpAnswer& answer, std::string_view text) const;
  absl::StatusOr<ControlReply> CheckReply(const HttpAnswer& answer, const ChunkHash& request,
                                          size_t chunks) const;
  absl::Status Judge(const ControlReply& reply, const HttpAnswer& answer,
                     const ControlMessage& message) const;

  const ReplicaClientOptions options_;
  HttpCaller caller_;
};

absl::Status ReplicaClient::Impl::FailureOf(const absl::Status& call) const {
  const std::string text(call.message());
  switch (call.code()) {
    case absl::StatusCode::kUnavailable:
      return Named(ClientError::kUnreachable, Says("cannot be reached: " + text));
    case absl::StatusCode::kResourceExhausted:
      return Named(ClientError::kTooLarge, Says(text));
    case absl::StatusCode::kCancelled:
      return Named(ClientError::kStopped, Says("what was asked may be done: " + text));
    default:
      return Named(ClientError::kNoAnswer,
                   Says("did not answer, so what was asked may be done: " + text));
  }
}

absl::Status ReplicaClient::Impl::RefusalOf(const HttpAnswer& answer, std::string_view text) const {
  const std::string said = Says(fmt::format("{} ({})", text, answer.status));
  switch (answer.status) {
    case 401:
      return Named(ClientError::kNotAdmitted, said);
    case 403:
      return Named(ClientError::kNotAllowed, said);
    case 404:
      return Named(ClientError::kNoSuchChunk, said);
    case 409:
      return Named(ClientError::kConflict, said);
    case 412:
      return Named(ClientError::kAlreadyThere, said);
    case 507:
      return Named(ClientError::kOverQuota, said);
    case 413:
      return Named(ClientError::kTooLarge, said);
    case 503: {
      absl::Status busy = Named(ClientError::kBusy, said);
      const auto seconds = ParseNumber<uint32_t>(answer.Header("retry-after"));
      SetRetryAfter(absl::Seconds(seconds.value_or(1)), &busy);
      return busy;
    }
    case 400:
      return Named(ClientError::kFailed, absl::StatusCode::kInvalidArgument, said);
    default:
      return Named(ClientError::kFailed, said);
  }
}

absl::StatusOr<ControlReply> ReplicaClient::Impl::CheckReply(const HttpAnswer& answer,
                                                             const ChunkHash& request,
                                                             size_t chunks) const {
  const auto untrusted = [&](std::string_view why) {
    return Named(ClientError::kNotTrusted, Says(fmt::format("the reply is not trusted: {}", why)));
  };
  const auto text = SignedText::Split(answer.body);
  if (!text) return untrusted("it is not signed");
  if (text->signer != options_.gateway ||
      !Verify(options_.gateway_key, SignedFor::kReply, text->bytes, text->signature)) {
    return untrusted("it is not signed with the key that is known for this gateway");
  }
  auto reply = ParseReply(text->bytes);
  if (!reply.ok()) return untrusted(std::string(reply.status().message()));
  if (reply->request != request) return untrusted("it answers another request");
  if (reply->results.size() != chunks) return untrusted("it tells of other chunks");
  return reply;
}

// The first error in a reply.
absl::Status ReplicaClient::Impl::Judge(const ControlReply& reply, const HttpAnswer& answer,
                                        const ControlMessage& message) const {
  if (answer.status != 200) {
    return RefusalOf(answer, reply.text.empty() && answer.status == 409
                                 ? "other bytes are there under the name of a chunk"
                             : reply.text.empty() && answer.status == 412
                                 ? "a chunk is there already"
                                 : std::string_view(reply.text));
  }
  if (reply.error != 0) {
    const bool full = reply.error == -ENOSPC || reply.error == -EDQUOT;
    return Named(ClientError::kDriverRefused,
                 full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInternal,
                 Says(fmt::format("the driver refused: {}", std::strerror(-reply.error))));
  }
  for (const ChunkResult& result : reply.results) {
    if (IsDone(result.outcome, message.operation)) continue;
    return Named(ClientError::kFailed, Says("it says that all is well, but a chunk is not done"));
  }
  return absl::OkStatus();
}

BatchResult ReplicaClient::Impl::Send(const ControlMessage& message,
                                      const std::vector<std::string_view>& data,
                                      const CallLimits& limits) {
  BatchResult batch{.results = std::vector<ChunkResult>(message.chunks.size()), .status = {}};
  const std::string control = EncodeControl(message);
  const std::string boundary = RandomHex();
  std::string head =
      fmt::format("--{0}\r\nContent-Disposition: form-data; name=\"control-plane\"\r\n\r\n{1}\r\n",
                  boundary, options_.key.SignText(SignedFor::kRequest, options_.writer, control));
  const bool with_data = message.operation == Operation::kPut || !data.empty();
  if (with_data) {
    head += fmt::format("--{}\r\nContent-Disposition: form-data; name=\"data-plane\"\r\n\r\n",
                        boundary);
  }
  const std::string tail = fmt::format("{}--{}--\r\n", with_data ? "\r\n" : "", boundary);
  HttpCall call{.method = "POST",
                .url = options_.url + "/",
                .headers = {"Content-Type: multipart/form-data; boundary=" + boundary,
                            fmt::format("Accept: {}", kReplyType)},
                .body = {head},
                .max_reply_bytes = kMaxReplyBytes,
                .deadline = limits.deadline,
                .stop = limits.stop};
  call.body.insert(call.body.end(), data.begin(), data.end());
  call.body.emplace_back(tail);
  const auto answer = caller_.Call(call);
  if (!answer.ok()) {
    batch.status = FailureOf(answer.status());
    return batch;
  }
  if (answer->status != 200 && answer->Header("content-type") != kReplyType) {
    batch.status = RefusalOf(*answer, Shown(answer->body));
    return batch;
  }
  const auto reply = CheckReply(*answer, HashOf(control), message.chunks.size());
  if (!reply.ok()) {
    batch.status = reply.status();
    return batch;
  }
  batch.results = reply->results;
  batch.status = Judge(*reply, *answer, message);
  return batch;
}

absl::StatusOr<HttpAnswer> ReplicaClient::Impl::Read(std::string_view method,
                                                     const std::string& path,
                                                     const CallLimits& limits) {
  HttpCall call{.method = std::string(method),
                .url = options_.url + path,
                .headers = {},
                .body = {},
                .max_reply_bytes = options_.max_chunk_bytes,
                .deadline = limits.deadline,
                .stop = limits.stop};
  if (options_.sign_reads) {
    call.headers.push_back("Authorization: " + AuthorizeRead(options_.key, options_.writer, method,
                                                             path, options_.now()));
  }
  auto answer = caller_.Call(call);
  if (!answer.ok()) return FailureOf(answer.status());
  if (answer->status != 200) return RefusalOf(*answer, Shown(answer->body));
  return answer;
}

ReplicaClient::ReplicaClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReplicaClient::~ReplicaClient() = default;

const std::string& ReplicaClient::gateway() const { return impl_->options().gateway; }

absl::StatusOr<std::unique_ptr<ReplicaClient>> ReplicaClient::Create(ReplicaClientOptions options) {
  if (sodium_init() < 0) return absl::InternalError("the system gives no random bytes");
  while (options.url.ends_with('/')) options.url.pop_back();
  if (!options.url.starts_with("http://") && !options.url.starts_with("https://")) {
    return absl::InvalidArgumentError(
        fmt::format("url '{}' does not begin with http:// or https://", options.url));
  }
  for (const auto& [what, id] :
       {std::pair("gateway", options.gateway), {"writer", options.writer}}) {
    if (ValidateChunkName({.volume = id, .file = "f"}).ok()) continue;
    return absl::InvalidArgumentError(
        fmt::format("{} '{}' is not 1 to 64 letters, digits, '-' and '_'", what, id));
  }
  if (options.max_request_chunks == 0) {
    return absl::InvalidArgumentError("max_request_chunks is at least 1");
  }
  return std::unique_ptr<ReplicaClient>(
      new ReplicaClient(std::make_unique<Impl>(std::move(options))));
}

namespace {

// True if all chunks are of one volume, with good names; else says so in `batch`.
template <typename Chunks>
bool CheckNames(const Chunks& chunks, BatchResult* batch) {
  batch->results.resize(chunks.size());
  for (const auto& chunk : chunks) {
    batch->status = ValidateChunkName(chunk.name);
    if (batch->status.ok() && chunk.name.volume != chunks.front().name.volume) {
      batch->status = absl::InvalidArgumentError("the chunks of a request are of one volume");
    }
    if (!batch->status.ok()) return false;
  }
  return true;
}

// Puts the results of a request in their place; false if the rest must not be tried.
bool Take(const BatchResult& part, size_t first, BatchResult* whole) {
  std::copy(part.results.begin(), part.results.end(),
            whole->results.begin() + static_cast<std::ptrdiff_t>(first));
  if (whole->status.ok()) whole->status = part.status;
  if (part.status.ok()) return true;
  const auto error = ErrorOf(part.status);
  return error == ClientError::kConflict || error == ClientError::kOverQuota ||
         error == ClientError::kAlreadyThere || error == ClientError::kDriverRefused;
}

ControlChunk ToControl(const ChunkToPut& chunk) {
  return {.name = chunk.name,
          .hash = HashOf(chunk.bytes),
          .has_hash = true,
          .size = chunk.bytes.size(),
          .offset = chunk.offset,
          .length = chunk.length};
}

}  // namespace

BatchResult ReplicaClient::Put(const std::vector<ChunkToPut>& chunks, const PutOptions& options,
                               const CallLimits& limits) {
  BatchResult batch;
  if (!CheckNames(chunks, &batch)) return batch;
  for (size_t first = 0; first < chunks.size();) {
    ControlMessage message = impl_->NewMessage(Operation::kPut, chunks[first].name.volume);
    message.path = options.path;
    message.only_if_absent = options.only_if_absent;
    std::vector<std::string_view> data;
    uint64_t bytes = 0;
    size_t next = first;
    while (next < chunks.size() && data.size() < impl_->options().max_request_chunks) {
      const uint64_t size = chunks[next].bytes.size();
      if (!data.empty() && bytes + size > impl_->options().max_request_bytes) break;
      message.chunks.push_back(ToControl(chunks[next]));
      data.push_back(chunks[next].bytes);
      bytes += size;
      ++next;
    }
    if (!Take(impl_->Send(message, data, limits), first, &batch)) return batch;
    first = next;
  }
  return batch;
}

namespace {

// Calls `send` with as many of the chunks at a time as a request may have.
template <typename Send>
BatchResult InRequests(const std::vector<ChunkRef>& chunks, size_t at_a_time, const Send& send) {
  BatchResult batch;
  if (!CheckNames(chunks, &batch)) return batch;
  for (size_t first = 0; first < chunks.size(); first += at_a_time) {
    const size_t count = std::min(at_a_time, chunks.size() - first);
    std::vector<ControlChunk> part;
    part.reserve(count);
    for (const ChunkRef& one : std::span(chunks).subspan(first, count)) {
      part.push_back({.name = one.name,
                      .hash = one.hash.value_or(ChunkHash()),
                      .has_hash = one.hash.has_value()});
    }
    if (!Take(send(std::move(part)), first, &batch)) return batch;
  }
  return batch;
}

}  // namespace

BatchResult ReplicaClient::Delete(const std::vector<ChunkRef>& chunks, const CallLimits& limits) {
  return InRequests(
      chunks, impl_->options().max_request_chunks, [&](std::vector<ControlChunk> part) {
        ControlMessage message = impl_->NewMessage(Operation::kDelete, part.front().name.volume);
        message.chunks = std::move(part);
        return impl_->Send(message, {}, limits);
      });
}

BatchResult ReplicaClient::Lacking(const std::vector<ChunkRef>& chunks, const CallLimits& limits) {
  return InRequests(
      chunks, impl_->options().max_request_chunks, [&](std::vector<ControlChunk> part) {
        ControlMessage message = impl_->NewMessage(Operation::kLacking, part.front().name.volume);
        message.chunks = std::move(part);
        BatchResult batch = impl_->Send(message, {}, limits);
        // A conflict is an answer here, not an error.
        if (ErrorOf(batch.status) == ClientError::kConflict) batch.status = absl::OkStatus();
        return batch;
      });
}

absl::Status ReplicaClient::Rename(const std::string& volume, const std::string& path,
                                   const std::string& new_path,
                                   const std::optional<ChunkToPut>& manifest,
                                   const CallLimits& limits) {
  ControlMessage message = impl_->NewMessage(Operation::kRename, volume);
  message.path = path;
  message.new_path = new_path;
  std::vector<std::string_view> data;
  if (manifest) {
    message.chunks.push_back(ToControl(*manifest));
    data.push_back(manifest->bytes);
  }
  return impl_->Send(message, data, limits).status;
}

absl::StatusOr<std::string> ReplicaClient::Get(const ChunkName& name, const ChunkHash& hash,
                                               const CallLimits& limits) {
  PODKIT_RETURN_IF_ERROR(ValidateChunkName(name));
  PODKIT_ASSIGN_OR_RETURN(HttpAnswer answer, impl_->Read("GET", ChunkPath(name), limits));
  if (HashOf(answer.body) == hash) return std::move(answer.body);
  return Named(ClientError::kWrongBytes, impl_->Says(fmt::format("chunk {} has not the hash {}",
                                                                 ChunkPath(name), hash.Hex())));
}

absl::StatusOr<ChunkInfo> ReplicaClient::Look(const ChunkName& name, const CallLimits& limits) {
  PODKIT_RETURN_IF_ERROR(ValidateChunkName(name));
  PODKIT_ASSIGN_OR_RETURN(const HttpAnswer answer, impl_->Read("HEAD", ChunkPath(name), limits));
  std::string_view etag = answer.Header("etag");
  if (etag.size() > 2) etag = etag.substr(1, etag.size() - 2);
  const auto hash = ChunkHash::FromHex(etag);
  const auto size = ParseNumber<uint64_t>(answer.Header("content-length"));
  if (hash && size) return ChunkInfo{*hash, *size};
  return Named(ClientError::kFailed, impl_->Says("the reply has no ETag or no length"));
}

absl::StatusOr<std::string> ReplicaClient::Status(const CallLimits& limits) {
  PODKIT_ASSIGN_OR_RETURN(HttpAnswer answer, impl_->Read("GET", "/status", limits));
  return std::move(answer.body);
}

}  // namespace podkit::replica
