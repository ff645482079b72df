#include "multipart_parser.h"

#include <cstring>
#include <optional>

#include "common/status_macros.h"
#include "common/text.h"
#include "fmt/format.h"

namespace podkit::replica {
namespace {

constexpr size_t kMaxHeader = 4096;
constexpr size_t kMaxBoundary = 70;  // RFC 2046.
constexpr std::string_view kLineEnd = "\r\n";

absl::Status Malformed(std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("malformed multipart body: {}", why));
}

// The value of `key` among the ';'-separated parameters behind the first word of a header.
std::optional<std::string> Parameter(std::string_view header, std::string_view key) {
  size_t at = header.find(';');
  while (at != std::string_view::npos) {
    header.remove_prefix(at + 1);
    const size_t equals = header.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view name = TrimSpace(header.substr(0, equals));
    header.remove_prefix(equals + 1);
    header.remove_prefix(std::min(header.find_first_not_of(" \t"), header.size()));
    std::string value;
    if (header.starts_with('"')) {
      const size_t end = header.find('"', 1);
      if (end == std::string_view::npos) return std::nullopt;
      value = header.substr(1, end - 1);
      header.remove_prefix(end + 1);
    } else {
      value = TrimSpace(header.substr(0, header.find(';')));
    }
    if (EqualsIgnoreCase(name, key)) return value;
    at = header.find(';');
  }
  return std::nullopt;
}

bool IsBoundary(std::string_view text) {
  constexpr std::string_view kMarks = "'()+_,-./:=? ";
  if (text.empty() || text.size() > kMaxBoundary || text.back() == ' ') return false;
  for (const char c : text) {
    const char lower = AsciiLower(c);
    const bool alphanumeric = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
    if (!alphanumeric && kMarks.find(c) == std::string_view::npos) return false;
  }
  return true;
}

// The name of the part that has these header lines.
std::optional<std::string> PartName(std::string_view header) {
  std::optional<std::string> name;
  while (!header.empty()) {
    const size_t end = header.find(kLineEnd);
    const std::string_view line = header.substr(0, end);
    header.remove_prefix(end == std::string_view::npos ? header.size() : end + kLineEnd.size());
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    if (!EqualsIgnoreCase(line.substr(0, colon), "content-disposition")) continue;
    const std::string_view value = TrimSpace(line.substr(colon + 1));
    if (name || !EqualsIgnoreCase(TrimSpace(value.substr(0, value.find(';'))), "form-data")) {
      return std::nullopt;
    }
    name = Parameter(value, "name");
    if (!name) return std::nullopt;
  }
  return name;
}

}  // namespace

absl::StatusOr<MultipartParser> MultipartParser::ForContentType(std::string_view content_type) {
  const std::string_view type = TrimSpace(content_type.substr(0, content_type.find(';')));
  if (!EqualsIgnoreCase(type, "multipart/form-data")) {
    return absl::InvalidArgumentError("the body must be multipart/form-data");
  }
  const auto boundary = Parameter(content_type, "boundary");
  if (!boundary || !IsBoundary(*boundary)) {
    return absl::InvalidArgumentError("the Content-Type has no valid boundary");
  }
  return MultipartParser(*boundary);
}

// The first boundary has no line end before it: pretend that it has.
MultipartParser::MultipartParser(std::string_view boundary)
    : delimiter_(fmt::format("\r\n--{}", boundary)), held_(kLineEnd) {}

absl::Status MultipartParser::Feed(std::string_view bytes, Handler* handler) {
  // Data is passed on without a copy: only what is held from before is joined with what follows.
  while (!held_.empty()) {
    const size_t more = std::min(bytes.size(), delimiter_.size());
    held_.append(bytes.substr(0, more));
    bytes.remove_prefix(more);
    std::string joined = std::move(held_);
    held_.clear();
    input_ = joined;
    for (;;) {
      PODKIT_ASSIGN_OR_RETURN(const bool again, Step(handler));
      if (!again) break;
    }
    held_ = input_;
    if (more == 0) return absl::OkStatus();
  }
  input_ = bytes;
  for (;;) {
    PODKIT_ASSIGN_OR_RETURN(const bool again, Step(handler));
    if (!again) break;
  }
  held_ = input_;
  input_ = {};
  return absl::OkStatus();
}

