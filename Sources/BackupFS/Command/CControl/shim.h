// Linux calls and constants that Swift's Glibc module does not show, for the Command room. There is no logic here.
#pragma once
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/xattr.h>

// Values of <bits/fcntl-linux.h>, <bits/socket_type.h>, <spawn.h> and <poll.h>, hidden without _GNU_SOURCE, which
// may not be defined here: the same types would then differ from those of Swift's Glibc module.
static const int32_t backupfs_o_path = 010000000;
static const int32_t backupfs_poll_peer_closed = 0x2000;
static const int16_t backupfs_spawn_new_session = 0x80;

/// What SO_PEERCRED answers (struct ucred, unix(7)).
struct backupfs_peer { int32_t pid; uint32_t uid; uint32_t gid; };

static inline int backupfs_set_dumpable(unsigned long value) { return prctl(PR_SET_DUMPABLE, value, 0, 0, 0); }
static inline int backupfs_set_limit(int resource, const struct rlimit *limit) { return setrlimit(resource, limit); }
static inline int backupfs_get_limit(int resource, struct rlimit *limit) { return getrlimit(resource, limit); }
static inline int backupfs_peer_of(int socket, struct backupfs_peer *peer) {
    socklen_t length = sizeof(*peer);
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, peer, &length);
}
