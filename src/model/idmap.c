/* model/idmap.c - open addressing with linear probing; deletion moves later entries back, so there
 * are no graves. */
#include "model/idmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static size_t home(const struct idmap *m, const char *key)
{
    uint64_t h =
        0xcbf29ce484222325u; /* FNV-1a: ids are random, their spread is good with anything */

    for (const char *p = key; *p; p++)
        h = (h ^ (uint8_t)*p) * 0x100000001b3u;
    return (size_t)(h ^ (h >> 32)) & (m->cap - 1);
}

struct idmap_entry *idmap_get(const struct idmap *m, const char *key)
{
    if (m->count == 0)
        return NULL;
    for (size_t i = home(m, key); m->e[i].key; i = (i + 1) & (m->cap - 1))
        if (strcmp(m->e[i].key, key) == 0)
            return &m->e[i];
    return NULL;
}

static void grow(struct idmap *m)
{
    struct idmap old = *m;

    m->cap = old.cap ? old.cap * 2 : 16;
    m->e = mem_array(m->cap, sizeof *m->e);
    for (size_t i = 0; i < old.cap; i++) {
        if (!old.e[i].key)
            continue;
        size_t j = home(m, old.e[i].key);
        while (m->e[j].key)
            j = (j + 1) & (m->cap - 1);
        m->e[j] = old.e[i];
    }
    free(old.e);
}

struct idmap_entry *idmap_put(struct idmap *m, const char *key)
{
    struct idmap_entry *e = idmap_get(m, key);

    if (e)
        return e;
    if ((m->count + 1) * 4 > m->cap * 3)
        grow(m);
    size_t i = home(m, key);
    while (m->e[i].key)
        i = (i + 1) & (m->cap - 1);
    m->e[i] = (struct idmap_entry){.key = mem_str(key)};
    m->count++;
    return &m->e[i];
}

bool idmap_del(struct idmap *m, const char *key)
{
    struct idmap_entry *e = idmap_get(m, key);

    if (!e)
        return false;
    free(e->key);
    size_t hole = (size_t)(e - m->e), mask = m->cap - 1;
    for (size_t i = (hole + 1) & mask; m->e[i].key; i = (i + 1) & mask) {
        size_t want = home(m, m->e[i].key);
        /* may it move back to the hole: is its home not between the hole and where it lies? */
        if (((i - want) & mask) < ((i - hole) & mask))
            continue;
        m->e[hole] = m->e[i];
        hole = i;
    }
    m->e[hole] = (struct idmap_entry){0};
    m->count--;
    return true;
}

void idmap_clear(struct idmap *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->e[i].key);
    free(m->e);
    *m = (struct idmap){0};
}
