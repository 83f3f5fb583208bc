// zlib's gzip streams (zlib1g-dev): deflateInit2 and inflateInit2 are macros, which Swift does not import.
#pragma once
#include <zlib.h>

static inline int backupfs_gzip_deflate_init(z_stream *stream) {
    return deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

static inline int backupfs_gzip_inflate_init(z_stream *stream) {
    return inflateInit2(stream, 15 + 16);
}
