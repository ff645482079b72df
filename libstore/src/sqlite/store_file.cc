#include "sqlite/store_file.h"

#include <utility>

#include "common/status_macros.h"

namespace podkit::store {

absl::StatusOr<std::unique_ptr<StoreFile>> StoreFile::Open(const std::string& path,
                                                           const std::string& uid,
                                                           const TransactionBody& prepare) {
  PODKIT_ASSIGN_OR_RETURN(auto database, Database::Open(path, Database::Mode::kReadWrite, uid));
  PODKIT_RETURN_IF_ERROR(CallBody(prepare, *database));
  return std::unique_ptr<StoreFile>(new StoreFile(path, uid, std::move(database)));
}

StoreFile::StoreFile(const std::string& path, const std::string& uid,
                     std::unique_ptr<Database> writer)
    : writer_(std::move(writer)), readers_(path, uid) {}

StoreFile::Counters StoreFile::counters() const {
  return {.reads = readers_.reads(), .writes = writer_.writes(), .commits = writer_.commits()};
}

StoreFile::Counters& StoreFile::Counters::operator+=(const Counters& other) {
  reads += other.reads;
  writes += other.writes;
  commits += other.commits;
  return *this;
}

}  // namespace podkit::store
