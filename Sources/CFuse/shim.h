// libfuse 3's low-level API (libfuse3-dev). Macros, variadics and constants that Swift does not import are given as
// static inline functions; there is no logic here.
#pragma once
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <stdlib.h>
#include <sys/stat.h>

static inline struct fuse_session *backupfs_session_new(
    struct fuse_args *arguments, const struct fuse_lowlevel_ops *operations, void *userdata) {
    return fuse_session_new(arguments, operations, sizeof(*operations), userdata);
}
static inline int backupfs_session_loop_mt(struct fuse_session *session, struct fuse_loop_config *configuration) {
    return fuse_session_loop_mt(session, configuration);
}
static inline uint32_t backupfs_file_flags(const struct fuse_file_info *info) { return (uint32_t)info->flags; }
static inline void backupfs_file_keep_cache(struct fuse_file_info *info) { info->keep_cache = 1; }
static inline void backupfs_directory_cache(struct fuse_file_info *info) { info->cache_readdir = 1; info->keep_cache = 1; }
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
