// Two hosts and one store: the first saves it and hands it over, the second goes on from there.
//
// usage: lock_example <folder for the directory>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "podkit/lock/local_directory.h"
#include "podkit/lock/session.h"

namespace lock = podkit::lock;

// Where saved stores go. Yours is an object store or a folder.
class Chunks : public lock::ChunkSink {
 public:
  absl::Status Put(std::string_view name, std::string_view bytes) override {
    chunks_[std::string(name)] = bytes;
    return absl::OkStatus();
  }

 private:
  std::map<std::string, std::string> chunks_;
};

// Every step may fail; the first failure ends the function with its status.
absl::Status Run(const std::string& folder) {
  auto opened = lock::OpenSqliteDirectory(folder + "/locks.sqlite");
  if (!opened.ok()) return opened.status();
  const std::shared_ptr<lock::WriteLockDirectory> directory = *std::move(opened);
  auto alpha = lock::Session::Open(directory, {.host = "alpha"});
  if (!alpha.ok()) return alpha.status();
  auto beta = lock::Session::Open(directory, {.host = "beta"});
  if (!beta.ok()) return beta.status();

  auto held = (*alpha)->Acquire("ann", {.create = true});
  if (!held.ok()) return held.status();
  std::cout << "beta is refused: " << (*beta)->Acquire("ann").status() << "\n";

  Chunks chunks;
  const auto save = [](const lock::Head& parent,
                       lock::ChunkSink& sink) -> absl::StatusOr<lock::SavedState> {
    const std::string text = "made from '" + parent.manifest + "'";
    const absl::Status put = sink.Put("chunk-1", text);
    if (!put.ok()) return put;
    return lock::SavedState{.manifest = "manifest-1", .position = 1};
  };
  (*held)->Changed(1);
  auto head = (*held)->Write(save, chunks);
  if (!head.ok()) return head.status();
  auto token = (*held)->HandOver("beta");
  if (!token.ok()) return token.status();

  auto next = (*beta)->Acquire("ann");
  std::cout << "beta has it: " << next.status() << "\n";
  auto info = directory->Find("ann");
  if (!info.ok()) return info.status();
  std::cout << info->host << " holds " << info->head.manifest << "\n";
  const absl::Status closed = (*beta)->Close();
  return closed.ok() ? (*alpha)->Close() : closed;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: lock_example <folder for the directory>\n";
    return 2;
  }
  std::filesystem::create_directories(argv[1]);
  const absl::Status status = Run(argv[1]);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
