/* control/control_list.c - filters and lists. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "control/control_int.h"
#include "model/pb.h"

bool control_has_string(char *const *list, size_t n, const char *s)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(str_or(list[i], ""), s))
            return true;
    return false;
}

bool control_has_prefix_of(char *const *list, size_t n, const char *s)
{
    for (size_t i = 0; i < n; i++)
        if (str_starts(s, str_or(list[i], "")))
            return true;
    return false;
}

/* Every wanted key is there, with the wanted value; an empty value wants only the key. */
bool control_labels_match(size_t n, void *wanted, size_t n_have, void *have)
{
    struct pb_map map = {n_have, have};
    struct pb_entry *const *want = wanted;
    for (size_t i = 0; i < n; i++) {
        const char *value = pb_map_get(map, want[i]->key);
        if (!value)
            return false;
        if (!str_empty(want[i]->value) && !str_eq(value, want[i]->value))
            return false;
    }
    return true;
}

static bool match_any(const struct control_filter *f, const char *id, const char *name)
{
    if (!f->n_names && !f->n_prefixes && !f->n_ids)
        return true;
    for (size_t i = 0; i < f->n_names; i++)
        if (str_ieq(name, f->names[i]))
            return true;
    for (size_t i = 0; i < f->n_prefixes; i++)
        if (str_istarts(name, str_or(f->prefixes[i], "")))
            return true;
    return control_has_prefix_of(f->ids, f->n_ids, id);
}

static bool match_all(const struct control_filter *f, const char *id, const char *name)
{
    return (!f->n_names || control_has_string(f->names, f->n_names, name)) &&
           (!f->n_prefixes || control_has_prefix_of(f->prefixes, f->n_prefixes, name)) &&
           (!f->n_ids || control_has_prefix_of(f->ids, f->n_ids, id));
}

bool control_filter_match(const struct control_filter *f, const char *id, const char *name,
                          const Pb__Annotations *labelled)
{
    if (!(f->any ? match_any(f, id, name) : match_all(f, id, name)))
        return false;
    return !f->n_labels || (labelled && control_labels_match(f->n_labels, f->labels,
                                                             labelled->n_labels, labelled->labels));
}

void control_list_add(struct control_list *l, const void *object)
{
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 64;
        l->v = mem_grow(l->v, l->room, sizeof(*l->v));
    }
    l->v[l->n++] = object;
}

struct walk {
    enum store_kind kind;
    const struct control_filter *filter;
    struct control_list list;
};

static const Pb__Annotations *annotations_of(enum store_kind k, const void *object)
{
    switch (k) {
    case STORE_SERVICE: {
        const Pb__ServiceSpec *s = ((const Pb__Service *)object)->spec;
        return s ? s->annotations : NULL;
    }
    case STORE_SECRET: {
        const Pb__SecretSpec *s = ((const Pb__Secret *)object)->spec;
        return s ? s->annotations : NULL;
    }
    case STORE_CONFIG: {
        const Pb__ConfigSpec *s = ((const Pb__Config *)object)->spec;
        return s ? s->annotations : NULL;
    }
    case STORE_NETWORK: {
        const Pb__NetworkSpec *s = ((const Pb__Network *)object)->spec;
        return s ? s->annotations : NULL;
    }
    case STORE_CLUSTER: {
        const Pb__ClusterSpec *s = ((const Pb__Cluster *)object)->spec;
        return s ? s->annotations : NULL;
    }
    default:
        return NULL;
    }
}

static int visit(const void *object, void *arg)
{
    struct walk *w = arg;
    if (control_filter_match(w->filter, store_object_id(w->kind, object),
                             store_object_name(w->kind, object), annotations_of(w->kind, object)))
        control_list_add(&w->list, object);
    return 0;
}

struct control_list control_list_of(const struct control *c, enum store_kind k,
                                    const struct control_filter *f)
{
    struct walk w = {.kind = k, .filter = f};
    if (f->n_names && !f->n_prefixes && !f->n_ids) { /* names are unique: no need to walk */
        for (size_t i = 0; i < f->n_names; i++) {
            const void *o = store_by_name(c->store, STORE_COMMITTED, k, str_or(f->names[i], ""));
            bool seen = false;
            for (size_t n = 0; n < w.list.n; n++)
                seen |= w.list.v[n] == o;
            if (o && !seen)
                visit(o, &w);
        }
        return w.list;
    }
    store_each(c->store, STORE_COMMITTED, k, visit, &w);
    return w.list;
}
