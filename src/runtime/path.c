/* runtime/path.c - cleaning by components, from left to right. */
#include "runtime/path.h"

#include <string.h>

#include "base/mem.h"

static bool path_has_control(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127)
            return true;
    return false;
}

char *path_clean(const char *s)
{
    if (!s || s[0] != '/' || strlen(s) >= RUNTIME_PATH_MAX || path_has_control(s))
        return NULL;
    char *out = mem_new(strlen(s) + 2);
    size_t len = 0;
    while (*s) {
        s += strspn(s, "/");
        size_t n = strcspn(s, "/");
        if (n == 2 && s[0] == '.' && s[1] == '.') {
            while (len > 0 && out[--len] != '/')
                ;
        } else if (n > 0 && !(n == 1 && s[0] == '.')) {
            out[len++] = '/';
            memcpy(out + len, s, n);
            len += n;
        }
        s += n;
    }
    if (len == 0)
        out[len++] = '/';
    out[len] = '\0';
    return out;
}

bool path_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    if (n == 1)
        return true;
    return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

unsigned path_depth(const char *path)
{
    unsigned n = 0;
    for (; *path; path++)
        if (path[0] == '/' && path[1] != '\0')
            n++;
    return n;
}
