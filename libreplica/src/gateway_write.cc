#include <cerrno>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "files.h"
#include "fmt/format.h"
#include "gateway_core.h"

namespace podkit::replica {
namespace {

// One request: each chunk in its order, until something fails that is not the driver's answer.
class Performance {
 public:
  Performance(GatewayCore* core, const AdmittedControl& control, MemoryFile* data)
      : core_(*core), control_(control), data_(data), driver_(core->driver()) {
    reply_.gateway = core_.options.id;
    reply_.request = control.request;
    reply_.results.resize(control.message.chunks.size());
  }

  // Fills the reply; an error is the gateway's own.
  absl::Status Run() {
    const ControlMessage& message = control_.message;
    if (message.operation == Operation::kRename) PODKIT_RETURN_IF_ERROR(Rename());
    if (reply_.error != 0) return absl::OkStatus();
    uint64_t offset = 0;
    for (size_t i = 0; i < message.chunks.size(); ++i) {
      const ControlChunk& chunk = message.chunks[i];
      auto result = One(chunk, offset);
      if (!result.ok()) return result.status();
      if (result->error != 0 && reply_.error == 0) {
        reply_.error = result->error;
        reply_.text = "the driver refused a chunk";
      }
      conflict_ = conflict_ || result->outcome == ChunkOutcome::kConflict;
      reply_.results[i] = *result;
      offset += chunk.size;
    }
    return absl::OkStatus();
  }

  ControlReply& reply() { return reply_; }
  // 200 for what the driver said; a conflict is the sender's, and so is too much.
  int status() const { return already_there_ ? 412 : conflict_ ? 409 : over_quota_ ? 507 : 200; }
  bool all_well() const { return reply_.error == 0 && status() == 200; }

 private:
  absl::StatusOr<ChunkResult> One(const ControlChunk& chunk, uint64_t offset) {
    switch (control_.message.operation) {
      case Operation::kPut:
      case Operation::kRename:
        return Put(chunk, offset);
      case Operation::kDelete:
        return Delete(chunk);
      case Operation::kLacking:
        return Lacking(chunk);
    }
    return absl::InternalError("an operation without a meaning");
  }

  DriverRequest RequestFor(const ControlChunk& chunk) const {
    const ControlMessage& message = control_.message;
    return {.name = chunk.name,
            .path = message.operation == Operation::kRename ? message.new_path : message.path,
            .hash = chunk.has_hash ? chunk.hash.Hex() : "",
            .offset = chunk.offset,
            .length = chunk.length};
  }

  absl::StatusOr<ChunkResult> Put(const ControlChunk& chunk, uint64_t offset) {
    const std::string key = KeyOf(chunk.name);
    PODKIT_ASSIGN_OR_RETURN(const auto held, core_.locks.Take(key, core_.DriverDeadline()));
    PODKIT_ASSIGN_OR_RETURN(const auto entry, core_.catalog->Find(key));
    const bool same = entry && entry->hash == chunk.hash && entry->size == chunk.size;
    const bool mends = same && entry->damage != ChunkDamage::kNone;
    if (entry && !mends) {
      already_there_ = already_there_ || control_.message.only_if_absent;
      return ChunkResult{same ? ChunkOutcome::kPresent : ChunkOutcome::kConflict};
    }
    if (mends) {
      auto mended = Store(chunk, offset);
      if (mended.ok() && mended->outcome == ChunkOutcome::kStored) ++core_.mended;
      return mended;
    }
    const auto quota = core_.gate.QuotaOf(chunk.name.volume);
    PODKIT_ASSIGN_OR_RETURN(auto change, BeginChange(chunk, quota.has_value()));
    if (!change.Take(chunk.size, quota)) return OverQuota(chunk, quota.value_or(0));
    auto stored = Store(chunk, offset);
    if (!stored.ok() || stored->outcome != ChunkOutcome::kStored) change.Give(chunk.size);
    return stored;
  }

  absl::StatusOr<ChunkResult> Store(const ControlChunk& chunk, uint64_t offset) {
    const FileBytes bytes = {data_ == nullptr ? -1 : data_->fd(), offset, chunk.size};
    PODKIT_ASSIGN_OR_RETURN(const int error, StoreChunk(&core_, driver_.get(), RequestFor(chunk),
                                                        bytes, {chunk.hash, chunk.size}));
    if (error != 0) return ChunkResult{ChunkOutcome::kFailed, error};
    ++core_.stored;
    return ChunkResult{ChunkOutcome::kStored};
  }

  absl::StatusOr<VolumeUse::Change> BeginChange(const ControlChunk& chunk, bool counted) {
    return core_.use.Begin(chunk.name.volume, counted, core_.catalog.get(), core_.DriverDeadline());
  }

  ChunkResult OverQuota(const ControlChunk& chunk, uint64_t quota) {
    over_quota_ = true;
    if (reply_.text.empty()) {
      reply_.text = fmt::format("volume '{}' has a quota of {} bytes and no room for {} more",
                                chunk.name.volume, quota, chunk.size);
    }
    return ChunkResult{ChunkOutcome::kOverQuota};
  }

