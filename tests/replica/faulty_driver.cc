// A driver that keeps chunks as files in the folder of its config, and misbehaves when it is told
// to:
// {"folder": "/where", "name": "x"}. A file <folder>/fault.<method> says what the next calls of
// that method do, one word each: "ok", "crash", "hang", "garbage", "two", "print", "errno<n>",
// "short". Each call takes the first word away and adds a line "<method> <name>" to <folder>/calls.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>

#include "podkit/replica/driver.h"
#include "podkit/replica/worker.h"

namespace {

struct Driver {
  std::string folder;
  std::string transform;
};

std::string Member(std::string_view json, std::string_view name) {
  const size_t at = json.find("\"" + std::string(name) + "\"");
  if (at == std::string_view::npos) return {};
  const size_t begin = json.find('"', json.find(':', at)) + 1;
  return std::string(json.substr(begin, json.find('"', begin) - begin));
}

std::string FileOf(const Driver& driver, const PodkitReplicaRequest& request) {
  std::ostringstream name;
  name << driver.folder << "/" << request.volume << "." << request.file << "."
       << request.file_version << (request.is_manifest ? ".m" : ".b") << request.id << "."
       << request.version;
  return name.str();
}

void Note(const Driver& driver, std::string_view method, const PodkitReplicaRequest& request) {
  std::ostringstream line;
  line << method << " " << request.file << "." << request.id << " " << request.offset << "+"
       << request.length << " " << request.path << (*request.new_path ? ">" : "")
       << request.new_path << "\n";
  const int fd = open((driver.folder + "/calls").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (write(fd, line.str().data(), line.str().size()) < 0) _exit(9);
  close(fd);
}

// The next fault of the method; workers of one method take turns by the lock.
std::string NextFault(const Driver& driver, std::string_view method) {
  const std::string path = driver.folder + "/fault." + std::string(method);
  const int fd = open(path.c_str(), O_RDWR);
  if (fd < 0) return "ok";
  if (lockf(fd, F_LOCK, 0) != 0) _exit(9);
  std::array<char, 4096> buffer = {};
  const ssize_t size = pread(fd, buffer.data(), buffer.size(), 0);
  std::istringstream words(std::string(buffer.data(), size < 0 ? 0 : static_cast<size_t>(size)));
  std::string first = "ok";
  words >> first;
  std::string rest((std::istreambuf_iterator<char>(words)), {});
  if (ftruncate(fd, 0) != 0 || pwrite(fd, rest.data(), rest.size(), 0) < 0) _exit(9);
  close(fd);
  return first.empty() ? "ok" : first;
}

// 0, or what the method is to return instead of doing anything.
int Misbehave(const Driver& driver, std::string_view method, const PodkitReplicaRequest& request,
              bool* short_chunk = nullptr) {
  Note(driver, method, request);
  const std::string fault = NextFault(driver, method);
  if (fault == "crash") abort();
  if (fault == "hang") {
    for (;;) pause();
  }
  if (fault == "garbage" || fault == "two") {
    const std::string_view junk = fault == "two" ? "PKW1\x04\0\0\0\xFF\0\0\0{\"error\":0}" : "junk";
    send(podkit::replica::kWorkerSocket, junk.data(), junk.size(), 0);
  }
  if (fault == "print") {
    printf("a stray line\n");
    fflush(stdout);
  }
  if (fault.starts_with("errno")) return -std::atoi(fault.c_str() + 5);
  if (fault == "positive") return 7;
  if (short_chunk != nullptr) *short_chunk = fault == "short";
  return 0;
}

void* Open(const char* config, const char* secrets, char* error, size_t error_size) {
  if (Member(secrets, "password") == "wrong") {
    snprintf(error, error_size, "the password is wrong");
    return nullptr;
  }
  if (Member(config, "start") == "crash") abort();
  if (Member(config, "start") == "hang") {
    for (;;) pause();
  }
  return new Driver{Member(config, "folder"), Member(config, "transform")};
}

void Close(void* driver) { delete static_cast<Driver*>(driver); }

int ReadChunk(void* state, const PodkitReplicaRequest* request, int chunk_fd) {
  const Driver& driver = *static_cast<Driver*>(state);
  bool short_chunk = false;
  if (const int error = Misbehave(driver, "read", *request, &short_chunk); error != 0) return error;
  std::ifstream file(FileOf(driver, *request), std::ios::binary);
  if (!file) return -ENOENT;
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  if (short_chunk) bytes.resize(bytes.size() / 2);
  return write(chunk_fd, bytes.data(), bytes.size()) < 0 ? -errno : 0;
}

int WriteChunk(void* state, const PodkitReplicaRequest* request, const void* chunk, size_t size) {
  const Driver& driver = *static_cast<Driver*>(state);
  if (const int error = Misbehave(driver, "write", *request); error != 0) return error;
  std::ofstream file(FileOf(driver, *request), std::ios::binary);
  file.write(static_cast<const char*>(chunk), static_cast<std::streamsize>(size));
  return file.flush() ? 0 : -EIO;
}

int DeleteChunk(void* state, const PodkitReplicaRequest* request) {
  const Driver& driver = *static_cast<Driver*>(state);
  if (const int error = Misbehave(driver, "delete", *request); error != 0) return error;
  unlink(FileOf(driver, *request).c_str());
  return 0;
}

[[maybe_unused]] int RenameFile(void* state, const PodkitReplicaRequest* request) {
  return Misbehave(*static_cast<Driver*>(state), "rename", *request);
}

// Its own inverse: each byte is turned over.
[[maybe_unused]] int Transform(const char* method, void* state, const PodkitReplicaRequest* request,
                               const void* chunk, size_t size, int chunk_fd) {
  const Driver& driver = *static_cast<Driver*>(state);
  if (const int error = Misbehave(driver, method, *request); error != 0) return error;
  std::string bytes(static_cast<const char*>(chunk), size);
  for (char& c : bytes) c = static_cast<char>(~c);
  return write(chunk_fd, bytes.data(), bytes.size()) < 0 ? -errno : 0;
}

[[maybe_unused]] int Serialize(void* state, const PodkitReplicaRequest* request, const void* chunk,
                               size_t size, int chunk_fd) {
  return Transform("serialize", state, request, chunk, size, chunk_fd);
}

[[maybe_unused]] int Deserialize(void* state, const PodkitReplicaRequest* request,
                                 const void* chunk, size_t size, int chunk_fd) {
  return Transform("deserialize", state, request, chunk, size, chunk_fd);
}

}  // namespace

// Built twice: as storage, and with the stage.
#ifdef PODKIT_FAULTY_STAGE
const PodkitReplicaDriver podkit_replica_driver = {kPodkitReplicaDriverVersion,
                                                   "faulty-stage",
                                                   Open,
                                                   Close,
                                                   ReadChunk,
                                                   WriteChunk,
                                                   DeleteChunk,
                                                   RenameFile,
                                                   Serialize,
                                                   Deserialize};
#else
const PodkitReplicaDriver podkit_replica_driver = {kPodkitReplicaDriverVersion,
                                                   "faulty",
                                                   Open,
                                                   Close,
                                                   ReadChunk,
                                                   WriteChunk,
                                                   DeleteChunk,
                                                   nullptr,
                                                   nullptr,
                                                   nullptr};
#endif
