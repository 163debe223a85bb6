/* runtime/changes.c - what a container's own layer holds against its image, as the engine's diff
 * tells it.
 *
 * The layer is walked by descriptors and without following links; what lay below is looked up in a
 * read-only mount of the image's layers. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "loop/file.h"
#include "runtime/internal.h"
#include "runtime/rootfs.h"

enum { CHANGES_MAX = 200000, CHANGES_DEPTH_MAX = 256 };
enum { KIND_CHANGED, KIND_ADDED, KIND_DELETED };

struct walk {
    void (*fn)(void *arg, int kind, const char *path);
    void *arg;
    struct buf path;
    size_t count;
};

static int walk_dir(struct walk *w, int upper, int lower, unsigned depth);

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* A directory that was deleted and made again hides all that lay below. */
static bool is_opaque(int dir)
{
    char v;
    return fgetxattr(dir, "trusted.overlay.opaque", &v, 1) == 1 && v == 'y';
}

static int walk_entry(struct walk *w, int upper, int lower, const char *name, unsigned depth)
{
    struct stat st, below;
    size_t len = w->path.len;
    if (fstatat(upper, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : -errno;
    bool had = lower >= 0 && fstatat(lower, name, &below, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_whiteout(&st) && !had)
        return 0;
    if (++w->count > CHANGES_MAX)
        return -E2BIG;
    buf_printf(&w->path, "/%s", name);
    if (w->path.failed)
        return -ENAMETOOLONG;
    w->fn(w->arg, is_whiteout(&st) ? KIND_DELETED : had ? KIND_CHANGED : KIND_ADDED, w->path.p);
    int r = 0;
    if (S_ISDIR(st.st_mode)) {
        AUTO_CLOSE int u = openat(upper, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        AUTO_CLOSE int l =
            lower >= 0 ? openat(lower, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
        r = u < 0 ? -errno : walk_dir(w, u, is_opaque(u) ? -1 : l, depth + 1);
    }
    w->path.len = len;
    w->path.p[len] = '\0';
    return r;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_names(int dir, char ***ret)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    size_t n = 0, cap = 0;
    char **v = NULL;
    if (!d) {
        if (copy >= 0)
            close(copy);
        return -EIO;
    }
    for (struct dirent *entry; n < CHANGES_MAX && (entry = readdir(d));) {
        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
            continue;
        if (n + 1 >= cap)
            v = mem_grow(v, cap = cap ? cap * 2 : 64, sizeof(*v));
        v[n++] = mem_str(entry->d_name);
        v[n] = NULL;
    }
    closedir(d);
    if (n > 0)
        qsort(v, n, sizeof(*v), compare_names);
    *ret = v;
    return 0;
}

static int walk_dir(struct walk *w, int upper, int lower, unsigned depth)
{
    AUTO_STRV char **names = NULL;
    int r = depth > CHANGES_DEPTH_MAX ? -ELOOP : list_names(upper, &names);
    for (size_t i = 0; r == 0 && names && names[i]; i++)
        r = walk_entry(w, upper, lower, names[i], depth);
    return r;
}

int runtime_changes(struct runtime *rt, struct container *pub,
                    void (*fn)(void *arg, int kind, const char *path), void *arg, struct err *e)
{
    struct ct *c = ct_of(pub);
    AUTO_FREE char *links = mem_printf("%s/lower-layers", c->exec_dir);
    AUTO_FREE char *target = mem_printf("%s/lower", c->exec_dir);
    const struct rootfs_spec s = {.layers = (const char *const *)c->layers,
                                  .init_layer = rt->init_layer,
                                  .links_dir = links,
                                  .target = target};
    struct walk w = {.fn = fn, .arg = arg, .path = BUF_INIT(1 << 16)};
    AUTO_CLOSE int upper = open(c->upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (upper < 0)
        return err_sys(e, errno, "cannot open the layer of %s", c->pub.id);
    int r = file_mkdirs(c->exec_dir, 0700, e);
    if (r == 0)
        r = rootfs_mount(&s, e);
    if (r != 0)
        return r;
    int lower = open(target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    buf_reserve(&w.path, 1);
    r = lower < 0 ? -errno : walk_dir(&w, upper, lower, 0);
    if (lower >= 0)
        close(lower);
    rootfs_unmount(target);
    rmdir(target);
    buf_free(&w.path);
    struct err undo;
    if (file_remove_tree(links, &undo) != 0 && r == 0)
        r = -EIO;
    return r == 0 ? 0 : err_sys(e, -r, "cannot tell the changes of %s", c->pub.id);
}
