/* loop/file_remove.c - taking a tree away that a stranger may have filled.
 *
 * Every directory is opened relative to its parent with openat2(2), which refuses links and other
 * mounts in one step, so that nothing swapped in between can lead elsewhere. A tree may be deeper
 * than there are descriptors: what lies below DEPTH_MAX is moved up to the top of the tree and
 * taken from there. */
#include "loop/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/mem.h"

enum { DEPTH_MAX = 64, NAME_SIZE = 64 };

struct removal {
    int top;        /* the directory at the root of the tree */
    unsigned moved; /* directories moved up so far */
    bool again;     /* some were moved in this pass */
    int first;      /* the first failure, told in e */
    struct err *e;
};

static void failed(struct removal *m, int errnum, const char *name)
{
    if (m->first)
        return;
    if (errnum == EXDEV || errnum == EBUSY)
        m->first = err_set(m->e, -EBUSY, "remove '%s': something is mounted there", name);
    else
        m->first = err_sys(m->e, errnum, "remove '%s'", name);
}

static int open_dir(int dir, const char *name)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH};
    long fd;
    do
        fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
    while (fd < 0 && (errno == EINTR || errno == EAGAIN)); /* EAGAIN: a rename elsewhere raced */
    return (int)fd;
}

static void empty_dir(struct removal *m, int fd, unsigned depth);

/* Out of the deep: the next pass finds it directly below the top. */
static void move_up(struct removal *m, int dir, const char *name)
{
    char to[NAME_SIZE];
    for (;;) {
        snprintf(to, sizeof(to), ".removed-%u", m->moved++);
        if (syscall(SYS_renameat2, dir, name, m->top, to, RENAME_NOREPLACE) == 0) {
            m->again = true;
            return;
        }
        if (errno != EEXIST) {
            failed(m, errno, name);
            return;
        }
    }
}

static void remove_dir(struct removal *m, int dir, const char *name, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        move_up(m, dir, name);
        return;
    }
    int fd = open_dir(dir, name);
    if (fd < 0) {
        if (errno != ENOENT)
            failed(m, errno, name);
        return;
    }
    empty_dir(m, fd, depth + 1); /* closes it */
    if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        failed(m, errno, name);
}

static void remove_entry(struct removal *m, int dir, const struct dirent *d, unsigned depth)
{
    if (d->d_type != DT_DIR) {
        if (unlinkat(dir, d->d_name, 0) == 0 || errno == ENOENT)
            return;
        if (errno != EISDIR) { /* d_type may be unknown */
            failed(m, errno, d->d_name);
            return;
        }
    }
    remove_dir(m, dir, d->d_name, depth);
}

static void empty_dir(struct removal *m, int fd, unsigned depth)
{
    DIR *list = fdopendir(fd);
    if (!list) {
        failed(m, errno, ".");
        close(fd);
        return;
    }
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(list);
        if (!d)
            break;
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            remove_entry(m, dirfd(list), d, depth);
    }
    if (errno)
        failed(m, errno, ".");
    closedir(list);
}

/* What was moved up may or may not be seen by the listing under way: each pass that moved something
 * has another. */
static int empty_tree(int top, struct err *e)
{
    struct removal m = {.top = top, .e = e};
    do {
        m.again = false;
        int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return err_sys(e, errno, "open the directory to remove");
        empty_dir(&m, fd, 1);
    } while (m.again && !m.first);
    return m.first;
}

static int remove_at(int dir, const char *name, struct err *e)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return err_sys(e, errno, "remove '%s'", name);
    AUTO_CLOSE int top = open_dir(dir, name);
    if (top < 0 && errno == ENOENT)
        return 0;
    if (top < 0 && errno == EXDEV)
        return err_set(e, -EBUSY, "remove '%s': something is mounted there", name);
    if (top < 0)
        return err_sys(e, errno, "remove '%s'", name);
    int r = empty_tree(top, e);
    if (r < 0)
        return r;
    if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_sys(e, errno, "remove '%s'", name);
    return 0;
}

int file_remove_tree_at(int dir, const char *name, struct err *e)
{
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return err_set(e, -EINVAL, "'%s' is not a file name", name);
    return remove_at(dir, name, e);
}

int file_remove_tree(const char *path, struct err *e)
{
    AUTO_FREE char *copy = mem_str(path);
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/')
        copy[--n] = 0;
    char *slash = strrchr(copy, '/');
    const char *name = slash ? slash + 1 : copy;
    const char *parent = !slash ? "." : slash == copy ? "/" : copy;
    AUTO_FREE char *last = mem_str(name);
    if (slash && slash != copy)
        *slash = 0;
    AUTO_CLOSE int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "open directory '%s'", parent);
    int r = file_remove_tree_at(dir, last, e);
    return r < 0 ? err_wrap(e, r, "remove '%s'", path) : 0;
}
