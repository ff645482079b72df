#include "confine.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>

#include "common/status_macros.h"
#include "common/unique_fd.h"
#include "files.h"

namespace podkit::replica {
namespace {

constexpr rlim_t kOpenFiles = 256;

absl::Status Limit(__rlimit_resource resource, rlim_t value, std::string_view object) {
  const rlimit limit = {value, value};
  if (setrlimit(resource, &limit) != 0) return FromErrno(errno, "limit", object);
  return absl::OkStatus();
}

absl::Status LimitResources(const Confinement& limits) {
  signal(SIGXFSZ, SIG_IGN);  // EFBIG says it, too.
  PODKIT_RETURN_IF_ERROR(Limit(RLIMIT_CORE, 0, "core dumps"));
  PODKIT_RETURN_IF_ERROR(Limit(RLIMIT_NOFILE, kOpenFiles, "open files"));
  if (limits.memory_bytes > 0) {
    PODKIT_RETURN_IF_ERROR(Limit(RLIMIT_AS, limits.memory_bytes, "memory"));
  }
  if (limits.file_bytes > 0) {
    PODKIT_RETURN_IF_ERROR(Limit(RLIMIT_FSIZE, limits.file_bytes, "the size of files"));
  }
  return absl::OkStatus();
}

absl::Status ChangeUser(const Confinement& limits) {
  if (limits.user == 0 || geteuid() != 0) return absl::OkStatus();
  if (setgroups(0, nullptr) != 0 || setgid(limits.group) != 0 || setuid(limits.user) != 0) {
    return FromErrno(errno, "become", "the driver's user");
  }
  return absl::OkStatus();
}

// What no driver needs: other processes, the machine, and ways to what is not filtered.
constexpr int kForbidden[] = {SCMP_SYS(acct),
                              SCMP_SYS(add_key),
                              SCMP_SYS(bpf),
                              SCMP_SYS(chroot),
                              SCMP_SYS(clock_settime),
                              SCMP_SYS(delete_module),
                              SCMP_SYS(finit_module),
                              SCMP_SYS(fsopen),
                              SCMP_SYS(fsmount),
                              SCMP_SYS(init_module),
                              SCMP_SYS(io_uring_setup),
                              SCMP_SYS(ioperm),
                              SCMP_SYS(iopl),
                              SCMP_SYS(kcmp),
                              SCMP_SYS(kexec_file_load),
                              SCMP_SYS(kexec_load),
                              SCMP_SYS(keyctl),
                              SCMP_SYS(mount),
                              SCMP_SYS(move_mount),
                              SCMP_SYS(open_by_handle_at),
                              SCMP_SYS(open_tree),
                              SCMP_SYS(perf_event_open),
                              SCMP_SYS(pidfd_getfd),
                              SCMP_SYS(pivot_root),
                              SCMP_SYS(process_vm_readv),
                              SCMP_SYS(process_vm_writev),
                              SCMP_SYS(ptrace),
                              SCMP_SYS(quotactl),
                              SCMP_SYS(reboot),
                              SCMP_SYS(request_key),
                              SCMP_SYS(setdomainname),
                              SCMP_SYS(sethostname),
                              SCMP_SYS(setns),
                              SCMP_SYS(settimeofday),
                              SCMP_SYS(swapoff),
                              SCMP_SYS(swapon),
                              SCMP_SYS(umount2),
                              SCMP_SYS(unshare),
                              SCMP_SYS(userfaultfd)};

absl::Status FilterSystemCalls(bool network) {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(SCMP_ACT_ALLOW),
                                                                seccomp_release);
  if (!filter) return absl::ResourceExhaustedError("no memory for the filter of system calls");
  int error = 0;
  for (const int call : kForbidden) {
    if (error == 0) error = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0);
  }
  if (!network && error == 0) {
    error = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
                             scmp_arg_cmp{0, SCMP_CMP_NE, AF_UNIX, 0});
  }
  if (error == 0) error = seccomp_load(filter.get());
  if (error != 0) return FromErrno(-error, "set up", "the filter of system calls");
  return absl::OkStatus();
}

constexpr uint64_t kRead =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kFile =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr uint64_t kAll = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // What every Landlock knows.

// A path that does not exist cannot be used anyway.
absl::Status Allow(int rules, const std::string& path, uint64_t access) {
  const UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd) return absl::OkStatus();
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) access &= kFile;
  const landlock_path_beneath_attr rule = {access, fd.get()};
  if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return FromErrno(errno, "allow", path);
  }
  return absl::OkStatus();
}

absl::Status HideFiles(const Confinement& limits, const std::string& driver) {
  const landlock_ruleset_attr handled = {.handled_access_fs = kAll};
  const UniqueFd rules(
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0)));
  if (!rules && (errno == ENOSYS || errno == EOPNOTSUPP)) return absl::OkStatus();
  if (!rules) return FromErrno(errno, "set up", "Landlock");
  for (const char* path :
       {"/usr", "/lib", "/lib64", "/bin", "/dev", "/proc/self", "/etc/ld.so.cache", "/etc/ssl",
        "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/localtime",
        "/run/systemd/resolve"}) {
    PODKIT_RETURN_IF_ERROR(Allow(rules.get(), path, kRead));
  }
  PODKIT_RETURN_IF_ERROR(Allow(rules.get(), "/dev/null", kRead | LANDLOCK_ACCESS_FS_WRITE_FILE));
  PODKIT_RETURN_IF_ERROR(
      Allow(rules.get(), std::filesystem::path(driver).parent_path().string(), kRead));
  for (const std::string& path : limits.readable_paths) {
    PODKIT_RETURN_IF_ERROR(Allow(rules.get(), path, kRead));
  }
  for (const std::string& path : limits.writable_paths) {
    PODKIT_RETURN_IF_ERROR(Allow(rules.get(), path, kAll));
  }
  if (syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) {
    return FromErrno(errno, "enter", "Landlock");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ConfineProcess(const Confinement& limits, const std::string& driver) {
  PODKIT_RETURN_IF_ERROR(LimitResources(limits));
  PODKIT_RETURN_IF_ERROR(ChangeUser(limits));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return FromErrno(errno, "give up", "new privileges");
  }
  PODKIT_RETURN_IF_ERROR(HideFiles(limits, driver));
  return FilterSystemCalls(limits.network);
}

}  // namespace podkit::replica
