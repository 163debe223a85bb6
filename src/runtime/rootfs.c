/* runtime/rootfs.c - mounting the layers. Paths inside are runtime/rootfs_path.c. */
#include "runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "loop/file.h"

enum { MOUNT_DATA_MAX = 4095 }; /* one page, with its NUL */

/* links_dir/0 is the topmost layer, so that a hundred layers fit into the kernel's one page of
 * options. */
static int make_links(const struct rootfs_spec *s, struct buf *lower, struct err *e)
{
    size_t n = strv_len(s->layers), at = 0;
    int r = file_remove_tree(s->links_dir, e);
    if (r == 0 && mkdir(s->links_dir, 0700) != 0)
        r = err_sys(e, errno, "cannot make %s", s->links_dir);
    if (r != 0)
        return r;
    AUTO_CLOSE int dir = open(s->links_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i <= n; i++) {
        char name[24];
        const char *layer = i == 0 ? s->init_layer : s->layers[n - i];
        snprintf(name, sizeof name, "%zu", at++);
        if (symlinkat(layer, dir, name) != 0)
            return err_sys(e, errno, "cannot link a layer in %s", s->links_dir);
        buf_printf(lower, "%s%s", i ? ":" : "", name);
    }
    return 0;
}

static int mount_from(const char *dir, const char *target, unsigned long flags, const char *data,
                      struct err *e)
{
    /* The names are relative, so the mount is made from the directory of the links. */
    AUTO_CLOSE int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (back < 0 || chdir(dir) != 0)
        return err_sys(e, errno, "cannot enter %s", dir);
    int r = mount("overlay", target, "overlay", flags, data) == 0 ? 0 : -errno;
    if (fchdir(back) != 0 && chdir("/") != 0)
        return err_sys(e, errno, "cannot go back");
    return r == 0 ? 0 : err_sys(e, -r, "cannot mount the container's file system");
}

int rootfs_mount(const struct rootfs_spec *s, struct err *e)
{
    AUTO_BUF struct buf data = BUF_INIT(1 << 20);
    if (mkdir(s->target, 0700) != 0 && errno != EEXIST)
        return err_sys(e, errno, "cannot make %s", s->target);
    buf_str(&data, "lowerdir=");
    int r = make_links(s, &data, e);
    if (r != 0)
        return r;
    if (s->upper)
        buf_printf(&data, ",upperdir=%s,workdir=%s", s->upper, s->work);
    buf_str(&data, ",redirect_dir=off,metacopy=off");
    if (data.failed || data.len > MOUNT_DATA_MAX || strpbrk(s->upper ? s->upper : "", ",\\:"))
        return err_set(
            e, -ENAMETOOLONG,
            "cannot mount the container's file system: too many layers, or a data root with "
            "a comma, colon or backslash in its path");
    return mount_from(s->links_dir, s->target, s->upper ? 0 : MS_RDONLY, data.p, e);
}

bool rootfs_is_mounted(const char *target)
{
    struct stat a, b;
    AUTO_FREE char *parent = mem_printf("%s/..", target);
    return lstat(target, &a) == 0 && S_ISDIR(a.st_mode) && lstat(parent, &b) == 0 &&
           a.st_dev != b.st_dev;
}

void rootfs_unmount(const char *target)
{
    while (rootfs_is_mounted(target))
        if (umount2(target, UMOUNT_NOFOLLOW) != 0 &&
            umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
            break;
}

static int make_entry(int dir, const char *path)
{
    size_t n = strlen(path);
    if (path[n - 1] == '/') {
        AUTO_FREE char *name = mem_strn(path, n - 1);
        return mkdirat(dir, name, 0755) == 0 || errno == EEXIST ? 0 : -errno;
    }
    int fd = openat(dir, path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0755);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

int rootfs_make_init_layer(const char *path, struct err *e)
{
    static const char *const entries[] = {
        "dev/", "dev/pts/", "dev/shm/",  "dev/mqueue/",  "dev/console",     "proc/",
        "sys/", "etc/",     "etc/hosts", "etc/hostname", "etc/resolv.conf", ".dockerenv",
    };
    int r = file_mkdirs(path, 0755, e);
    if (r != 0)
        return r;
    AUTO_CLOSE int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return err_sys(e, errno, "cannot open %s", path);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        if ((r = make_entry(dir, entries[i])) != 0)
            return err_sys(e, -r, "cannot make %s/%s", path, entries[i]);
    if (symlinkat("/proc/mounts", dir, "etc/mtab") != 0 && errno != EEXIST)
        return err_sys(e, errno, "cannot make %s/etc/mtab", path);
    return 0;
}
