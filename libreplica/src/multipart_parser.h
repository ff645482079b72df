// Splits a multipart/form-data body (RFC 7578) into its parts while it arrives.
//
// Strict: no preamble, lines end with CR LF, every part has a name, and nothing but white space
// follows the last boundary. Keeps at most one part's header (4 KiB) and one boundary.
//
// Thread-compatible. Errors: kInvalidArgument = the body is malformed; the parser is of no further
// use.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace podkit::replica {

class MultipartParser {
 public:
  // Is told what arrives; an error that it returns ends Feed with the same error.
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual absl::Status OnPart(std::string_view name) = 0;
    virtual absl::Status OnData(std::string_view bytes) = 0;
    virtual absl::Status OnPartEnd() = 0;
  };

  // `content_type` is the header of that name, with its boundary.
  static absl::StatusOr<MultipartParser> ForContentType(std::string_view content_type);

  // `handler` must be the same in all calls.
  absl::Status Feed(std::string_view bytes, Handler* handler);
  // The body has ended. An error if the last boundary had not come.
  absl::Status Finish() const;

 private:
  enum class State { kBoundary, kBoundaryEnd, kHeader, kData, kEpilogue };

  explicit MultipartParser(std::string_view boundary);

  // Each uses what it can of `input_` and says whether more can be done with the rest.
  absl::StatusOr<bool> Step(Handler* handler);
  absl::StatusOr<bool> TakeBoundary();
  absl::StatusOr<bool> TakeBoundaryEnd();
  absl::StatusOr<bool> TakeHeader(Handler* handler);
  absl::StatusOr<bool> TakeData(Handler* handler);
  void Consume(size_t size) { input_.remove_prefix(size); }

  std::string delimiter_;  // CR LF "--" boundary.
  State state_ = State::kBoundary;
  std::string held_;        // What could not be used without what follows it.
  std::string_view input_;  // What is looked at during Feed.
};

}  // namespace podkit::replica
