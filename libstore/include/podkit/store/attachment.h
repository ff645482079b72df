// Managed attachments (RFC 8607): files that belong to a calendar object, kept by the owner's pod
// and told of in the object's text by ATTACH properties with a MANAGED-ID.
//
// A managed id stands for the same bytes for ever: other bytes get another id. Objects of one owner
// may use the same one and share its bytes. docs/attachments.md says more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "podkit/store/types.h"

namespace podkit::store {

// Files travel and are kept in parts of this size; the last one is shorter.
constexpr size_t kAttachmentPartBytes = size_t{1} << 20;

// Gives the next bytes of a file: writes at most `size` of them to `buffer` and returns how many; 0
// at the end. An error ends the call that reads, and is its error.
using ByteSource = std::function<absl::StatusOr<size_t>(char* buffer, size_t size)>;

// What is said of a file that is attached.
struct NewAttachment {
  std::string file_name;     // At most 255 bytes of UTF-8 without control characters, '/' and '\'.
  std::string content_type;  // "image/png"; empty: application/octet-stream.
  // To which instances: "M" for the series, else when one begins as RECURRENCE-ID has it, also in
  // UTC. Empty: all components of the object. Not for an update.
  std::vector<std::string> instances;
  Precondition condition;

  static constexpr auto Fields() {
    return std::make_tuple(Optional("file_name", &NewAttachment::file_name),
                           Optional("content_type", &NewAttachment::content_type),
                           Optional("instances", &NewAttachment::instances),
                           Optional("condition", &NewAttachment::condition));
  }
};

struct AttachmentInfo {
  std::string managed_id;
  std::string file_name;
  std::string content_type;
  int64_t size = 0;
  std::string uri;         // As the text has it.
  std::string created_by;  // Who attached it, a delegate as himself.
  absl::Time created;
  std::vector<std::string> instances;  // That use it in the object, as NewAttachment has them.

  static constexpr auto Fields() {
    return std::make_tuple(Required("managed_id", &AttachmentInfo::managed_id),
                           Optional("file_name", &AttachmentInfo::file_name),
                           Optional("content_type", &AttachmentInfo::content_type),
                           Required("size", &AttachmentInfo::size),
                           Optional("uri", &AttachmentInfo::uri),
                           Optional("created_by", &AttachmentInfo::created_by),
                           Optional("created", &AttachmentInfo::created),
                           Optional("instances", &AttachmentInfo::instances));
  }
};

struct AttachmentResult {
  AttachmentInfo attachment;
  ObjectInfo object;  // With its new ETag.

  static constexpr auto Fields() {
    return std::make_tuple(Required("attachment", &AttachmentResult::attachment),
                           Required("object", &AttachmentResult::object));
  }
};

// Gets a file piece by piece, in order and at least once: with no bytes for an empty one. An error
// ends the call, and is its error.
using AttachmentSink =
    std::function<absl::Status(const AttachmentInfo& attachment, std::string_view bytes)>;

// What adding and reading are made of, for both families of objects. A member `payload` travels
// beside the call's JSON, as it is.

// A part of a file that is being attached.
struct UploadPart {
  int64_t offset = 0;   // How many bytes of the file came before.
  std::string payload;  // kAttachmentPartBytes at most, and not empty.

  static constexpr auto Fields() {
    return std::make_tuple(Required("offset", &UploadPart::offset));
  }
};

// A part that the owner's pod has, durably, and keeps for an hour for whoever brought it.
struct UploadedPart {
  std::string chunk;  // SHA-256 in lower-case hexadecimal.
  int64_t size = 0;

  static constexpr auto Fields() {
    return std::make_tuple(Required("chunk", &UploadedPart::chunk),
                           Required("size", &UploadedPart::size));
  }
};

// A whole file to attach: the parts that are there, and the last one.
struct AttachmentWrite {
  std::string managed_id;  // In the place of this one; empty: one more.
  NewAttachment attachment;
  std::vector<UploadedPart> parts;
  std::string payload;  // May be empty.

  static constexpr auto Fields() {
    return std::make_tuple(Optional("managed_id", &AttachmentWrite::managed_id),
                           Required("attachment", &AttachmentWrite::attachment),
                           Optional("parts", &AttachmentWrite::parts));
  }
};

// Some of an attachment's bytes.
struct AttachmentPart {
  AttachmentInfo attachment;
  int64_t offset = 0;
  std::string payload;  // Empty at the end only.

  static constexpr auto Fields() {
    return std::make_tuple(Required("attachment", &AttachmentPart::attachment),
                           Required("offset", &AttachmentPart::offset));
  }
};

}  // namespace podkit::store
