#include "loaded_driver.h"

#include <dlfcn.h>

#include <array>
#include <cerrno>

#include "fmt/format.h"
#include "podkit/replica/driver.h"

namespace podkit::replica {
namespace {

absl::Status NoDriver(std::string_view path, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("driver {}: {}", path, why));
}

PodkitReplicaRequest Native(const DriverRequest& request) {
  return {.volume = request.name.volume.c_str(),
          .file = request.name.file.c_str(),
          .file_version = request.name.file_version,
          .is_manifest = request.name.kind == ChunkKind::kManifest ? 1 : 0,
          .id = request.name.id,
          .version = request.name.version,
          .path = request.path.c_str(),
          .new_path = request.new_path.c_str(),
          .hash = request.hash.c_str(),
          .offset = request.offset,
          .length = request.length};
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoadedDriver>> LoadedDriver::Load(const std::string& path,
                                                                 const DriverSettings& settings) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return NoDriver(path, dlerror());
  const auto* code =
      static_cast<const PodkitReplicaDriver*>(dlsym(library, "podkit_replica_driver"));
  if (code == nullptr) return NoDriver(path, "it does not define podkit_replica_driver");
  if (code->version != kPodkitReplicaDriverVersion) {
    return NoDriver(path,
                    fmt::format("it is for version {} of the interface, not {}", code->version,
                                static_cast<int>(kPodkitReplicaDriverVersion)));
  }
  if (code->open == nullptr || code->read_chunk == nullptr || code->write_chunk == nullptr ||
      code->delete_chunk == nullptr) {
    // A driver that only transforms chunks is whole without these.
    if (code->open == nullptr || code->serialize == nullptr || code->deserialize == nullptr) {
      return NoDriver(path, "it lacks functions that must not be NULL");
    }
  }
  std::array<char, 512> why = {};
  void* const state =
      code->open(settings.config.c_str(), settings.secrets.c_str(), why.data(), why.size() - 1);
  if (state == nullptr) return NoDriver(path, why.data());
  return std::unique_ptr<LoadedDriver>(new LoadedDriver(code, state));
}

LoadedDriver::~LoadedDriver() {
  if (code_->close != nullptr) code_->close(state_);
}

std::string_view LoadedDriver::name() const { return code_->name == nullptr ? "" : code_->name; }

bool LoadedDriver::Has(DriverMethod method) const {
  switch (method) {
    case DriverMethod::kRead:
      return code_->read_chunk != nullptr;
    case DriverMethod::kWrite:
      return code_->write_chunk != nullptr;
    case DriverMethod::kDelete:
      return code_->delete_chunk != nullptr;
    case DriverMethod::kRename:
      return code_->rename_file != nullptr;
    case DriverMethod::kSerialize:
      return code_->serialize != nullptr;
    case DriverMethod::kDeserialize:
      return code_->deserialize != nullptr;
  }
  return false;
}

int LoadedDriver::Call(DriverMethod method, const DriverRequest& request, std::string_view chunk,
                       int chunk_fd) {
  const PodkitReplicaRequest native = Native(request);
  const auto call = [&] {
    switch (method) {
      case DriverMethod::kRead:
        return code_->read_chunk(state_, &native, chunk_fd);
      case DriverMethod::kWrite:
        return code_->write_chunk(state_, &native, chunk.data(), chunk.size());
      case DriverMethod::kDelete:
        return code_->delete_chunk(state_, &native);
      case DriverMethod::kRename:
        return code_->rename_file(state_, &native);
      case DriverMethod::kSerialize:
        return code_->serialize(state_, &native, chunk.data(), chunk.size(), chunk_fd);
      case DriverMethod::kDeserialize:
        return code_->deserialize(state_, &native, chunk.data(), chunk.size(), chunk_fd);
    }
    return -ENOSYS;
  };
  const int error = call();
  return error <= 0 && error >= -4095 ? error : -EIO;
}

}  // namespace podkit::replica
