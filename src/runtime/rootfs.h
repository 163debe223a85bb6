/* runtime/rootfs.h - a container's file system: the overlay mount, and paths inside it that an
 * image may have prepared as traps.
 *
 * Paths inside are absolute and cleaned. Everything is resolved by the kernel with the root as the
 * limit (openat2, RESOLVE_IN_ROOT), so that no link leads out; what we make ourselves is made
 * relative to a descriptor of a real directory. Kernels before 5.6 are refused at runtime_open. The
 * host is never touched. Blocking, short. */
#ifndef RUNTIME_ROOTFS_H
#define RUNTIME_ROOTFS_H
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct rootfs_spec {
    const char *const *layers; /* lowest first */
    const char *init_layer;    /* above all of them */
    const char *links_dir;     /* a directory of ours for short names; emptied and filled here */
    const char *upper, *work;  /* NULL, NULL: read-only */
    const char *target;
};
MUST_CHECK int rootfs_mount(const struct rootfs_spec *s, struct err *e);
void rootfs_unmount(const char *target); /* not mounted: fine */
bool rootfs_is_mounted(const char *target);
/* The layer that every container has: mount points that the engine's containers have. Made once. */
MUST_CHECK int rootfs_make_init_layer(const char *dir, struct err *e);
MUST_CHECK int rootfs_check_kernel(struct err *e); /* openat2, pidfd_open, overlay */

MUST_CHECK int rootfs_open(const char *target, struct err *e); /* a descriptor, or negative */
/* Makes path a chain of plain directories: whatever else stands in the way is removed from the
 * container's own layer. */
MUST_CHECK int rootfs_own_dir(int root, const char *path, struct err *e);

enum rootfs_kind { ROOTFS_DIR, ROOTFS_FILE };
/* Finds (or makes, 0755) a mount point and gives its path without links. replace_link: a link at
 * the end is replaced, not followed. -EPERM with words when it lies in /proc, or is led into /dev
 * or /sys by a link. */
MUST_CHECK int rootfs_resolve(int root, const char *path, enum rootfs_kind kind, bool replace_link,
                              char **ret, struct err *e);
/* A regular file of at most max bytes, as text. -ENOENT, -EFBIG, -EINVAL when it is something else
 * (a FIFO, a device). */
MUST_CHECK int rootfs_read_file(int root, const char *path, size_t max, char **ret);
#endif
