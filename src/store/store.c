/* store/store.c - opens the state, takes proposals through the engine, tells what became of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/store_batch.h"
#include "store/store_int.h"

/* ---- what was replaced lives until control returns to the loop ---- */

void store_retire(struct store *s, enum store_kind k, void *object)
{
    if (!object)
        return;
    if (s->ngraves == s->grave_room) {
        s->grave_room = s->grave_room ? s->grave_room * 2 : 16;
        s->graves = mem_grow(s->graves, s->grave_room, sizeof *s->graves);
    }
    s->graves[s->ngraves++] = (struct grave){k, object};
}

static void bury(struct store *s)
{
    for (size_t i = 0; i < s->ngraves; i++)
        store_object_free(s->graves[i].kind, s->graves[i].object);
    s->ngraves = 0;
    if (s->grave_room > 1024) { /* one large batch must not cost memory for ever */
        free(s->graves);
        s->graves = NULL;
        s->grave_room = 0;
    }
}

/* ---- opening ---- */

struct loading {
    struct store *store;
    struct err *e;
};

static int on_record(void *arg, const struct log_record *r)
{
    const struct loading *a = arg;
    void *object;
    int rc = record_open(a->store->sealer, r, &object, a->e);
    if (rc < 0)
        return rc;
    struct table *t = &a->store->tables[r->kind];
    struct slot *slot = table_slot(t, r->id);
    if (slot->object[STORE_COMMITTED]) {
        store_object_free((enum store_kind)r->kind, object);
        return err_set(a->e, -EBADMSG, "record '%s' is there twice", r->id);
    }
    table_set(t, slot, STORE_COMMITTED, object);
    table_set(t, slot, STORE_TIP, object);
    return 0;
}

static void store_free(struct store *s)
{
    bury(s);
    for (int k = 0; k < STORE_KINDS; k++)
        table_free(&s->tables[k]);
    while (s->watches) {
        struct store_watch *w = s->watches;
        s->watches = w->next;
        free(w);
    }
    free(s->graves);
    free(s->entries);
    free(s);
}

int store_open(struct log_engine *engine, const struct sealer *sealer, int64_t (*now)(void *arg),
               void *now_arg, struct store **ret, struct err *e)
{
    struct store *s = NEW(struct store);
    s->engine = engine;
    s->sealer = sealer;
    s->now = now;
    s->now_arg = now_arg;
    for (int k = 0; k < STORE_KINDS; k++)
        table_init(&s->tables[k], (enum store_kind)k);
    struct loading loading = {s, e};
    int r = engine->load(engine, on_record, &loading, &s->index[STORE_COMMITTED], e);
    s->index[STORE_TIP] = s->index[STORE_COMMITTED];
    if (r < 0) {
        engine->close(engine);
        store_free(s);
        return err_wrap(e, r, "read the store");
    }
    *ret = s;
    return 0;
}

/* ---- reading ---- */

const void *store_get(const struct store *s, enum store_view v, enum store_kind k, const char *id)
{
    const struct slot *slot = table_find(&s->tables[k], id);
    return slot ? slot->object[v] : NULL;
}

const void *store_by_name(const struct store *s, enum store_view v, enum store_kind k,
                          const char *name)
{
    const struct slot *slot = table_by_name(&s->tables[k], v, name);
    return slot ? slot->object[v] : NULL;
}

uint64_t store_index(const struct store *s, enum store_view v)
{
    return s->index[v];
}

size_t store_count(const struct store *s, enum store_view v, enum store_kind k)
{
    return s->tables[k].count[v];
}

int store_each(const struct store *s, enum store_view v, enum store_kind k, store_fn fn, void *arg)
{
    return table_each(&s->tables[k], v, "", fn, arg);
}

int store_each_packed(const struct store *s, enum store_kind k, store_packed_fn fn, void *arg)
{
    return table_each_packed(&s->tables[k], fn, arg);
}

int store_each_prefix(const struct store *s, enum store_view v, enum store_kind k,
                      const char *id_prefix, store_fn fn, void *arg)
{
    return table_each(&s->tables[k], v, id_prefix, fn, arg);
}

int store_each_task_of_service(const struct store *s, enum store_view v, const char *service_id,
                               store_fn fn, void *arg)
{
    return table_each_of_service(&s->tables[STORE_TASK], v, service_id, fn, arg);
}

int store_each_task_of_node(const struct store *s, enum store_view v, const char *node_id,
                            store_fn fn, void *arg)
{
    return table_each_of_node(&s->tables[STORE_TASK], v, node_id, fn, arg);
}

/* ---- proposing ---- */

static void list_push(struct batch_list *l, struct store_batch *b)
{
    b->next = NULL;
    if (l->last)
        l->last->next = b;
    else
        l->first = b;
    l->last = b;
    l->count++;
}

static struct store_batch *list_pop(struct batch_list *l)
{
    struct store_batch *b = l->first;
    if (!b)
        return NULL;
    l->first = b->next;
    if (!l->first)
        l->last = NULL;
    l->count--;
    return b;
}

static size_t batch_bytes(const struct store_batch *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->nrecords; i++)
        n += b->records[i].len;
    return n;
}

