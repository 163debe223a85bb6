/* image/unpack_text.c - names on their way between keepd and the child that unpacks: pure, and
 * without libarchive, so that keepd does not map that. */
#include <errno.h>
#include <string.h>

#include "image/unpack.h"

int unpack_clean_path(const char *name, char ret[UNPACK_PATH_MAX + 1], struct err *e)
{
    size_t len = 0, depth = 0;
    if (!*name)
        return err_set(e, -EPROTO, "the archive holds an entry without a name");
    if (*name == '/' && name[1])
        return err_set(e, -EPROTO, "the archive holds an absolute path: %.200s", name);
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.')
            return err_set(e, -EPROTO, "the archive holds a path that climbs: %.200s", name);
        if (n > 0 && !(n == 1 && p[0] == '.')) {
            if (n > UNPACK_NAME_MAX || len + n + 1 > UNPACK_PATH_MAX || ++depth > UNPACK_DEPTH_MAX)
                return err_set(e, -EPROTO,
                               "the archive holds a path that is too long or deep: %.60s...", name);
            if (len > 0)
                ret[len++] = '/';
            memcpy(ret + len, p, n);
            len += n;
        }
        p += n + (p[n] == '/');
    }
    ret[len] = '\0';
    return 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int unpack_decode(char *name)
{
    char *to = name;
    for (const char *p = name; *p; p++) {
        if (*p != '%') {
            *to++ = *p;
            continue;
        }
        int hi = hex_value(p[1]), lo = hi < 0 ? -1 : hex_value(p[2]);
        if (lo < 0 || (hi == 0 && lo == 0))
            return -EPROTO;
        *to++ = (char)(hi * 16 + lo);
        p += 2;
    }
    *to = '\0';
    return 0;
}
