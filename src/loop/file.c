/* loop/file.c - durable writing, directories, small reads. */
#include "loop/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/id.h"
#include "base/mem.h"

enum { TMP_SIZE = 64 };

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static int sync_fd(int fd)
{
    int r;
    do
        r = fsync(fd);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

/* Fills the new file; umask does not touch its mode. */
static int fill(int dir, const char *tmp, const void *p, size_t n, mode_t mode, bool durable)
{
    AUTO_CLOSE int fd =
        openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int r = fchmod(fd, mode) < 0 ? -errno : write_all(fd, p, n);
    if (r == 0 && durable)
        r = sync_fd(fd);
    int closing = TAKE_FD(fd);
    if (close(closing) < 0 && r == 0 && errno != EINTR)
        r = -errno; /* network file systems tell a full disk here */
    return r;
}

static int replace_at(int dir, const char *name, const void *p, size_t n, mode_t mode, bool durable,
                      struct err *e)
{
    char tmp[TMP_SIZE];
    snprintf(tmp, sizeof(tmp), ".new-%016llx", (unsigned long long)random_u64());
    int r = fill(dir, tmp, p, n, mode, durable);
    if (r == 0 && renameat(dir, tmp, dir, name) < 0)
        r = -errno;
    if (r < 0) {
        unlinkat(dir, tmp, 0); /* it may not be there; the first failure is the one to tell */
        return err_sys(e, r, "write '%s'", name);
    }
    if (durable && (r = sync_fd(dir)) < 0)
        return err_sys(e, r, "sync the directory of '%s'", name);
    return 0;
}

/* Opens the directory that a path lies in; *ret_name is its last part, within path. */
static int open_parent(const char *path, const char **ret_name, struct err *e)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return err_set(e, -EINVAL, "'%s' names no file", path);
    AUTO_FREE char *parent = !slash          ? mem_str(".")
                             : slash == path ? mem_str("/")
                                             : mem_strn(path, (size_t)(slash - path));
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "open directory '%s'", parent);
    *ret_name = name;
    return fd;
}

static int replace(const char *path, const void *p, size_t n, mode_t mode, bool durable,
                   struct err *e)
{
    const char *name;
    AUTO_CLOSE int dir = open_parent(path, &name, e);
    if (dir < 0)
        return err_wrap(e, dir, "write '%s'", path);
    return replace_at(dir, name, p, n, mode, durable, e);
}

int file_write(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
    return replace(path, p, n, mode, true, e);
}

int file_replace(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
    return replace(path, p, n, mode, false, e);
}

int file_write_at(int dir, const char *name, const void *p, size_t n, mode_t mode, struct err *e)
{
    if (!*name || strchr(name, '/'))
        return err_set(e, -EINVAL, "'%s' is not a file name", name);
    return replace_at(dir, name, p, n, mode, true, e);
}

static int make_dir(const char *path, mode_t mode, struct err *e)
{
    struct stat st;
    if (mkdir(path, 0700) == 0) {
        /* mkdir's own mode would be cut by the umask */
        return chmod(path, mode) < 0 ? err_sys(e, errno, "set the mode of '%s'", path) : 0;
    }
    if (errno != EEXIST)
        return err_sys(e, errno, "make directory '%s'", path);
    if (stat(path, &st) < 0)
        return err_sys(e, errno, "make directory '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return err_sys(e, ENOTDIR, "make directory '%s'", path);
    return 0;
}

int file_mkdirs(const char *path, mode_t mode, struct err *e)
{
    AUTO_FREE char *part = mem_str(path);
    if (!*part)
        return err_set(e, -EINVAL, "make a directory without a name");
    for (char *p = part + 1; *p; p++) {
        if (*p != '/' || p[-1] == '/')
            continue;
        *p = 0;
        int r = make_dir(part, mode, e);
        if (r < 0)
            return r;
        *p = '/';
    }
    return make_dir(part, mode, e);
}

int file_unlink(const char *path, struct err *e)
{
    const char *name;
    AUTO_CLOSE int dir = open_parent(path, &name, e);
    if (dir == -ENOENT)
        return 0;
    if (dir < 0)
        return dir;
    if (unlinkat(dir, name, 0) < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "remove '%s'", path);
    int r = sync_fd(dir);
    return r < 0 ? err_sys(e, r, "sync the directory of '%s'", path) : 0;
}

int file_read_at(int dir, const char *name, struct buf *b, struct err *e)
{
    struct stat st;
    char chunk[4096];
    AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "open '%s'", name);
    if (fstat(fd, &st) < 0)
        return err_sys(e, errno, "stat '%s'", name);
    if (!S_ISREG(st.st_mode)) /* a FIFO would never end */
        return err_set(e, -EINVAL, "'%s' is not a regular file", name);
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, errno, "read '%s'", name);
        if (n == 0)
            return 0;
        buf_append(b, chunk, (size_t)n);
        if (b->failed)
            return err_set(e, -EFBIG, "'%s' is larger than %zu bytes", name, b->max);
    }
}

int file_read_line(const char *path, char *ret, size_t size, struct err *e)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "open '%s'", path);
    size_t len = 0;
    while (len < size && !memchr(ret, '\n', len)) {
        ssize_t n = read(fd, ret + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, errno, "read '%s'", path);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    char *end = memchr(ret, '\n', len);
    if (!end && len >= size)
        return err_set(e, -EFBIG, "the first line of '%s' is longer than %zu bytes", path,
                       size - 1);
    *(end ? end : ret + len) = 0;
    return 0;
}

bool file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}
