// Another message for a status that carries more than one.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/cord.h"

namespace podkit {

// `status` with another message; it keeps its code and all that it carries, so also a named error.
inline absl::Status WithMessage(const absl::Status& status, std::string_view message) {
  absl::Status changed(status.code(), std::string(message));
  status.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) {
    changed.SetPayload(type, payload);
  });
  return changed;
}

}  // namespace podkit
