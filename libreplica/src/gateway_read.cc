#include <algorithm>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "fmt/format.h"
#include "gateway_core.h"

namespace podkit::replica {
namespace {

// The bytes of a chunk, wherever they are.
struct Found {
  ChunkHash hash;
  uint64_t size = 0;
  ChunkDamage damage = ChunkDamage::kNone;    // When it was last read.
  std::shared_ptr<const CachedChunk> cached;  // One of both, or none for HEAD.
  std::shared_ptr<MemoryFile> fetched;
};

struct Range {
  uint64_t offset = 0;
  uint64_t size = 0;
};

// One range of a GET. Nothing if the header is to be ignored: it has another form, or many ranges.
// An error if no byte is in it.
absl::StatusOr<std::optional<Range>> RangeOf(std::string_view header, uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return std::nullopt;
  header.remove_prefix(kUnit.size());
  const size_t dash = header.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = ParseNumber<uint64_t>(header.substr(0, dash));
  const auto last = ParseNumber<uint64_t>(header.substr(dash + 1));
  if ((!first && dash != 0) || (!last && dash + 1 != header.size()) || (!first && !last)) {
    return std::nullopt;
  }
  if (first && last && *first > *last) return std::nullopt;
  if ((first && *first >= size) || (!first && (*last == 0 || size == 0))) {
    return absl::OutOfRangeError("the range is beyond the chunk");
  }
  if (!first) return Range{size - std::min(*last, size), std::min(*last, size)};
  return Range{*first, std::min(last.value_or(size - 1), size - 1) - *first + 1};
}

bool Matches(std::string_view if_none_match, std::string_view etag) {
  for (std::string_view one : SplitText(if_none_match, ',')) {
    one = TrimSpace(one);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == etag || one == "*") return true;
  }
  return false;
}

class Reader {
 public:
  Reader(GatewayCore* core, const ParsedChunkPath& path)
      : core_(*core), path_(path), key_(KeyOf(path.name)) {}

  // What the chunk is, not its bytes. kNotFound if there is none.
  absl::StatusOr<Found> Look() {
    if (core_.cache != nullptr) {
      if (auto cached = core_.cache->Find(key_))
        return Found{cached->hash, cached->size, ChunkDamage::kNone, cached, {}};
    }
    PODKIT_ASSIGN_OR_RETURN(const auto entry, core_.catalog->Find(key_));
    if (!entry) return absl::NotFoundError("there is no such chunk");
    return Found{entry->hash, entry->size, entry->damage, nullptr, nullptr};
  }

  // Gives the chunk the bytes of the range, verified: those of the cache, or all from the driver.
  absl::StatusOr<Found> Load(Found looked, const Range& range) {
    if (looked.cached != nullptr && IsGood(*looked.cached, range)) {
      ++core_.cache_hits;
      return looked;
    }
    // Whoever comes second waits for the first, and then finds the chunk in the cache.
    PODKIT_ASSIGN_OR_RETURN(const auto held, core_.locks.Take(key_, core_.DriverDeadline()));
    if (auto found = FromCache(range)) {
      ++core_.cache_hits;
      return *std::move(found);
    }
    if (core_.absences.Has(key_, core_.options.now())) {
      ++core_.cache_absent;
      return ToStatus(ChunkDamage::kLost);
    }
    ++core_.cache_misses;
    PODKIT_ASSIGN_OR_RETURN(const auto entry, core_.catalog->Find(key_));
    if (!entry) return absl::NotFoundError("there is no such chunk");
    PODKIT_ASSIGN_OR_RETURN(FetchedChunk fetched,
                            FetchChunk(&core_, path_.name, path_.fs_path, *entry));
    PODKIT_RETURN_IF_ERROR(ToStatus(fetched.damage));
    const std::shared_ptr<MemoryFile> file = std::move(fetched.file);
    if (core_.cache != nullptr) core_.cache->Insert(key_, entry->hash, file->fd(), entry->size);
    return Found{entry->hash, entry->size, ChunkDamage::kNone, nullptr, file};
  }

