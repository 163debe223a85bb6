/* orchestrator/plan.c - see orchestrator/plan.h. */
#include "orchestrator/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/constraint.h"
#include "model/node.h"
#include "model/pb.h"
#include "model/task.h"

static int collect(const void *object, void *arg)
{
    struct plan *p = arg;

    if ((p->n_items & (p->n_items - 1)) == 0) /* grows at each power of two */
        p->items = mem_grow(p->items, p->n_items ? p->n_items * 2 : 1, sizeof *p->items);
    p->items[p->n_items++] =
        (struct item){.t = object, .order = task_note_ns(object, TASK_NOTE_ORDER)};
    return 0;
}

static int64_t created_at(const Pb__Task *t)
{
    return t->meta ? pb_time_ns(t->meta->created_at) : 0;
}

/* By slot (a global service's: by node), then by age. */
static int by_slot(const void *a, const void *b)
{
    const struct item *ia = a, *ib = b;
    const Pb__Task *x = ia->t, *y = ib->t;

    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    if (x->slot == 0) {
        int c = strcmp(str_or(x->node_id, ""), str_or(y->node_id, ""));
        if (c)
            return c;
    }
    if (ia->order != ib->order)
        return ia->order < ib->order ? -1 : 1;
    int64_t cx = created_at(x), cy = created_at(y);
    return cx != cy ? (cx < cy ? -1 : 1) : strcmp(x->id, y->id);
}

static bool same_slot(const Pb__Task *x, const Pb__Task *y)
{
    return x->slot == y->slot &&
           (x->slot != 0 || strcmp(str_or(x->node_id, ""), str_or(y->node_id, "")) == 0);
}

void plan_open(struct plan *p, const char *service_id)
{
    p->service_id = service_id;
    p->service = STORE_GET(p->store, STORE_TIP, SERVICE, Service, service_id);
    p->mode =
        p->service && p->service->spec ? service_spec_mode(p->service->spec) : SERVICE_REPLICATED;
    p->wake = INT64_MAX;
    store_each_task_of_service(p->store, STORE_TIP, service_id, collect, p);
    if (p->n_items)
        qsort(p->items, p->n_items, sizeof *p->items, by_slot);
    for (size_t i = 0, from = 0; i < p->n_items; i++) {
        if (i + 1 < p->n_items && same_slot(p->items[i].t, p->items[i + 1].t))
            continue;
        plan_slots_reserve(p, 1);
        const Pb__Task *t = p->items[from].t;
        struct slot *s = plan_slot_add(p, t->slot, t->slot ? NULL : t->node_id);
        s->old = p->items + from;
        s->n_old = i + 1 - from;
        from = i + 1;
    }
}

void plan_slots_reserve(struct plan *p, size_t more)
{
    if (p->n_slots + more <= p->cap_slots)
        return;
    p->cap_slots = p->n_slots + more + p->n_slots / 2;
    p->slots = mem_grow(p->slots, p->cap_slots, sizeof *p->slots);
}

struct slot *plan_slot_add(struct plan *p, uint64_t number, const char *node_id)
{
    struct slot *s = &p->slots[p->n_slots++];

    *s = (struct slot){.number = number, .node_id = node_id};
    return s;
}

static void flush_item(struct plan *p, struct item *it)
{
    if (it->removed && it->created)
        pb_free(TAKE(it->edit));
    if ((!it->removed && !it->edit) || (it->removed && it->created))
        return;
    if (plan_room(p) == 0) {
        pb_free(TAKE(it->edit));
        p->wake = p->now; /* the rest in another batch: what is decided then starts from what this
                             one did */
    } else if (it->removed) {
        pb_free(TAKE(it->edit));
        store_remove(p->out, STORE_TASK, it->t->id);
    } else if (it->created) {
        store_create(p->out, STORE_TASK, TAKE(it->edit));
    } else {
        store_update(p->out, STORE_TASK, TAKE(it->edit));
    }
}

