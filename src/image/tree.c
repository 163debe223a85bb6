/* image/tree.c - entries of a layer's tar become files, in overlay form, below one directory.
 *
 * Every name is opened below the directory with openat2, no link followed, so that neither an
 * earlier entry nor a race can lead out; the process has no other file system anyway. An entry that
 * would need a link to be followed refuses the layer: overlay layers that an engine wrote never
 * hold one. */
#include "image/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "image/disk.h"
#include "image/image.h"

#define WH_PREFIX ".wh."
#define WH_META ".wh..wh."
#define WH_OPAQUE ".wh..wh..opq"
enum { XATTR_VALUE_MAX = 65536 };

struct dir_time {
    char *path;
    struct timespec mtime;
};
struct tree {
    int root, opaque_fd;
    int parent; /* the directory of the last entry, kept open */
    char *parent_path;
    uint64_t bytes, max, entries;
    struct dir_time *times; /* set at the end: making an entry changes its directory's time */
    size_t ntimes;
    char **implicit; /* made because something lies in them, not (yet) described */
    size_t nimplicit;
};

struct tree *tree_new(int root, int opaque_fd, uint64_t bytes_max)
{
    struct tree *t = NEW(struct tree);
    *t = (struct tree){.root = root, .opaque_fd = opaque_fd, .parent = -1, .max = bytes_max};
    return t;
}

uint64_t tree_bytes(const struct tree *t)
{
    return t->bytes;
}

void tree_free(struct tree *t)
{
    if (!t)
        return;
    if (t->parent >= 0)
        close(t->parent);
    free(t->parent_path);
    for (size_t i = 0; i < t->ntimes; i++)
        free(t->times[i].path);
    for (size_t i = 0; i < t->nimplicit; i++)
        free(t->implicit[i]);
    free(t->times);
    free(t->implicit);
    free(t);
}

static int path_error(struct err *e, int r, const char *path)
{
    if (r == -ELOOP || r == -EXDEV || r == -ENOTDIR)
        return err_set(e, -EPROTO, "the archive writes through a link or file: %.200s", path);
    return err_sys(e, -r, "cannot unpack %.200s", path);
}

/* ---- parents ---- */

static int implicit_add(struct tree *t, const char *path, struct err *e)
{
    if (t->nimplicit == UNPACK_PARENTS_MAX)
        return err_set(e, -EPROTO, "the archive leaves more than %d directories out",
                       UNPACK_PARENTS_MAX);
    t->implicit = mem_grow(t->implicit, t->nimplicit + 1, sizeof *t->implicit);
    t->implicit[t->nimplicit++] = mem_str(path);
    return 0;
}

static void implicit_drop(struct tree *t, const char *path)
{
    for (size_t i = 0; i < t->nimplicit; i++)
        if (str_eq(t->implicit[i], path)) {
            free(t->implicit[i]);
            t->implicit[i] = t->implicit[--t->nimplicit];
            return;
        }
}

static int make_parents(struct tree *t, const char *dir, struct err *e)
{
    char work[UNPACK_PATH_MAX + 1];
    str_copy(work, sizeof work, dir);
    for (char *p = work;; *p++ = '/') {
        p += strcspn(p, "/");
        bool last = !*p;
        *p = '\0';
        int fd = disk_open_beneath(t->root, work, O_PATH | O_DIRECTORY, 0);
        if (fd >= 0) {
            close(fd);
        } else if (fd != -ENOENT) {
            return path_error(e, fd, work);
        } else {
            /* the prefix above was just seen to be a directory without links, and nothing else runs
             * here */
            if (mkdirat(t->root, work, 0755) < 0)
                return path_error(e, -errno, work);
            int r = implicit_add(t, work, e);
            if (r < 0)
                return r;
        }
        if (last)
            return 0;
    }
}

