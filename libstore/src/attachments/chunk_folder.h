// Chunks as files of a folder: the ChunkStore of a pod with a disk.
//
// <folder>/<first two hex digits of SHA-256 of the owner's uid>/<uid>.chunks/<first two digits of
// the name>/<name>, with mode 0600. A chunk is written under another name (<name>.<random>.part),
// synced, and renamed; so it is there whole or not at all. When it was put last is its modification
// time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "podkit/store/chunk_store.h"

namespace podkit::store {

// `folder` is made when it is first needed. One process at a time may use it.
std::unique_ptr<ChunkStore> MakeChunkFolder(std::string folder, std::function<absl::Time()> now);

}  // namespace podkit::store