void plan_flush(struct plan *p)
{
    if (p->service_edit && plan_room(p) > 0)
        store_update(p->out, STORE_SERVICE, TAKE(p->service_edit));
    /* Successors first: when the batch is full, a task without its successor's record would look
     * like one whose replacement was never wanted; a successor without the record of the old one's
     * end is merely one task too many for a moment. */
    for (size_t i = 0; i < p->n_slots; i++)
        if (p->slots[i].fresh.t)
            flush_item(p, &p->slots[i].fresh);
    for (size_t i = 0; i < p->n_items; i++) {
        struct item it = p->items[i];
        if (it.removed) /* its id must outlive the copy that edit may be */
            it.t = STORE_GET(p->store, STORE_TIP, TASK, Task, p->items[i].t->id);
        flush_item(p, &it);
        p->items[i].edit = NULL;
    }
}

void plan_done(struct plan *p)
{
    for (size_t i = 0; i < p->n_items; i++)
        pb_free(p->items[i].edit);
    for (size_t i = 0; i < p->n_slots; i++)
        pb_free(p->slots[i].fresh.edit);
    pb_free(p->service_edit);
    free(p->items);
    free(p->slots);
}

void plan_wake(struct plan *p, int64_t at)
{
    if (at < p->wake)
        p->wake = at;
}

const Pb__Node *plan_node(const struct plan *p, const char *id)
{
    return str_empty(id) ? NULL : STORE_GET(p->store, STORE_TIP, NODE, Node, id);
}

size_t plan_room(const struct plan *p)
{
    size_t used = store_batch_len(p->out);

    return used >= STORE_BATCH_MAX ? 0 : STORE_BATCH_MAX - used;
}

size_t slot_len(const struct slot *s)
{
    return s->n_old + (s->fresh.t != NULL);
}

struct item *slot_at(struct slot *s, size_t i)
{
    return i < s->n_old ? &s->old[i] : &s->fresh;
}

struct item *slot_newest(struct slot *s)
{
    for (size_t i = slot_len(s); i-- > 0;) {
        struct item *it = slot_at(s, i);
        if (!it->removed && (int)it->t->desired_state < TASK_REMOVE)
            return it;
    }
    return NULL;
}

bool slot_has_wanted(struct slot *s)
{
    for (size_t i = 0; i < slot_len(s); i++)
        if (!slot_at(s, i)->removed && task_wanted(slot_at(s, i)->t))
            return true;
    return false;
}

/* The networks that the spec names, as the node needs to see them. Addresses are the node's to
 * give. */
static void attach_networks(struct plan *p, Pb__Task *t, const Pb__ServiceSpec *spec)
{
    bool own = spec->task && spec->task->n_networks;
    size_t n = own ? spec->task->n_networks : spec->n_networks;
    Pb__NetworkAttachmentConfig **configs = own ? spec->task->networks : spec->networks;

    for (size_t i = 0; i < n; i++) {
        const Pb__Network *net =
            STORE_GET(p->store, STORE_TIP, NETWORK, Network, str_or(configs[i]->target, ""));
        if (!net) /* a network of the node itself ("bridge", "host"), or one that is gone: the node
                     says so */
            continue;
        Pb__NetworkAttachment *a = PB_NEW(NetworkAttachment, network_attachment);
        a->network = pb_dup(net);
        for (size_t k = 0; k < configs[i]->n_aliases; k++)
            PB_PUSH(a->n_aliases, a->aliases, mem_str(configs[i]->aliases[k]));
        PB_PUSH(t->n_networks, t->networks, a);
    }
}

static Pb__Endpoint *task_endpoint(const Pb__Service *s)
{
    Pb__Endpoint *e = s->endpoint ? pb_dup(s->endpoint) : PB_NEW(Endpoint, endpoint);

    /* what the service asks for now: it is what tells an old task from a new one */
    pb_free(e->spec);
    e->spec = pb_dup(s->spec->endpoint);
    if (!s->endpoint && e->spec)
        for (size_t i = 0; i < e->spec->n_ports; i++)
            PB_PUSH(e->n_ports, e->ports, pb_dup(e->spec->ports[i]));
    return e;
}

