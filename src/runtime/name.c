/* runtime/name.c - names of containers: the engine's rule for them, and one of our own when none
 * was given. */
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime/internal.h"

enum { NAME_TRIES = 16 };

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool well_formed(const char *s)
{
    if (!is_alnum(s[0]) || !s[1] || strlen(s) > 255)
        return false;
    for (; *s; s++)
        if (!is_alnum(*s) && !strchr("_.-", *s))
            return false;
    return true;
}

static const struct ct *taken_by(struct runtime *rt, const char *name)
{
    const struct ct *c;
    TAILQ_FOREACH(c, &rt->all, age)
    if (str_eq(c->config->name, name))
        return c;
    return NULL;
}

int name_check(struct runtime *rt, const char *name, struct err *e)
{
    if (!well_formed(name))
        return err_set(
            e, RUNTIME_BAD_REQUEST,
            "Invalid container name (%.256s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
    const struct ct *c = taken_by(rt, name);
    if (c)
        return err_set(e, RUNTIME_CONFLICT,
                       "Conflict. The container name \"/%s\" is already in use by container "
                       "\"%s\". You have to remove (or rename) "
                       "that container to be able to reuse that name.",
                       name, c->pub.id);
    return 0;
}

char *name_random(struct runtime *rt)
{
    static const char *const first[] = {"amber",  "brisk", "calm",  "clear", "early", "fair",
                                        "gentle", "keen",  "level", "light", "merry", "noble",
                                        "plain",  "quiet", "ready", "still"};
    static const char *const second[] = {"anchor", "beacon", "bridge", "brook", "cedar",  "cove",
                                         "ferry",  "garden", "harbor", "heron", "island", "maple",
                                         "meadow", "otter",  "river",  "tower"};
    for (int i = 0; i < NAME_TRIES; i++) {
        uint64_t v = random_u64();
        unsigned number = (unsigned)(v >> 8 & 0xffff); /* once the plain ones are used up */
        char *name = i < 3 ? mem_printf("%s_%s", first[v & 15], second[v >> 4 & 15])
                           : mem_printf("%s_%s%u", first[v & 15], second[v >> 4 & 15], number);
        if (!taken_by(rt, name))
            return name;
        free(name);
    }
    char id[ID_SIZE];
    id_new(id);
    return mem_str(id);
}
