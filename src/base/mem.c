/* base/mem.c - ordinary memory that aborts rather than return nothing. */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

static void *checked(void *p, size_t size)
{
    if (!p)
        log_abort("out of memory: %zu bytes", size);
    return p;
}

void *mem_new(size_t size)
{
    return checked(calloc(1, size ? size : 1), size);
}

static size_t product(size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        log_abort("out of memory: %zu times %zu bytes", n, size);
    return total;
}

void *mem_array(size_t n, size_t size)
{
    return mem_new(product(n, size));
}

void *mem_grow(void *p, size_t n, size_t size)
{
    size_t total = product(n, size);
    return checked(realloc(p, total ? total : 1), total);
}

void *mem_try(size_t size)
{
    return malloc(size ? size : 1);
}

char *mem_str(const char *s)
{
    return s ? checked(strdup(s), strlen(s)) : NULL;
}

char *mem_strn(const char *s, size_t n)
{
    return checked(strndup(s ? s : "", n), n);
}

char *mem_vprintf(const char *fmt, va_list ap)
{
    char *s = NULL;
    if (vasprintf(&s, fmt, ap) < 0)
        log_abort("out of memory: formatting \"%s\"", fmt);
    return s;
}

char *mem_printf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = mem_vprintf(fmt, ap);
    va_end(ap);
    return s;
}

void *mem_dup(const void *p, size_t n)
{
    void *copy = checked(malloc(n ? n : 1), n);
    if (n)
        memcpy(copy, p, n);
    return copy;
}

size_t strv_len(const char *const *v)
{
    size_t n = 0;
    while (v && v[n])
        n++;
    return n;
}

char **strv_dup(const char *const *v)
{
    if (!v)
        return NULL;
    size_t n = strv_len(v);
    char **copy = mem_array(n + 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = mem_str(v[i]);
    return copy;
}

void strv_free(char **v)
{
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
}

void strv_push(char ***v, char *s)
{
    size_t n = strv_len((const char *const *)*v);
    *v = mem_grow(*v, n + 2, sizeof(**v)); /* counting took n steps already */
    (*v)[n] = s;
    (*v)[n + 1] = NULL;
}

void auto_free_(void *p)
{
    free(*(void **)p);
}

void auto_strv_(char ***p)
{
    strv_free(*p);
}

void auto_close_(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

void auto_fclose_(FILE **f)
{
    if (*f)
        fclose(*f);
}
