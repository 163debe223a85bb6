/* api/lists.c - see the header. */
#include "api/lists.h"

#include <stdlib.h>
#include <string.h>
#include "base/str.h"

void list_words_add(struct list_words *l, const struct api_filters *f, const char *key)
{
    for (const char *const *v = api_filters_values(f, key); *v; v++) {
        l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
        l->v[l->n++] = (char *)(uintptr_t)*v; /* only read while the request is packed */
    }
}

struct list_words list_words(const struct api_filters *f, const char *key)
{
    struct list_words l = {NULL, 0};
    list_words_add(&l, f, key);
    return l;
}

void list_words_free(struct list_words *l)
{
    free(l->v);
    *l = (struct list_words){NULL, 0};
}

static bool fits(const struct api_filters *f, const char *key, const char *word, bool prefix)
{
    const char *const *v = api_filters_values(f, key);
    if (!*v)
        return true;
    for (; *v; v++) {
        if (prefix ? str_istarts(word, *v) : str_ieq(word, *v))
            return true;
    }
    return false;
}

bool list_fits_exact(const struct api_filters *f, const char *key, const char *word)
{
    return fits(f, key, word, false);
}

bool list_fits_prefix(const struct api_filters *f, const char *key, const char *word)
{
    return fits(f, key, word, true);
}

const char *list_label(void *arg, const char *key)
{
    const Pb__Annotations *a = arg;
    return a ? pb_map_get(PB_MAP(a, labels), key) : NULL;
}