static void on_appended(void *arg, int r, const struct err *e);

/* What waits goes into one flush, up to the group's limits. Batches without changes ride along:
 * they only wait for those before them. */
static void append_next(struct store *s)
{
    size_t n = 0, bytes = 0;
    if (s->appending || !s->queued.first)
        return;
    while (s->queued.first && s->flying.count < GROUP_MAX && bytes < GROUP_BYTES) {
        bytes += batch_bytes(s->queued.first);
        list_push(&s->flying, list_pop(&s->queued));
    }
    s->entries = mem_array(s->flying.count, sizeof *s->entries);
    for (struct store_batch *b = s->flying.first; b; b = b->next)
        if (b->count > 0)
            s->entries[n++] = (struct log_entry){b->index, b->records, b->nrecords};
    s->appending = true;
    s->engine->append(s->engine, s->entries, n, on_appended, s);
}

uint64_t store_propose(struct store *s, struct store_batch *b,
                       void (*on_done)(void *arg, int r, const struct err *e), void *arg)
{
    if (s->closing) {
        store_batch_free(b);
        return s->index[STORE_TIP];
    }
    b->index = s->index[STORE_TIP] + (b->count > 0);
    b->on_done = on_done;
    b->arg = arg;
    uint64_t index = b->index;
    batch_to_tip(b, s->now(s->now_arg));
    batch_records(b);
    s->index[STORE_TIP] = index;
    list_push(&s->queued, b);
    if (!s->telling) /* else what the callbacks propose shares one flush when they are through */
        append_next(s);
    return index;
}

/* ---- what became of it ---- */

static void tell_watchers(struct store *s, const struct store_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct change *c = &b->changes[i];
        if (c->action == 0)
            continue;
        struct store_event ev = {.action = c->action,
                                 .kind = c->kind,
                                 .object = c->ev_object,
                                 .before = c->ev_before,
                                 .index = b->index};
        for (struct store_watch *w = s->watches; w; w = w->next)
            if (!w->dead && w->from < b->index)
                w->fn(w->arg, &ev);
    }
}

static void done_with(struct store_batch *b, int r, const struct err *e)
{
    if (b->on_done)
        b->on_done(b->arg, r, e);
    store_batch_free(b);
}

static void commit_flying(struct store *s)
{
    struct store_batch *b;
    while ((b = list_pop(&s->flying))) {
        batch_to_committed(b);
        tell_watchers(s, b);
        done_with(b, 0, NULL);
    }
}

/* What was proposed later may rest on what failed: all of it is taken back before anybody is told.
 */
static void take_all_back(struct store *s, int r, const struct err *e)
{
    struct batch_list lost = s->flying;
    struct store_batch *b;
    while ((b = list_pop(&s->queued)))
        list_push(&lost, b);
    s->flying = (struct batch_list){0};
    for (b = lost.first; b; b = b->next)
        batch_take_back(b);
    s->index[STORE_TIP] = s->index[STORE_COMMITTED];
    while ((b = list_pop(&lost)))
        done_with(b, r, e);
}

static void sweep_watches(struct store *s)
{
    for (struct store_watch **at = &s->watches; *at;) {
        struct store_watch *w = *at;
        if (w->dead) {
            *at = w->next;
            free(w);
        } else {
            at = &w->next;
        }
    }
}

static void on_appended(void *arg, int r, const struct err *e)
{
    struct store *s = arg;
    s->appending = false;
    free(s->entries);
    s->entries = NULL;
    s->telling = true;
    if (r < 0)
        take_all_back(s, r, e);
    else
        commit_flying(s);
    s->telling = false;
    if (!s->closing)
        sweep_watches(s);
    bury(s);
    append_next(s);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->telling) {
        log_error("store: closed from inside one of its callbacks");
        abort();
    }
    s->closing = true;
    for (struct store_watch *w = s->watches; w; w = w->next)
        w->dead = true;
    while (s->appending)
        s->engine->flush(s->engine);
    s->engine->close(s->engine);
    store_free(s);
}

/* ---- watching ---- */

struct store_watch *
store_watch(struct store *s, void (*on_event)(void *arg, const struct store_event *ev), void *arg)
{
    struct store_watch *w = NEW(struct store_watch), **at = &s->watches;
    *w = (struct store_watch){
        .fn = on_event, .arg = arg, .store = s, .from = s->index[STORE_COMMITTED]};
    while (*at)
        at = &(*at)->next;
    *at = w;
    return w;
}

void store_unwatch(struct store_watch *w)
{
    if (!w)
        return;
    w->dead = true;
    if (!w->store->telling && !w->store->closing)
        sweep_watches(w->store);
}

/* ---- payloads ---- */

int store_payload(const struct store *s, const char *secret_id, struct secret_buf **ret,
                  struct err *e)
{
    void *bytes;
    size_t n;
    uint64_t index;
    int r = s->engine->payload(s->engine, secret_id, &bytes, &n, &index, e);
    if (r < 0)
        return r;
    struct seal_label l = {SEAL_PAYLOAD, STORE_SECRET, secret_id, index};
    r = sealer_open_secret(s->sealer, &l, bytes, n, ret, e);
    free(bytes);
    return r;
}
