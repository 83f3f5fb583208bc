// Linux system calls and constants that Swift's Glibc module does not show (openat2(2), renameat2(2), macros).
// It defines no feature macro: the modules share the C library's headers, and their types must be the same in each.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

// Opens `path` below `directory`; no component may be a symbolic or magic link, and none may lead out of it.
static inline int backupfs_open_beneath(int directory, const char *path, int flags, unsigned mode) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = (flags & O_CREAT) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
}

// Renames unless the target exists (RENAME_NOREPLACE).
static inline int backupfs_rename_exclusive(int from_directory, const char *from, int to_directory, const char *to) {
    return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, 1u);
}

// Lets two names change places (RENAME_EXCHANGE).
static inline int backupfs_rename_exchange(int first_directory, const char *first, int second_directory, const char *second) {
    return (int)syscall(SYS_renameat2, first_directory, first, second_directory, second, 2u);
}

// Waits for no more than the first page, and tells whether the kernel has failed to write any since this was last asked.
static inline int backupfs_check_writes(int file) {
    return (int)syscall(SYS_sync_file_range, file, (off_t)0, (off_t)1, 1u /* SYNC_FILE_RANGE_WAIT_BEFORE */);
}

static const long backupfs_utime_now = UTIME_NOW;
static const long backupfs_utime_omit = UTIME_OMIT;

// Copies up to `length` bytes between the files' own offsets; 0 at the end of the source (copy_file_range(2)).
static inline ssize_t backupfs_copy_file_range(int source, int64_t *offset, int target, size_t length) {
    return syscall(SYS_copy_file_range, source, offset, target, NULL, length, 0u);
}

// The number of the mount that an open file is on, never given twice while the machine runs (STATX_MNT_ID_UNIQUE, Linux 6.8),
// or else until it is unmounted (STATX_MNT_ID, Linux 5.8); 0 if the kernel tells neither. The field lies at byte 144 of
// struct statx (<linux/stat.h>, which cannot be included beside <sys/stat.h>).
static inline uint64_t backupfs_mount_identifier(int file) {
    const unsigned unique = 0x4000, plain = 0x1000;
    union { struct { uint32_t mask; } head; uint64_t words[32]; } answer = {{0}};
    if (syscall(SYS_statx, file, "", 0x1000 /* AT_EMPTY_PATH */, unique, &answer) == 0 && (answer.head.mask & unique))
        return answer.words[18];
    if (syscall(SYS_statx, file, "", 0x1000 /* AT_EMPTY_PATH */, plain, &answer) == 0 && (answer.head.mask & plain))
        return answer.words[18];
    return 0;
}

// A file in memory, closed by exec.
static inline int backupfs_memory_file(void) { return (int)syscall(SYS_memfd_create, "backupfs", 1u /* MFD_CLOEXEC */); }

static inline int backupfs_sync_file_system(int file) { return (int)syscall(SYS_syncfs, file); }
static inline ssize_t backupfs_copy_range(int source, int64_t *from, int target, int64_t *to, size_t length) {
    return syscall(SYS_copy_file_range, source, from, target, to, length, 0u);
}
static inline int backupfs_fallocate(int file, int mode, int64_t offset, int64_t length) {
    return (int)syscall(SYS_fallocate, file, mode, offset, length);
}

// For the commands: the daemon's process, its control socket and its unmounting. The numbers are those of
// <bits/fcntl-linux.h>, <poll.h> and <spawn.h>, which show them with _GNU_SOURCE only.
static const int32_t backupfs_o_path = 010000000;
static const int32_t backupfs_o_direct = __O_DIRECT;
static const int32_t backupfs_o_tmpfile = __O_TMPFILE | O_DIRECTORY;
static const int16_t backupfs_poll_peer_closed = 0x2000;
static const int32_t backupfs_set_lease = 1024;
static const int16_t backupfs_spawn_new_session = 0x80;

// What SO_PEERCRED answers (struct ucred, unix(7)).
struct backupfs_peer { int32_t pid; uint32_t uid; uint32_t gid; };

static inline int backupfs_peer_of(int socket, struct backupfs_peer *peer) {
    socklen_t length = sizeof(*peer);
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, peer, &length);
}

static inline int backupfs_set_dumpable(unsigned long value) { return prctl(PR_SET_DUMPABLE, value, 0, 0, 0); }
static inline int backupfs_is_dumpable(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0); }

// setrlimit(2)'s type of `resource` is an enumeration with _GNU_SOURCE, and an integer without.
static inline int backupfs_disable_core_dumps(void) {
    const struct rlimit none = {0, 0};
    return setrlimit(RLIMIT_CORE, &none);
}
static inline int backupfs_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

static inline uint64_t backupfs_descriptor_limit(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (uint64_t)limit.rlim_cur : 1024;
}

// A descriptor that becomes readable when the process ends (pidfd_open(2)).
static inline int backupfs_open_process(int32_t process) { return (int)syscall(SYS_pidfd_open, process, 0u); }

// Unmounts, not following a symbolic link at the end (umount2(2), UMOUNT_NOFOLLOW).
static inline int backupfs_unmount(const char *mount_point) { return umount2(mount_point, 8); }

static inline int backupfs_pipe(int ends[2]) { return (int)syscall(SYS_pipe2, ends, O_CLOEXEC); }

// The child closes every descriptor from `first` on (glibc 2.34).
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first);
static inline int backupfs_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}