/* Opens the directory of `path` into t->parent; ret_name is its last component. */
static int enter_parent(struct tree *t, const char *path, const char **ret_name, struct err *e)
{
    const char *slash = strrchr(path, '/');
    *ret_name = slash ? slash + 1 : path;
    AUTO_FREE char *dir = slash ? mem_strn(path, (size_t)(slash - path)) : mem_str(".");
    if (t->parent >= 0 && str_eq(dir, t->parent_path))
        return 0;
    int fd = disk_open_beneath(t->root, dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd == -ENOENT) {
        int r = make_parents(t, dir, e);
        if (r < 0)
            return r;
        fd = disk_open_beneath(t->root, dir, O_RDONLY | O_DIRECTORY, 0);
    }
    if (fd < 0)
        return path_error(e, fd, path);
    if (t->parent >= 0)
        close(t->parent);
    free(t->parent_path);
    t->parent = fd;
    t->parent_path = TAKE(dir);
    return 0;
}

/* ---- whiteouts ---- */

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* The worker may not set trusted attributes: the process above it does. Path and NUL, in one write
 * per path. */
static int tell_opaque(struct tree *t, const char *dir, struct err *e)
{
    size_t n = strlen(dir) + 1;
    for (size_t done = 0; done < n;) {
        ssize_t w = write(t->opaque_fd, dir + done, n - done);
        if (w < 0 && errno != EINTR)
            return err_sys(e, errno, "cannot mark %.200s", dir);
        done += w > 0 ? (size_t)w : 0;
    }
    return 0;
}

static int make_whiteout(struct tree *t, const char *name, const char *path, struct err *e)
{
    struct stat st;
    if (!*name || str_eq(name, ".") || str_eq(name, ".."))
        return err_set(e, -EPROTO, "the archive holds a whiteout without a name: %.200s", path);
    if (fstatat(t->parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!S_ISDIR(st.st_mode))
            return 0; /* this layer's own file hides the lower one already */
        AUTO_FREE char *dir = mem_printf("%s/%s", t->parent_path, name);
        return tell_opaque(t, dir, e);
    }
    if (mknodat(t->parent, name, S_IFCHR, makedev(0, 0)) < 0)
        return path_error(e, -errno, path);
    return 0;
}

static int take_whiteout(struct tree *t, const char *name, const char *path, struct err *e)
{
    if (str_eq(name, WH_OPAQUE))
        return tell_opaque(t, t->parent_path, e);
    if (str_starts(name, WH_META))
        return 0; /* bookkeeping of another storage driver */
    return make_whiteout(t, name + strlen(WH_PREFIX), path, e);
}

/* ---- one entry ---- */

/* Clears the place of a new entry. ret_opaque: a whiteout of this layer was there, so a directory
 * must hide what is below. */
