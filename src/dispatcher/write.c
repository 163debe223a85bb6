/* dispatcher/write.c - what goes from nodes into the store: statuses of all calls of one turn in
 * one batch, answered when it is durable. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "dispatcher/internal.h"
#include "model/task.h"

struct write *write_new(struct dispatcher *d)
{
    struct write *w = NEW(struct write);

    w->d = d;
    w->next = d->writes;
    d->writes = w;
    return w;
}

static void update_free(struct update *u)
{
    free(u->node_id);
    free(u);
}

/* Takes u out of its list's hands. */
static void answer(struct update *u, enum rpc_code code, const char *words)
{
    static const Pb__UpdateTaskStatusResponse ok = PB__UPDATE_TASK_STATUS_RESPONSE__INIT;

    u->queued = false;
    if (!u->call)
        update_free(u);
    else if (code == RPC_OK)
        rpc_reply(u->call, &ok.base);
    else
        rpc_fail(u->call, code, "%s", words);
}

static void answer_all(struct update *u, enum rpc_code code, const char *words)
{
    for (struct update *next; u; u = next) {
        next = u->next;
        answer(u, code, words);
    }
}

/* Session streams of this node that have waited for it to be READY. */
static void registered(struct dispatcher *d, const char *node_id, int r, const struct err *e)
{
    for (struct stream *st = d->streams, *next; st; st = next) {
        next = st->next;
        if (st->over || st->assignments || !st->waiting || !str_eq(st->session->node_id, node_id))
            continue;
        st->waiting = false;
        if (r == 0)
            continue;
        st->over = true;
        rpc_fail(st->call, RPC_UNAVAILABLE, "%s", err_text(e));
    }
    deferred_ask(d->turn);
}

static void on_written(void *arg, int r, const struct err *e)
{
    struct write *w = arg;

    if (w->d) {
        struct write **at = &w->d->writes;
        while (*at != w)
            at = &(*at)->next;
        *at = w->next;
    }
    if (r < 0)
        log_error("a node's news could not be stored: %s", err_text(e));
    answer_all(w->updates, r < 0 ? RPC_UNAVAILABLE : RPC_OK, err_text(e));
    if (w->d && w->node_id)
        registered(w->d, w->node_id, r, e);
    free(w->node_id);
    free(w);
}

void write_propose(struct write *w, struct store_batch *b)
{
    store_propose(w->d->o.store, b, on_written, w);
}

static void on_update_closed(struct rpc_call *call, void *arg)
{
    struct update *u = arg;

    (void)call;
    u->call = NULL;
    u->request = NULL;
    if (!u->queued)
        update_free(u);
}

/* Does it speak of a task of another node? Then all of it is refused. */
static bool foreign(const struct dispatcher *d, const char *node_id,
                    const Pb__UpdateTaskStatusRequest *m)
{
    for (size_t i = 0; i < m->n_updates; i++) {
        const Pb__Task *t =
            STORE_GET(d->o.store, STORE_TIP, TASK, Task, str_or(m->updates[i]->task_id, ""));
        if (t && !str_eq(str_or(t->node_id, ""), node_id))
            return true;
    }
    return false;
}

void on_update_task_status(struct rpc_call *call, const ProtobufCMessage *request, void *service)
{
    const Pb__UpdateTaskStatusRequest *m = (const Pb__UpdateTaskStatusRequest *)request;
    struct dispatcher *d = service;
    struct session *s = dispatcher_session(d, call, m->session_id);

    if (!s)
        return;
    if (m->n_updates > STORE_BATCH_MAX) {
        rpc_fail(call, RPC_RESOURCE_EXHAUSTED, "more than %d updates in one call", STORE_BATCH_MAX);
        return;
    }
    if (foreign(d, s->node_id, m)) {
        rpc_fail(call, RPC_PERMISSION_DENIED,
                 "cannot update a task that is assigned to another node");
        return;
    }
    struct update *u = NEW(struct update);
    u->call = call;
    u->queued = true;
    u->node_id = mem_str(s->node_id);
    u->request = m;
    *d->updates_end = u;
    d->updates_end = &u->next;
    rpc_on_close(call, on_update_closed, u);
    deferred_ask(d->turn);
}

struct drafts { /* task id to the copy that this batch will hold, or that turned out to be no change
                 */
    struct idmap by_id;
    struct store *store;
    int64_t now;
};
struct draft {
    Pb__Task *task;
    bool changed;
};

static void apply_one(struct drafts *x, const char *node_id,
                      const Pb__UpdateTaskStatusRequest__TaskStatusUpdate *m)
{
    const char *id = str_or(m->task_id, "");
    const Pb__Task *t = STORE_GET(x->store, STORE_TIP, TASK, Task, id);

    if (!t || !m->status || !str_eq(str_or(t->node_id, ""), node_id))
        return; /* a task that is gone: its node has not heard yet */
    struct idmap_entry *e = idmap_put(&x->by_id, id);
    if (!e->p) {
        struct draft *draft = NEW(struct draft);
        draft->task = store_copy(STORE_TASK, t);
        e->p = draft;
    }
    struct draft *draft = e->p;
    draft->changed = task_apply_status(draft->task, m->status, node_id, x->now) || draft->changed;
}

/* Takes calls from the list while the batch has room for all that they say. */
static struct update *apply_some(struct dispatcher *d, struct drafts *x)
{
    struct update *first = d->updates, **end = &d->updates;
    size_t n = 0;

    while (*end && (!(*end)->request || n + (*end)->request->n_updates <= STORE_BATCH_MAX)) {
        struct update *u = *end;
        for (size_t i = 0; u->request && i < u->request->n_updates; i++, n++)
            apply_one(x, u->node_id, u->request->updates[i]);
        end = &u->next;
    }
    d->updates = *end;
    *end = NULL;
    if (!d->updates)
        d->updates_end = &d->updates;
    return first;
}

void updates_flush(struct dispatcher *d)
{
    struct drafts x = {.store = d->o.store, .now = dispatcher_wall(d)};

    if (!d->updates)
        return;
    struct update *taken = apply_some(d, &x);
    struct store_batch *b = store_batch_new(d->o.store);
    IDMAP_EACH(&x.by_id, it)
    {
        struct draft *draft = it->p;
        if (draft->changed)
            store_update(b, STORE_TASK, draft->task);
        else
            store_object_free(STORE_TASK, draft->task);
        free(draft);
    }
    idmap_clear(&x.by_id);
    if (store_batch_len(b) == 0) { /* nothing new was said */
        store_batch_free(b);
        answer_all(taken, RPC_OK, NULL);
    } else {
        struct write *w = write_new(d);
        w->updates = taken;
        write_propose(w, b);
    }
    if (d->updates)
        deferred_ask(d->turn);
}

void updates_drop(struct dispatcher *d)
{
    answer_all(TAKE(d->updates), RPC_ABORTED, "dispatcher is stopped");
    d->updates_end = &d->updates;
    for (struct write *w = d->writes; w; w = w->next)
        w->d = NULL;
    d->writes = NULL;
}
