/* runtime/secrets.c - plaintext leaves secret memory here, by write(2), into a file system that
 * lives in memory. */
#include "runtime/secrets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime/path.h"

enum { PAGE = 4096, SLACK_BYTES = 16 * PAGE, WIPE_DEPTH_MAX = 64 };

static bool in_secrets_dir(const char *target)
{
    return path_below(target, SECRETS_DIR);
}

/* ---- targets ---- */

static int check_target(const char *t, struct err *e)
{
    static const char *const kernel[] = {"/proc", "/sys", "/dev"};
    if (str_eq(t, SECRETS_DIR) || str_eq(t, "/") || str_eq(t, "/run"))
        return err_set(e, -EINVAL, "invalid secret target: %s is a directory", t);
    for (size_t i = 0; i < 3; i++)
        if (path_below(t, kernel[i]))
            return err_set(e, -EINVAL, "invalid secret target: %.256s is inside %s", t, kernel[i]);
    return 0;
}

int secrets_check(struct secret_file *files, size_t n, struct err *e)
{
    if (n > SECRETS_MAX)
        return err_set(e, -E2BIG, "more than %d secrets in one container", SECRETS_MAX);
    for (size_t i = 0; i < n; i++) {
        char *clean = path_clean(files[i].target);
        if (!clean)
            return err_set(e, -EINVAL, "invalid secret target for %.128s",
                           str_or(files[i].name, "a secret"));
        free(files[i].target);
        files[i].target = clean;
        files[i].mode &= 0777;
        int r = check_target(clean, e);
        if (r != 0)
            return r;
        for (size_t j = 0; j < i; j++)
            if (str_eq(files[j].target, clean))
                return err_set(e, -EINVAL, "two secrets have the same target %.256s", clean);
    }
    return 0;
}

/* ---- filling ---- */

static bool swap_in_use(void)
{
    AUTO_BUF struct buf b = BUF_INIT(1 << 16);
    const char *line = buf_read_file(&b, "/proc/swaps", NULL) == 0 ? strchr(b.p, '\n') : NULL;
    return line && line[1];
}

int secrets_mount_fs(const char *dir, size_t bytes, size_t files, bool no_noswap, struct err *e)
{
    static bool warned;
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    AUTO_FREE char *data = mem_printf("noswap,mode=0755,size=%zu,nr_inodes=%zu", bytes, files);
    if (!no_noswap && mount("tmpfs", dir, "tmpfs", flags, data) == 0)
        return 0;
    if (!no_noswap && errno != EINVAL)
        return err_sys(e, errno, "cannot mount memory for secrets");
    if (!warned && !no_noswap)
        log_warn("this kernel has no tmpfs option 'noswap' (Linux 6.4): secrets are kept in ramfs, "
                 "which is never swapped%s",
                 swap_in_use() ? "; swap is in use on this machine" : "");
    warned = true;
    if (mount("ramfs", dir, "ramfs", flags, "mode=0755") != 0)
        return err_sys(e, errno, "cannot mount memory for secrets");
    return 0;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t m = write(fd, p, n);
        if (m < 0 && errno == EINTR)
            continue;
        if (m <= 0)
            return m < 0 ? -errno : -EIO;
        p += m;
        n -= (size_t)m;
    }
    return 0;
}

