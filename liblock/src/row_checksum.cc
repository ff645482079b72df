#include "row_checksum.h"

#include <limits>
#include <string_view>

namespace podkit::lock {
namespace {

class Fnv {
 public:
  Fnv& operator<<(int64_t number) {
    for (int shift = 0; shift < 64; shift += 8) {
      AddByte(static_cast<uint8_t>(static_cast<uint64_t>(number) >> shift));
    }
    return *this;
  }
  Fnv& operator<<(std::string_view text) {
    *this << static_cast<int64_t>(text.size());
    for (const char c : text) AddByte(static_cast<uint8_t>(c));
    return *this;
  }
  int64_t value() const { return static_cast<int64_t>(hash_); }

 private:
  void AddByte(uint8_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; }

  uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace

int64_t ChecksumOf(Revision revision) { return (Fnv() << revision).value(); }

int64_t ChecksumOf(const SessionRow& row) {
  return (Fnv() << row.id << row.host << absl::ToInt64Microseconds(row.term)
                << int64_t{row.runs_wakeups})
      .value();
}

int64_t ChecksumOf(const StoreRow& row) {
  const int64_t wake_at = row.wake_at == absl::InfiniteFuture()
                              ? std::numeric_limits<int64_t>::max()
                              : absl::ToUnixMicros(row.wake_at);
  return (Fnv() << row.store << row.token << row.session << row.request
                << static_cast<int64_t>(row.reason) << row.position << row.end_request
                << row.end_token << row.refused << static_cast<int64_t>(row.end)
                << row.head.manifest << row.head.position << row.head.token << row.head_request
                << wake_at)
      .value();
}

}  // namespace podkit::lock
