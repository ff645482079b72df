#include "common/status_macros.h"
#include "discovery/host_list.h"
#include "podkit/conduit/discovery.h"
#include "read_file.h"

namespace podkit::conduit {
namespace {

// The file is small, so its version is its text: a time of change can miss one.
class FileSource final : public HostListSource {
 public:
  explicit FileSource(std::string path) : path_(std::move(path)) {}

  std::string name() const override { return path_; }

  absl::StatusOr<FetchedHostList> Fetch(std::string_view version, std::stop_token) override {
    PODKIT_ASSIGN_OR_RETURN(std::string text,
                            internal::ReadFile(path_, {.max_bytes = internal::kMaxHostListBytes}));
    if (!version.empty() && text == version) return FetchedHostList{.unchanged = true};
    FetchedHostList fetched;
    fetched.version = text;
    fetched.text = std::move(text);
    return fetched;
  }

 private:
  const std::string path_;
};

}  // namespace

std::unique_ptr<HostListSource> HostListFile(std::string path) {
  return std::make_unique<FileSource>(std::move(path));
}

}  // namespace podkit::conduit