/* The file has no name until it is whole and has its owner and mode. */
static int write_file(int dir, const char *name, const struct secret_file *f,
                      const struct secret_buf *payload)
{
    char link[40];
    AUTO_CLOSE int fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (fchown(fd, f->uid, f->gid) != 0 || fchmod(fd, f->mode & 0777) != 0)
        return -errno;
    int r = write_all(fd, secret_buf_bytes(payload), secret_buf_len(payload));
    if (r != 0)
        return r;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, link, dir, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

static int enter_dir(int dir, const char *name)
{
    if (mkdirat(dir, name, 0755) == 0) {
        if (fchmodat(dir, name, 0755, 0) != 0)
            return -errno;
    } else if (errno != EEXIST) {
        return -errno;
    }
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

/* path: relative, cleaned. */
static int write_below(int top, const char *path, const struct secret_file *f,
                       const struct secret_buf *payload)
{
    int at = fcntl(top, F_DUPFD_CLOEXEC, 3);
    const char *slash;
    while (at >= 0 && (slash = strchr(path, '/'))) {
        AUTO_FREE char *name = mem_strn(path, (size_t)(slash - path));
        int next = enter_dir(at, name);
        close(at);
        at = next;
        path = slash + 1;
    }
    if (at < 0)
        return at;
    int r = write_file(at, path, f, payload);
    close(at);
    return r;
}

static int fill(const char *dir, const struct secret_file *files,
                struct secret_buf *const *payloads, size_t n, struct err *e)
{
    AUTO_CLOSE int top = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_CLOSE int inside = top < 0 ? -errno : enter_dir(top, "dir");
    AUTO_CLOSE int alone = top < 0 ? -errno : enter_dir(top, "file");
    if (inside < 0 || alone < 0)
        return err_sys(e, inside < 0 ? -inside : -alone, "error creating secret mount path");
    for (size_t i = 0; i < n; i++) {
        char name[24];
        int r;
        if (!payloads[i])
            return err_set(e, -EINVAL,
                           "unable to get secret from secret store: secret %.128s not found",
                           str_or(files[i].name, "?"));
        snprintf(name, sizeof name, "%zu", i);
        if (in_secrets_dir(files[i].target))
            r = write_below(inside, files[i].target + strlen(SECRETS_DIR) + 1, &files[i],
                            payloads[i]);
        else
            r = write_file(alone, name, &files[i], payloads[i]);
        if (r != 0)
            return err_sys(e, -r, "error setting up secret target path for %.128s",
                           str_or(files[i].name, "a secret"));
    }
    return 0;
}

int secrets_mount(const char *dir, const struct secret_file *files,
                  struct secret_buf *const *payloads, size_t n, struct err *e)
{
    size_t bytes = SLACK_BYTES, inodes = 16;
    for (size_t i = 0; i < n; i++) {
        bytes += payloads[i] ? (secret_buf_len(payloads[i]) + PAGE) / PAGE * PAGE : 0;
        inodes += 2 + path_depth(files[i].target);
    }
    int r = secrets_wipe(dir, e); /* of a start that was cut short */
    if (r != 0)
        return r;
    if (mkdir(dir, 0700) != 0)
        return err_sys(e, errno, "error creating secret mount path");
    r = secrets_mount_fs(dir, bytes, inodes, false, e);
    if (r == 0)
        r = fill(dir, files, payloads, n, e);
    if (r != 0) {
        struct err undo;
        if (secrets_wipe(dir, &undo) != 0)
            log_error("%s", err_text(&undo));
    }
    return r;
}

size_t secrets_binds(const char *dir, const struct secret_file *files, size_t n,
                     struct spec_bind *ret)
{
    size_t count = 0;
    bool inside = false;
    for (size_t i = 0; i < n; i++) {
        if (in_secrets_dir(files[i].target)) {
            inside = true;
            continue;
        }
        ret[count++] = (struct spec_bind){.source = mem_printf("%s/file/%zu", dir, i),
                                          .target = mem_str(files[i].target),
                                          .readonly = true,
                                          .hardened = true};
    }
    if (inside)
        ret[count++] = (struct spec_bind){.source = mem_printf("%s/dir", dir),
                                          .target = mem_str(SECRETS_DIR),
                                          .readonly = true,
                                          .hardened = true};
    return count;
}

/* ---- wiping ---- */

static int overwrite(int dir, const char *name)
{
    static const uint8_t zeros[16 * PAGE];
    struct stat st;
    AUTO_CLOSE int fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return 0;
    size_t left = st.st_size > 0 ? (size_t)st.st_size : 0;
    int r = 0;
    while (left > 0 && r == 0) {
        size_t n = left < sizeof zeros ? left : sizeof zeros;
        r = write_all(fd, zeros, n);
        left -= n;
    }
    return r;
}

static int wipe_below(int dir, unsigned depth);

static int wipe_entry(int dir, const struct dirent *d, unsigned depth)
{
    if (d->d_type == DT_DIR) {
        AUTO_CLOSE int below =
            openat(dir, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = below < 0 ? -errno : wipe_below(below, depth + 1);
        return unlinkat(dir, d->d_name, AT_REMOVEDIR) != 0 && r == 0 ? -errno : r;
    }
    int r = d->d_type == DT_REG ? overwrite(dir, d->d_name) : 0;
    return unlinkat(dir, d->d_name, 0) != 0 && r == 0 ? -errno : r;
}

static int wipe_below(int dir, unsigned depth)
{
    int copy = depth > WIPE_DEPTH_MAX ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    int first = 0;
    if (!list) {
        if (copy >= 0)
            close(copy);
        return -ELOOP;
    }
    for (struct dirent *d; (d = readdir(list));) {
        if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
            continue;
        int r = wipe_entry(dir, d, depth);
        first = first ? first : r;
    }
    closedir(list);
    return first;
}

static bool is_mount_point(const char *dir)
{
    struct stat a, b;
    AUTO_FREE char *parent = mem_printf("%s/..", dir);
    return lstat(dir, &a) == 0 && S_ISDIR(a.st_mode) && lstat(parent, &b) == 0 &&
           a.st_dev != b.st_dev;
}

int secrets_wipe(const char *dir, struct err *e)
{
    struct stat st;
    if (lstat(dir, &st) != 0 && errno == ENOENT)
        return 0;
    int top = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = top < 0 ? -errno : wipe_below(top, 0);
    if (top >= 0)
        close(top);
    if (is_mount_point(dir) && umount2(dir, UMOUNT_NOFOLLOW) != 0 &&
        umount2(dir, MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
        r = r ? r : -errno;
    if (rmdir(dir) != 0 && r == 0)
        r = -errno;
    return r == 0 ? 0 : err_sys(e, -r, "cannot wipe the secrets in %s", dir);
}
