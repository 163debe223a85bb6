/* image/disk.h - what this room needs of the disk beside loop/file.h: opening what a stranger
 * named, and removing later. */
#ifndef IMAGE_DISK_H
#define IMAGE_DISK_H
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "base/buf.h"
#include "base/err.h"

/* Opens `path` below dirfd: no link followed, no "..". A descriptor or -errno. */
MUST_CHECK int disk_open_beneath(int dirfd, const char *path, int flags, unsigned mode);
MUST_CHECK int disk_mkdir(const char *path, unsigned mode,
                          struct err *e);        /* exists: made that mode */
MUST_CHECK int disk_read(int fd, struct buf *b); /* to its end; -EFBIG past the buffer's ceiling */
MUST_CHECK int disk_sync_dir(const char *path, struct err *e);
/* Removes a tree from libuv's pool; the path is copied. A failure is logged: tmp/ is swept at
 * start. */
void disk_remove_later(uv_loop_t *loop, const char *path);
#endif
