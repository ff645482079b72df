// An event in a shared calendar to attach files to, used in each of the ways that one can come to
// it.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pod_cluster.h"
#include "podkit/store/attachment.h"
#include "podkit/store/chunk_store.h"

namespace podkit::testing {

using store::Access;
using store::AttachmentInfo;
using store::AttachmentResult;
using store::Bytes;
using store::ByteSource;
using store::HomeChild;
using store::kAttachmentPartBytes;
using store::NewAttachment;
using store::ObjectResource;

constexpr auto kPart = static_cast<int64_t>(kAttachmentPartBytes);

// Gives `bytes` in pieces of odd sizes.
inline ByteSource From(std::string bytes) {
  return [bytes = std::move(bytes), at = size_t{0}](char* buffer,
                                                    size_t size) mutable -> absl::StatusOr<size_t> {
    const size_t piece = std::min({size, bytes.size() - at, size_t{300'007}});
    std::copy_n(bytes.data() + at, piece, buffer);
    at += piece;
    return piece;
  };
}

// Bytes that no text has, each part another one.
inline std::string Noise(int64_t size) {
  std::string bytes(static_cast<size_t>(size), '\0');
  uint32_t state = 1;
  for (char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

inline std::string ReadAll(ObjectResource& object, const std::string& managed_id) {
  std::string bytes;
  size_t pieces = 0;
  REQUIRE(object.ReadAttachment(managed_id,
                                [&](const AttachmentInfo& attachment, std::string_view piece) {
                                  CHECK(attachment.managed_id == managed_id);
                                  CHECK(piece.size() <= kAttachmentPartBytes);
                                  bytes += piece;
                                  ++pieces;
                                  return absl::OkStatus();
                                }) == absl::OkStatus());
  CHECK(pieces >= 1);
  return bytes;
}

inline absl::Status TryRead(ObjectResource& object, const std::string& managed_id) {
  return object.ReadAttachment(managed_id, [](auto&&...) { return absl::OkStatus(); });
}

inline std::string TextOf(ObjectResource& object) { return ValueOf(object.Text()).data; }

inline AttachmentResult Attach(ObjectResource& object, const std::string& bytes,
                               const std::string& name = "plan.txt") {
  return ValueOf(
      object.AddAttachment({.file_name = name, .content_type = "text/plain"}, From(bytes)));
}

inline std::vector<std::string> IdsOf(ObjectResource& object) {
  std::vector<std::string> ids;
  for (const auto& attachment : ValueOf(object.ListAttachments())) {
    ids.push_back(attachment.managed_id);
  }
  return ids;
}

// Chunks in memory, each put once `before_put` says OK. They are never collected.
class MemoryChunks final : public store::ChunkStore {
 public:
  explicit MemoryChunks(std::function<absl::Status()> before_put)
      : before_put_(std::move(before_put)) {}

  absl::Status Put(const std::string&, const std::string& name, std::string_view bytes) override {
    const absl::Status status = before_put_();
    if (status.ok()) chunks_[name] = std::string(bytes);
    return status;
  }
  absl::StatusOr<std::string> Get(const std::string&, const std::string& name) override {
    return chunks_.at(name);
  }
  absl::Status List(const std::string&, const std::function<void(const Entry&)>&) override {
    return absl::OkStatus();
  }
  absl::StatusOr<bool> RemoveUnlessPutSince(const std::string&, const std::string&,
                                            absl::Time) override {
    return false;
  }

 private:
  const std::function<absl::Status()> before_put_;
  std::map<std::string, std::string> chunks_;
};

// ann's calendar with one event, used in one of the ways.
class AttachmentBed {
 public:
  AttachmentBed()
      : way_(GENERATE(as<std::string>(), "owner", "viewer on her pod", "viewer on another pod",
                      "her home from another pod")) {
    if (way_ == "viewer on her pod") Share("abe");
    if (way_ == "viewer on another pod") Share("bob");
    const auto home = way_ == "her home from another pod" ? cluster_.HomeOn("B", "ann", "ann")
                      : way_ == "viewer on her pod"       ? cluster_.HomeOf("abe")
                      : way_ == "viewer on another pod"   ? cluster_.HomeOf("bob")
                                                          : cluster_.HomeOf("ann");
    actor_ = way_.starts_with("viewer") ? home->uid() : "ann";
    child_ = ValueOf(home->ChildWith({.name = way_.starts_with("viewer") ? "anns" : "calendar"}));
    owner_ = cluster_.Child("ann", "calendar");
    UNSCOPED_INFO("as " << way_);
    ValueOf(owner_->PutObject("1.ics", Bytes{Event("1")}, {}));
  }

  PodCluster& cluster() { return cluster_; }
  HomeChild& owner() { return *owner_; }
  HomeChild& child() { return *child_; }
  const std::string& actor() const { return actor_; }
  bool remote() const { return way_.ends_with("another pod"); }

  std::unique_ptr<ObjectResource> Object(const std::string& name = "1.ics") {
    return ValueOf(child_->ObjectWith({.name = name}));
  }
  std::unique_ptr<ObjectResource> Owned(const std::string& name = "1.ics") {
    return ValueOf(owner_->ObjectWith({.name = name}));
  }
  // Opens the owner's pod again, with the options that are set by then.
  void Restart() {
    owner_ = nullptr;
    child_ = nullptr;
    cluster_.Stop("A");
    cluster_.Start("A");
    const bool shared = way_.starts_with("viewer");
    const auto home = way_ == "her home from another pod" ? cluster_.HomeOn("B", "ann", "ann")
                                                          : cluster_.HomeOf(actor_);
    child_ = ValueOf(home->ChildWith({.name = shared ? "anns" : "calendar"}));
    owner_ = cluster_.Child("ann", "calendar");
  }
  store::HomeCheck Check() { return ValueOf(cluster_.store("A").CheckHome("ann")); }
  // That everything is in order, and nothing is there that nobody uses.
  void CheckSound(int64_t attachments) {
    const auto check = Check();
    CHECK(check.problems.empty());
    CHECK(check.attachments == attachments);
  }

 private:
  void Share(const std::string& viewer) {
    cluster_.Share("ann", "calendar", viewer, Access::kReadWrite, "anns");
  }

  std::string way_;
  std::string actor_;
  PodCluster cluster_{{"A", "B"}, {"B"}};
  std::unique_ptr<HomeChild> owner_;
  std::unique_ptr<HomeChild> child_;
};

}  // namespace podkit::testing
