// Linux system calls and constants that Swift's Glibc module does not show (openat2(2), renameat2(2), macros).
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

static const long backupfs_utime_now = UTIME_NOW;
static const long backupfs_utime_omit = UTIME_OMIT;

// Copies up to `length` bytes between the files' own offsets; 0 at the end of the source (copy_file_range(2)).
static inline ssize_t backupfs_copy_file_range(int source, int64_t *offset, int target, size_t length) {
    return syscall(SYS_copy_file_range, source, offset, target, NULL, length, 0u);
}
