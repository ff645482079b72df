#include "mux/output.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "mux/record.h"

namespace podkit::conduit::internal {
namespace {

// Short frames fill a record so far that a chunk has room beside them: long bodies always move.
constexpr size_t kMaxShortBytes = kMaxRecordBytes - kMaxFrameBytes;

}  // namespace

void MuxOutput::Add(const Frame& frame) {
  const size_t size = kFrameHeaderBytes + 6 + frame.body.size();
  if (short_.empty() || short_.back().bytes.size() + size > kRecordHeaderBytes + kMaxShortBytes) {
    Record record;
    record.bytes.reserve(256 + frame.body.size());
    record.bytes.assign(kRecordHeaderBytes, '\0');
    short_.push_back(std::move(record));
  }
  Record& record = short_.back();
  const size_t before = record.bytes.size();
  AppendFrame(frame, &record.bytes);
  waiting_bytes_ += record.bytes.size() - before;
  if (frame.type == FrameType::kCall) record.last_call = frame.id;
}

void MuxOutput::AddBody(uint64_t id, std::string body) {
  bodies_[id] = Body{.bytes = std::move(body), .in_turn = true};
  turns_.push_back(id);
}

void MuxOutput::DropBody(uint64_t id) {
  const auto entry = bodies_.find(id);
  if (entry == bodies_.end()) return;
  if (entry->second.in_turn) turns_.erase(std::find(turns_.begin(), turns_.end(), id));
  bodies_.erase(entry);
}

absl::Status MuxOutput::AddCredit(uint64_t id, size_t bytes) {
  if (id == 0) {
    if (bytes > kConnectionWindowBytes - credit_) {
      return absl::InvalidArgumentError("credit beyond the connection's window");
    }
    credit_ += bytes;
    return absl::OkStatus();
  }
  const auto entry = bodies_.find(id);
  if (entry == bodies_.end()) return absl::OkStatus();
  Body& body = entry->second;
  if (bytes > kBodyWindowBytes - body.credit) {
    return absl::InvalidArgumentError(fmt::format("credit beyond the window of body {}", id));
  }
  body.credit += bytes;
  if (!std::exchange(body.in_turn, true)) turns_.push_back(id);
  return absl::OkStatus();
}

MuxOutput::Record MuxOutput::TakeRecord() {
  Record record;
  if (!short_.empty()) {
    record = std::move(short_.front());
    short_.pop_front();
    waiting_bytes_ -= record.bytes.size() - kRecordHeaderBytes;
  }
  AddChunks(&record);
  return record;
}

void MuxOutput::AddChunks(Record* record) {
  while (!turns_.empty() && credit_ > 0) {
    if (record->bytes.size() > kRecordHeaderBytes + kMaxShortBytes) return;
    if (record->bytes.empty()) record->bytes.assign(kRecordHeaderBytes, '\0');
    AddChunk(record);
  }
}

void MuxOutput::AddChunk(Record* record) {
  const uint64_t id = turns_.front();
  turns_.pop_front();
  Body& body = bodies_.find(id)->second;
  const size_t size =
      std::min({kMaxChunkBytes, body.bytes.size() - body.sent, body.credit, credit_});
  AppendFrame({.type = FrameType::kChunk,
               .id = id,
               .body = std::string_view(body.bytes).substr(body.sent, size)},
              &record->bytes);
  body.sent += size;
  body.credit -= size;
  credit_ -= size;
  if (body.sent == body.bytes.size()) {
    record->ended_bodies.push_back(id);
    bodies_.erase(id);
    return;
  }
  body.in_turn = body.credit > 0;
  if (body.in_turn) turns_.push_back(id);
}

}  // namespace podkit::conduit::internal
