// Commands with a stream, for tests.
#pragma once

#include <string>
#include <string_view>
#include <tuple>

#include "podkit/conduit/streams.h"

namespace podkit::conduit {

struct ShelfFull {
  static constexpr std::string_view kClass = "ShelfFull";
  static constexpr absl::StatusCode kCode = absl::StatusCode::kResourceExhausted;
  static constexpr auto Fields() { return std::make_tuple(); }
};

struct Named {
  std::string name;
  static constexpr auto Fields() { return std::make_tuple(Required("name", &Named::name)); }
};

struct Put {
  static constexpr CommandInfo kInfo = {.name = "put"};
  static constexpr StreamKind kStream = StreamKind::kUpload;
  using Arguments = Named;
  using Response = StreamEnd;
  using Errors = ErrorList<ShelfFull>;
};
struct Get {
  static constexpr CommandInfo kInfo = {.name = "get", .effect = Effect::kRead};
  static constexpr StreamKind kStream = StreamKind::kDownload;
  using Arguments = Named;
  using Response = StreamEnd;
  using Errors = ErrorList<ShelfFull>;
};
static_assert(UploadCommand<Put> && !UploadCommand<Get> && !UploadCommand<Ping>);
static_assert(DownloadCommand<Get> && !DownloadCommand<Put>);

}  // namespace podkit::conduit
