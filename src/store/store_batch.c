/* store/store_batch.c - a batch while it is filled, and what it does to the two views. */
#include "store/store_batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

/* A caller that breaks the contract would corrupt the state for everybody: the process ends
 * instead. */
static _Noreturn void misuse(const char *what, enum store_kind k, const char *id)
{
    log_error("store: %s (kind %d, id '%s')", what, (int)k, id);
    abort();
}

struct store_batch *store_batch_new(struct store *s)
{
    struct store_batch *b = NEW(struct store_batch);
    b->store = s;
    return b;
}

void store_batch_free(struct store_batch *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->count; i++) {
        struct change *c = &b->changes[i];
        store_object_free(c->kind, c->object);
        if (c->action == 0)
            free((void *)(uintptr_t)c->payload.bytes);
        free(c->id);
    }
    /* Payload records borrow their bytes from the change; deletions have none. */
    for (size_t i = 0; i < b->nrecords; i++)
        if (b->records[i].op == LOG_PUT_OBJECT)
            free((void *)(uintptr_t)b->records[i].bytes);
    free(b->records);
    free(b->changes);
    free(b);
}

static struct change *push(struct store_batch *b, enum store_action a, enum store_kind k,
                           void *object, const char *id)
{
    if (b->count == STORE_BATCH_MAX)
        misuse("a batch is too large", k, id);
    if (b->count == b->room) {
        b->room = b->room ? b->room * 2 : 2;
        b->changes = mem_grow(b->changes, b->room, sizeof *b->changes);
    }
    struct change *c = &b->changes[b->count++];
    *c = (struct change){.action = a, .kind = k, .object = object, .id = mem_str(id)};
    return c;
}

static void push_object(struct store_batch *b, enum store_action a, enum store_kind k, void *object)
{
    const char *id = store_object_id(k, object);
    if (!*id)
        misuse("an object has no id", k, id);
    const Pb__Secret *secret = k == STORE_SECRET ? object : NULL;
    if (secret && secret->spec && secret->spec->data.len > 0)
        misuse("a payload came inside its object", k, id);
    push(b, a, k, object, id);
}

void store_create(struct store_batch *b, enum store_kind k, void *object)
{
    push_object(b, STORE_CREATE, k, object);
}

void store_update(struct store_batch *b, enum store_kind k, void *object)
{
    push_object(b, STORE_UPDATE, k, object);
}

void store_remove(struct store_batch *b, enum store_kind k, const char *id)
{
    push(b, STORE_REMOVE, k, NULL, id);
}

void store_put_payload(struct store_batch *b, const char *secret_id, const void *p, size_t n)
{
    struct change *c = push(b, 0, STORE_SECRET, NULL, secret_id);
    record_payload(b, c, p, n);
}

size_t store_batch_len(const struct store_batch *b)
{
    return b->count;
}

/* ---- what a batch does to the views ---- */

static void check(const struct table *t, const struct change *c, const struct slot *slot)
{
    bool exists = slot && slot->object[STORE_TIP];
    if (c->action == STORE_CREATE && exists)
        misuse("a create of what exists", c->kind, c->id);
    if (c->action != STORE_CREATE && !exists)
        misuse("an update or removal of nothing", c->kind, c->id);
    if (!c->object || !kind_named(c->kind))
        return;
    const struct slot *named = table_by_name(t, STORE_TIP, store_object_name(c->kind, c->object));
    if (named && named != slot)
        misuse("a name is taken", c->kind, c->id);
}

void batch_to_tip(struct store_batch *b, int64_t now)
{
    struct store *s = b->store;
    for (size_t i = 0; i < b->count; i++) {
        struct change *c = &b->changes[i];
        struct table *t = &s->tables[c->kind];
        check(t, c, table_find(t, c->id));
        c->slot = table_slot(t, c->id);
        c->slot->pending++;
        if (c->action == 0)
            continue;
        if (c->object)
            kind_stamp(c->kind, c->object, b->index, c->slot->object[STORE_TIP], now);
        table_set(t, c->slot, STORE_TIP, c->object);
    }
}

/* Ownership goes to COMMITTED; what it held before goes to the graveyard. */
void batch_to_committed(struct store_batch *b)
{
    struct store *s = b->store;
    for (size_t i = 0; i < b->count; i++) {
        struct change *c = &b->changes[i];
        struct table *t = &s->tables[c->kind];
        struct slot *slot = c->slot;
        c->slot = NULL;
        slot->pending--;
        if (c->action == 0)
            continue;
        void *before = slot->object[STORE_COMMITTED];
        c->ev_object = c->object ? c->object : before;
        c->ev_before = c->action == STORE_UPDATE ? before : NULL;
        table_set(t, slot, STORE_COMMITTED, c->object);
        c->object = NULL;
        store_retire(s, c->kind, before);
        table_drop_if_empty(t, slot);
    }
    if (b->count > 0)
        s->index[STORE_COMMITTED] = b->index;
}

/* Everything that is on its way is being taken back, so TIP becomes what COMMITTED is. */
void batch_take_back(struct store_batch *b)
{
    struct store *s = b->store;
    for (size_t i = 0; i < b->count; i++) {
        struct change *c = &b->changes[i];
        struct table *t = &s->tables[c->kind];
        struct slot *slot = c->slot;
        c->slot = NULL;
        slot->pending--;
        if (slot->object[STORE_TIP] != slot->object[STORE_COMMITTED])
            table_set(t, slot, STORE_TIP, slot->object[STORE_COMMITTED]);
        store_retire(s, c->kind, c->object);
        c->object = NULL;
        table_drop_if_empty(t, slot);
    }
}
