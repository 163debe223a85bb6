/* image/unpack.h - the child that reads archives of strangers: what it may do, what it refuses, how
 * it reports.
 *
 * Started as "PROGRAM image-unpack MODE BYTES_MAX" with descriptor 0 the archive, 1 the report, 3
 * an empty directory, and nothing else. It makes that directory its root (own mount and network
 * namespace, pivot_root), and forks: the worker keeps only the capabilities for owners and modes
 * (mode "layer") or none (mode "archive"), may gain no others, and does all parsing; the rest,
 * which sets trusted.overlay.opaque where the worker says so, parses nothing but NUL-terminated
 * paths.
 *
 * MODE layer: a tar, plain or compressed, becomes an overlay layer.  MODE archive: each regular
 * file becomes a numbered file "f0", "f1", …, whatever its name, so that no name of a stranger ever
 * reaches the file system.
 *
 * The report is lines, fields separated by blanks, names percent-encoded:
 *   progress CURRENT TOTAL      bytes of the archive read
 *   file NUMBER SIZE HEX NAME   mode archive; HEX is "-" unless the name begins with blobs/
 *   link NAME TARGET            mode archive: a symbolic link
 *   parent PATH                 mode layer: a directory that the layer needs but does not describe
 *   done BYTES HEX              the end: size of the files; SHA-256 of the uncompressed tar
 *   error TEXT                  the end: why it was refused */
#ifndef IMAGE_UNPACK_H
#define IMAGE_UNPACK_H
#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "image/digest.h"

enum {
    UNPACK_DEPTH_MAX = 200, /* components of a path */
    UNPACK_PATH_MAX = 4095, /* PATH_MAX */
    UNPACK_FILES_MAX =
        20000, /* in the outer archive: 127 layers with 3 files each, for some images */
    UNPACK_PARENTS_MAX = 20000, /* undescribed directories */
    UNPACK_RATIO_MAX =
        200, /* expansion, once UNPACK_RATIO_FREE is passed: gzip of zeros has 1000 */
    UNPACK_NAME_MAX = 255,
};
#define UNPACK_RATIO_FREE (1ULL << 30) /* layers of a gigabyte of zeros exist and cost little */

/* ---- feed.c: the bytes of the tar, uncompressed, hashed and measured on their way ---- */
struct feed {
    struct archive *raw;
    struct digest *hash; /* or NULL */
    uint64_t out, max, total, reported;
    bool started, ended;
    struct err err; /* set when the reading failed */
};
MUST_CHECK int feed_open(struct feed *f, int fd, uint64_t max, bool hash);
/* A libarchive handle that reads the tar out of f. */
MUST_CHECK int feed_tar(struct feed *f, struct archive **ret, struct err *e);
MUST_CHECK int feed_drain(struct feed *f,
                          struct err *e); /* reads to the end, so that the hash is whole */
void feed_close(struct feed *f);
/* The error of libarchive in the words of the engine; -EPROTO. */
int feed_error(struct feed *f, struct archive *a, struct err *e);

/* ---- tree.c: entries become an overlay layer below a directory ---- */
struct tree;
struct tree *tree_new(int root, int opaque_fd, uint64_t bytes_max); /* takes neither descriptor */
MUST_CHECK int tree_add(struct tree *t, struct archive *a, struct archive_entry *en, struct err *e);
MUST_CHECK int tree_finish(struct tree *t,
                           struct err *e); /* times of directories; reports "parent" lines */
uint64_t tree_bytes(const struct tree *t);
void tree_free(struct tree *t);

/* "./a//b/" -> "a/b"; "" for the root. Refuses what is absolute, climbs, or is too long or deep.
 * -EPROTO */
MUST_CHECK int unpack_clean_path(const char *name, char ret[UNPACK_PATH_MAX + 1], struct err *e);

/* ---- outer.c ---- */
MUST_CHECK int outer_unpack(struct feed *f, int root, uint64_t bytes_max, uint64_t *ret_bytes,
                            struct err *e);

/* ---- the report ---- */
void unpack_report(const char *fmt, ...)
    PRINTF(1, 2); /* one line; ends the process when nobody reads */
void unpack_encode(const char *name, char *ret,
                   size_t size); /* percent-encodes; size ≥ 3 * strlen + 1 */
int unpack_decode(char *name);   /* in place; 0 or -EPROTO */
#endif
