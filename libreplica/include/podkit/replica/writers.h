// Who may do what in which volume, and with which keys they sign.
//
// Thread-compatible and immutable: to change it, make another and give that to the gateway.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "podkit/replica/control.h"
#include "podkit/replica/keys.h"

namespace podkit::replica {

// What one writer may do in one volume. Asking what a gateway lacks needs any of these.
struct Grant {
  std::string volume;
  bool read = false;  // Matters in a private volume only: others are open to everybody.
  bool put = false;
  bool erase = false;
  bool rename = false;
};

struct Writer {
  std::string id;               // 1 to 64 letters, digits, '-' and '_'.
  std::vector<PublicKey> keys;  // 1 to 4; while one is rotated, the old one and the new one.
  std::vector<Grant> grants;
};

class Writers {
 public:
  // Chunks of a private volume are only for writers with a grant to read it, those of all others
  // for everybody. `quotas` says how many bytes of chunks a volume may have; others have no limit.
  // kInvalidArgument names the writer or volume and what is wrong with it.
  static absl::StatusOr<std::shared_ptr<const Writers>> Create(
      std::vector<Writer> writers, std::set<std::string, std::less<>> private_volumes = {},
      std::map<std::string, uint64_t, std::less<>> quotas = {});

  bool IsPrivate(std::string_view volume) const { return private_volumes_.contains(volume); }

  // Nothing: there is no limit.
  std::optional<uint64_t> QuotaOf(std::string_view volume) const;

  // Null if there is none.
  const Writer* Find(std::string_view id) const;
  static bool MayRead(const Writer& writer, std::string_view volume);
  static bool May(const Writer& writer, std::string_view volume, Operation operation);
  // True if one of the writer's keys made the signature.
  static bool Verify(const Writer& writer, SignedFor purpose, std::string_view bytes,
                     std::string_view signature);

 private:
  Writers() = default;

  std::map<std::string, Writer, std::less<>> writers_;
  std::set<std::string, std::less<>> private_volumes_;
  std::map<std::string, uint64_t, std::less<>> quotas_;
};

}  // namespace podkit::replica
