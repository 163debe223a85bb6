/* http/query.c - the part of a request's address after '?': names and values, decoded when they are
 * asked for. */
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>
#include "base/str.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL for a bad escape or a NUL inside: such a pair is as good as absent, as it is with the
 * engine. */
static char *decode(const char *p, size_t n)
{
    char *out = mem_strn(p, n), *w = out;
    for (size_t i = 0; i < n; i++) {
        int hi = 0, lo = 0;
        if (p[i] != '%') {
            *w++ = p[i] == '+' ? ' ' : p[i];
            continue;
        }
        if (n - i < 3 || (hi = hex_digit(p[i + 1])) < 0 || (lo = hex_digit(p[i + 2])) < 0 ||
            hi + lo == 0) {
            free(out);
            return NULL;
        }
        *w++ = (char)(hi << 4 | lo);
        i += 2;
    }
    *w = '\0';
    return out;
}

static void each_value(const struct http_request *rq, const char *name,
                       bool (*fn)(void *arg, char *v), void *arg)
{
    for (const char *p = rq->query, *end; *p; p = *end ? end + 1 : end) {
        end = p + strcspn(p, "&");
        const char *eq = memchr(p, '=', (size_t)(end - p));
        const char *key_end = eq ? eq : end;
        AUTO_FREE char *key = decode(p, (size_t)(key_end - p));
        if (!key || strcmp(key, name) != 0)
            continue;
        char *value = eq ? decode(eq + 1, (size_t)(end - eq - 1)) : mem_str("");
        if (value && !fn(arg, value))
            return;
    }
}

static bool keep_first(void *arg, char *v)
{
    *(char **)arg = v;
    return false;
}

const char *http_query(const struct http_request *rq, const char *name)
{
    struct http_request *own =
        (struct http_request *)(uintptr_t)rq; /* what was decoded is kept with it */
    for (size_t i = 0; i < rq->ndecoded; i++) {
        if (strcmp(rq->decoded_query[i].name, name) == 0)
            return rq->decoded_query[i].value;
    }
    if (rq->ndecoded == sizeof(rq->decoded_query) / sizeof(*rq->decoded_query))
        return NULL;
    char *v = NULL;
    each_value(rq, name, keep_first, &v);
    own->decoded_query[own->ndecoded++] = (struct http_header_pair){mem_str(name), v};
    return v;
}

struct all {
    void (*fn)(void *arg, const char *v);
    void *arg;
};

static bool tell(void *arg, char *v)
{
    struct all *a = arg;
    a->fn(a->arg, v);
    free(v);
    return true;
}

void http_query_all(const struct http_request *rq, const char *name,
                    void (*fn)(void *arg, const char *v), void *arg)
{
    struct all a = {fn, arg};
    each_value(rq, name, tell, &a);
}

bool http_query_bool(const struct http_request *rq, const char *name)
{
    static const char *const no[] = {"", "0", "no", "false", "none"};
    const char *v = http_query(rq, name);
    if (!v)
        return false;
    while (*v == ' ' || *v == '\t')
        v++;
    for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++) {
        if (str_ieq(v, no[i]))
            return false;
    }
    return true;
}