static int clear_place(struct tree *t, const char *name, const char *path, bool new_is_dir,
                       bool *ret_exists, bool *ret_opaque, struct err *e)
{
    struct stat st;
    *ret_exists = *ret_opaque = false;
    if (fstatat(t->parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : path_error(e, -errno, path);
    if (S_ISDIR(st.st_mode)) {
        if (!new_is_dir)
            return err_set(e, -EPROTO, "the archive replaces a directory of its own: %.200s", path);
        *ret_exists = true;
        return 0;
    }
    *ret_opaque = is_whiteout(&st);
    if (unlinkat(t->parent, name, 0) < 0)
        return path_error(e, -errno, path);
    return 0;
}

static int write_data(struct archive *a, int fd, la_int64_t size, struct err *e)
{
    const char *p;
    const void *block;
    size_t n;
    la_int64_t at;
    for (;;) {
        int x = archive_read_data_block(a, &block, &n, &at);
        if (x == ARCHIVE_EOF)
            break;
        if (x != ARCHIVE_OK && x != ARCHIVE_WARN)
            return err_set(e, -EPROTO, "%s", str_or(archive_error_string(a), "unexpected EOF"));
        if (at < 0 || at > size || (la_int64_t)n > size - at)
            return err_set(e, -EPROTO, "the archive holds more data than it declares");
        for (p = block; n > 0;) {
            ssize_t w = pwrite(fd, p, n, (off_t)at);
            if (w < 0 && errno != EINTR)
                return err_sys(e, errno, "cannot write");
            if (w > 0)
                p += w, n -= (size_t)w, at += w;
        }
    }
    return ftruncate(fd, (off_t)size) < 0 ? err_sys(e, errno, "cannot write") : 0;
}

static int set_xattrs(int fd, struct archive_entry *en, const char *path, struct err *e)
{
    const char *name;
    const void *value;
    size_t size;
    archive_entry_xattr_reset(en);
    while (archive_entry_xattr_next(en, &name, &value, &size) == ARCHIVE_OK) {
        if (str_starts(name, "trusted.overlay."))
            return err_set(e, -EPROTO, "the archive holds an attribute of overlayfs: %.200s", path);
        if (size > XATTR_VALUE_MAX)
            return err_set(e, -EPROTO, "the archive holds too large an attribute: %.200s", path);
        bool wanted = str_eq(name, "security.capability") ||
                      (str_starts(name, "user.") && !str_starts(name, "user.overlay."));
        if (wanted && fsetxattr(fd, name, value, size, 0) < 0 && errno != ENOTSUP)
            return err_sys(e, errno, "cannot set an attribute of %.200s", path);
    }
    return 0;
}

static struct timespec entry_mtime(struct archive_entry *en)
{
    time_t s = archive_entry_mtime_is_set(en) ? archive_entry_mtime(en) : 0;
    if (s < 0 || s > (time_t)1 << 33) /* what every file system can hold */
        s = 0;
    long ns = archive_entry_mtime_nsec(en);
    return (struct timespec){.tv_sec = s, .tv_nsec = ns >= 0 && ns < 1000000000L ? ns : 0};
}

/* Owner, then mode (chown clears setuid), then attributes (chown clears capabilities), then time.
 * fd: -1 for a link or pipe. */
static int set_meta(struct tree *t, int fd, const char *name, const char *path,
                    struct archive_entry *en, struct err *e)
{
    la_int64_t uid = archive_entry_uid(en), gid = archive_entry_gid(en);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, entry_mtime(en)};
    if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
        return err_set(e, -EPROTO, "the archive holds an impossible owner: %.200s", path);
    if (fchownat(t->parent, name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, errno, "cannot set the owner of %.200s", path);
    if (archive_entry_filetype(en) != AE_IFLNK &&
        fchmodat(t->parent, name, archive_entry_perm(en) & 07777, 0) < 0)
        return err_sys(e, errno, "cannot set the mode of %.200s", path);
    if (fd >= 0) {
        int r = set_xattrs(fd, en, path, e);
        if (r < 0)
            return r;
    }
    if (utimensat(t->parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, errno, "cannot set the time of %.200s", path);
    return 0;
}

static int add_file(struct tree *t, struct archive *a, const char *name, const char *path,
                    struct archive_entry *en, struct err *e)
{
    la_int64_t size = archive_entry_size(en);
    if (size < 0 || (uint64_t)size > t->max - t->bytes) /* sparse files count in full */
        return err_set(e, -EPROTO, "the layer is larger than allowed: %.200s", path);
    AUTO_CLOSE int fd =
        openat(t->parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return path_error(e, -errno, path);
    int r = write_data(a, fd, size, e);
    if (r < 0)
        return r;
    t->bytes += (uint64_t)size;
    return set_meta(t, fd, name, path, en, e);
}

static int add_dir(struct tree *t, const char *name, const char *path, bool exists, bool opaque,
                   struct archive_entry *en, struct err *e)
{
    if (!exists && mkdirat(t->parent, name, 0700) < 0)
        return path_error(e, -errno, path);
    if (exists)
        implicit_drop(t, path);
    t->times = mem_grow(t->times, t->ntimes + 1, sizeof *t->times);
    t->times[t->ntimes++] = (struct dir_time){mem_str(path), entry_mtime(en)};
    AUTO_CLOSE int fd = openat(t->parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return path_error(e, -errno, path);
    int r = set_meta(t, fd, name, path, en, e);
    return r == 0 && opaque ? tell_opaque(t, path, e) : r;
}

static int add_hardlink(struct tree *t, const char *name, const char *path, const char *target,
                        struct err *e)
{
    char to[UNPACK_PATH_MAX + 1];
    struct stat st;
    int r = unpack_clean_path(target, to, e);
    if (r < 0)
        return r;
    const char *slash = strrchr(to, '/');
    AUTO_FREE char *dir = slash ? mem_strn(to, (size_t)(slash - to)) : mem_str(".");
    AUTO_CLOSE int fd = disk_open_beneath(t->root, dir, O_PATH | O_DIRECTORY, 0);
    const char *last = slash ? slash + 1 : to;
    if (fd < 0 || !*last || fstatat(fd, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(e, -EPROTO, "the archive links to what it does not hold: %.200s", path);
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISFIFO(st.st_mode))
        return err_set(e, -EPROTO, "the archive links to a device or directory: %.200s", path);
    if (linkat(fd, last, t->parent, name, 0) < 0)
        return path_error(e, -errno, path);
    return 0;
}

static int add_symlink(struct tree *t, const char *name, const char *path, struct archive_entry *en,
                       struct err *e)
{
    const char *target = archive_entry_symlink(en);
    if (!target || !*target || strlen(target) > UNPACK_PATH_MAX)
        return err_set(e, -EPROTO, "the archive holds a link without a target: %.200s", path);
    if (symlinkat(target, t->parent, name) < 0)
        return path_error(e, -errno, path);
    return set_meta(t, -1, name, path, en, e);
}

static int add_special(struct tree *t, const char *name, const char *path, struct archive_entry *en,
                       struct err *e)
{
    if (archive_entry_filetype(en) == AE_IFCHR && archive_entry_rdev(en) == makedev(0, 0))
        return make_whiteout(t, name, path, e); /* a whiteout in overlay's own form */
    if (archive_entry_filetype(en) != AE_IFIFO)
        return err_set(e, -EPROTO, "the archive holds a device or socket: %.200s", path);
    if (mkfifoat(t->parent, name, 0600) < 0)
        return path_error(e, -errno, path);
    return set_meta(t, -1, name, path, en, e);
}

static int add_root(struct tree *t, const char *path, struct archive_entry *en, struct err *e)
{
    if (archive_entry_filetype(en) != AE_IFDIR || archive_entry_hardlink(en))
        return err_set(e, -EPROTO, "the archive's root is not a directory");
    const char *name;
    int r = enter_parent(t, "x", &name, e); /* the directory of a name at the top is the root */
    return r < 0 ? r : add_dir(t, ".", path, true, false, en, e);
}

int tree_add(struct tree *t, struct archive *a, struct archive_entry *en, struct err *e)
{
    char path[UNPACK_PATH_MAX + 1];
    const char *raw = archive_entry_pathname(en), *name;
    if (++t->entries > IMAGE_ENTRIES_MAX)
        return err_set(e, -EPROTO, "the layer holds more than %d entries", IMAGE_ENTRIES_MAX);
    int r = unpack_clean_path(raw ? raw : "", path, e);
    if (r < 0)
        return r;
    if (!*path)
        return add_root(t, ".", en, e);
    r = enter_parent(t, path, &name, e);
    if (r < 0)
        return r;
    if (str_starts(name, WH_PREFIX))
        return take_whiteout(t, name, path, e);
    bool exists, opaque, link = archive_entry_hardlink(en) != NULL;
    bool dir = !link && archive_entry_filetype(en) == AE_IFDIR;
    r = clear_place(t, name, path, dir, &exists, &opaque, e);
    if (r < 0)
        return r;
    if (link)
        return add_hardlink(t, name, path, archive_entry_hardlink(en), e);
    switch (archive_entry_filetype(en)) {
    case AE_IFREG:
        return add_file(t, a, name, path, en, e);
    case AE_IFDIR:
        return add_dir(t, name, path, exists, opaque, en, e);
    case AE_IFLNK:
        return add_symlink(t, name, path, en, e);
    default:
        return add_special(t, name, path, en, e);
    }
}

int tree_finish(struct tree *t, struct err *e)
{
    char name[3 * UNPACK_PATH_MAX + 1];
    for (size_t i = 0; i < t->ntimes; i++) {
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, t->times[i].mtime};
        AUTO_CLOSE int fd = disk_open_beneath(t->root, t->times[i].path, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0 || futimens(fd, times) < 0)
            return path_error(e, fd < 0 ? fd : -errno, t->times[i].path);
    }
    for (size_t i = 0; i < t->nimplicit; i++) {
        unpack_encode(t->implicit[i], name, sizeof name);
        unpack_report("parent %s", name);
    }
    return 0;
}
