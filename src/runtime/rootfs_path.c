/* runtime/rootfs_path.c - paths inside a container's file system, resolved by the kernel and never
 * followed by us. */
#include "runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime/path.h"

enum { OPENAT2_TRIES = 64 }; /* EAGAIN: something was renamed while the kernel walked */

/* path inside root, "." for the root itself. A descriptor or -errno. */
static int open_in(int root, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC), .resolve = resolve};
    while (*path == '/')
        path++;
    for (int i = 0; i < OPENAT2_TRIES; i++) {
        long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
        if (fd >= 0)
            return (int)fd;
        if (errno != EAGAIN)
            return -errno;
    }
    return -EAGAIN;
}

static int open_following(int root, const char *path, int flags)
{
    return open_in(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int rootfs_check_kernel(struct err *e)
{
    AUTO_CLOSE int fd = open_following(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
    if (fd < 0)
        return err_set(e, -ENOSYS, "this kernel lacks openat2: Linux 5.6 or newer is needed");
    AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (pidfd < 0)
        return err_set(e, -ENOSYS, "this kernel lacks pidfd_open: Linux 5.6 or newer is needed");
    AUTO_BUF struct buf b = BUF_INIT(1 << 16);
    int r = buf_read_file(&b, "/proc/filesystems", e);
    if (r != 0)
        return r;
    if (!strstr(b.p, "\toverlay\n"))
        return err_set(e, -ENODEV,
                       "this kernel has no overlay file system: run 'modprobe overlay'");
    return 0;
}

int rootfs_open(const char *target, struct err *e)
{
    int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 ? fd : err_sys(e, errno, "cannot open the container's file system");
}

/* Makes name in dir a plain directory; gives a descriptor of it, or -errno. */
static int own_one(int dir, const char *name)
{
    for (int i = 0; i < 3; i++) {
        int fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
            return fd;
        if (errno != ENOENT && unlinkat(dir, name, 0) != 0 && errno != ENOENT)
            return -errno;
        if (mkdirat(dir, name, 0755) != 0 && errno != EEXIST)
            return -errno;
    }
    return -ELOOP;
}

int rootfs_own_dir(int root, const char *path, struct err *e)
{
    int at = fcntl(root, F_DUPFD_CLOEXEC, 3);
    while (at >= 0 && *path) {
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        if (n == 0)
            break;
        AUTO_FREE char *name = mem_strn(path, n);
        int next = own_one(at, name);
        close(at);
        at = next;
        path += n;
    }
    if (at < 0)
        return err_sys(e, -at, "cannot make a directory in the container's file system");
    close(at);
    return 0;
}

/* The path of an open descriptor below root, without links. */
static int path_of(int root, int fd, char **ret)
{
    char name[40], top[PATH_MAX], at[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", root);
    ssize_t n = readlink(name, top, sizeof top - 1);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t m = readlink(name, at, sizeof at - 1);
    if (n <= 0 || m < n || m >= (ssize_t)sizeof at - 1)
        return -ENAMETOOLONG;
    top[n] = at[m] = '\0';
    if (!path_below(at, top))
        return -EXDEV;
    *ret = mem_str(at[n] ? at + n : "/");
    return 0;
}

/* Opens path as a directory, making what is missing. */
static int make_dirs(int root, const char *path)
{
    size_t n = 0;
    int fd = fcntl(root, F_DUPFD_CLOEXEC, 3);
    while (fd >= 0 && path[n]) {
        size_t start = n + strspn(path + n, "/");
        n = start + strcspn(path + start, "/");
        if (n == start)
            break;
        AUTO_FREE char *so_far = mem_strn(path, n);
        AUTO_FREE char *name = mem_strn(path + start, n - start);
        int next = open_following(root, so_far, O_PATH | O_DIRECTORY);
        if (next == -ENOENT) {
            next =
                mkdirat(fd, name, 0755) == 0 ? 0 : -errno; /* EEXIST: a link that leads nowhere */
            if (next == 0)
                next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (next == -1)
                next = -errno;
        }
        close(fd);
        fd = next;
    }
    return fd;
}

static int make_file(int dir, const char *name, bool replace_link)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISDIR(st.st_mode))
            return -EISDIR;
        if (S_ISREG(st.st_mode) || (S_ISLNK(st.st_mode) && !replace_link))
            return 0;
        if (unlinkat(dir, name, 0) != 0)
            return -errno;
    } else if (errno != ENOENT) {
        return -errno;
    }
    int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0755);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

static int open_target(int root, const char *path, enum rootfs_kind kind, bool replace_link)
{
    if (kind == ROOTFS_DIR)
        return make_dirs(root, path);
    const char *slash = strrchr(path, '/');
    if (!slash[1])
        return -EISDIR;
    AUTO_FREE char *parent = mem_strn(path, (size_t)(slash - path));
    AUTO_CLOSE int dir = make_dirs(root, parent);
    if (dir < 0)
        return dir;
    int r = make_file(dir, slash + 1, replace_link);
    if (r != 0)
        return r;
    if (replace_link)
        return (r = openat(dir, slash + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC)) < 0 ? -errno : r;
    return open_following(root, path, O_PATH);
}

static int refuse_kernel_paths(const char *asked, const char *found, struct err *e)
{
    static const char *const kernel[] = {"/proc", "/sys", "/dev"};
    for (size_t i = 0; i < 3; i++)
        if (path_below(found, kernel[i]) && (i == 0 || !path_below(asked, kernel[i])))
            return err_set(e, -EPERM, "\"%.256s\" cannot be mounted because it is inside %s", asked,
                           kernel[i]);
    return 0;
}

int rootfs_resolve(int root, const char *path, enum rootfs_kind kind, bool replace_link, char **ret,
                   struct err *e)
{
    AUTO_FREE char *found = NULL;
    int r = refuse_kernel_paths(path, path, e);
    if (r != 0)
        return r;
    if (path_below(path, "/dev") ||
        path_below(path, "/sys")) { /* the runtime's own mounts: made there by it */
        *ret = mem_str(path);
        return 0;
    }
    AUTO_CLOSE int fd = open_target(root, path, kind, replace_link);
    r = fd < 0 ? fd : path_of(root, fd, &found);
    if (r != 0)
        return err_sys(e, -r, "cannot make the mount point %.256s in the container", path);
    r = refuse_kernel_paths(path, found, e);
    if (r == 0)
        *ret = TAKE(found);
    return r;
}

int rootfs_read_file(int root, const char *path, size_t max, char **ret)
{
    struct stat st;
    char name[40];
    AUTO_CLOSE int at = open_following(root, path, O_PATH);
    if (at < 0)
        return at;
    if (fstat(at, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (st.st_size > (off_t)max)
        return -EFBIG;
    snprintf(name, sizeof name, "/proc/self/fd/%d", at);
    AUTO_CLOSE int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    char *text = fd < 0 ? NULL : mem_try(max + 1);
    if (!text)
        return fd < 0 ? -errno : -ENOMEM;
    size_t len = 0;
    ssize_t n;
    while (len < max && (n = read(fd, text + len, max - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    *ret = mem_strn(text, len);
    free(text);
    return 0;
}
