/* model/name.c - see model/name.h. The rules and the words are the engine's (observed). */
#include "model/name.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { SERVICE_NAME_MAX = 63, SECRET_NAME_MAX = 64, REFERENCE_NAME_MAX = 255, TAG_MAX = 128 };

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

const char *name_check_service(const char *name)
{
    if (str_empty(name))
        return "meta: name must be provided";
    size_t n = strlen(name);
    bool ok = is_alnum(name[0]) && is_alnum(name[n - 1]);
    for (size_t i = 0; ok && i < n; i++)
        ok = is_alnum(name[i]) || name[i] == '-' || name[i] == '_';
    if (!ok)
        return "name must be valid as a DNS name component";
    return n > SERVICE_NAME_MAX ? "name must be 63 characters or fewer" : NULL;
}

const char *name_check_secret(const char *name)
{
    if (str_empty(name))
        return "name must be provided";
    size_t n = strlen(name);
    bool ok = n <= SECRET_NAME_MAX && is_alnum(name[0]) && is_alnum(name[n - 1]);
    for (size_t i = 0; ok && i < n; i++)
        ok = is_alnum(name[i]) || name[i] == '-' || name[i] == '_' || name[i] == '.';
    return ok ? NULL
              : "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end "
                "character must be [a-zA-Z0-9]";
}

const char *name_check_cluster(const char *name)
{
    return str_eq(name, "default") ? NULL : "swarm spec must be named \"default\"";
}

/* [a-z0-9]+ groups, separated by one dot, one or two underscores, or any number of hyphens */
static bool path_part_ok(const char *p, size_t n)
{
    size_t i = 0;

    for (;;) {
        size_t start = i;
        while (i < n && is_lower_alnum(p[i]))
            i++;
        if (i == start)
            return false;
        if (i == n)
            return true;
        size_t sep = i;
        while (i < n && p[i] == p[sep] && (p[sep] == '-' || p[sep] == '.' || p[sep] == '_'))
            i++;
        size_t width = i - sep;
        if (width == 0 || (p[sep] == '.' && width > 1) || (p[sep] == '_' && width > 2))
            return false;
    }
}

static bool domain_ok(const char *p, size_t n)
{
    const char *colon = memrchr(p, ':', n);
    size_t host = n;

    if (n && p[0] == '[') { /* an IPv6 address */
        const char *end = memchr(p, ']', n);
        if (!end || end == p + 1 || (end + 1 < p + n && end[1] != ':'))
            return false;
        for (const char *q = p + 1; q < end; q++)
            if (!strchr("0123456789abcdefABCDEF:", *q))
                return false;
        host = (size_t)(end + 1 - p);
        colon = host < n ? p + host : NULL;
    } else if (colon) {
        host = (size_t)(colon - p);
    }
    if (colon) {
        if (colon + 1 == p + n)
            return false;
        for (const char *q = colon + 1; q < p + n; q++)
            if (*q < '0' || *q > '9')
                return false;
    }
    if (p[0] == '[')
        return true;
    for (size_t i = 0, start = 0; i <= host; i++) {
        if (i < host && p[i] != '.') {
            if (!is_alnum(p[i]) && p[i] != '-')
                return false;
            continue;
        }
        if (i == start || p[start] == '-' || p[i - 1] == '-')
            return false;
        start = i + 1;
    }
    return host > 0;
}

static bool repository_ok(const char *p, size_t n)
{
    const char *slash = memchr(p, '/', n);

    if (n == 0 || n > REFERENCE_NAME_MAX)
        return false;
    if (slash) {
        size_t first = (size_t)(slash - p);
        bool upper = false;
        for (size_t i = 0; i < first; i++)
            upper = upper || (p[i] >= 'A' && p[i] <= 'Z');
        /* the first part is a registry when it looks like a host */
        if (upper || memchr(p, '.', first) || memchr(p, ':', first) ||
            (first == 9 && memcmp(p, "localhost", 9) == 0)) {
            if (!domain_ok(p, first))
                return false;
            p += first + 1;
            n -= first + 1;
        }
    } else if (n == 64) {
        char hex[65];
        memcpy(hex, p, 64);
        hex[64] = '\0';
        if (str_is_hex(hex, 64)) /* would be taken for an image's id */
            return false;
    }
    for (;;) {
        slash = memchr(p, '/', n);
        size_t part = slash ? (size_t)(slash - p) : n;
        if (!path_part_ok(p, part))
            return false;
        if (!slash)
            return true;
        p += part + 1;
        n -= part + 1;
    }
}

static bool tag_ok(const char *p, size_t n)
{
    if (n == 0 || n > TAG_MAX || !(is_alnum(p[0]) || p[0] == '_'))
        return false;
    for (size_t i = 1; i < n; i++)
        if (!is_alnum(p[i]) && !strchr("_.-", p[i]))
            return false;
    return true;
}

static bool digest_ok(const char *p)
{
    const char *colon = strchr(p, ':');

    if (!colon || colon == p)
        return false;
    for (const char *q = p; q < colon; q++)
        if (!is_alnum(*q) && (q == p || !strchr("-_+.", *q)))
            return false;
    size_t n = strlen(colon + 1);
    if (strncmp(p, "sha256:", 7) == 0)
        return str_is_hex(colon + 1, 64);
    if (strncmp(p, "sha512:", 7) == 0)
        return str_is_hex(colon + 1, 128);
    return n >= 32 && strspn(colon + 1, "0123456789abcdefABCDEF") == n;
}

const char *name_check_image(const char *reference, char ret[NAME_REASON_SIZE])
{
    if (str_empty(reference))
        return "ContainerSpec: image reference must be provided";
    const char *at = strchr(reference, '@');
    const char *end = at ? at : reference + strlen(reference);
    bool ok = !at || digest_ok(at + 1);
    const char *slash = memrchr(reference, '/', (size_t)(end - reference));
    const char *from = slash ? slash : reference;
    const char *colon = memchr(from, ':', (size_t)(end - from));
    if (colon)
        ok = ok && tag_ok(colon + 1, (size_t)(end - colon - 1));
    const char *name_end = colon ? colon : end;
    if (ok && repository_ok(reference, (size_t)(name_end - reference)))
        return NULL;
    snprintf(ret, NAME_REASON_SIZE, "ContainerSpec: \"%s\" is not a valid repository/tag",
             reference);
    return ret;
}
