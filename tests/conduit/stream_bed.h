// Two pods with streams between them, on any test bed: B keeps one text, which A writes and reads.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "mux_bed.h"
#include "podkit/conduit/streams.h"
#include "sha256.h"
#include "stream_commands.h"
#include "two_pods.h"

namespace podkit::conduit {

inline constexpr size_t kPiece = 1000;

inline std::string TextOf(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
  return text;
}

// Text in memory, as the source and the sink of a caller.
struct Text : StreamSource, StreamSink {
  explicit Text(std::string the_text = {}, uint64_t the_held = 0)
      : text(std::move(the_text)), held(the_held) {}
  absl::StatusOr<std::string> Read(uint64_t offset, size_t max) override {
    largest = std::max(largest, max);
    return offset >= text.size() ? std::string() : text.substr(offset, max);
  }
  uint64_t Held() const override { return held; }
  absl::StatusOr<std::string> ReadHeld(uint64_t offset, size_t max) override {
    return Read(offset, max);
  }
  absl::Status Write(uint64_t offset, std::string_view bytes) override {
    if (offset != text.size()) return absl::InternalError("a gap");
    text += bytes;
    return absl::OkStatus();
  }
  std::string text;
  uint64_t held;
  size_t largest = 0;
};

// What pod B keeps: one text, and what happened to the streams that wrote it.
struct Shelf {
  std::string text;
  uint64_t full_at = UINT64_MAX;
  std::atomic<int> opened = 0, finished = 0, aborted = 0, given = 0;
  std::atomic<int> sinks = 0;  // There now.
  std::atomic<bool> keep = false;
  // May be empty; run before B writes or reads what is there.
  std::function<void(uint64_t offset)> before;

  struct Sink final : UploadSink<StreamEnd> {
    explicit Sink(Shelf* the_shelf) : shelf(the_shelf) {
      ++shelf->opened;
      ++shelf->sinks;
      if (!shelf->keep) shelf->text.clear();
    }
    ~Sink() override { --shelf->sinks; }
    uint64_t Held() const override { return shelf->text.size(); }
    absl::StatusOr<std::string> ReadHeld(uint64_t offset, size_t max) override {
      return shelf->text.substr(offset, max);
    }
    absl::Status Write(uint64_t offset, std::string_view bytes) override {
      if (shelf->before) shelf->before(offset);
      if (offset != shelf->text.size()) return absl::InternalError("a gap");
      if (offset + bytes.size() > shelf->full_at)
        return MakeError(ShelfFull{}, "the shelf is full");
      shelf->text += bytes;
      return absl::OkStatus();
    }
    absl::StatusOr<StreamEnd> Finish(const StreamEnd& end) override {
      ++shelf->finished;
      return end;
    }
    void Abort() override { ++shelf->aborted; }
    Shelf* const shelf;
  };
  struct Source final : DownloadSource<StreamEnd> {
    explicit Source(Shelf* the_shelf) : shelf(the_shelf) {}
    absl::StatusOr<std::string> Read(uint64_t offset, size_t max) override {
      if (shelf->before) shelf->before(offset);
      if (offset >= shelf->full_at) return MakeError(ShelfFull{}, "the rest of the shelf is gone");
      return offset >= shelf->text.size() ? std::string() : shelf->text.substr(offset, max);
    }
    absl::StatusOr<StreamEnd> Finish(const StreamEnd& end) override {
      ++shelf->given;
      return end;
    }
    Shelf* const shelf;
  };

  void Serve(Streams& streams) {
    streams.HandleUpload<Put>(
        [this](const CallContext&,
               const Named&) -> absl::StatusOr<std::unique_ptr<UploadSink<StreamEnd>>> {
          return std::make_unique<Sink>(this);
        });
    streams.HandleDownload<Get>(
        [this](const CallContext&,
               const Named&) -> absl::StatusOr<std::unique_ptr<DownloadSource<StreamEnd>>> {
          return std::make_unique<Source>(this);
        });
  }
};

inline StreamOptions Small() {
  return {.piece_bytes = kPiece, .max_repeats = 2, .repeat_after = absl::Milliseconds(1)};
}

inline std::string HashOf(std::string_view text) {
  internal::Sha256 hash;
  hash.Update(text);
  return hash.Hex();
}

// What B serves outlives the bed, which may still answer a call that its caller has given up.
struct WithShelf {
  Shelf shelf;
};

template <typename Bed>
struct StreamBed : WithShelf, Bed {
  explicit StreamBed(const StreamLimits& limits = {})
      : streams_a(&this->a), streams_b(&this->b, limits) {
    this->shelf.Serve(streams_b);
  }
  absl::StatusOr<StreamEnd> DoPut(StreamSource& source, const StreamOptions& options = Small()) {
    return streams_a.template Upload<Put>("B", {}, {"x"}, source, options);
  }
  absl::StatusOr<StreamEnd> DoGet(StreamSink& sink, const StreamOptions& options = Small()) {
    return streams_a.template Download<Get>("B", {}, {"x"}, sink, options);
  }
  // A piece as somebody else may make it.
  auto Raw(const internal::StreamPiece& piece, bool open, std::string bytes) {
    typename PieceOf<Put>::Arguments call{.stream = piece, .open = {}};
    if (open) call.open = {.target = {}, .arguments = {"x"}};
    return this->a.template Call<PieceOf<Put>>(
        "B", call, {.payload = std::make_shared<const std::string>(std::move(bytes))});
  }
  Streams streams_a;
  Streams streams_b;
};

}  // namespace podkit::conduit
