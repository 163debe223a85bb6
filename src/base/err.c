/* base/err.c - composing the sentence of a failure in a fixed space. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Marks a sentence that did not fit; `need` is what it would have taken without the terminator. */
static void mark_cut(struct err *e, size_t need)
{
    if (need >= ERR_TEXT_MAX)
        memcpy(e->text + ERR_TEXT_MAX - 4, "...", 4);
}

static size_t add_text(struct err *e, size_t at, const char *s)
{
    size_t n = strlen(s);
    if (at + 1 < ERR_TEXT_MAX) {
        size_t take = n < ERR_TEXT_MAX - 1 - at ? n : ERR_TEXT_MAX - 1 - at;
        memcpy(e->text + at, s, take);
        e->text[at + take] = 0;
    }
    return at + n;
}

static size_t put_text(struct err *e, const char *fmt, va_list ap)
{
    int n = vsnprintf(e->text, ERR_TEXT_MAX, fmt, ap);
    if (n < 0) {
        e->text[0] = 0;
        return 0;
    }
    return (size_t)n;
}

int err_set(struct err *e, int r, const char *fmt, ...)
{
    if (!e)
        return r;
    va_list ap;
    va_start(ap, fmt);
    mark_cut(e, put_text(e, fmt, ap));
    va_end(ap);
    return r;
}

int err_sys(struct err *e, int errnum, const char *fmt, ...)
{
    if (errnum < 0)
        errnum = -errnum;
    if (!e)
        return -errnum;
    va_list ap;
    va_start(ap, fmt);
    size_t n = put_text(e, fmt, ap);
    va_end(ap);
    const char *why = strerrordesc_np(errnum); /* strerror is not safe in two threads */
    n = add_text(e, n, ": ");
    mark_cut(e, add_text(e, n, why ? why : "unknown error"));
    return -errnum;
}

int err_wrap(struct err *e, int r, const char *fmt, ...)
{
    if (!e)
        return r;
    struct err tail;
    memcpy(tail.text, e->text, sizeof(tail.text));
    va_list ap;
    va_start(ap, fmt);
    size_t n = put_text(e, fmt, ap);
    va_end(ap);
    if (tail.text[0]) {
        n = add_text(e, n, ": ");
        n = add_text(e, n, tail.text);
    }
    mark_cut(e, n);
    return r;
}

const char *err_text(const struct err *e)
{
    return e ? e->text : "";
}
