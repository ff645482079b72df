// Keeps the durable state of a lock directory in one SQLite file. docs/lock-directory.md describes
// it.
//
// Errors: kFull if the disk is full, kDamaged if the file cannot be read or a row fails its
// checksum, kFailedPrecondition if another process has it, kDirectoryUnavailable for the rest.
// Messages name the file.
#pragma once

#include <memory>
#include <string>

#include "journal.h"

namespace podkit::lock {

absl::StatusOr<std::unique_ptr<Journal>> OpenSqliteJournal(const std::string& path);

}  // namespace podkit::lock