  absl::StatusOr<ChunkResult> Delete(const ControlChunk& chunk) {
    const std::string key = KeyOf(chunk.name);
    PODKIT_ASSIGN_OR_RETURN(const auto held, core_.locks.Take(key, core_.DriverDeadline()));
    PODKIT_ASSIGN_OR_RETURN(const auto entry, core_.catalog->Find(key));
    if (entry && chunk.has_hash && entry->hash != chunk.hash) {
      return ChunkResult{ChunkOutcome::kConflict};
    }
    const bool counted = core_.gate.QuotaOf(chunk.name.volume).has_value();
    PODKIT_ASSIGN_OR_RETURN(auto change, BeginChange(chunk, counted));
    // Asked also for what is not in the catalog: a delete that failed half-way is repeated.
    PODKIT_ASSIGN_OR_RETURN(const int error, driver_->Call(DriverMethod::kDelete, RequestFor(chunk),
                                                           {}, -1, core_.DriverDeadline()));
    if (error != 0 && error != -ENOENT) return ChunkResult{ChunkOutcome::kFailed, error};
    if (entry) {
      PODKIT_RETURN_IF_ERROR(core_.catalog->Remove(key));
      change.Give(entry->size);
    }
    if (core_.cache != nullptr) core_.cache->Remove(key);
    core_.deleted += entry ? 1 : 0;
    return ChunkResult{ChunkOutcome::kDeleted};
  }

  absl::StatusOr<ChunkResult> Lacking(const ControlChunk& chunk) const {
    PODKIT_ASSIGN_OR_RETURN(const auto entry, core_.catalog->Find(KeyOf(chunk.name)));
    if (!entry) return ChunkResult{ChunkOutcome::kAbsent};
    if (chunk.has_hash && entry->hash != chunk.hash) return ChunkResult{ChunkOutcome::kConflict};
    const bool whole = entry->damage == ChunkDamage::kNone;
    return ChunkResult{whole ? ChunkOutcome::kPresent : ChunkOutcome::kAbsent};
  }

  // A driver that does not care where files are is not asked.
  absl::Status Rename() {
    if (!driver_->Has(DriverMethod::kRename)) return absl::OkStatus();
    const ControlMessage& message = control_.message;
    DriverRequest request;
    request.name.volume = message.volume;
    if (!message.chunks.empty()) request.name = message.chunks[0].name;
    request.path = message.path;
    request.new_path = message.new_path;
    PODKIT_ASSIGN_OR_RETURN(reply_.error, driver_->Call(DriverMethod::kRename, request, {}, -1,
                                                        core_.DriverDeadline()));
    if (reply_.error != 0) reply_.text = "the driver refused the rename";
    return absl::OkStatus();
  }

  GatewayCore& core_;
  const AdmittedControl& control_;
  MemoryFile* const data_;
  const std::shared_ptr<ChunkDriver> driver_;
  ControlReply reply_;
  bool conflict_ = false;
  bool already_there_ = false;
  bool over_quota_ = false;
};

}  // namespace

absl::StatusOr<int> StoreChunk(GatewayCore* core, ChunkDriver* driver, const DriverRequest& request,
                               FileBytes bytes, const CatalogEntry& entry) {
  std::unique_ptr<MemoryFile> kept;
  if (driver->Has(DriverMethod::kDeserialize)) {
    PODKIT_ASSIGN_OR_RETURN(kept, MemoryFile::Create(core->memory, entry.size));
    PODKIT_ASSIGN_OR_RETURN(const int error,
                            driver->Call(DriverMethod::kDeserialize, request, bytes, kept->fd(),
                                         core->DriverDeadline()));
    if (error != 0) return error;
    PODKIT_RETURN_IF_ERROR(kept->Seal());
    PODKIT_ASSIGN_OR_RETURN(const uint64_t size, SizeOf(kept->fd(), "a chunk"));
    bytes = {kept->fd(), 0, size};
  }
  PODKIT_ASSIGN_OR_RETURN(const int error, driver->Call(DriverMethod::kWrite, request, bytes, -1,
                                                        core->DriverDeadline()));
  if (error != 0) return error;
  const std::string key = KeyOf(request.name);
  PODKIT_RETURN_IF_ERROR(core->catalog->Put(key, entry));
  core->absences.Forget(key);
  return 0;
}

GatewayReply Perform(GatewayCore* core, const AdmittedControl& control, MemoryFile* data,
                     bool wants_reply) {
  Performance performance(core, control, data);
  const absl::Status run = performance.Run();
  const Operation operation = control.message.operation;
  const bool always = operation == Operation::kPut || operation == Operation::kLacking;
  GatewayReply reply;
  if (run.ok()) {
    reply.status = performance.status();
    if (performance.all_well() && !always && !wants_reply) return reply;
  } else {
    reply = core->Refusal(run);
    performance.reply().text = std::string(run.message());
  }
  reply.body = core->options.key.SignText(SignedFor::kReply, core->options.id,
                                          EncodeReply(performance.reply()));
  std::erase_if(reply.headers, [](const auto& header) { return header.first == "Content-Type"; });
  reply.headers.emplace_back("Content-Type", kReplyType);
  return reply;
}

}  // namespace podkit::replica
