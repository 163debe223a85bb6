/* base/buf.c - the growing buffer. */
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/mem.h"

enum { FIRST_CAP = 256, READ_STEP = 16384 };

/* Room for `more` bytes and the terminator; false (and failed) when that is past the ceiling. */
static bool make_room(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (b->len > b->max || more > b->max - b->len || b->max == SIZE_MAX) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap < FIRST_CAP ? FIRST_CAP : b->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    char *p = realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    p[b->len] = 0;
    return true;
}

void buf_reserve(struct buf *b, size_t more)
{
    (void)make_room(b, more); /* a failure is kept in b->failed */
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    if (!make_room(b, n))
        return;
    if (n)
        memcpy(b->p + b->len, p, n);
    b->len += n;
    b->p[b->len] = 0;
}

void buf_str(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    if (b->failed)
        return;
    va_list ap;
    for (int turn = 0; turn < 2; turn++) {
        size_t room = b->p ? b->cap - b->len : 0;
        va_start(ap, fmt);
        int n = vsnprintf(room ? b->p + b->len : NULL, room, fmt, ap);
        va_end(ap);
        if (n < 0) {
            b->failed = true;
            return;
        }
        if ((size_t)n < room) {
            b->len += (size_t)n;
            return;
        }
        if (room)
            b->p[b->len] = 0; /* takes back what vsnprintf cut */
        if (!make_room(b, (size_t)n))
            return;
    }
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->len)
        n = b->len;
    if (!n)
        return;
    memmove(b->p, b->p + n, b->len - n + 1);
    b->len -= n;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->p)
        b->p[0] = 0;
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = BUF_INIT(b->max);
}

char *buf_take(struct buf *b)
{
    char *p = b->p ? b->p : mem_str("");
    *b = BUF_INIT(b->max);
    return p;
}

static int read_fd(struct buf *b, int fd, const char *path, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(e, errno, "stat '%s'", path);
    if (S_ISDIR(st.st_mode))
        return err_sys(e, EISDIR, "read '%s'", path);
    size_t left = b->max - b->len;
    if (S_ISREG(st.st_mode) && st.st_size > 0 && (uintmax_t)st.st_size <= left)
        buf_reserve(b, (size_t)st.st_size);
    for (;;) {
        char chunk[READ_STEP]; /* read beside the buffer, to tell "exactly full" from "too big" */
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, errno, "read '%s'", path);
        if (n == 0)
            return 0;
        buf_append(b, chunk, (size_t)n);
        if (b->failed)
            return err_set(e, -EFBIG, "'%s' is larger than %zu bytes", path, b->max);
    }
}

int buf_read_file(struct buf *b, const char *path, struct err *e)
{
    if (b->failed || b->len > b->max)
        return err_set(e, -EINVAL, "read '%s' into a buffer that has failed", path);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_sys(e, errno, "open '%s'", path);
    return read_fd(b, fd, path, e);
}
