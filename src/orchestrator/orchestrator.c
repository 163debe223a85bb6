/* orchestrator/orchestrator.c - see orchestrator/orchestrator.h: which services are looked at, and
 * when. */
#include "orchestrator/orchestrator.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/idmap.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/task.h"
#include "orchestrator/plan.h"

struct orchestrator {
    struct idmap dirty;  /* service ids */
    struct idmap timers; /* service id to when it wants to be looked at */
    bool all, globals;   /* every service; every global service */
    void (*new_id)(void *arg, char ret[ID_SIZE]);
    void *id_arg;
};

static void random_id(void *arg, char ret[ID_SIZE])
{
    (void)arg;
    id_new(ret);
}

struct orchestrator *orchestrator_new(void)
{
    struct orchestrator *o = NEW(struct orchestrator);

    o->all = true;
    o->new_id = random_id;
    return o;
}

void orchestrator_free(struct orchestrator *o)
{
    if (!o)
        return;
    idmap_clear(&o->dirty);
    idmap_clear(&o->timers);
    free(o);
}

void orchestrator_set_ids(struct orchestrator *o, void (*new_id)(void *arg, char ret[ID_SIZE]),
                          void *arg)
{
    o->new_id = new_id;
    o->id_arg = arg;
}

void orchestrator_note_all(struct orchestrator *o)
{
    o->all = true;
}

static int note_service_of_task(const void *object, void *arg)
{
    const Pb__Task *t = object;
    struct orchestrator *o = arg;

    if (!str_empty(t->service_id))
        idmap_put(&o->dirty, t->service_id);
    return 0;
}

static int note_service(const void *object, void *arg)
{
    struct orchestrator *o = arg;

    idmap_put(&o->dirty, ((const Pb__Service *)object)->id);
    return 0;
}

static int note_global(const void *object, void *arg)
{
    const Pb__Service *s = object;

    if (s->spec && service_spec_mode(s->spec) == SERVICE_GLOBAL)
        note_service(object, arg);
    return 0;
}

/* Has anything changed that decides about tasks? A node's address or its certificate does not. */
static bool node_changed(const Pb__Node *a, const Pb__Node *b)
{
    return node_state(a) != node_state(b) || a->role != b->role || !pb_equal(a->spec, b->spec) ||
           !pb_equal(a->description, b->description) ||
           !str_eq(a->status ? a->status->addr : "", b->status ? b->status->addr : "");
}

/* Tasks change for the orchestrator when their state or the wish for them does; a better error text
 * is nothing to it. */
static bool task_changed(const Pb__Task *a, const Pb__Task *b)
{
    return task_state(a) != task_state(b) || a->desired_state != b->desired_state ||
           !str_eq(str_or(a->node_id, ""), str_or(b->node_id, ""));
}

void orchestrator_note(struct orchestrator *o, const struct store *s, const struct store_event *ev)
{
    if (o->all)
        return;
    switch (ev->kind) {
    case STORE_SERVICE:
        note_service(ev->object, o);
        break;
    case STORE_TASK:
        if (ev->action == STORE_REMOVE ||
            (ev->action == STORE_UPDATE && task_changed(ev->before, ev->object)))
            note_service_of_task(ev->object, o);
        break;
    case STORE_NODE:
        if (ev->action == STORE_UPDATE && !node_changed(ev->before, ev->object))
            break;
        o->globals = true;
        store_each_task_of_node(s, STORE_TIP, ((const Pb__Node *)ev->object)->id,
                                note_service_of_task, o);
        break;
    default:
        break;
    }
}

static void expand(struct orchestrator *o, const struct store *s, int64_t now)
{
    if (o->all) {
        store_each(s, STORE_TIP, STORE_SERVICE, note_service, o);
        store_each(s, STORE_TIP, STORE_TASK, note_service_of_task, o);
    } else if (o->globals) {
        store_each(s, STORE_TIP, STORE_SERVICE, note_global, o);
    }
    o->all = o->globals = false;
    IDMAP_EACH(&o->timers, it)
    if (it->n <= now)
        idmap_put(&o->dirty, it->key);
}

static void decide(struct plan *p)
{
    step_nodes(p);
    if (p->service && p->service->spec && !service_spec_is_job(p->service->spec)) {
        step_restart(p);
        step_replicas(p);
        step_update(p);
        step_raise(p);
        step_reap(p);
    } else if (!p->service) {
        step_reap(p);
    }
    plan_flush(p);
}

static void one_service(struct orchestrator *o, const struct store *s, int64_t now, const char *id,
                        struct store_batch *out)
{
    struct plan p = {.store = s, .now = now, .out = out, .new_id = o->new_id, .id_arg = o->id_arg};

    plan_open(&p, id);
    decide(&p);
    if (p.wake != INT64_MAX)
        idmap_put(&o->timers, id)->n = p.wake;
    else
        idmap_del(&o->timers, id);
    plan_done(&p);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void orchestrator_pass(struct orchestrator *o, const struct store *s, int64_t now,
                       struct store_batch *out, int64_t *ret_wake)
{
    expand(o, s, now);
    struct idmap dirty = o->dirty;
    char **ids = mem_array(dirty.count + 1, sizeof *ids);
    size_t n = 0;

    o->dirty = (struct idmap){0};
    IDMAP_EACH(&dirty, it)
    ids[n++] = it->key;
    qsort(ids, n, sizeof *ids, by_text); /* the same store and time give the same decisions */
    int64_t wake = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        if (store_batch_len(out) >=
            STORE_BATCH_MAX / 2) { /* leaves room for the services looked at so far to be whole */
            idmap_put(&o->dirty, ids[i]);
            wake = now;
        } else {
            one_service(o, s, now, ids[i], out);
        }
    }
    free(ids);
    idmap_clear(&dirty);
    IDMAP_EACH(&o->timers, it)
    wake = it->n < wake ? it->n : wake;
    *ret_wake = wake;
}