absl::StatusOr<bool> MultipartParser::Step(Handler* handler) {
  switch (state_) {
    case State::kBoundary:
      return TakeBoundary();
    case State::kBoundaryEnd:
      return TakeBoundaryEnd();
    case State::kHeader:
      return TakeHeader(handler);
    case State::kData:
      return TakeData(handler);
    case State::kEpilogue:
      if (input_.find_first_not_of("\r\n \t") != std::string_view::npos) {
        return Malformed("something follows the last boundary");
      }
      input_ = {};
      return false;
  }
  return false;
}

absl::StatusOr<bool> MultipartParser::TakeBoundary() {
  const std::string_view expected = std::string_view(delimiter_).substr(0, input_.size());
  if (!input_.starts_with(expected)) return Malformed("it does not begin with its boundary");
  if (input_.size() < delimiter_.size()) return false;
  Consume(delimiter_.size());
  state_ = State::kBoundaryEnd;
  return true;
}

absl::StatusOr<bool> MultipartParser::TakeBoundaryEnd() {
  if (input_.size() < 2) return false;
  const std::string_view end = input_.substr(0, 2);
  if (end != kLineEnd && end != "--") return Malformed("a boundary is followed by other text");
  // The line end stays: it ends the line before an empty header, too.
  state_ = end == "--" ? State::kEpilogue : State::kHeader;
  if (state_ == State::kEpilogue) Consume(2);
  return true;
}

absl::StatusOr<bool> MultipartParser::TakeHeader(Handler* handler) {
  const size_t end = input_.substr(0, kMaxHeader).find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (input_.size() >= kMaxHeader) return Malformed("the header of a part is beyond 4 KiB");
    return false;
  }
  if (end < kLineEnd.size()) return Malformed("a part without a header");
  const auto name = PartName(input_.substr(kLineEnd.size(), end - kLineEnd.size()));
  if (!name) return Malformed("a part has no Content-Disposition: form-data with a name");
  Consume(end + 4);
  PODKIT_RETURN_IF_ERROR(handler->OnPart(*name));
  state_ = State::kData;
  return true;
}

absl::StatusOr<bool> MultipartParser::TakeData(Handler* handler) {
  if (input_.empty()) return false;
  const void* found = memmem(input_.data(), input_.size(), delimiter_.data(), delimiter_.size());
  if (found != nullptr) {
    const size_t size = static_cast<size_t>(static_cast<const char*>(found) - input_.data());
    if (size > 0) PODKIT_RETURN_IF_ERROR(handler->OnData(input_.substr(0, size)));
    Consume(size + delimiter_.size());
    PODKIT_RETURN_IF_ERROR(handler->OnPartEnd());
    state_ = State::kBoundaryEnd;
    return true;
  }
  // The delimiter may have begun in the last bytes: hold from where it can have.
  const size_t from = input_.size() - std::min(input_.size(), delimiter_.size() - 1);
  size_t hold = input_.find('\r', from);
  while (hold != std::string_view::npos &&
         !std::string_view(delimiter_).starts_with(input_.substr(hold))) {
    hold = input_.find('\r', hold + 1);
  }
  const std::string_view data = input_.substr(0, hold);
  input_.remove_prefix(data.size());
  if (!data.empty()) PODKIT_RETURN_IF_ERROR(handler->OnData(data));
  return false;
}

absl::Status MultipartParser::Finish() const {
  if (state_ != State::kEpilogue) return Malformed("it ends before its last boundary");
  return absl::OkStatus();
}

}  // namespace podkit::replica
