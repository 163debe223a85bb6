/* model/idmap.h - a hash table from an id to a pointer or a number. Keys are copied. Pointers stay
 * the caller's.
 *
 * An entry's address holds until the next idmap_put or idmap_del. Walk it with IDMAP_EACH; do not
 * change it meanwhile (but for values). */
#ifndef MODEL_IDMAP_H
#define MODEL_IDMAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idmap_entry {
    char *key; /* NULL: free place */
    union {
        void *p;
        int64_t n;
    };
};
struct idmap {
    struct idmap_entry *e;
    size_t cap, count;
};
#define IDMAP_EACH(m, it)                                                                          \
    for (struct idmap_entry *it = (m)->e; it && it < (m)->e + (m)->cap; it++)                      \
        if (it->key)

struct idmap_entry *idmap_get(const struct idmap *m, const char *key); /* NULL: absent */
struct idmap_entry *idmap_put(struct idmap *m, const char *key); /* finds or makes (value 0) */
bool idmap_del(struct idmap *m, const char *key);
void idmap_clear(struct idmap *m); /* frees everything but the values; twice is fine */
#endif