 private:
  std::optional<Found> FromCache(const Range& range) {
    if (core_.cache == nullptr) return std::nullopt;
    auto cached = core_.cache->Find(key_);
    if (cached == nullptr || !IsGood(*cached, range)) return std::nullopt;
    return Found{cached->hash, cached->size, ChunkDamage::kNone, cached, nullptr};
  }

  bool IsGood(const CachedChunk& cached, const Range& range) {
    if (cached.Verify(range.offset, range.size)) return true;
    core_.options.log(fmt::format("chunk {}: damaged in the cache, fetched again", key_));
    core_.cache->Remove(key_);
    return false;
  }

  GatewayCore& core_;
  const ParsedChunkPath& path_;
  const std::string key_;
};

GatewayReply Headed(int status, const Found& found, bool is_private) {
  return {.status = status,
          .headers = {{"ETag", fmt::format("\"{}\"", found.hash.Hex())},
                      {"Cache-Control", fmt::format("{}, max-age=31536000, immutable",
                                                    is_private ? "private" : "public")},
                      {"Accept-Ranges", "bytes"},
                      {"Content-Type", "application/octet-stream"}}};
}

FileBody BodyOf(const Found& found, const Range& range) {
  if (found.cached != nullptr)
    return {found.cached, found.cached->fd.get(), range.offset, range.size};
  return {found.fetched, found.fetched->fd(), range.offset, range.size};
}

absl::StatusOr<GatewayReply> Serve(GatewayCore* core, const GatewayRequest& request) {
  const std::string_view target = request.target;
  PODKIT_ASSIGN_OR_RETURN(const ParsedChunkPath path,
                          ParseChunkPath(target.substr(0, target.find('?'))));
  const bool is_private = core->gate.IsPrivate(path.name.volume);
  if (is_private) {
    PODKIT_RETURN_IF_ERROR(core->gate.AdmitRead(request.method, request.target, path.name.volume,
                                                HeaderOf(request, "authorization"),
                                                core->options.now()));
  }
  Reader reader(core, path);
  PODKIT_ASSIGN_OR_RETURN(Found found, reader.Look());
  const std::string etag = fmt::format("\"{}\"", found.hash.Hex());
  if (Matches(HeaderOf(request, "if-none-match"), etag)) return Headed(304, found, is_private);
  if (request.method == "HEAD") {
    PODKIT_RETURN_IF_ERROR(ToStatus(found.damage));
    GatewayReply reply = Headed(200, found, is_private);
    reply.headers.emplace_back("Content-Length", fmt::format("{}", found.size));
    return reply;
  }
  const std::string_view if_range = HeaderOf(request, "if-range");
  std::optional<Range> part;
  if (if_range.empty() || if_range == etag) {
    const auto range = RangeOf(HeaderOf(request, "range"), found.size);
    if (!range.ok()) {
      GatewayReply reply = {.status = 416};
      reply.headers.emplace_back("Content-Range", fmt::format("bytes */{}", found.size));
      return reply;
    }
    part = *range;
  }
  const Range range = part.value_or(Range{0, found.size});
  const ChunkHash hash = found.hash;
  PODKIT_ASSIGN_OR_RETURN(found, reader.Load(std::move(found), range));
  if (found.hash != hash) return absl::UnavailableError("the chunk was just replaced");
  GatewayReply reply = Headed(part ? 206 : 200, found, is_private);
  if (part) {
    reply.headers.emplace_back(
        "Content-Range",
        fmt::format("bytes {}-{}/{}", range.offset, range.offset + range.size - 1, found.size));
  }
  reply.file = BodyOf(found, range);
  return reply;
}

}  // namespace

GatewayReply ServeChunk(GatewayCore* core, const GatewayRequest& request) {
  auto reply = Serve(core, request);
  return reply.ok() ? *std::move(reply) : core->Refusal(reply.status());
}

}  // namespace podkit::replica