static const Pb__Driver *log_driver(const struct plan *p)
{
    const Pb__TaskSpec *spec = p->service->spec->task;
    const Pb__Cluster *c = store_by_name(p->store, STORE_TIP, STORE_CLUSTER, "default");

    if (spec && spec->log_driver)
        return spec->log_driver;
    return c && c->spec && c->spec->task_defaults ? c->spec->task_defaults->log_driver : NULL;
}

struct item *slot_create(struct plan *p, struct slot *s, int desired)
{
    const Pb__ServiceSpec *spec = p->service->spec;
    char id[ID_SIZE];

    if (s->fresh.t)
        return NULL;
    Pb__Task *t = PB_NEW(Task, task);
    p->new_id(p->id_arg, id);
    pb_str(&t->id, id);
    pb_str(&t->service_id, p->service_id);
    t->slot = s->number;
    if (s->node_id)
        pb_str(&t->node_id, s->node_id);
    t->spec = spec->task ? pb_dup(spec->task) : PB_NEW(TaskSpec, task_spec);
    t->service_annotations = spec->annotations ? pb_dup(spec->annotations) : NULL;
    t->desired_state = (Pb__TaskState)desired;
    t->endpoint = task_endpoint(p->service);
    t->log_driver = pb_dup(log_driver(p));
    pb_set_version(&t->spec_version, pb_version(p->service->spec_version));
    attach_networks(p, t, spec);
    task_set_status(t, TASK_NEW, p->now, "created", NULL);
    int64_t order = s->n_old ? s->old[s->n_old - 1].order + 1 : 1;
    task_set_note_ns(t, TASK_NOTE_ORDER, order);
    s->fresh = (struct item){.t = t, .edit = t, .order = order, .created = true};
    return &s->fresh;
}

Pb__Task *item_edit(struct item *it)
{
    if (!it->edit) {
        it->edit = pb_dup(it->t);
        it->t = it->edit;
    }
    return it->edit;
}

Pb__Service *plan_service_edit(struct plan *p)
{
    if (!p->service_edit) {
        p->service_edit = pb_dup(p->service);
        p->service = p->service_edit;
    }
    return p->service_edit;
}

void item_set_desired(struct item *it, int desired)
{
    if ((int)it->t->desired_state != desired)
        item_edit(it)->desired_state = (Pb__TaskState)desired;
}

void item_shut_down(struct plan *p, struct item *it)
{
    if ((int)it->t->desired_state < TASK_SHUTDOWN)
        item_set_desired(it, TASK_SHUTDOWN);
    if (task_state(it->t) < TASK_ASSIGNED)
        task_set_status(item_edit(it), TASK_SHUTDOWN, p->now, "shutdown", NULL);
}

void item_remove(struct plan *p, struct item *it)
{
    int state = task_state(it->t);

    if (state < TASK_ASSIGNED || task_state_is_final(state) || !plan_node(p, it->t->node_id))
        it->removed = true;
    else
        item_set_desired(it, TASK_REMOVE);
}

bool item_stopping(const struct plan *p, const struct item *it)
{
    if (it->removed || task_wanted(it->t) || task_state(it->t) < TASK_ASSIGNED ||
        task_state_is_final(task_state(it->t)))
        return false;
    const Pb__Node *n = plan_node(p, it->t->node_id);
    return n && node_state(n) != NODE_DOWN;
}

bool item_is_dirty(struct plan *p, const struct item *it)
{
    uint64_t version = pb_version(it->t->spec_version);
    bool past = task_state(it->t) > TASK_READY;
    unsigned max = sizeof p->known / sizeof *p->known, i = 0;

    while (i < p->n_known && (p->known[i].version != version || p->known[i].past_ready != past))
        i++;
    if (i == p->n_known) {
        i = p->n_known < max ? p->n_known++ : (unsigned)(version % max);
        p->known[i].version = version;
        p->known[i].past_ready = past;
        p->known[i].answer = service_task_difference(p->service, it->t);
    }
    if (p->known[i].answer == TASK_OTHER_CONSTRAINTS) {
        const Pb__Node *n = plan_node(p, it->t->node_id);
        return !n || !constraint_match_task(p->service->spec->task, n);
    }
    return p->known[i].answer == TASK_OTHER_SPEC;
}
