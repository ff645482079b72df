#include "podkit/conduit/hosts.h"

namespace podkit::conduit {

std::string_view HostEventName(HostEvent::Kind kind) {
  switch (kind) {
    case HostEvent::Kind::kAdded:
      return "added";
    case HostEvent::Kind::kRemoved:
      return "removed";
    case HostEvent::Kind::kConnected:
      return "connected";
    case HostEvent::Kind::kDisconnected:
      return "disconnected";
    case HostEvent::Kind::kEjected:
      return "ejected";
    case HostEvent::Kind::kProbed:
      return "probed";
    case HostEvent::Kind::kBack:
      return "back";
  }
  return "";
}

}  // namespace podkit::conduit
