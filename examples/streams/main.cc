// A photo of any size sent to another pod in pieces, cut off in the middle, and sent on from there.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>

#include "podkit/conduit/in_process.h"
#include "podkit/conduit/streams.h"

namespace conduit = podkit::conduit;

struct PutPhoto {
  static constexpr conduit::CommandInfo kInfo = {.name = "put-photo"};
  static constexpr conduit::StreamKind kStream = conduit::StreamKind::kUpload;
  struct Arguments {
    std::string name;
    static constexpr auto Fields() {
      return std::make_tuple(conduit::Required("name", &Arguments::name));
    }
  };
  using Response = std::string;  // Under which the photo can be had.
  using Errors = conduit::ErrorList<>;
};

// What pod B has of a photo. A server would write to a file, and sync it in Finish.
class Photo final : public conduit::UploadSink<std::string> {
 public:
  explicit Photo(std::string* bytes) : bytes_(bytes) {}
  uint64_t Held() const override { return bytes_->size(); }
  absl::StatusOr<std::string> ReadHeld(uint64_t offset, size_t max) override {
    return bytes_->substr(offset, max);
  }
  absl::Status Write(uint64_t, std::string_view bytes) override {
    bytes_->append(bytes);
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> Finish(const conduit::StreamEnd& end) override {
    return "photo of " + std::to_string(end.length) + " bytes";
  }
  void Abort() override {}  // What came is kept for the next attempt.

 private:
  std::string* const bytes_;
};

// What pod A reads piece by piece; a program would read a file.
class Camera final : public conduit::StreamSource {
 public:
  absl::StatusOr<std::string> Read(uint64_t offset, size_t max) override {
    constexpr uint64_t kLength = 10'000'000;
    return std::string(offset < kLength ? std::min<uint64_t>(max, kLength - offset) : 0, 'x');
  }
};

int main() {
  const std::string key(32, 'k');  // A secret that the two pods share.
  conduit::InProcessNetwork network;
  conduit::Conduit a(*conduit::Pods::Create({{.id = "A"}, {.id = "B", .keys = {key}}}, "A"),
                     &network);
  conduit::Conduit b(*conduit::Pods::Create({{.id = "A", .keys = {key}}, {.id = "B"}}, "B"),
                     &network);
  network.Connect("B", [&](const conduit::WireRequest& request) { return b.Receive(request); });

  std::string photo;
  conduit::Streams streams_of_b(&b);
  streams_of_b.HandleUpload<PutPhoto>(
      [&](const conduit::CallContext&, const PutPhoto::Arguments&)
          -> absl::StatusOr<std::unique_ptr<conduit::UploadSink<std::string>>> {
        return std::make_unique<Photo>(&photo);
      });

  conduit::Streams streams(&a);
  Camera camera;
  std::stop_source stop;
  conduit::StreamOptions options{.call = {.stop = stop.get_token()}};
  options.progress = [&](uint64_t bytes) {
    if (bytes >= 3'000'000) stop.request_stop();
  };
  const auto first = streams.Upload<PutPhoto>("B", {}, {.name = "gouda"}, camera, options);
  std::cout << "first: " << conduit::OutcomeName(conduit::OutcomeOf(first.status()))
            << (photo.size() > 3'000'000 ? ", but some of it is there\n" : "\n");

  const auto second = streams.Upload<PutPhoto>("B", {}, {.name = "gouda"}, camera);
  std::cout << "second: " << (second.ok() ? *second : second.status().ToString()) << "\n";
}
