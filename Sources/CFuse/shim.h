// libfuse 3's low-level API (libfuse3-dev). Macros, variadics and constants that Swift does not import are given as
// static inline functions; there is no logic here.
#pragma once
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <fuse3/fuse_opt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static inline struct fuse_session *backupfs_session_new(
    struct fuse_args *arguments, const struct fuse_lowlevel_ops *operations, void *userdata) {
    return fuse_session_new(arguments, operations, sizeof(*operations), userdata);
}
static inline int backupfs_session_loop_mt(struct fuse_session *session, struct fuse_loop_config *configuration) {
    return fuse_session_loop_mt(session, configuration);
}
static inline int backupfs_session_custom_io(
    struct fuse_session *session, const struct fuse_custom_io *calls, int descriptor) {
    return fuse_session_custom_io(session, calls, descriptor);
}
static inline void backupfs_file_keep_cache(struct fuse_file_info *info) { info->keep_cache = 1; }
static inline struct fuse_bufvec backupfs_bufvec_descriptor(int descriptor, off_t position, size_t size) {
    struct fuse_bufvec vector = FUSE_BUFVEC_INIT(size);
    vector.buf[0].flags = (enum fuse_buf_flags)(FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK | FUSE_BUF_FD_RETRY);
    vector.buf[0].fd = descriptor;
    vector.buf[0].pos = position;
    return vector;
}
static inline struct fuse_bufvec backupfs_bufvec_memory(void *memory, size_t size) {
    struct fuse_bufvec vector = FUSE_BUFVEC_INIT(size);
    vector.buf[0].mem = memory;
    return vector;
}

// Backing files (<linux/fuse.h> of Linux 6.9): libfuse 3.14 does not know them.
struct backupfs_backing_map { int32_t descriptor; uint32_t flags; uint64_t padding; };
static inline int backupfs_backing_open(int session, int descriptor) {
    struct backupfs_backing_map map = {descriptor, 0, 0};
    return ioctl(session, _IOW(229, 1, struct backupfs_backing_map), &map);
}
static inline int backupfs_backing_close(int session, int32_t backing) {
    uint32_t number = (uint32_t)backing;
    return ioctl(session, _IOW(229, 2, uint32_t), &number);
}
static inline ssize_t backupfs_splice(
    int source, off_t *source_offset, int target, off_t *target_offset, size_t length, unsigned flags) {
    return syscall(SYS_splice, source, source_offset, target, target_offset, length, flags);
}

// libfuse's messages are kept instead of printed: the last one says why a mount failed.
static inline char *backupfs_message_buffer(void) {
    static char message[512];
    return message;
}
static inline void backupfs_keep_message(enum fuse_log_level level, const char *format, va_list arguments) {
    (void)level;
    vsnprintf(backupfs_message_buffer(), 512, format, arguments);
}
static inline void backupfs_keep_messages(void) { fuse_set_log_func(backupfs_keep_message); }
static inline const char *backupfs_last_message(void) { return backupfs_message_buffer(); }
