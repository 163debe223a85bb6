/* http/path.c - a raw request path becomes a version and decoded segments, or the clean path to
 * which it should be redirected. Pure. */
#include "http/http.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"

enum { PATH_SEGMENTS_MAX = 12 };

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. A NUL would end the string early and make two paths one, so it is refused like a bad
 * escape. */
static int decode(char *s)
{
    char *w = s;
    for (const char *p = s; *p; p++) {
        int hi = 0, lo = 0;
        if (*p != '%') {
            *w++ = *p;
            continue;
        }
        if ((hi = hex_digit(p[1])) < 0 || (lo = hex_digit(p[2])) < 0 || hi + lo == 0)
            return -EINVAL;
        *w++ = (char)(hi << 4 | lo);
        p += 2;
    }
    *w = '\0';
    return 0;
}

static bool is_clean(const char *s)
{
    for (const char *p = s; *p; p++) {
        if (p[0] == '/' && p[1] == '/')
            return false;
        if (p[0] == '/' && p[1] == '.' &&
            (p[2] == '/' || p[2] == '\0' || (p[2] == '.' && (p[3] == '/' || p[3] == '\0'))))
            return false;
    }
    return true;
}

/* The same place without empty, "." and ".." parts; a final slash stays. */
static char *clean(const char *s)
{
    size_t len = strlen(s);
    char *out = mem_new(len + 3), *w = out;
    for (const char *p = s; *p;) {
        p += strspn(p, "/");
        size_t n = strcspn(p, "/");
        if (n == 0)
            break;
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            while (w > out && *--w != '/')
                ;
        } else if (!(n == 1 && p[0] == '.')) {
            *w++ = '/';
            memcpy(w, p, n);
            w += n;
        }
        p += n;
    }
    if (w == out || (len > 0 && s[len - 1] == '/'))
        *w++ = '/';
    *w = '\0';
    return out;
}

/* Re-encodes what a Location header may not hold. */
static char *encode(const char *s)
{
    char *out = mem_new(3 * strlen(s) + 1), *w = out;
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        if (isalnum(*p) || strchr("/-_.~$&+,:;=@!*'()", *p))
            *w++ = (char)*p;
        else
            w += snprintf(w, 4, "%%%02X", *p);
    }
    return out;
}

static bool is_version(const char *s)
{
    if (*s != 'v' || !isdigit((unsigned char)s[1]))
        return false;
    return s[1 + strspn(s + 1, "0123456789.")] == '\0' &&
           strlen(s + 1) < sizeof(((struct http_path *)0)->version);
}

static int split(struct http_path *path)
{
    char *p = path->storage;
    if (*p != '/')
        return -EINVAL;
    for (p++; p; path->count++) {
        if (path->count == PATH_SEGMENTS_MAX)
            return -EINVAL;
        char *slash = strchr(p, '/');
        if (slash)
            *slash++ = '\0';
        path->segment[path->count] = p;
        p = slash;
    }
    return 0;
}

int http_path_parse(const char *raw, struct http_path *ret, char **ret_clean)
{
    *ret = (struct http_path){.storage = mem_str(raw)};
    int r = decode(ret->storage);
    if (r == 0 && !is_clean(ret->storage)) {
        AUTO_FREE char *cleaned = clean(ret->storage);
        *ret_clean = encode(cleaned);
        http_path_free(ret);
        return 1;
    }
    if (r == 0)
        r = split(ret);
    if (r < 0) {
        http_path_free(ret);
        return r;
    }
    if (is_version(ret->segment[0])) {
        (void)str_copy(ret->version, sizeof(ret->version), ret->segment[0] + 1);
        memmove(ret->segment, ret->segment + 1, --ret->count * sizeof(*ret->segment));
        ret->segment[ret->count] = NULL;
    }
    return 0;
}

void http_path_free(struct http_path *p)
{
    free(p->storage);
    *p = (struct http_path){.count = 0};
}
