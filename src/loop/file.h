/* loop/file.h - files that must survive, and trees that must go.
 *
 * These block; they are for small files and for start-up and clean-up. What a path's parents are is
 * trusted, what its last part and everything below it are is not: links there are never followed.
 * Errors are negated errno. */
#ifndef LOOP_FILE_H
#define LOOP_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"

/* All or nothing, and on the disk when it returns 0: a new file, fsync, rename, fsync of the
 * directory. The mode is exact. */
MUST_CHECK int file_write(const char *path, const void *p, size_t n, mode_t mode, struct err *e);
MUST_CHECK int file_write_at(int dir, const char *name, const void *p, size_t n, mode_t mode,
                             struct err *e);
/* The same without waiting for the disk: whole or absent to other processes, for what a reboot may
 * lose (/run). */
MUST_CHECK int file_replace(const char *path, const void *p, size_t n, mode_t mode, struct err *e);

/* Makes the directory and its missing parents, all with `mode` exactly; one that is there keeps its
 * own. */
MUST_CHECK int file_mkdirs(const char *path, mode_t mode, struct err *e);

/* Removes a file or a whole tree; one that is not there is success. Never follows a link, never
 * enters another mount: a mount point below it is -EBUSY. Goes on after an error and tells the
 * first. Any depth, few descriptors. */
MUST_CHECK int file_remove_tree(const char *path, struct err *e);
MUST_CHECK int file_remove_tree_at(int dir, const char *name, struct err *e);

/* Removes one file and makes that durable; one that is not there is success. */
MUST_CHECK int file_unlink(const char *path, struct err *e);

/* Reads a small regular file relative to `dir`, not through a link; -EFBIG past the buffer's
 * ceiling. For a plain path see buf_read_file. */
MUST_CHECK int file_read_at(int dir, const char *name, struct buf *b, struct err *e);
/* First line of a small file, without its newline; -EFBIG when longer than size - 1. */
MUST_CHECK int file_read_line(const char *path, char *ret, size_t size, struct err *e);
bool file_exists(const char *path); /* not following a link in the last part */
#endif
