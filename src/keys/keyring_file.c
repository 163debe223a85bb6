/* keys/keyring_file.c - reading and replacing the keyring's files. */
#include "keys/keyring_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* Plain bytes of a file, never more than max + 1 of them so that "too long" is seen. */
static int read_all(int fd, const char *name, uint8_t *p, size_t max, size_t *ret_len,
                    struct err *e)
{
    size_t len = 0;
    while (len < max) {
        ssize_t n = read(fd, p + len, max - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, errno, "read %s", name);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_len = len;
    return 0;
}

static int open_for_read(int dir, const char *name, struct stat *st, int *ret, struct err *e)
{
    AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0)
        return err_sys(e, errno, "open %s", name);
    if (fstat(fd, st) < 0)
        return err_sys(e, errno, "stat %s", name);
    if (!S_ISREG(st->st_mode))
        return err_set(e, -EBADMSG, "%s is not a file", name);
    *ret = TAKE_FD(fd);
    return 0;
}

int keyring_file_read(int dir, const char *name, void *p, size_t max, size_t *ret_len,
                      struct err *e)
{
    AUTO_CLOSE int fd = -1;
    struct stat st;
    int r = open_for_read(dir, name, &st, &fd, e);
    if (r < 0)
        return r;
    if ((uint64_t)st.st_size > max)
        return err_set(e, -EFBIG, "%s is too large", name);
    return read_all(fd, name, p, max, ret_len, e);
}

static int sync_dir(int dir, struct err *e)
{
    return fsync(dir) < 0 ? err_sys(e, errno, "sync the directory of the keyring") : 0;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -errno;
        p += w;
        n -= (size_t)w;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

int keyring_file_write(int dir, const char *name, const void *p, size_t n, bool fresh,
                       struct err *e)
{
    char tmp[64];
    snprintf(tmp, sizeof tmp, ".%s.tmp", name);
    if (unlinkat(dir, tmp, 0) < 0 && errno != ENOENT)
        return err_sys(e, errno, "remove old %s", tmp);
    AUTO_CLOSE int fd =
        openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, errno, "create %s", tmp);
    int r = write_all(fd, p, n);
    if (r < 0)
        r = err_sys(e, -r, "write %s", tmp);
    else if (renameat2(dir, tmp, dir, name, fresh ? RENAME_NOREPLACE : 0) < 0)
        r = err_sys(e, errno, "put %s in place", name);
    if (r < 0) {
        unlinkat(dir, tmp, 0);
        return r;
    }
    return sync_dir(dir, e);
}

int keyring_file_rename(int dir, const char *from, const char *to, struct err *e)
{
    if (renameat(dir, from, dir, to) < 0)
        return err_sys(e, errno, "rename %s to %s", from, to);
    return sync_dir(dir, e);
}

int keyring_file_remove(int dir, const char *name, struct err *e)
{
    if (unlinkat(dir, name, 0) < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "remove %s", name);
    return sync_dir(dir, e);
}

int kek_file_read(int dir, const char *name, struct kek **ret, struct err *e)
{
    enum { ROOM = KEK_TEXT_LEN + 2 }; /* a newline, and one byte to see that it is too long */
    AUTO_CLOSE int fd = -1;
    struct stat st;
    size_t len;
    int r = open_for_read(dir, name, &st, &fd, e);
    if (r < 0)
        return r;
    if (st.st_mode & 077)
        return err_set(e, -EPERM, "%s may be read by others (mode %03o): make it 0600", name,
                       (unsigned)(st.st_mode & 0777));
    char *text = secret_alloc(ROOM);
    if (!text)
        return err_set(e, -ENOMEM, "out of locked memory");
    r = read_all(fd, name, (uint8_t *)text, ROOM, &len, e);
    if (r == 0) {
        if (len > 0 && text[len - 1] == '\n')
            len--;
        r = kek_parse(text, len, ret, e);
        if (r < 0)
            r = err_wrap(e, r, "%s", name);
    }
    secret_free(text);
    return r;
}

int kek_file_write(int dir, const char *name, const struct kek *k, struct err *e)
{
    AUTO_SECRET struct secret_buf *text = NULL;
    int r = kek_print(k, &text, e);
    if (r < 0)
        return r;
    return keyring_file_write(dir, name, secret_buf_bytes(text), secret_buf_len(text), false, e);
}
