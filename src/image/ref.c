/* image/ref.c - image references: the grammar, the normalising and the refusals of the engine. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/str.h"
#include "image/image.h"

enum { NAME_MAX_LEN = 255, TAG_MAX_LEN = 128 };

static bool lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool alnum(char c)
{
    return lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* One component of a path: runs of [a-z0-9] joined by '.', '_', "__" or any number of '-'. */
static bool component_valid(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        if (!lower_alnum(p[i]))
            return false;
        while (i < n && lower_alnum(p[i]))
            i++;
        if (i == n)
            return true;
        size_t start = i;
        if (p[i] == '.')
            i++;
        else if (p[i] == '_')
            i += (i + 1 < n && p[i + 1] == '_') ? 2 : 1;
        while (i == start && i < n && p[i] == '-')
            start = ++i;
    }
    return false; /* empty, or ends with a separator */
}

static bool path_valid(const char *p)
{
    for (;;) {
        size_t n = strcspn(p, "/");
        if (!component_valid(p, n))
            return false;
        if (!p[n])
            return true;
        p += n + 1;
    }
}

static bool port_valid(const char *p)
{
    size_t n = strspn(p, "0123456789");
    return n > 0 && n <= 5 && !p[n];
}

static bool domain_valid(const char *d)
{
    if (*d == '[') { /* an IPv6 address */
        size_t n = strspn(d + 1, "0123456789abcdefABCDEF:");
        if (n == 0 || d[1 + n] != ']')
            return false;
        return !d[2 + n] || (d[2 + n] == ':' && port_valid(d + 3 + n));
    }
    bool start = true;
    const char *p = d;
    for (; *p && *p != ':'; p++) {
        bool edge = start || !p[1] || p[1] == '.' || p[1] == ':';
        if (*p == '.') {
            if (start)
                return false;
            start = true;
            continue;
        }
        if (!alnum(*p) && (*p != '-' || edge))
            return false;
        start = false;
    }
    if (start)
        return false;
    return !*p || port_valid(p + 1);
}

static bool tag_valid(const char *t)
{
    size_t n = strlen(t);
    if (n == 0 || n > TAG_MAX_LEN || !(alnum(t[0]) || t[0] == '_'))
        return false;
    for (size_t i = 1; i < n; i++)
        if (!alnum(t[i]) && t[i] != '_' && t[i] != '.' && t[i] != '-')
            return false;
    return true;
}

static int bad(struct err *e, const char *words)
{
    return err_set(e, IMAGE_BAD_REFERENCE, "%s", words);
}

static int take_digest(char *s, struct image_ref *r, struct err *e)
{
    char *at = strchr(s, '@');
    if (!at)
        return 0;
    *at++ = '\0';
    const char *colon = strchr(at, ':');
    if (!colon || colon == at || strlen(colon + 1) < 32 ||
        strspn(colon + 1, "0123456789abcdefABCDEF") != strlen(colon + 1))
        return bad(e, "invalid reference format");
    for (const char *p = at; p < colon; p++)
        if (!alnum(*p) && !strchr("-_+.", *p))
            return bad(e, "invalid reference format");
    if (!str_starts(at, "sha256:"))
        return bad(e, "unsupported digest algorithm");
    if (strlen(colon + 1) != 64)
        return bad(e, "invalid checksum digest length");
    if (!str_is_hex(colon + 1, 64))
        return bad(e, "invalid checksum digest format");
    str_copy(r->digest, sizeof r->digest, at);
    return 0;
}

/* The first component is a registry when it could not be a part of a name in the default one. */
static bool is_domain(const char *s, size_t n)
{
    if (n == 9 && memcmp(s, "localhost", 9) == 0)
        return true;
    return memchr(s, '.', n) || memchr(s, ':', n);
}

static const char *take_domain(char *s, struct image_ref *r)
{
    char *slash = strchr(s, '/');
    if (!slash || !is_domain(s, (size_t)(slash - s)))
        return s;
    *slash = '\0';
    if (!str_eq(s, "docker.io") && !str_eq(s, "index.docker.io"))
        str_copy(r->domain, sizeof r->domain, s);
    return slash + 1;
}

static int take_path(const char *s, struct image_ref *r, struct err *e)
{
    const char *colon = strchr(s, ':');
    size_t n = colon ? (size_t)(colon - s) : strlen(s);
    for (size_t i = 0; i < n; i++)
        if (s[i] >= 'A' && s[i] <= 'Z')
            return bad(e, "invalid reference format: repository name must be lowercase");
    if (n > NAME_MAX_LEN || n + strlen(r->domain) + 1 > NAME_MAX_LEN)
        return bad(e, "repository name must not be more than 255 characters");
    char path[NAME_MAX_LEN + 1];
    memcpy(path, s, n);
    path[n] = '\0';
    if (!path_valid(path) || (r->domain[0] && !domain_valid(r->domain)))
        return bad(e, "invalid reference format");
    if (colon && !tag_valid(colon + 1))
        return bad(e, "invalid reference format");
    size_t first = strcspn(path, "/");
    if (!r->domain[0] && path[first] && is_domain(path, first))
        return bad(e, "invalid reference format"); /* written short it would name a registry */
    const char *name = path;
    if (!r->domain[0] && str_starts(path, "library/") && !strchr(path + 8, '/'))
        name = path + 8;
    str_copy(r->path, sizeof r->path, name);
    if (colon)
        str_copy(r->tag, sizeof r->tag, colon + 1);
    return 0;
}

int image_ref_parse(const char *s, struct image_ref *ret, struct err *e)
{
    char work[NAME_MAX_LEN + TAG_MAX_LEN + 160];
    struct image_ref r = {0};
    if (strlen(s) >= sizeof work)
        return bad(e, "invalid reference format");
    str_copy(work, sizeof work, s);
    if (str_is_hex(work, 64))
        return err_set(e, IMAGE_BAD_REFERENCE,
                       "invalid repository name (%s), cannot specify 64-byte hexadecimal strings",
                       work);
    int x = take_digest(work, &r, e);
    if (x != 0)
        return x;
    x = take_path(take_domain(work, &r), &r, e);
    if (x != 0)
        return x;
    if (!r.tag[0] && !r.digest[0])
        str_copy(r.tag, sizeof r.tag, "latest");
    *ret = r;
    return 0;
}

void image_ref_familiar(const struct image_ref *r, char *ret, size_t size)
{
    snprintf(ret, size, "%s%s%s%s%s%s%s", r->domain, r->domain[0] ? "/" : "", r->path,
             r->tag[0] ? ":" : "", r->tag, r->digest[0] ? "@" : "", r->digest);
}

int image_not_found(const char *ref, struct err *e)
{
    struct image_ref r;
    char name[640];
    if (image_ref_parse(ref, &r, NULL) == 0) {
        image_ref_familiar(&r, name, sizeof name);
        ref = name;
    }
    return err_set(e, IMAGE_NOT_FOUND, "No such image: %.400s", ref);
}
