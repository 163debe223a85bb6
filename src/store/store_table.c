/* store/store_table.c - the objects of one kind: by id, by name, and tasks by service and by node,
 * in each view. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/store_int.h"

static int by_id(const struct slot *a, const struct slot *b)
{
    return strcmp(a->id, b->id);
}

/* Names are unique without regard to case. The id comes second, so that what has one key is in
 * order of id, and so that a name may belong to two slots while one of them is on its way out. A
 * probe has no slot and comes before all of its key. */
static int by_key(const struct link *a, const struct link *b)
{
    int c = str_icmp(a->key, b->key);
    if (c != 0)
        return c;
    if (!a->slot || !b->slot)
        return (a->slot != NULL) - (b->slot != NULL);
    return strcmp(a->slot->id, b->slot->id);
}

RB_GENERATE_STATIC(id_tree, slot, by_id, by_id)
RB_GENERATE_STATIC(link_tree, link, entry, by_key)

static size_t links_of(enum store_kind k)
{
    return k == STORE_TASK ? 2 * VIEWS : kind_named(k) ? VIEWS : 0;
}

void table_init(struct table *t, enum store_kind k)
{
    t->kind = k;
    RB_INIT(&t->ids);
    for (int v = 0; v < VIEWS; v++) {
        RB_INIT(&t->keys[v]);
        RB_INIT(&t->nodes[v]);
        t->count[v] = 0;
    }
}

static void slot_free(struct slot *s)
{
    free(s->id);
    free(s->packed);
    free(s);
}

void table_free(struct table *t)
{
    struct slot *s, *next;
    for (s = RB_MIN(id_tree, &t->ids); s; s = next) {
        next = RB_NEXT(id_tree, &t->ids, s);
        RB_REMOVE(id_tree, &t->ids, s);
        store_object_free(t->kind, s->object[STORE_COMMITTED]);
        slot_free(s);
    }
}

struct slot *table_find(const struct table *t, const char *id)
{
    struct slot probe = {.id = (char *)(uintptr_t)id};
    struct id_tree *ids = (struct id_tree *)(uintptr_t)&t->ids; /* the macros know no const */
    return RB_FIND(id_tree, ids, &probe);
}

static struct link *first_of_key(const struct link_tree *tree, const char *key)
{
    struct link probe = {.key = key};
    struct link_tree *lt = (struct link_tree *)(uintptr_t)tree;
    struct link *l = RB_NFIND(link_tree, lt, &probe);
    return l && str_ieq(l->key, key) ? l : NULL;
}

struct slot *table_by_name(const struct table *t, enum store_view v, const char *name)
{
    if (!kind_named(t->kind))
        return NULL;
    struct link *l = first_of_key(&t->keys[v], name);
    return l ? l->slot : NULL;
}

struct slot *table_slot(struct table *t, const char *id)
{
    struct slot *s = table_find(t, id);
    if (s)
        return s;
    size_t n = links_of(t->kind);
    s = mem_new(sizeof *s + n * sizeof s->link[0]);
    s->id = mem_str(id);
    s->kind = t->kind;
    for (size_t i = 0; i < n; i++)
        s->link[i].slot = s;
    RB_INSERT(id_tree, &t->ids, s);
    return s;
}

static void relink(struct link_tree *tree, struct link *l, const char *key)
{
    /* The tree only compares: equal text may change its address in place. */
    if (l->key && key && strcmp(l->key, key) == 0) {
        l->key = key;
        return;
    }
    if (l->key)
        RB_REMOVE(link_tree, tree, l);
    l->key = key;
    if (key)
        RB_INSERT(link_tree, tree, l);
}

static const char *key_of(enum store_kind k, const void *object)
{
    if (!object)
        return NULL;
    return k == STORE_TASK ? str_or(((const Pb__Task *)object)->service_id, "")
                           : store_object_name(k, object);
}

void table_set(struct table *t, struct slot *s, enum store_view v, void *object)
{
    if (v == STORE_COMMITTED) {
        free(s->packed);
        s->packed = NULL;
    }
    if (s->object[v] && !object)
        t->count[v]--;
    if (!s->object[v] && object)
        t->count[v]++;
    if (links_of(t->kind) > 0)
        relink(&t->keys[v], &s->link[v], key_of(t->kind, object));
    if (t->kind == STORE_TASK)
        relink(&t->nodes[v], &s->link[VIEWS + v],
               object ? str_or(((const Pb__Task *)object)->node_id, "") : NULL);
    s->object[v] = object;
}

void table_drop_if_empty(struct table *t, struct slot *s)
{
    if (s->object[STORE_COMMITTED] || s->object[STORE_TIP] || s->pending > 0)
        return;
    RB_REMOVE(id_tree, &t->ids, s);
    slot_free(s);
}

/* ---- walking: what matches is collected first, so that fn may change the trees ---- */

struct found {
    void **objects;
    size_t count, room;
};

static void found_push(struct found *f, void *object)
{
    if (f->count == f->room) {
        f->room = f->room ? f->room * 2 : 32;
        f->objects = mem_grow(f->objects, f->room, sizeof *f->objects);
    }
    f->objects[f->count++] = object;
}

static int found_tell(struct found *f, store_fn fn, void *arg)
{
    int r = 0;
    for (size_t i = 0; i < f->count && r == 0; i++)
        r = fn(f->objects[i], arg);
    free(f->objects);
    return r;
}

int table_each(const struct table *t, enum store_view v, const char *prefix, store_fn fn, void *arg)
{
    struct found f = {0};
    struct slot probe = {.id = (char *)(uintptr_t)prefix};
    struct id_tree *ids = (struct id_tree *)(uintptr_t)&t->ids;
    for (struct slot *s = RB_NFIND(id_tree, ids, &probe); s && str_starts(s->id, prefix);
         s = RB_NEXT(id_tree, ids, s))
        if (s->object[v])
            found_push(&f, s->object[v]);
    return found_tell(&f, fn, arg);
}

int table_each_packed(const struct table *t, store_packed_fn fn, void *arg)
{
    struct slot *s;
    struct id_tree *ids = (struct id_tree *)(uintptr_t)&t->ids;
    RB_FOREACH(s, id_tree, ids)
    {
        const ProtobufCMessage *m = s->object[STORE_COMMITTED];
        if (!m)
            continue;
        if (!s->packed) {
            s->packed_len = protobuf_c_message_get_packed_size(m);
            s->packed = mem_new(s->packed_len + 1);
            protobuf_c_message_pack(m, s->packed);
        }
        int r = fn(m, s->packed, s->packed_len, arg);
        if (r != 0)
            return r;
    }
    return 0;
}

static int each_of_key(const struct link_tree *tree, enum store_view v, const char *key,
                       store_fn fn, void *arg)
{
    struct found f = {0};
    for (struct link *l = first_of_key(tree, key); l && str_ieq(l->key, key);
         l = RB_NEXT(link_tree, tree, l))
        if (str_eq(l->key, key)) /* ids have one case; names are not asked for here */
            found_push(&f, l->slot->object[v]);
    return found_tell(&f, fn, arg);
}

int table_each_of_service(const struct table *t, enum store_view v, const char *service,
                          store_fn fn, void *arg)
{
    return each_of_key(&t->keys[v], v, service, fn, arg);
}

int table_each_of_node(const struct table *t, enum store_view v, const char *node, store_fn fn,
                       void *arg)
{
    return each_of_key(&t->nodes[v], v, node, fn, arg);
}
