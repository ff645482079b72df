// The interface between a gateway's worker process and a driver, the code that keeps chunks.
//
// A driver is a shared object, written in C or anything that can speak C, that defines
//
//   const struct PodkitReplicaDriver podkit_replica_driver = {...};
//
// Each worker process loads the driver, calls `open` once and then only one of its methods, again
// and again, from one thread. Several workers run at once and share nothing but what the driver
// keeps outside. A call that outlives its deadline ends with SIGKILL, so whatever a method leaves
// behind at any moment must be safe to find.
//
// A method returns 0 or a negative errno; -ENOENT from read_chunk says that the chunk is not there.
// All texts end with a zero byte and live until the method returns.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { kPodkitReplicaDriverVersion = 1 };

struct PodkitReplicaRequest {
  const char* volume;
  const char* file;  // The file's id: letters, digits, '-' and '_'.
  uint64_t file_version;
  int is_manifest;       // Otherwise a block.
  uint64_t id;           // The block's number; of a manifest the seconds of its time,
  uint64_t version;      // and its nanoseconds.
  const char* path;      // Where the file is, or "": a hint by the sender.
  const char* new_path;  // rename_file: where it is from now on.
  const char* hash;      // SHA-256 of the chunk as it travels, 64 hexadecimal digits, or "".
  uint64_t offset;       // Which bytes of the file a block overwrites.
  uint64_t length;
};

struct PodkitReplicaDriver {
  uint32_t version;  // kPodkitReplicaDriverVersion.
  const char* name;

  // `config` and `secrets` are JSON objects. Returns what is handed to all other functions, or NULL
  // with a reason in `error`. Secrets may not be printed or kept anywhere else.
  void* (*open)(const char* config, const char* secrets, char* error, size_t error_size);
  void (*close)(void* driver);  // May be NULL.

  // Writes the chunk to `chunk_fd`, from where that stands.
  int (*read_chunk)(void* driver, const struct PodkitReplicaRequest* request, int chunk_fd);
  // Returns 0 once the chunk survives a loss of power. Writing the same chunk twice is no error.
  int (*write_chunk)(void* driver, const struct PodkitReplicaRequest* request, const void* chunk,
                     size_t size);
  // Returns 0 also if there is no such chunk.
  int (*delete_chunk)(void* driver, const struct PodkitReplicaRequest* request);

  // The next three may be NULL: a rename then needs nothing, and a chunk is kept as it travels.
  int (*rename_file)(void* driver, const struct PodkitReplicaRequest* request);
  // From how the chunk is kept to how it travels. Must give the very bytes that deserialize got.
  int (*serialize)(void* driver, const struct PodkitReplicaRequest* request, const void* chunk,
                   size_t size, int chunk_fd);
  // From how the chunk travels to how it is kept.
  int (*deserialize)(void* driver, const struct PodkitReplicaRequest* request, const void* chunk,
                     size_t size, int chunk_fd);
};

// NOLINTNEXTLINE(readability-identifier-naming): the name of a symbol of C.
extern const struct PodkitReplicaDriver podkit_replica_driver;
