/* fuzz/fuzz_runtime_passwd.c - an image's own passwd and group files, and the words that name a
 * user.
 *
 * fuzz-room: runtime
 * The input is cut at NUL bytes into: user, passwd, group, one more group. A name that is listed
 * nowhere must never become root by accident. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *spec, const struct user_ids *u)
{
    if (!u->home || u->uid > USER_ID_MAX || u->gid > USER_ID_MAX || u->ngroups < 1 ||
        u->ngroups > USER_GROUPS_MAX || u->groups[0] != u->gid)
        abort();
    for (size_t i = 0; i < u->ngroups; i++)
        for (size_t k = i + 1; k < u->ngroups && k < 64; k++)
            if (u->groups[i] == u->groups[k])
                abort();
    (void)spec;
}

static void find(const char *spec, const char *passwd, const char *group, const char *more)
{
    const char *extra[] = {more, NULL};
    struct user_ids u = {0};
    struct err e = {0};
    if (user_find(spec, passwd, group, more ? extra : NULL, &u, &e) == 0) {
        check(spec, &u);
        user_ids_done(&u);
    } else if (!e.text[0]) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *part[4] = {NULL};
    size_t n = 0, at = 0;
    while (n < 4 && at <= size) {
        const uint8_t *end = at < size ? memchr(data + at, 0, size - at) : NULL;
        size_t len = end ? (size_t)(end - (data + at)) : size - at;
        part[n++] = mem_strn((const char *)data + at, len);
        at += len + 1;
    }
    find(part[0], part[1], part[2], part[3]);
    find(part[0], NULL, NULL, NULL);
    /* With no file at all a word that is no number must be refused. */
    struct user_ids u = {0};
    if (part[0][0] >= 'a' && part[0][0] <= 'z' &&
        user_find(part[0], NULL, NULL, NULL, &u, NULL) == 0)
        abort();
    for (size_t i = 0; i < 4; i++)
        free(part[i]);
    return 0;
}
